// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vmap() and vmap_sg()
 *
 * A case lays out memory, maps it, and compares the page tables with a model that
 * knows the pages, the virtual address and the sizes of leaves of the architecture:
 *
 *   layout      -> struct memory: an array of pages, and an sg_table with an
 *                  entry for each chunk, whether or not chunks are adjacent
 *   memory      -> extents    -> number of leaves of each size   (the model)
 *   page tables -> entry_at() -> number of leaves of each size
 *
 * All memory is cut out of one arena, in larger mappings more than once.
 */

#include <kunit/test.h>
#include <linux/cacheinfo.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/kasan.h>
#include <linux/kprobes.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#ifdef CONFIG_X86
#include <asm/mtrr.h>
#endif

#include "../internal.h"
#include "../page_alloc.h"
#include "../vmalloc.h"

#define PMD_PAGES	(PMD_SIZE >> PAGE_SHIFT)
#define PUD_PAGES	(PUD_SIZE >> PAGE_SHIFT)

/* The address of page frames from here on takes more than 32 bits. */
#define HIGH_PFN	BIT(32 - PAGE_SHIFT)

/* How often something is repeated to see whether it leaks a page each time. */
#define LEAK_ROUNDS	512
/* What others may take meanwhile, and what KASAN keeps of what was freed. */
#define LEAK_SLACK	(IS_ENABLED(CONFIG_KASAN_GENERIC) ? LEAK_ROUNDS : LEAK_ROUNDS / 4)

/* The arena: contiguous memory, each page of it allocated on its own. */
static struct {
	unsigned long pfn;
	unsigned long nr_pages;
} arena;

static struct page *contig_alloc(unsigned long nr_pages)
{
	struct page *page;

#ifdef CONFIG_CONTIG_ALLOC
	page = alloc_contig_pages(nr_pages, GFP_HIGHUSER | __GFP_NOWARN, first_memory_node, NULL);
	if (page)
		return page;
#endif
	if (nr_pages > MAX_ORDER_NR_PAGES)
		return NULL;
	page = alloc_pages(GFP_HIGHUSER | __GFP_NOWARN, ilog2(nr_pages));
	if (page)
		split_page(page, ilog2(nr_pages));
	return page;
}

static void contig_free(unsigned long pfn, unsigned long nr_pages)
{
	for (; nr_pages; pfn++, nr_pages--, cond_resched())
		__free_page(pfn_to_page(pfn));
}

/* As contig_alloc(), from HIGH_PFN on if the machine has such memory free. */
static struct page *contig_alloc_high(unsigned long nr_pages)
{
	struct page *page, *low, *next;
	unsigned long nr_low = 0;
	LIST_HEAD(lows);

	while ((page = contig_alloc(nr_pages))) {
		if (page_to_pfn(page) >= HIGH_PFN || max_pfn <= HIGH_PFN ||
		    nr_low > totalram_pages() / 2)
			break;
		list_add(&page->lru, &lows);
		nr_low += nr_pages;
	}
	if (!page && !list_empty(&lows)) {
		page = list_first_entry(&lows, struct page, lru);
		list_del(&page->lru);
	}
	list_for_each_entry_safe(low, next, &lows, lru)
		contig_free(page_to_pfn(low), nr_pages);
	return page;
}

static int vmap_suite_init(struct kunit_suite *suite)
{
	struct page *page = NULL;

	arena.nr_pages = 8 * PMD_PAGES;
	while (arena.nr_pages > totalram_pages() / 4 ||
	       !(page = contig_alloc_high(arena.nr_pages)))
		arena.nr_pages /= 2;
	arena.pfn = page_to_pfn(page);
	return 0;
}

static void vmap_suite_exit(struct kunit_suite *suite)
{
	contig_free(arena.pfn, arena.nr_pages);
}

/* Layouts */

/* An amount of memory: so many pages and so many halves of a PMD leaf. */
struct amount {
	unsigned short pages;
	unsigned short half_pmds;
};

#define PAGES(n)	 { .pages = (n) }
#define HALF_PMDS(n)	 { .half_pmds = (n) }
#define PMDS(n)		 { .half_pmds = 2 * (n) }
#define PMDS_AND_PAGE(n) { .pages = 1, .half_pmds = 2 * (n) }

static unsigned long nr_pages_of(struct amount amount)
{
	return amount.pages + amount.half_pmds * (PMD_PAGES / 2);
}

enum order { ASCENDING, DESCENDING, SHUFFLED };

/* How physical memory is laid out. */
struct layout {
	const char *name;
	struct amount size;
	struct amount block;		/* a contiguous block; 0 if all is contiguous */
	struct amount gap;		/* from the end of a block to the next */
	struct amount skew;		/* from an aligned address to the first block */
	enum order order;		/* of the blocks */
	unsigned int nr_singles;	/* so many blocks have a single page before them */
};

#define RUN(_size) ((const struct layout){ .size = _size })
#define BLOCKS(_size, _block, _gap) \
	((const struct layout){ .size = _size, .block = _block, .gap = _gap })
#define SCATTERED(_size) BLOCKS(_size, PAGES(1), PAGES(1))

static const struct layout layouts[] = {
	{ "one_page", PAGES(1) },
	{ "16_pages", PAGES(16) },
	{ "leaf", PMDS(1) },
	{ "leaf_and_page", PMDS_AND_PAGE(1) },
	{ "leaves", PMDS(4) },
	{ "16_unaligned_pages", PAGES(16), .skew = PAGES(1) },
	{ "unaligned_leaf", PMDS(1), .skew = PAGES(1) },
	{ "unaligned_leaves", PMDS_AND_PAGE(3), .skew = PAGES(1) },
	{ "blocks_of_16_pages", PMDS_AND_PAGE(1), PAGES(16), PAGES(16) },
	{ "blocks_of_24_pages", PMDS(1), PAGES(24), PAGES(8) },
	{ "blocks_of_half_leaf", PMDS(4), HALF_PMDS(1), HALF_PMDS(1) },
	{ "blocks_of_leaf", PMDS_AND_PAGE(2), PMDS(1), PMDS(1) },
	{ "blocks_of_2_leaves", PMDS(4), PMDS(2), PMDS(2) },
	{ "ascending_pages", PMDS_AND_PAGE(1), PAGES(1) },
	{ "descending_pages", PMDS(1), PAGES(1), .order = DESCENDING },
	{ "shuffled_pages", PMDS(4), PAGES(1), .order = SHUFFLED },
	{ "16_scattered_pages", PAGES(16), PAGES(1), PAGES(1) },
	{ "scattered_pages", PMDS_AND_PAGE(2), PAGES(1), PAGES(1) },
	{ "shuffled_leaves", PMDS(4), PMDS(1), .order = SHUFFLED },
	{ "page_then_leaves", PMDS_AND_PAGE(2), PMDS(1), PMDS(1), .nr_singles = 1 },
	{ "page_then_run", PMDS(4), PMDS(4), .nr_singles = 1 },
	{ "run_then_page", PMDS_AND_PAGE(4), PMDS(4), PMDS(1) },
	{ "pages_and_leaves", PMDS(4), PMDS(1), PMDS(1), .nr_singles = 4 },
	/* After each single page, virtual and physical address are out of step. */
	{ "pages_and_runs", PMDS(4), PMDS(2), PMDS(1), .nr_singles = 4 },
	/* As long as a leaf, but half of it lies on either side of a border. */
	{ "blocks_across_border", PMDS(4), PMDS(1), PMDS(1), HALF_PMDS(1) },
	/* Half a leaf, a leaf, half a leaf. */
	{ "blocks_around_leaf", HALF_PMDS(5), PMDS(2), PMDS(1), HALF_PMDS(1) },
};

KUNIT_ARRAY_PARAM_DESC(layout, layouts, name);

/* Memory laid out, ready to be mapped: the table has an entry per chunk. */
struct memory {
	struct page **pages;
	unsigned long nr_pages;
	struct sg_table sgt;
};

static unsigned long block_pages(const struct layout *layout)
{
	return nr_pages_of(layout->block) ?: nr_pages_of(layout->size);
}

/* Pages for blocks.  The end of the arena is kept for single pages. */
static unsigned long room_for_blocks(const struct layout *layout)
{
	const unsigned long taken = nr_pages_of(layout->skew) +
				    (layout->nr_singles ? PMD_PAGES : 0);

	return arena.nr_pages - min(taken, arena.nr_pages);
}

/* The page frame that chunk @i starts at, and in @len its number of pages. */
static unsigned long chunk_pfn(const struct layout *layout, unsigned long i, unsigned long *len)
{
	const unsigned long block = block_pages(layout);
	const unsigned long stride = block + nr_pages_of(layout->gap);
	unsigned long nr = (room_for_blocks(layout) - block) / stride + 1;
	const bool early = i < 2 * layout->nr_singles;

	*len = early && i % 2 == 0 ? 1 : block;
	if (early && i % 2 == 0)
		return arena.pfn + arena.nr_pages - PMD_PAGES + i + 1;
	i = early ? i / 2 : i - layout->nr_singles;
	if (layout->order == SHUFFLED) {
		nr = rounddown_pow_of_two(nr);
		i = i * 0x9e3779b1 + 1;
	}
	i %= nr;
	if (layout->order == DESCENDING)
		i = nr - 1 - i;
	return arena.pfn + nr_pages_of(layout->skew) + i * stride;
}

/* Fill in the pages and, if @sg is given, its entries, some at an offset; returns their number. */
static unsigned int lay_out(struct memory *mem, const struct layout *layout, struct scatterlist *sg)
{
	unsigned long done = 0, pfn, n, i, j;

	for (i = 0; done < mem->nr_pages; i++, done += n) {
		pfn = chunk_pfn(layout, i, &n);
		n = min(n, mem->nr_pages - done);
		for (j = 0; j < n; j++)
			mem->pages[done + j] = pfn_to_page(pfn + j);
		if (sg) {
			j = min(i % 3, pfn - arena.pfn);
			sg_set_page(sg, pfn_to_page(pfn - j), n << PAGE_SHIFT, j << PAGE_SHIFT);
			sg = sg_next(sg);
		}
		cond_resched();
	}
	return i;
}

static void defer(struct kunit *test, kunit_action_t *action, void *arg)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, action, arg), 0);
}

static void memory_free(void *arg)
{
	struct memory *mem = arg;

	sg_free_table(&mem->sgt);
	kvfree(mem->pages);
}

static struct memory *memory_new(struct kunit *test, unsigned long nr_pages)
{
	struct memory *mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mem);
	defer(test, memory_free, mem);
	mem->nr_pages = nr_pages;
	mem->pages = kvmalloc_array(nr_pages, sizeof(*mem->pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->pages);
	return mem;
}

static struct memory *memory_alloc(struct kunit *test, struct layout layout)
{
	struct memory *mem = memory_new(test, nr_pages_of(layout.size));
	int err;

	if (block_pages(&layout) > room_for_blocks(&layout))
		kunit_skip(test, "no contiguous memory of %lu pages", block_pages(&layout));
	err = sg_alloc_table(&mem->sgt, lay_out(mem, &layout, NULL), GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, err, 0);
	lay_out(mem, &layout, mem->sgt.sgl);
	return mem;
}

/* Mappings */

struct variant {
	const char *name;
	int value;
};

static int variant_of(struct kunit *test)
{
	return ((const struct variant *)test->param_value)->value;
}

enum vmap_user { USER_PAGES, USER_SG };

static const struct variant users[] = { { "pages", USER_PAGES }, { "sg", USER_SG } };

KUNIT_ARRAY_PARAM_DESC(user, users, name);
KUNIT_DEFINE_ACTION_WRAPPER(vunmap_action, vunmap, const void *);

static void *try_map(struct memory *mem, enum vmap_user user, pgprot_t prot)
{
	if (user == USER_PAGES)
		return vmap(mem->pages, mem->nr_pages, VM_MAP, prot);
	return vmap_sg(&mem->sgt, prot);
}

static void *map(struct kunit *test, struct memory *mem, enum vmap_user user, pgprot_t prot)
{
	void *va = try_map(mem, user, prot);

	KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, va, "%lu pages were not mapped", mem->nr_pages);
	defer(test, vunmap_action, va);
	return va;
}

static unsigned long address_of(const void *va)
{
	return (unsigned long)kasan_reset_tag(va);
}

/* What the page tables hold for an address: @val is 0 if there is no entry. */
struct entry {
	unsigned int shift;	/* log2 of the bytes that it is for */
	u64 val;
	unsigned long pfn;	/* of the first page that it maps */
};

static struct entry pte_entry_at(pmd_t *pmd, unsigned long addr)
{
	const pte_t pte = ptep_get(pte_offset_kernel(pmd, addr));
	unsigned long size = PAGE_SIZE;

	if (pte_none(pte))
		return (struct entry){ PAGE_SHIFT };
	if (pte_present(pte))
		size = __pte_leaf_size(*pmd, pte);
	return (struct entry){ ilog2(size), pte_val(pte),
			       pte_pfn(pte) - (PHYS_PFN(addr) & (PHYS_PFN(size) - 1)) };
}

/* No mapping here is larger than a PUD, so that nothing above can be a leaf. */
static struct entry entry_at(unsigned long addr)
{
	pgd_t *pgd = pgd_offset_k(addr);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd))
		return (struct entry){ PGDIR_SHIFT };
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(*p4d))
		return (struct entry){ P4D_SHIFT };

	pud = pud_offset(p4d, addr);
	if (pud_none(*pud))
		return (struct entry){ PUD_SHIFT };
	if (pud_leaf(*pud))
		return (struct entry){ PUD_SHIFT, pud_val(*pud), pud_pfn(*pud) };

	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd))
		return (struct entry){ PMD_SHIFT };
	if (pmd_leaf(*pmd))
		return (struct entry){ PMD_SHIFT, pmd_val(*pmd), pmd_pfn(*pmd) };

	return pte_entry_at(pmd, addr);
}

static void expect_unmapped(struct kunit *test, unsigned long addr, unsigned long size)
{
	const unsigned long end = addr + size;
	struct entry entry = entry_at(addr);

	while (!entry.val && (addr | (BIT(entry.shift) - 1)) < end - 1) {
		addr = (addr | (BIT(entry.shift) - 1)) + 1;
		entry = entry_at(addr);
		cond_resched();
	}
	KUNIT_EXPECT_EQ_MSG(test, entry.val, 0, "an entry is left at %#lx", addr);
}

static void unmap(struct kunit *test, void *va, unsigned long nr_pages)
{
	kunit_release_action(test, vunmap_action, va);
	expect_unmapped(test, address_of(va), nr_pages << PAGE_SHIFT);
	vm_unmap_aliases();
}

/* log2 of the largest leaf of vmap() and vmap_sg(), if the arch supports it. */
static unsigned int vmap_max_shift(void)
{
	if (!IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC) ||
	    strstr(saved_command_line, "nohugevmap"))
		return PAGE_SHIFT;
	return BITS_PER_LONG - 1;
}

static void skip_unless_pmd_leaves(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC) || !arch_vmap_pmd_supported(PAGE_KERNEL))
		kunit_skip(test, "no PMD leaves");
}

/* The model: log2 of the leaf that should map @addr if @len bytes at @phys are left. */
static unsigned int model_shift(unsigned long addr, phys_addr_t phys, unsigned long len,
				pgprot_t prot, unsigned int max_shift)
{
	const unsigned int never = BITS_PER_LONG - 1;
	const unsigned int shifts[] = {
		arch_vmap_pud_supported(prot) ? PUD_SHIFT : never,
		arch_vmap_pmd_supported(prot) ? PMD_SHIFT : never,
#ifdef arch_vmap_clear_pte
		CONT_PTE_SHIFT,
#elif defined(CONFIG_PPC_8xx) && defined(CONFIG_HUGETLB_PAGE)
		19, 14,
#endif
		PAGE_SHIFT,
	};
	unsigned int i = 0;

	while (shifts[i] > max_shift || len < BIT(shifts[i]) ||
	       !IS_ALIGNED(addr | phys, BIT(shifts[i])))
		i++;
	return shifts[i];
}

/* Number of pages from pages[0] on that are physically contiguous. */
static unsigned long run_length(struct page **pages, unsigned long nr_pages)
{
	unsigned long nr = 1;

	while (nr < nr_pages && page_to_pfn(pages[nr]) == page_to_pfn(pages[0]) + nr)
		nr++;
	return nr;
}

/* Are @nr page frames from @pfn on mapped to @addr, with the leaves of the model? */
static void expect_frames(struct kunit *test, unsigned long addr, unsigned long pfn,
			  unsigned long nr, pgprot_t prot, unsigned int max_shift)
{
	while (nr) {
		const struct entry entry = entry_at(addr);
		unsigned int max = max_shift, shift;

		/* There, a leaf does not replace the page table of an earlier mapping. */
		if (IS_ENABLED(CONFIG_X86_PAE) && entry.shift < PMD_SHIFT)
			max = min(max, entry.shift);
		shift = model_shift(addr, PFN_PHYS(pfn), nr << PAGE_SHIFT, prot, max);
		KUNIT_ASSERT_NE_MSG(test, entry.val, 0, "nothing at %#lx", addr);
		KUNIT_ASSERT_EQ_MSG(test, entry.shift, shift, "leaf at %#lx of pfn %#lx, %lu left",
				    addr, pfn, nr);
		KUNIT_ASSERT_EQ_MSG(test, entry.pfn, pfn, "at %#lx, %lu left", addr, nr);
		addr += BIT(shift);
		pfn += BIT(shift - PAGE_SHIFT);
		nr -= BIT(shift - PAGE_SHIFT);
	}
}

/* Are all pages mapped to @addr, and found there by others? */
static void expect_pages(struct kunit *test, unsigned long addr, const struct memory *mem,
			 pgprot_t prot, unsigned int max_shift)
{
	unsigned long i, run;

	for (i = 0; i < mem->nr_pages; i += run, cond_resched()) {
		run = run_length(mem->pages + i, mem->nr_pages - i);
		expect_frames(test, addr + (i << PAGE_SHIFT), page_to_pfn(mem->pages[i]), run,
			      prot, max_shift);
	}
	for (i = 0; i < mem->nr_pages; i++)
		if (vmalloc_to_page((void *)addr + (i << PAGE_SHIFT)) != mem->pages[i])
			break;
	KUNIT_EXPECT_EQ_MSG(test, i, mem->nr_pages, "vmalloc_to_page() of page %lu", i);
}

/* The first extent that holds a leaf decides where the mapping starts. */
static void expect_placement(struct kunit *test, unsigned long addr, const struct memory *mem)
{
	unsigned long i, run, skip;

	for (i = 0; i < mem->nr_pages; i += run) {
		run = run_length(mem->pages + i, mem->nr_pages - i);
		skip = -page_to_pfn(mem->pages[i]) % PMD_PAGES;
		if (run >= skip + PMD_PAGES)
			break;
	}
	if (i < mem->nr_pages && vmap_max_shift() >= PMD_SHIFT &&
	    arch_vmap_pmd_supported(PAGE_KERNEL))
		KUNIT_EXPECT_EQ_MSG(test, (PHYS_PFN(addr) + i + skip) % PMD_PAGES, 0,
				    "at %#lx, the leaf at page %lu is not aligned", addr, i + skip);
}

/* The area begins where the mapping does, for everyone who looks it up. */
static void expect_area(struct kunit *test, const void *va, unsigned long size)
{
	const struct vm_struct *area = find_vm_area(va), *before = find_vm_area(va - PAGE_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_EXPECT_PTR_EQ(test, (const void *)area->addr, va);
	KUNIT_EXPECT_PTR_NE(test, before, area);
	KUNIT_EXPECT_EQ(test, get_vm_area_size(area), size);
	KUNIT_EXPECT_EQ_MSG(test, area->size, size + PAGE_SIZE, "guard page");
	KUNIT_EXPECT_EQ(test, area->flags, (unsigned long)VM_MAP);
	KUNIT_EXPECT_NULL(test, area->pages);
	KUNIT_EXPECT_EQ(test, area->nr_pages, 0);
}

static void expect_mapping(struct kunit *test, const void *va, const struct memory *mem,
			   pgprot_t prot)
{
	const unsigned long size = mem->nr_pages << PAGE_SHIFT;
	const unsigned long addr = address_of(va);

	prot = pgprot_nx(prot);
	expect_area(test, va, size);
	expect_pages(test, addr, mem, prot, vmap_max_shift());
	KUNIT_EXPECT_EQ_MSG(test, entry_at(addr + size).val, 0, "the guard page is mapped");
}

/* Is what is written to @addr found in the pages, and the other way round? */
static void expect_contents(struct kunit *test, unsigned long addr, const struct memory *mem)
{
	const unsigned long last = PAGE_SIZE / sizeof(long) - 1;
	bool shared = true;
	unsigned long i;

	for (i = 0; i < mem->nr_pages && shared && !cpu_dcache_is_aliasing(); i++) {
		unsigned long *va = (void *)addr + (i << PAGE_SHIFT);
		unsigned long *direct = kmap_local_page(mem->pages[i]);

		WRITE_ONCE(va[0], i);
		WRITE_ONCE(direct[last], ~i);
		shared = READ_ONCE(direct[0]) == i && READ_ONCE(va[last]) == ~i;
		kunmap_local(direct);
		cond_resched();
	}
	KUNIT_EXPECT_TRUE_MSG(test, shared, "page %lu has other contents", i - 1);
}

/* Virtual areas */

static struct vm_struct *area_alloc(unsigned long size, unsigned long align,
				    unsigned long start, unsigned long end)
{
	return __get_vm_area_node(size, align, PAGE_SHIFT, VM_MAP, start, end, NUMA_NO_NODE,
				  GFP_KERNEL | __GFP_NOWARN, __builtin_return_address(0));
}

/* Exactly the range from @addr on, and a guard page; NULL if it is taken. */
static struct vm_struct *area_at(unsigned long addr, unsigned long size)
{
	return area_alloc(size, 1, addr, addr + size + PAGE_SIZE);
}

static void area_free(void *area)
{
	free_vm_area(area);
	vm_unmap_aliases();
}

static struct vm_struct *area_get(struct kunit *test, unsigned long size, unsigned long align)
{
	struct vm_struct *area = area_alloc(size, align, VMALLOC_START, VMALLOC_END);

	KUNIT_ASSERT_NOT_NULL_MSG(test, area, "no virtual area");
	defer(test, area_free, area);
	return area;
}

/* Where an area of this size and alignment would be put now. */
static unsigned long next_area_address(struct kunit *test, unsigned long size, unsigned long align)
{
	struct vm_struct *area = area_get(test, size, align);
	const unsigned long addr = address_of(area->addr);

	kunit_release_action(test, area_free, area);
	return addr;
}

/* An area of PMD leaves; what it maps goes away with it. */
static unsigned long leaf_area(struct kunit *test, unsigned long nr_pmds)
{
	return address_of(area_get(test, nr_pmds * PMD_SIZE, PMD_SIZE)->addr);
}

/*
 * An area around a multiple of 1 << @shift, with @half on either side of it, and
 * no page tables yet if it is to be @fresh.  0 if there is no room for one.
 */
static unsigned long border_area(struct kunit *test, unsigned int shift, unsigned long half,
				 bool fresh)
{
	unsigned long border = ALIGN(VMALLOC_START + half, BIT(shift));
	struct vm_struct *area;

	for (; border >= VMALLOC_START + half && border < VMALLOC_END - half;
	     border += BIT(shift), cond_resched()) {
		if (fresh && min(entry_at(border - 1).shift, entry_at(border).shift) < PMD_SHIFT)
			continue;
		area = area_at(border - half, 2 * half);
		if (!area)
			continue;
		defer(test, area_free, area);
		return border;
	}
	return 0;
}

/* Map @mem to @addr with PTEs only. */
static int map_ptes(unsigned long addr, const struct memory *mem)
{
	const unsigned long end = addr + (mem->nr_pages << PAGE_SHIFT);
	int err = __vmap_pages_range_noflush(addr, end, PAGE_KERNEL, mem->pages, PAGE_SHIFT);

	flush_cache_vmap(addr, end);
	return err;
}

/* Map @mem, which is contiguous, to @addr, with PMD leaves as far as possible. */
static int map_leaves(unsigned long addr, const struct memory *mem)
{
	const unsigned long end = addr + (mem->nr_pages << PAGE_SHIFT);
	int err = vmap_range_noflush(addr, end, page_to_phys(mem->pages[0]), PAGE_KERNEL,
				     PMD_SHIFT);

	flush_cache_vmap(addr, end);
	return err;
}

/* Is @mem mapped to @addr, with leaves of 1 << @max_shift at most? */
static void expect_range(struct kunit *test, unsigned long addr, const struct memory *mem,
			 unsigned int max_shift)
{
	expect_pages(test, addr, mem, PAGE_KERNEL, max_shift);
	expect_contents(test, addr, mem);
}

/* What is mapped */

static void expect_layout(struct kunit *test, enum vmap_user user)
{
	struct memory *mem = memory_alloc(test, *(const struct layout *)test->param_value);
	void *va = map(test, mem, user, PAGE_KERNEL);

	expect_mapping(test, va, mem, PAGE_KERNEL);
	expect_placement(test, address_of(va), mem);
	expect_contents(test, address_of(va), mem);
	unmap(test, va, mem->nr_pages);
}

static void maps_pages(struct kunit *test)
{
	expect_layout(test, USER_PAGES);
}

static void maps_sg(struct kunit *test)
{
	expect_layout(test, USER_SG);
}

/* Blocks that are permuted, which makes 24 orders of them. */
#define NR_PERMUTED	4

/* Permutation @nr of the numbers below NR_PERMUTED. */
static void permute(unsigned int nr, unsigned int *order)
{
	unsigned int i, j;

	for (i = 0; i < NR_PERMUTED; i++)
		order[i] = i;
	for (i = NR_PERMUTED; i > 1; i--) {
		j = nr % i;
		nr /= i;
		swap(order[i - 1], order[j]);
	}
}

/* Lay out blocks of @block pages in @order, without @skip pages of the first, @cut of the last. */
static void lay_out_blocks(struct memory *mem, unsigned long block, const unsigned int *order,
			   unsigned long skip, unsigned long cut)
{
	struct scatterlist *sg = mem->sgt.sgl;
	unsigned long i, j, first, len;

	mem->nr_pages = 0;
	for (i = 0; i < NR_PERMUTED; i++, sg = sg_next(sg)) {
		first = i ? 0 : skip;
		len = block - first - (i == NR_PERMUTED - 1 ? cut : 0);
		for (j = 0; j < len; j++)
			mem->pages[mem->nr_pages++] =
				pfn_to_page(arena.pfn + order[i] * block + first + j);
		sg_set_page(sg, mem->pages[mem->nr_pages - len], len << PAGE_SHIFT, 0);
	}
}

/* Neighbours come together in some orders, in the wrong one in others. */
static void expect_permutations(struct kunit *test, enum vmap_user user, unsigned long block)
{
	const unsigned long ends[] = { 0, 1, block - 1 };
	struct memory *mem = memory_new(test, NR_PERMUTED * block);
	unsigned int order[NR_PERMUTED], nr, i;
	void *va;

	KUNIT_ASSERT_EQ(test, sg_alloc_table(&mem->sgt, NR_PERMUTED, GFP_KERNEL), 0);
	for (nr = 0; nr < 24; nr++) {
		permute(nr, order);
		for (i = 0; i < ARRAY_SIZE(ends) * ARRAY_SIZE(ends); i++) {
			lay_out_blocks(mem, block, order, ends[i % ARRAY_SIZE(ends)],
				       ends[i / ARRAY_SIZE(ends)]);
			va = map(test, mem, user, PAGE_KERNEL);
			expect_mapping(test, va, mem, PAGE_KERNEL);
			unmap(test, va, mem->nr_pages);
		}
	}
}

/*
 * The bug: "i += 1U << shift" where i counts pages and shift is of bytes.  What comes
 * after the first block was not mapped, or mapped wrong.
 */
static void maps_every_permutation(struct kunit *test)
{
	const unsigned long large = min_t(unsigned long, PMD_PAGES / 2,
					  arena.nr_pages / NR_PERMUTED);

	expect_permutations(test, variant_of(test), 2);
	expect_permutations(test, variant_of(test), min(16UL, large));
	expect_permutations(test, variant_of(test), large);
}

/* The same memory again and again, for a guest has no gigabyte to spare. */
static void maps_a_gigabyte(struct kunit *test)
{
	const unsigned long block = min_t(unsigned long, PMD_PAGES, arena.nr_pages);
	const unsigned long wanted = min_t(u64, SZ_1G >> PAGE_SHIFT, totalram_pages() / 2);
	const unsigned long nr = rounddown(wanted, block);
	struct scatterlist *sg;
	struct memory *mem;
	unsigned long i;
	void *va;

	if ((nr << PAGE_SHIFT) > (VMALLOC_END - VMALLOC_START) / 4)
		kunit_skip(test, "not enough addresses");
	mem = memory_new(test, nr);
	for (i = 0; i < nr; i++)
		mem->pages[i] = pfn_to_page(arena.pfn + i % block);
	KUNIT_ASSERT_EQ(test, sg_alloc_table(&mem->sgt, nr / block, GFP_KERNEL), 0);
	for_each_sgtable_sg(&mem->sgt, sg, i)
		sg_set_page(sg, mem->pages[0], block << PAGE_SHIFT, 0);
	va = map(test, mem, variant_of(test), PAGE_KERNEL);
	expect_mapping(test, va, mem, PAGE_KERNEL);
	unmap(test, va, nr);
}

/* As the buffers of perf: the pages of a high order, each with a count of its own. */
static void maps_high_order_that_is_not_compound(struct kunit *test)
{
	const unsigned int order = min_t(unsigned int, MAX_PAGE_ORDER, PMD_SHIFT - PAGE_SHIFT);
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, order);
	struct memory *mem = memory_new(test, BIT(order));
	unsigned long i;
	void *va;

	if (!page)
		kunit_skip(test, "no contiguous memory of %lu pages", BIT(order));
	KUNIT_EXPECT_FALSE(test, PageCompound(page));
	for (i = 0; i < mem->nr_pages; i++)
		mem->pages[i] = page + i;
	va = vmap(mem->pages, mem->nr_pages, VM_MAP, PAGE_KERNEL);
	if (va) {
		expect_mapping(test, va, mem, PAGE_KERNEL);
		expect_contents(test, address_of(va), mem);
		vunmap(va);
	}
	KUNIT_EXPECT_NOT_NULL(test, va);
	__free_pages(page, order);
}

/*
 * Start of PUD_SIZE of memory that has page structs; 0 if there is none.  The
 * first PUD_SIZE does not count, parts of it are not memory on some machines.
 */
static unsigned long borrow_pud_pfn(void)
{
	unsigned long pfn = ALIGN(max_pfn, PUD_PAGES), i = 0;

	while (pfn && i < PUD_PAGES) {
		pfn -= PUD_PAGES;
		for (i = 0; i < PUD_PAGES && pfn_valid(pfn + i); i += PMD_PAGES)
			;
	}
	return pfn;
}

/* The memory is not ours: it is mapped, and not accessed through the mapping. */
static void maps_pud_leaf(struct kunit *test)
{
	const unsigned long pfn = borrow_pud_pfn();
	struct scatterlist *sg;
	struct memory *mem;
	unsigned long i;
	void *va;

	if (vmap_max_shift() < PUD_SHIFT || !arch_vmap_pud_supported(PAGE_KERNEL_RO))
		kunit_skip(test, "no PUD leaves");
	if (!pfn || PUD_PAGES > totalram_pages())
		kunit_skip(test, "no memory for a PUD leaf");
	if (variant_of(test) == USER_PAGES && IS_ENABLED(CONFIG_SPARSEMEM) &&
	    !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		kunit_skip(test, "a run of an array ends with its section");
	mem = memory_new(test, PUD_PAGES);
	for (i = 0; i < PUD_PAGES; i++)
		mem->pages[i] = pfn_to_page(pfn + i);
	KUNIT_ASSERT_EQ(test, sg_alloc_table(&mem->sgt, PUD_PAGES / PMD_PAGES, GFP_KERNEL), 0);
	for_each_sgtable_sg(&mem->sgt, sg, i)
		sg_set_page(sg, mem->pages[i * PMD_PAGES], PMD_SIZE, 0);

	va = map(test, mem, variant_of(test), PAGE_KERNEL_RO);
	expect_mapping(test, va, mem, PAGE_KERNEL_RO);
	KUNIT_EXPECT_EQ(test, entry_at(address_of(va)).shift, PUD_SHIFT);
	unmap(test, va, PUD_PAGES);
}

/* Page frames whose address takes more than 32 bits. */
static void maps_high_memory(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, SCATTERED(PAGES(16)));
	const unsigned long addr = leaf_area(test, 1);
	void *va;

	if (arena.pfn < HIGH_PFN)
		kunit_skip(test, "no memory above 4 GiB");
	va = map(test, mem, variant_of(test), PAGE_KERNEL);
	expect_mapping(test, va, mem, PAGE_KERNEL);
	expect_contents(test, address_of(va), mem);
	KUNIT_ASSERT_EQ(test, map_ptes(addr, mem), 0);
	expect_range(test, addr, mem, PAGE_SHIFT);
}

/*
 * 1 << @shift bytes and three pages, with leaves of 1 << @max_shift at most.  There need
 * not be memory: nobody accesses it.
 */
static void expect_physical_range(struct kunit *test, unsigned long pfn, unsigned int shift,
				  unsigned int max_shift)
{
	const unsigned long size = BIT(shift) + 3 * PAGE_SIZE;
	const unsigned long addr = address_of(area_get(test, size, BIT(shift))->addr);
	int err = vmap_range_noflush(addr, addr + size, PFN_PHYS(pfn), PAGE_KERNEL, max_shift);

	KUNIT_ASSERT_EQ(test, err, 0);
	kunit_warning_suppress(test)
		err = vmap_range_noflush(addr, addr + size, 0, PAGE_KERNEL, max_shift);
	KUNIT_EXPECT_EQ(test, err, -EBUSY);
	expect_frames(test, addr, pfn, PHYS_PFN(size), PAGE_KERNEL, max_shift);
}

static void maps_high_physical_range(struct kunit *test)
{
	if (sizeof(phys_addr_t) <= 4)
		kunit_skip(test, "no physical addresses above 4 GiB");
	expect_physical_range(test, HIGH_PFN + ALIGN(0x12345, PMD_PAGES), PMD_SHIFT, PMD_SHIFT);
}

static void maps_physical_range_with_pud_leaf(struct kunit *test)
{
	const unsigned long pfn = ALIGN(max(max_pfn, HIGH_PFN), PUD_PAGES) + PUD_PAGES;

	if (!arch_vmap_pud_supported(PAGE_KERNEL))
		kunit_skip(test, "no PUD leaves");
	expect_physical_range(test, pfn, PUD_SHIFT, PUD_SHIFT);
	expect_physical_range(test, pfn, PUD_SHIFT, PMD_SHIFT);
}

static const struct variant borders[] = { { "pmd", 0 }, { "pud", 1 }, { "p4d", 2 } };

KUNIT_ARRAY_PARAM_DESC(border, borders, name);

static unsigned int border_shift(int level)
{
	return level == 2 ? P4D_SHIFT : level == 1 ? PUD_SHIFT : PMD_SHIFT;
}

/* Pages, a leaf, the border, a leaf, pages. */
static void maps_across_border(struct kunit *test)
{
	const struct layout layout = {
		.size = { .pages = 2 * 16, .half_pmds = 2 * 2 },
		.skew.pages = PMD_PAGES - 16,
	};
	const unsigned long half = PMD_SIZE + 16 * PAGE_SIZE;
	const unsigned int shift = border_shift(variant_of(test));
	struct memory *mem = memory_alloc(test, layout);
	const unsigned long border = border_area(test, shift, half, false), addr = border - half;

	if (!border)
		kunit_skip(test, "no room for an area around such a border");
	KUNIT_ASSERT_EQ(test, map_leaves(addr, mem), 0);
	expect_range(test, addr, mem, PMD_SHIFT);
	vunmap_range(addr, border + half);
	expect_unmapped(test, addr, 2 * half);

	KUNIT_ASSERT_EQ(test, map_ptes(addr, mem), 0);
	expect_range(test, addr, mem, PAGE_SHIFT);
}

/* Map @mem as huge vmalloc() does, blocks of 1 << @shift bytes, and unmap it. */
static void expect_blocks(struct kunit *test, unsigned long addr, const struct memory *mem,
			  unsigned int shift)
{
	const unsigned long end = addr + (mem->nr_pages << PAGE_SHIFT);

	KUNIT_ASSERT_EQ(test, __vmap_pages_range_noflush(addr, end, PAGE_KERNEL, mem->pages,
							 shift), 0);
	expect_range(test, addr, mem,
		     IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC) ? shift : PAGE_SHIFT);
	vunmap_range(addr, end);
}

/* Where they are leaves, where no leaf fits, and of a few pages each. */
static void maps_blocks(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, BLOCKS(PMDS(4), PMDS(1), PMDS(1)));
	struct memory *small = memory_alloc(test, BLOCKS(PAGES(16), PAGES(4), PAGES(4)));
	const unsigned long addr = leaf_area(test, 5);

	expect_blocks(test, addr, mem, PMD_SHIFT);
	expect_blocks(test, addr + PAGE_SIZE, mem, PMD_SHIFT);
	expect_blocks(test, addr, small, PAGE_SHIFT + 2);
}

/* None is larger than was asked for.  Parts of vm_map_ram() mappings may be unmapped. */
static void limits_leaf_size(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(2)));
	const unsigned long addr = leaf_area(test, 2), end = addr + 2 * PMD_SIZE;
	void *va;

	KUNIT_ASSERT_EQ(test, vmap_range_noflush(addr, end, page_to_phys(mem->pages[0]),
						 PAGE_KERNEL, PAGE_SHIFT), 0);
	expect_range(test, addr, mem, PAGE_SHIFT);
	va = vm_map_ram(mem->pages, mem->nr_pages, NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, va);
	expect_range(test, address_of(va), mem, PAGE_SHIFT);
	vm_unmap_ram(va, mem->nr_pages);
	expect_unmapped(test, address_of(va), 2 * PMD_SIZE);
}

/* Protection */

static int set_pte_fn(pte_t *ptep, unsigned long addr, void *pte)
{
	set_pte_at(&init_mm, addr, ptep, *(pte_t *)pte);
	return 0;
}

/* What the architecture makes of a PTE for the page, set without the walk. */
static u64 arch_pte(struct kunit *test, unsigned long pfn, pgprot_t prot)
{
	struct vm_struct *area = area_get(test, PAGE_SIZE, PAGE_SIZE);
	const unsigned long addr = address_of(area->addr);
	pte_t pte = pfn_pte(pfn, prot);
	u64 val;

	KUNIT_ASSERT_EQ(test, apply_to_page_range(&init_mm, addr, PAGE_SIZE, set_pte_fn, &pte), 0);
	val = entry_at(addr).val;
	kunit_release_action(test, area_free, area);
	return val;
}

static void expect_prot(struct kunit *test, void *va, pgprot_t prot)
{
	struct entry entry = entry_at(address_of(va));
	pmd_t pmd = __pmd(0);
	u64 val = 0;

#ifdef CONFIG_ARM64
	if (entry.shift < PMD_SHIFT)
		entry.val &= ~PTE_CONT;
#endif
	if (entry.shift < PMD_SHIFT)
		val = arch_pte(test, entry.pfn, prot);
	else if (arch_vmap_pmd_supported(prot) &&
		 pmd_set_huge(&pmd, PFN_PHYS(entry.pfn), prot))
		val = pmd_val(pmd);
	KUNIT_EXPECT_EQ_MSG(test, entry.val, val, "entry of shift %u, prot %#llx",
			    entry.shift, (u64)pgprot_val(prot));
}

/* Leaves of each size have what was asked for, but are never executable. */
static void keeps_prot(struct kunit *test)
{
	const pgprot_t prots[] = {
		PAGE_KERNEL, PAGE_KERNEL_RO, PAGE_KERNEL_EXEC, pgprot_writecombine(PAGE_KERNEL),
		pgprot_noncached(PAGE_KERNEL), pgprot_decrypted(PAGE_KERNEL),
#ifdef CONFIG_X86
		PAGE_NONE,	/* has the complement of the page frame number */
#endif
	};
	struct memory *mem = memory_alloc(test, (struct layout){ .size = { 1, 3 } });
	unsigned int i;
	void *va;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		va = map(test, mem, variant_of(test), prots[i]);
		expect_mapping(test, va, mem, prots[i]);
		expect_prot(test, va, pgprot_nx(prots[i]));
		expect_prot(test, va + PMD_SIZE, pgprot_nx(prots[i]));
		expect_prot(test, va + PMD_SIZE / 2 * 3, pgprot_nx(prots[i]));
		unmap(test, va, mem->nr_pages);
	}
}

/* sg tables */

/* All of the table is mapped, whatever DMA has made of it, and nothing behind. */
static void maps_orig_nents(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, SCATTERED(PAGES(16)));
	void *va;

	sg_last(mem->sgt.sgl, 16)->length = 1;
	mem->sgt.nents = 1;
	mem->sgt.orig_nents = 7;
	mem->nr_pages = 7;
	va = map(test, mem, USER_SG, PAGE_KERNEL);
	mem->sgt.orig_nents = 16;
	expect_mapping(test, va, mem, PAGE_KERNEL);
	unmap(test, va, 7);
}

/* The byte before the area and the one behind it, wherever in a leaf it starts. */
static void traps_who_leaves_the_area(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, *(const struct layout *)test->param_value);
	const unsigned long size = mem->nr_pages << PAGE_SHIFT;
	enum vmap_user user;
	char c, *va;

	for (user = USER_PAGES; user <= USER_SG; user++) {
		va = map(test, mem, user, PAGE_KERNEL);
		KUNIT_EXPECT_EQ(test, copy_from_kernel_nofault(&c, va, 1), 0);
		KUNIT_EXPECT_EQ(test, copy_from_kernel_nofault(&c, va + size - 1, 1), 0);
		KUNIT_EXPECT_NE(test, copy_from_kernel_nofault(&c, va - 1, 1), 0);
		KUNIT_EXPECT_NE(test, copy_from_kernel_nofault(&c, va + size, 1), 0);
		KUNIT_EXPECT_NE(test, copy_to_kernel_nofault(va - 1, &c, 1), 0);
		KUNIT_EXPECT_NE(test, copy_to_kernel_nofault(va + size, &c, 1), 0);
		unmap(test, va, mem->nr_pages);
	}
}

/* An entry may begin at any page, and be longer than a leaf without holding one. */
static void aligns_for_entry_that_holds_leaf(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, BLOCKS(PMDS(4), PMDS(2), PMDS(2)));
	const unsigned long half = PMD_PAGES / 2, nr = PMD_PAGES + half / 2;
	void *va;

	skip_unless_pmd_leaves(test);
	sg_set_page(mem->sgt.sgl, mem->pages[0], nr * PAGE_SIZE, half * PAGE_SIZE);
	sg_set_page(sg_next(mem->sgt.sgl), mem->pages[2 * PMD_PAGES], PMD_SIZE, 0);
	memmove(mem->pages, mem->pages + half, nr * sizeof(*mem->pages));
	memmove(mem->pages + nr, mem->pages + 2 * PMD_PAGES, PMD_PAGES * sizeof(*mem->pages));
	mem->nr_pages = nr + PMD_PAGES;
	va = map(test, mem, USER_SG, PAGE_KERNEL);
	KUNIT_EXPECT_EQ(test, entry_at(address_of(va) + nr * PAGE_SIZE).shift, PMD_SHIFT);
	unmap(test, va, mem->nr_pages);
}

/* Errors */

/* With what is on the per-CPU lists of the page allocator. */
static unsigned long free_pages_now(void)
{
	drain_all_pages(NULL);
	return global_zone_page_state(NR_FREE_PAGES);
}

/* A call that is to fail: vmap_sg() of @sgt with @err, or vmap() of @pages. */
struct attempt {
	struct sg_table *sgt;
	int err;
	struct page **pages;
	unsigned int count;
	unsigned long flags;	/* more than VM_MAP */
	unsigned long size;	/* of the area that might be left behind */
};

/*
 * The call fails as it should and leaves no area behind, no entry and no page.
 * An area that is left behind is where the next one of that size would be put.
 * Others allocate areas and pages as well, so it is tried more than once.
 */
static void expect_failure(struct kunit *test, const struct attempt *a, unsigned int rounds)
{
	const void *va, *want = a->sgt ? ERR_PTR(a->err) : NULL;
	const unsigned long size = a->size ?: PMD_SIZE;
	unsigned long before, after, free, left;
	unsigned int i, tries = 0;

	do {
		free = free_pages_now();
		before = next_area_address(test, size, PMD_SIZE);
		for (i = 0; i < rounds; i++) {
			va = a->sgt ? vmap_sg(a->sgt, PAGE_KERNEL) :
				      vmap(a->pages, a->count, VM_MAP | a->flags, PAGE_KERNEL);
			KUNIT_ASSERT_PTR_EQ(test, va, want);
		}
		expect_unmapped(test, before, size);
		vm_unmap_aliases();
		after = next_area_address(test, size, PMD_SIZE);
		left = free_pages_now();
	} while ((before != after || free >= left + LEAK_SLACK) && ++tries < 10);

	KUNIT_EXPECT_EQ_MSG(test, after, before, "an area is left behind");
	KUNIT_EXPECT_LT_MSG(test, free, left + LEAK_SLACK, "pages are left behind");
}

static void rejects_nothing_and_too_many_pages(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PAGES(1)));
	struct sg_table none = {};
	const struct attempt attempts[] = {
		{ .pages = mem->pages },
		{ .pages = mem->pages, .count = totalram_pages() + 1 },
		{ .sgt = &none, .err = -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attempts); i++)
		expect_failure(test, &attempts[i], LEAK_ROUNDS);
}

/* A table of so many entries of a leaf's size, and of one page. */
static void expect_too_big(struct kunit *test, unsigned long nr)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(1)));
	const struct attempt a = { .sgt = &mem->sgt, .err = -E2BIG };
	struct scatterlist *sg;
	unsigned int i;

	sg_free_table(&mem->sgt);
	KUNIT_ASSERT_EQ(test, sg_alloc_table(&mem->sgt, nr + 1, GFP_KERNEL), 0);
	for_each_sgtable_sg(&mem->sgt, sg, i)
		sg_set_page(sg, mem->pages[0], i < nr ? PMD_SIZE : PAGE_SIZE, 0);
	expect_failure(test, &a, 16);
}

static void rejects_sg_larger_than_memory(struct kunit *test)
{
	expect_too_big(test, totalram_pages() / PMD_PAGES + 1);
}

/* On 32 bits, its size in bytes wraps, to that of a single page. */
static void rejects_sg_whose_size_wraps(struct kunit *test)
{
	if (BITS_PER_LONG > 32)
		kunit_skip(test, "the size of a table does not wrap");
	expect_too_big(test, BIT(31) / PMD_SIZE * 2);
}

/* One entry of three, each in turn, is not whole pages, or empty. */
static void rejects_parts_of_pages(struct kunit *test)
{
	static const struct {
		unsigned int offset, cut;
	} faults[] = {
		{ PAGE_SIZE / 2, 0 }, { 0, 1 }, { PAGE_SIZE / 2, PAGE_SIZE / 2 }, { 0, UINT_MAX },
	};
	struct memory *const mems[] = {
		memory_alloc(test, BLOCKS(PMDS(3), PMDS(1), PMDS(1))),
		memory_alloc(test, SCATTERED(PAGES(3))),
	};
	struct attempt a = { .err = -EINVAL, .size = 3 * PMD_SIZE };
	struct scatterlist *sg, good;
	unsigned int i, j, k;

	for (i = 0; i < ARRAY_SIZE(mems); i++) {
		a.sgt = &mems[i]->sgt;
		for_each_sgtable_sg(a.sgt, sg, j) {
			good = *sg;
			for (k = 0; k < ARRAY_SIZE(faults); k++) {
				sg->offset = faults[k].offset;
				sg->length -= min(sg->length, faults[k].cut);
				expect_failure(test, &a, 16);
				*sg = good;
			}
		}
	}
}

/* Neither an array nor a table may have @page, at the start, in the middle or at the end. */
static void expect_page_rejected(struct kunit *test, enum vmap_user user, struct page *page,
				 struct layout layout)
{
	struct memory *mem = memory_alloc(test, layout);
	const unsigned long nr = user == USER_SG ? mem->sgt.orig_nents : mem->nr_pages;
	struct attempt a = { .pages = mem->pages, .count = nr, .size = 4 * PMD_SIZE };
	struct scatterlist *sg = mem->sgt.sgl;
	struct page *good;
	unsigned long i;

	if (user == USER_SG)
		a = (struct attempt){ .sgt = &mem->sgt, .err = -EINVAL, .size = a.size };
	for (i = 0; i < nr; i++, sg = user == USER_SG ? sg_next(sg) : sg) {
		if (i != 0 && i != nr / 2 && i != nr - 1)
			continue;
		good = user == USER_SG ? sg_page(sg) : mem->pages[i];
		mem->pages[i] = page;
		sg_assign_page(sg, page);
		kunit_warning_suppress(test) {
			expect_failure(test, &a, 3);
			if (user == USER_PAGES)
				KUNIT_EXPECT_NE(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 0);
		}
		mem->pages[i] = good;
		sg_assign_page(sg, good);
	}
}

static void rejects_null_page(struct kunit *test)
{
	expect_page_rejected(test, variant_of(test), NULL,
			     BLOCKS(PMDS(4), HALF_PMDS(1), HALF_PMDS(1)));
	expect_page_rejected(test, variant_of(test), NULL, SCATTERED(PMDS(4)));
	/* Where a leaf would begin, and in one. */
	expect_page_rejected(test, variant_of(test), NULL, BLOCKS(PMDS(4), PMDS(1), PMDS(1)));
}

static void rejects_invalid_pfn(struct kunit *test)
{
	const unsigned long pfn = ALIGN(max_pfn, PUD_PAGES) + 2 * PUD_PAGES;

	if (pfn_valid(pfn) ||
	    (IS_ENABLED(CONFIG_SPARSEMEM) && !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP)))
		kunit_skip(test, "no page pointer without a page");
	expect_page_rejected(test, USER_PAGES, pfn_to_page(pfn),
			     BLOCKS(PMDS(4), HALF_PMDS(1), HALF_PMDS(1)));
	expect_page_rejected(test, USER_PAGES, pfn_to_page(pfn), SCATTERED(PMDS(4)));
	expect_page_rejected(test, USER_PAGES, pfn_to_page(pfn), BLOCKS(PMDS(4), PMDS(1), PMDS(1)));
}

static void rejects_flush_reset_perms(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PAGES(1)));
	const struct attempt a = { .pages = mem->pages, .count = 1, .flags = VM_FLUSH_RESET_PERMS };

	kunit_warning_suppress(test)
		expect_failure(test, &a, 3);
}

static void keeps_guard_page(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, SCATTERED(PAGES(16)));
	void *va = NULL;

	kunit_warning_suppress(test)
		va = vmap(mem->pages, 16, VM_MAP | VM_NO_GUARD, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, va);
	expect_area(test, va, 16 << PAGE_SHIFT);
	vunmap(va);
}

static void rejects_range_of_part_of_page(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(2)));
	const unsigned long addr = leaf_area(test, 2);
	const unsigned long sizes[] = { 0, 100, PAGE_SIZE / 2 * 7, PMD_SIZE + 100 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		kunit_warning_suppress(test)
			err = vmap_range_noflush(addr, addr + sizes[i], page_to_phys(mem->pages[0]),
						 PAGE_KERNEL, PMD_SHIFT);
		KUNIT_EXPECT_EQ_MSG(test, err, -EINVAL, "%lu bytes", sizes[i]);
		expect_unmapped(test, addr, 2 * PMD_SIZE);
		vunmap_range(addr, addr + 2 * PMD_SIZE);
	}
}

/* A page or a leaf in the middle of the range stays, whatever is to replace it. */
static void keeps_what_is_mapped(struct kunit *test)
{
	struct memory *one = memory_alloc(test, RUN(PAGES(1)));
	struct memory *run = memory_alloc(test, RUN(PAGES(16)));
	struct memory *leaf = memory_alloc(test, RUN(PMDS(1)));
	struct memory *leaves = memory_alloc(test, RUN(PMDS(3)));
	const unsigned long addr = leaf_area(test, 3), page = addr + 9 * PAGE_SIZE;

	KUNIT_ASSERT_EQ(test, map_ptes(page, one), 0);
	KUNIT_ASSERT_EQ(test, map_leaves(addr + PMD_SIZE, leaf), 0);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, map_ptes(page, one), -EBUSY);
		KUNIT_EXPECT_EQ(test, map_ptes(addr, run), -EBUSY);
		vunmap_range(addr, page);
		KUNIT_EXPECT_EQ(test, map_leaves(addr + PAGE_SIZE, run), -EBUSY);
		KUNIT_EXPECT_NE(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 0);
		expect_range(test, page, one, PAGE_SHIFT);
		vunmap_range(addr, addr + PMD_SIZE);
		KUNIT_EXPECT_EQ(test, map_leaves(addr, leaves), -EBUSY);
	}
	expect_range(test, addr + PMD_SIZE, leaf, PMD_SHIFT);
}

/*
 * Where an area will begin, somebody has mapped a page without one.  Unless another task
 * takes that place first.  So few pages have no block of PTEs, for which an area would
 * begin elsewhere.
 */
static void fails_where_something_is_mapped(struct kunit *test)
{
	struct memory *one = memory_alloc(test, RUN(PAGES(1)));
	struct memory *const mems[] = {
		memory_alloc(test, SCATTERED(PAGES(12))),
		memory_alloc(test, BLOCKS(PAGES(12), PAGES(4), PAGES(4))),
	};
	unsigned int i, tries;
	unsigned long addr;
	void *va;

	for (i = 0; i < ARRAY_SIZE(mems); i++) {
		tries = 0;
		do {
			va = NULL;
			addr = next_area_address(test, 12 * PAGE_SIZE, PAGE_SIZE) + 5 * PAGE_SIZE;
			KUNIT_ASSERT_EQ(test, map_ptes(addr, one), 0);
			kunit_warning_suppress(test)
				va = vmap_sg(&mems[i]->sgt, PAGE_KERNEL);
			vunmap_range(addr, addr + PAGE_SIZE);
			if (!IS_ERR(va))
				vunmap(va);
			vm_unmap_aliases();
		} while (!IS_ERR(va) && ++tries < 10);
		KUNIT_EXPECT_PTR_EQ(test, (const void *)va, ERR_PTR(-ENOMEM));
	}
}

/* The task whose next page table is refused, whatever its level. */
static struct task_struct *table_refused;

#if defined(CONFIG_KRETPROBES) && defined(CONFIG_HAVE_FUNCTION_ERROR_INJECTION)
#define CAN_REFUSE_TABLES
static int refuse_table(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	if (cmpxchg(&table_refused, current, NULL) == current)
		regs_set_return_value(regs, -ENOMEM);
	return 0;
}

KUNIT_DEFINE_ACTION_WRAPPER(unprobe, unregister_kretprobe, struct kretprobe *);
#endif

static void probe_table_allocation(struct kunit *test)
{
	unsigned int nr = 0;
#ifdef CAN_REFUSE_TABLES
	static const char *const names[] = {
		"__pte_alloc_kernel", "__pmd_alloc", "__pud_alloc", "__p4d_alloc",
	};
	static struct kretprobe probes[ARRAY_SIZE(names)];

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		probes[i] = (struct kretprobe){ .kp.symbol_name = names[i] };
		probes[i].handler = refuse_table;
		if (register_kretprobe(&probes[i]))
			continue;	/* a level that is folded */
		defer(test, unprobe, &probes[i]);
		nr++;
	}
#endif
	if (!nr)
		kunit_skip(test, "the allocation of page tables cannot be probed");
}

/* Two pages need a table of each level for either side of a border: each fails once. */
static void fails_without_page_table(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, SCATTERED(PAGES(2)));
	unsigned long border = 0, nr = 0;
	int level = 3, err;

	while (!border && level--)
		border = border_area(test, border_shift(level), PAGE_SIZE, true);
	if (!border)
		kunit_skip(test, "no addresses without page tables");
	probe_table_allocation(test);
	for (;; nr++) {
		WRITE_ONCE(table_refused, current);
		err = map_ptes(border - PAGE_SIZE, mem);
		if (cmpxchg(&table_refused, current, NULL))
			break;
		KUNIT_EXPECT_EQ(test, err, -ENOMEM);
		vunmap_range(border - PAGE_SIZE, border + PAGE_SIZE);
		expect_unmapped(test, border - PAGE_SIZE, 2 * PAGE_SIZE);
	}
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GE(test, nr, 2);
	expect_range(test, border - PAGE_SIZE, mem, PAGE_SHIFT);
}

/* Take addresses that have page tables until one is needed. */
static void frees_area_without_page_table(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, SCATTERED(PMDS(2)));
	const void *want = variant_of(test) == USER_SG ? ERR_PTR(-ENOMEM) : NULL;
	unsigned long addr;
	void *va;

	probe_table_allocation(test);
	for (;;) {
		addr = next_area_address(test, 2 * PMD_SIZE, PAGE_SIZE);
		WRITE_ONCE(table_refused, current);
		va = try_map(mem, variant_of(test), PAGE_KERNEL);
		if (IS_ERR_OR_NULL(va))
			break;
		defer(test, vunmap_action, va);
	}
	KUNIT_EXPECT_PTR_EQ(test, (const void *)va, want);
	if (cmpxchg(&table_refused, current, NULL))
		kunit_skip(test, "no addresses without page tables");
	KUNIT_EXPECT_NULL_MSG(test, find_vm_area((void *)addr), "an area is left behind");
	expect_unmapped(test, addr, 2 * PMD_SIZE);
}

/* The MTRRs differ within one leaf in the middle of a run: x86 refuses it, and no other. */
static void maps_run_across_mtrrs(struct kunit *test)
{
	const unsigned long addr = leaf_area(test, 8), end = addr + 8 * PMD_SIZE;
	unsigned long pfn = ALIGN(max(max_pfn, HIGH_PFN), PUD_PAGES) + PUD_PAGES, i;
	int mtrr = -ENODEV, err;

	skip_unless_pmd_leaves(test);
#ifdef CONFIG_X86
	mtrr = mtrr_add_page(pfn + 4 * PMD_PAGES + 1, 1, MTRR_TYPE_UNCACHABLE, false);
#endif
	if (mtrr < 0)
		kunit_skip(test, "no MTRR to be had");
	err = vmap_range_noflush(addr, end, PFN_PHYS(pfn), PAGE_KERNEL, PMD_SHIFT);
#ifdef CONFIG_X86
	mtrr_del_page(mtrr, 0, 0);
#endif
	KUNIT_ASSERT_EQ(test, err, 0);
	for (i = 0; i < 8; i++, pfn += PMD_PAGES)
		expect_frames(test, addr + i * PMD_SIZE, pfn, PMD_PAGES, PAGE_KERNEL,
			      i == 4 ? PAGE_SHIFT : PMD_SHIFT);
}

/* Ownership */

static void puts_pages(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, *(const struct layout *)test->param_value);
	const unsigned long nr = mem->nr_pages;
	struct page **pages = vmalloc_array(nr, sizeof(*pages));
	unsigned long i;
	void *va;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < nr; i++) {
		pages[i] = mem->pages[i];
		get_page(pages[i]);
	}
	va = vmap(pages, nr, VM_MAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, va);
	expect_pages(test, address_of(va), mem, PAGE_KERNEL, vmap_max_shift());
	vfree(va);
	KUNIT_EXPECT_NULL_MSG(test, find_vm_area(pages), "array not freed");
	expect_unmapped(test, address_of(va), nr << PAGE_SHIFT);
	for (i = 0; i < nr && page_count(mem->pages[i]) == 1; i++)
		;
	KUNIT_EXPECT_EQ_MSG(test, i, nr, "page %lu is not put", i);
}

/* Page tables that are replaced by leaves, and leaves that are unmapped */

/*
 * The bug: a TLB entry that was made through the old table outlives it.  To have one,
 * the small pages go without the flush of vunmap().  pmd_free_pte_page() has to flush
 * walk caches only; every arch does so by flushing at least the first page.
 */
static void flushes_replaced_table(struct kunit *test)
{
	const struct layout other_pages = { "", PMDS(4), PAGES(1), PAGES(1), PAGES(1) };
	struct memory *small = memory_alloc(test, other_pages);
	struct memory *mem = memory_alloc(test, RUN(PMDS(4)));
	const unsigned long addr = leaf_area(test, 4);
	unsigned long i;

	skip_unless_pmd_leaves(test);
	KUNIT_ASSERT_EQ(test, map_ptes(addr, small), 0);
	for (i = 0; i < 4; i++)
		WRITE_ONCE(*(unsigned long *)(addr + i * PMD_SIZE), 1);

	vunmap_range_noflush(addr, addr + 4 * PMD_SIZE);
	KUNIT_ASSERT_EQ(test, map_leaves(addr, mem), 0);
	expect_contents(test, addr, mem);
	expect_range(test, addr, mem, PMD_SHIFT);
}

static void frees_replaced_table(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(1)));
	struct memory *one = memory_alloc(test, RUN(PAGES(1)));
	const unsigned long addr = leaf_area(test, 1), free = free_pages_now();
	unsigned int i;

	skip_unless_pmd_leaves(test);
	for (i = 0; i < LEAK_ROUNDS; i++) {
		KUNIT_ASSERT_EQ(test, map_ptes(addr, one), 0);
		vunmap_range(addr, addr + PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, map_leaves(addr, mem), 0);
		KUNIT_ASSERT_EQ(test, entry_at(addr).shift, PMD_SHIFT);
		vunmap_range(addr, addr + PMD_SIZE);
	}
	KUNIT_EXPECT_LT_MSG(test, free, free_pages_now() + LEAK_SLACK,
			    "the replaced tables are left behind");
}

/*
 * ptdump walks tables that it does not own, under the write lock: then a table
 * cannot be replaced, and is used as it is.
 */
static void keeps_table_from_ptdump(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(1)));
	struct memory *one = memory_alloc(test, RUN(PAGES(1)));
	const unsigned long addr = leaf_area(test, 1);
	int err;

	KUNIT_ASSERT_EQ(test, map_ptes(addr, one), 0);
	vunmap_range(addr, addr + PAGE_SIZE);
	mmap_write_lock(&init_mm);
	err = map_leaves(addr, mem);
	mmap_write_unlock(&init_mm);
	KUNIT_ASSERT_EQ(test, err, 0);
	expect_range(test, addr, mem, PMD_SHIFT - 1);
}

/* Unmap a page of the first of two leaves.  All of it goes, and some kernels warn. */
static void expect_dropped(struct kunit *test, unsigned int shift)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(2)));
	const unsigned long addr = leaf_area(test, 2), nr = BIT(shift - PAGE_SHIFT);

	mem->nr_pages = 2 * nr;
	KUNIT_ASSERT_EQ(test, map_leaves(addr, mem), 0);
	KUNIT_ASSERT_EQ(test, entry_at(addr).shift, shift);
	kunit_warning_suppress(test)
		vunmap_range(addr, addr + PAGE_SIZE);
	expect_unmapped(test, addr, BIT(shift));
	expect_frames(test, addr + BIT(shift), page_to_pfn(mem->pages[nr]), nr, PAGE_KERNEL, shift);
}

static void drops_leaf_unmapped_in_part(struct kunit *test)
{
	skip_unless_pmd_leaves(test);
	expect_dropped(test, PMD_SHIFT);
}

static void drops_pte_block_unmapped_in_part(struct kunit *test)
{
	const unsigned int shift = model_shift(0, 0, PMD_SIZE / 2, PAGE_KERNEL, PMD_SHIFT);

	if (shift == PAGE_SHIFT)
		kunit_skip(test, "no blocks of PTEs");
	expect_dropped(test, shift);
}

/* Reads @size bytes at @addr as /proc/kcore does: what is not mapped is zero. */
static void read_as_kcore(struct kunit *test, const void *addr, unsigned long size)
{
	void *buf = kvmalloc(size, GFP_KERNEL);
	struct kvec vec = { .iov_base = buf, .iov_len = size };
	struct iov_iter iter;

	KUNIT_ASSERT_NOT_NULL(test, buf);
	iov_iter_kvec(&iter, ITER_DEST, &vec, 1, size);
	KUNIT_EXPECT_EQ(test, vread_iter(&iter, addr, size), size);
	kvfree(buf);
}

static const struct variant allocations[] = { { "of_pages", 0 }, { "of_leaves", 1 } };

KUNIT_ARRAY_PARAM_DESC(allocation, allocations, name);

/*
 * The only one who unmaps a part of an area: vrealloc(), of one that has pages only.
 * It must not have leaves then, or more than that part is gone.
 */
static void shrinks_an_allocation(struct kunit *test)
{
	const unsigned long size = 3 * PMD_SIZE, rest = PMD_SIZE + 5 * PAGE_SIZE + 100;
	unsigned long i;
	char *p;

	if (size > totalram_pages() * PAGE_SIZE / 4)
		kunit_skip(test, "not enough memory");
	p = variant_of(test) ? vmalloc_huge(size, GFP_KERNEL) : vmalloc(size);
	KUNIT_ASSERT_NOT_NULL(test, p);
	for (i = 0; i < size; i += PAGE_SIZE)
		*(unsigned long *)(p + i) = i;
	KUNIT_EXPECT_PTR_EQ(test, (char *)vrealloc(p, rest, GFP_KERNEL), p);
	for (i = 0; i < rest && *(unsigned long *)(p + i) == i; i += PAGE_SIZE)
		;
	KUNIT_EXPECT_GE_MSG(test, i, rest, "page %lu is lost", i / PAGE_SIZE);
	read_as_kcore(test, p, rest);
	vfree(p);
	expect_unmapped(test, address_of(p), size);
	vm_unmap_aliases();
}

/* Where there is no aligned room */

static struct vm_struct *held_areas;

static bool hold_area(struct vm_struct *area)
{
	if (area) {
		area->next = held_areas;
		held_areas = area;
	}
	return area;
}

static void free_held_areas(void *unused)
{
	struct vm_struct *area;

	while ((area = held_areas)) {
		held_areas = area->next;
		free_vm_area(area);
	}
	vm_unmap_aliases();
}

/*
 * Leave one hole for a leaf in all of the address space, and that not aligned.
 * Areas are of 2^31 pages at most, since vmalloc's pools tell sizes by 32 bits.
 * Returns 0 if another thread came between.
 */
static unsigned long leave_unaligned_hole(struct kunit *test)
{
	const unsigned long base = next_area_address(test, 4 * PMD_SIZE, PMD_SIZE);
	const unsigned long addr = base + 2 * PAGE_SIZE;
	unsigned long size = min_t(u64, rounddown_pow_of_two(VMALLOC_END - VMALLOC_START),
				   BIT_ULL(31 + PAGE_SHIFT));
	struct vm_struct *hole = area_at(addr, PMD_SIZE);
	bool alone = hole && hold_area(area_at(base, PAGE_SIZE)) &&
		     hold_area(area_at(addr + PMD_SIZE + PAGE_SIZE, PAGE_SIZE));

	while (alone && size >= PMD_SIZE)
		if (!hold_area(area_alloc(size, 1, VMALLOC_START, VMALLOC_END)))
			size /= 2;
	if (hole)
		area_free(hole);
	return alone ? addr : 0;
}

/*
 * Threads start and end meanwhile, whose stacks are areas as well: one may take
 * part of the hole, or leave a larger one.  Then once more.
 */
static void maps_to_unaligned_hole(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(1)));
	unsigned long hole;
	void *va = NULL;
	int tries = 20;

	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		kunit_skip(test, "the shadow of all that space takes too much");
	defer(test, free_held_areas, NULL);
	do {
		if (!IS_ERR_OR_NULL(va))
			vunmap(va);
		free_held_areas(NULL);
		hole = leave_unaligned_hole(test);
		va = hole ? try_map(mem, variant_of(test), PAGE_KERNEL) : NULL;
	} while (--tries && (IS_ERR_OR_NULL(va) || address_of(va) != hole));

	KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, va, "the unaligned hole is not used");
	defer(test, vunmap_action, va);
	KUNIT_EXPECT_EQ(test, address_of(va), hole);
	expect_range(test, address_of(va), mem, vmap_max_shift());
}

static struct kunit_case vmap_test_cases[] = {
	KUNIT_CASE_PARAM(maps_pages, layout_gen_params),
	KUNIT_CASE_PARAM(maps_sg, layout_gen_params),
	KUNIT_CASE_PARAM(maps_every_permutation, user_gen_params),
	KUNIT_CASE_PARAM(maps_a_gigabyte, user_gen_params),
	KUNIT_CASE(maps_high_order_that_is_not_compound),
	KUNIT_CASE_PARAM(maps_pud_leaf, user_gen_params),
	KUNIT_CASE_PARAM(maps_high_memory, user_gen_params),
	KUNIT_CASE(maps_high_physical_range),
	KUNIT_CASE(maps_physical_range_with_pud_leaf),
	KUNIT_CASE_PARAM(maps_across_border, border_gen_params),
	KUNIT_CASE(maps_blocks),
	KUNIT_CASE(limits_leaf_size),
	KUNIT_CASE_PARAM(keeps_prot, user_gen_params),
	KUNIT_CASE_PARAM(traps_who_leaves_the_area, layout_gen_params),
	KUNIT_CASE(maps_orig_nents),
	KUNIT_CASE(aligns_for_entry_that_holds_leaf),
	KUNIT_CASE(rejects_nothing_and_too_many_pages),
	KUNIT_CASE(rejects_sg_larger_than_memory),
	KUNIT_CASE(rejects_sg_whose_size_wraps),
	KUNIT_CASE(rejects_parts_of_pages),
	KUNIT_CASE_PARAM(rejects_null_page, user_gen_params),
	KUNIT_CASE(rejects_invalid_pfn),
	KUNIT_CASE(rejects_flush_reset_perms),
	KUNIT_CASE(keeps_guard_page),
	KUNIT_CASE(rejects_range_of_part_of_page),
	KUNIT_CASE(keeps_what_is_mapped),
	KUNIT_CASE(fails_where_something_is_mapped),
	KUNIT_CASE(fails_without_page_table),
	KUNIT_CASE_PARAM(frees_area_without_page_table, user_gen_params),
	KUNIT_CASE(maps_run_across_mtrrs),
	KUNIT_CASE_PARAM(puts_pages, layout_gen_params),
	KUNIT_CASE(flushes_replaced_table),
	KUNIT_CASE(frees_replaced_table),
	KUNIT_CASE(keeps_table_from_ptdump),
	KUNIT_CASE(drops_leaf_unmapped_in_part),
	KUNIT_CASE(drops_pte_block_unmapped_in_part),
	KUNIT_CASE_PARAM(shrinks_an_allocation, allocation_gen_params),
	KUNIT_CASE_PARAM(maps_to_unaligned_hole, user_gen_params),
	{}
};

static struct kunit_suite vmap_test_suite = {
	.name = "vmap",
	.suite_init = vmap_suite_init,
	.suite_exit = vmap_suite_exit,
	.test_cases = vmap_test_cases,
};

kunit_test_suite(vmap_test_suite);

MODULE_DESCRIPTION("KUnit tests of vmap() and vmap_sg()");
MODULE_LICENSE("GPL");
