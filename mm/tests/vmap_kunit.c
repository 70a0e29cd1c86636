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
 * All memory is cut out of one arena of pages that are not compound, in larger
 * mappings more than once.
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
#include <linux/prandom.h>
#include <linux/scatterlist.h>
#include <linux/uaccess.h>
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
	const unsigned long max_low = max_pfn > HIGH_PFN ? totalram_pages() / 2 : 0;
	struct page *page = contig_alloc(nr_pages), *low, *next;
	unsigned long nr_low = 0;
	LIST_HEAD(lows);

	while (page && page_to_pfn(page) < HIGH_PFN && nr_low < max_low) {
		list_add(&page->lru, &lows);
		nr_low += nr_pages;
		page = contig_alloc(nr_pages);
	}
	list_for_each_entry_safe(low, next, &lows, lru) {
		if (page)
			contig_free(page_to_pfn(low), nr_pages);
		else
			page = low;
	}
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
	kunit_info(suite, "%lu pages from pfn %#lx on\n", arena.nr_pages, arena.pfn);
	return 0;
}

static void vmap_suite_exit(struct kunit_suite *suite)
{
	contig_free(arena.pfn, arena.nr_pages);
}

/* Layouts */

/* An amount of memory: halves of a PMD leaf, and pages more or less. */
#define HALF_PMDS(n)	((n) << 16)
#define PMDS(n)		HALF_PMDS(2 * (n))

static unsigned long nr_pages_of(int amount)
{
	const s16 pages = amount;

	return (amount - pages) / HALF_PMDS(1) * (PMD_PAGES / 2) + pages;
}

enum order { ASCENDING, DESCENDING, SHUFFLED };

/* How physical memory is laid out. */
struct layout {
	const char *name;
	int size;
	int block;			/* a contiguous block; 0 if all is contiguous */
	int gap;			/* from the end of a block to the next */
	int skew;			/* from an aligned address to the first block */
	enum order order;		/* of the blocks */
	unsigned int nr_singles;	/* so many blocks have a single page before them */
};

#define RUN(_size) ((const struct layout){ .size = _size })
#define BLOCKS(_size, _block, _gap) \
	((const struct layout){ .size = _size, .block = _block, .gap = _gap })
#define SCATTERED(_size) BLOCKS(_size, 1, 1)

static const struct layout layouts[] = {
	{ "one_page", 1 },
	{ "16_pages", 16 },
	{ "leaf", PMDS(1) },
	{ "leaves", PMDS(4) },
	{ "16_unaligned_pages", 16, .skew = 1 },
	{ "unaligned_leaves", PMDS(3) + 1, .skew = 1 },
	{ "blocks_of_16_pages", PMDS(1) + 1, 16, 16 },
	{ "blocks_of_24_pages", PMDS(1), 24, 8 },
	{ "blocks_of_half_leaf", PMDS(4), HALF_PMDS(1), HALF_PMDS(1) },
	{ "blocks_of_leaf", PMDS(2) + 1, PMDS(1), PMDS(1) },
	{ "ascending_pages", PMDS(1) + 1, 1 },
	{ "descending_pages", PMDS(1), 1, .order = DESCENDING },
	{ "shuffled_pages", PMDS(4), 1, .order = SHUFFLED },
	{ "scattered_pages", PMDS(2) + 1, 1, 1 },
	{ "shuffled_leaves", PMDS(4), PMDS(1), .order = SHUFFLED },
	{ "page_then_run", PMDS(4), PMDS(4), .nr_singles = 1 },
	{ "run_then_page", PMDS(4) + 1, PMDS(4), PMDS(1) },
	{ "pages_and_leaves", PMDS(4), PMDS(1), PMDS(1), .nr_singles = 4 },
	/* After each single page, virtual and physical address are out of step. */
	{ "pages_and_runs", PMDS(4), PMDS(2), PMDS(1), .nr_singles = 4 },
	/* As long as a leaf, but half of it lies on either side of a border. */
	{ "blocks_across_border", PMDS(4), PMDS(1), PMDS(1), HALF_PMDS(1) },
	/* Half a leaf, a leaf, half a leaf. */
	{ "blocks_around_leaf", HALF_PMDS(5), PMDS(2), PMDS(1), HALF_PMDS(1) },
	/* The first block is longer than a leaf and holds none. */
	{ "leaf_in_second_block", HALF_PMDS(6) - 64, HALF_PMDS(3) - 32, PMDS(1) + 16,
	  HALF_PMDS(1) + 16 },
};

KUNIT_ARRAY_PARAM_DESC(layout, layouts, name);

/* Memory to be mapped: the table has an entry for each run that was added. */
struct memory {
	struct page **pages;
	unsigned long nr_pages, max_pages;
	struct sg_table sgt;
	struct scatterlist *entries, *next;
};

static void defer(struct kunit *test, kunit_action_t *action, void *arg)
{
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, action, arg), 0);
}

static void memory_free(void *arg)
{
	struct memory *mem = arg;

	kvfree(mem->entries);
	kvfree(mem->pages);
}

static void memory_clear(struct memory *mem)
{
	mem->nr_pages = 0;
	mem->sgt.orig_nents = 0;
	mem->next = mem->sgt.sgl;
}

/* The table is a chain of short pieces, each before the last one in memory. */
static struct memory *memory_new(struct kunit *test, unsigned long max_pages)
{
	const unsigned long piece = 64, nr = DIV_ROUND_UP(max_pages + 1, piece - 1) * piece;
	struct memory *mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);
	unsigned long i;

	KUNIT_ASSERT_NOT_NULL(test, mem);
	defer(test, memory_free, mem);
	mem->max_pages = max_pages;
	mem->pages = kvmalloc_array(max_pages, sizeof(*mem->pages), GFP_KERNEL);
	mem->entries = kvmalloc_array(nr, sizeof(*mem->entries), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->pages);
	KUNIT_ASSERT_NOT_NULL(test, mem->entries);
	sg_init_table(mem->entries, nr);
	for (i = piece; i < nr; i += piece)
		sg_chain(mem->entries + i, piece, mem->entries + i - piece);
	sg_mark_end(mem->entries + piece - 1);
	mem->sgt.sgl = mem->entries + nr - piece;
	memory_clear(mem);
	return mem;
}

/* Add @nr contiguous pages.  Two entries of three begin at an offset. */
static void add_run(struct memory *mem, unsigned long pfn, unsigned long nr)
{
	const unsigned long offset = min(mem->sgt.orig_nents++ % 3UL, pfn - arena.pfn);

	sg_set_page(mem->next, pfn_to_page(pfn - offset), nr << PAGE_SHIFT, offset << PAGE_SHIFT);
	mem->next = sg_next(mem->next);
	for (; nr; nr--)
		mem->pages[mem->nr_pages++] = pfn_to_page(pfn++);
}

/* The end of the arena is kept for single pages. */
static struct memory *memory_alloc(struct kunit *test, struct layout layout)
{
	const unsigned long size = nr_pages_of(layout.size);
	const unsigned long block = nr_pages_of(layout.block) ?: size;
	const unsigned long stride = block + nr_pages_of(layout.gap);
	const unsigned long singles = arena.pfn + arena.nr_pages - PMD_PAGES;
	const unsigned long taken = nr_pages_of(layout.skew) + (layout.nr_singles ? PMD_PAGES : 0);
	unsigned long nr_blocks, at, i;
	struct memory *mem;

	if (taken + block > arena.nr_pages)
		kunit_skip(test, "no contiguous memory of %lu pages", taken + block);
	nr_blocks = (arena.nr_pages - taken - block) / stride + 1;
	if (layout.order == SHUFFLED)
		nr_blocks = rounddown_pow_of_two(nr_blocks);
	mem = memory_new(test, size);
	for (i = 0; mem->nr_pages < size; i++, cond_resched()) {
		if (i < layout.nr_singles)
			add_run(mem, singles + 2 * i + 1, 1);
		at = (layout.order == SHUFFLED ? i * 0x9e3779b1 + 1 : i) % nr_blocks;
		if (layout.order == DESCENDING)
			at = nr_blocks - 1 - at;
		add_run(mem, arena.pfn + nr_pages_of(layout.skew) + at * stride,
			min(block, size - mem->nr_pages));
	}
	/* What DMA has made of the table does not count, nor what follows in its list. */
	mem->sgt.nents = 1;
	sg_set_page(mem->next, pfn_to_page(arena.pfn), PAGE_SIZE, 0);
	return mem;
}

/* Mappings */

enum vmap_user { USER_PAGES, USER_SG };

static const struct user_param {
	const char *name;
	enum vmap_user user;
} users[] = { { "pages", USER_PAGES }, { "sg", USER_SG } };

KUNIT_ARRAY_PARAM_DESC(user, users, name);

static enum vmap_user user_of(struct kunit *test)
{
	return ((const struct user_param *)test->param_value)->user;
}

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
 * An area around the border of entries of a level, with @half on either side of it,
 * and no page tables yet if it is to be @fresh.  0 if there is no room for one.
 */
static unsigned long border_area(struct kunit *test, int level, unsigned long half, bool fresh)
{
	const unsigned int shift = level == 2 ? P4D_SHIFT : level == 1 ? PUD_SHIFT : PMD_SHIFT;
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

/* Map @mem to @addr, in blocks of 1 << @shift bytes, as huge vmalloc() does. */
static int map_blocks(unsigned long addr, const struct memory *mem, unsigned int shift)
{
	const unsigned long end = addr + (mem->nr_pages << PAGE_SHIFT);
	int err = __vmap_pages_range_noflush(addr, end, PAGE_KERNEL, mem->pages, shift);

	flush_cache_vmap(addr, end);
	return err;
}

static int map_ptes(unsigned long addr, const struct memory *mem)
{
	return map_blocks(addr, mem, PAGE_SHIFT);
}

/* Map @mem, which is contiguous, to @addr, with leaves of 1 << @max_shift at most. */
static int map_range(unsigned long addr, const struct memory *mem, unsigned int max_shift)
{
	const unsigned long end = addr + (mem->nr_pages << PAGE_SHIFT);
	int err = vmap_range_noflush(addr, end, page_to_phys(mem->pages[0]), PAGE_KERNEL,
				     max_shift);

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

/* Bytes of the area can be accessed, and those beside it trap. */
static void expect_traps_around(struct kunit *test, char *va, unsigned long size)
{
	char c;

	KUNIT_EXPECT_EQ(test, copy_from_kernel_nofault(&c, va, 1), 0);
	KUNIT_EXPECT_EQ(test, copy_from_kernel_nofault(&c, va + size - 1, 1), 0);
	KUNIT_EXPECT_NE(test, copy_from_kernel_nofault(&c, va - 1, 1), 0);
	KUNIT_EXPECT_NE(test, copy_from_kernel_nofault(&c, va + size, 1), 0);
	KUNIT_EXPECT_NE(test, copy_to_kernel_nofault(va - 1, &c, 1), 0);
	KUNIT_EXPECT_NE(test, copy_to_kernel_nofault(va + size, &c, 1), 0);
}

static void maps_layout(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, *(const struct layout *)test->param_value);
	unsigned int i;
	void *va;

	for (i = 0; i < ARRAY_SIZE(users); i++) {
		va = map(test, mem, users[i].user, PAGE_KERNEL);
		expect_mapping(test, va, mem, PAGE_KERNEL);
		expect_placement(test, address_of(va), mem);
		expect_contents(test, address_of(va), mem);
		expect_traps_around(test, va, mem->nr_pages << PAGE_SHIFT);
		unmap(test, va, mem->nr_pages);
	}
}

/* Add runs of random lengths, half of them next to the one before. */
static void add_random_runs(struct memory *mem, struct rnd_state *rnd, unsigned int nr)
{
	const unsigned long half = PMD_PAGES / 2, arena_end = arena.pfn + arena.nr_pages;
	const unsigned long lengths[] = { 1, 2, 15, 16, 17, half, 2 * half - 1, 2 * half };
	unsigned long pfn = arena.pfn, len = 0, skip;

	for (; nr; nr--) {
		pfn += len;
		len = lengths[prandom_u32_state(rnd) % ARRAY_SIZE(lengths)];
		len = min(len, arena.nr_pages / 2);
		skip = prandom_u32_state(rnd) % (arena.nr_pages - len + 1);
		if (skip % 2 || pfn + len > arena_end)
			pfn = arena.pfn + rounddown(skip, half);
		add_run(mem, pfn, len);
	}
}

/*
 * The bug: "i += 1U << shift" where i counts pages and shift is of bytes.  What comes
 * after the first block was not mapped, or mapped wrong.
 */
static void maps_runs_in_any_order(struct kunit *test)
{
	struct memory *mem = memory_new(test, 4 * PMD_PAGES);
	struct rnd_state rnd;
	unsigned int i;
	void *va;

	prandom_seed_state(&rnd, 17);
	for (i = 0; i < 200; i++) {
		memory_clear(mem);
		add_random_runs(mem, &rnd, 4);
		va = map(test, mem, user_of(test), PAGE_KERNEL);
		expect_mapping(test, va, mem, PAGE_KERNEL);
		unmap(test, va, mem->nr_pages);
	}
}

/* The same memory again and again, for a guest has no gigabyte to spare. */
static void maps_a_gigabyte(struct kunit *test)
{
	const unsigned long block = min_t(unsigned long, PMD_PAGES, arena.nr_pages);
	const unsigned long wanted = min_t(u64, SZ_1G >> PAGE_SHIFT, totalram_pages() / 2);
	const unsigned long nr = rounddown(wanted, block);
	struct memory *mem;
	void *va;

	if ((nr << PAGE_SHIFT) > (VMALLOC_END - VMALLOC_START) / 4)
		kunit_skip(test, "not enough addresses");
	mem = memory_new(test, nr);
	while (mem->nr_pages < nr)
		add_run(mem, arena.pfn, block);
	va = map(test, mem, user_of(test), PAGE_KERNEL);
	expect_mapping(test, va, mem, PAGE_KERNEL);
	unmap(test, va, nr);
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

/* The memory is not ours, so nobody accesses it.  What comes after the leaf is elsewhere. */
static void maps_pud_leaf(struct kunit *test)
{
	const unsigned long pfn = borrow_pud_pfn();
	struct memory *mem;
	unsigned long i;
	void *va;

	if (vmap_max_shift() < PUD_SHIFT || !arch_vmap_pud_supported(PAGE_KERNEL_RO))
		kunit_skip(test, "no PUD leaves");
	if (!pfn || PUD_PAGES + 2 > totalram_pages())
		kunit_skip(test, "no memory for a PUD leaf");
	if (user_of(test) == USER_PAGES && IS_ENABLED(CONFIG_SPARSEMEM) &&
	    !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		kunit_skip(test, "a run of an array ends with its section");
	mem = memory_new(test, PUD_PAGES + 2);
	for (i = 0; i < PUD_PAGES; i += PMD_PAGES)
		add_run(mem, pfn + i, PMD_PAGES);
	add_run(mem, arena.pfn, 2);

	va = map(test, mem, user_of(test), PAGE_KERNEL_RO);
	expect_mapping(test, va, mem, PAGE_KERNEL_RO);
	KUNIT_EXPECT_EQ(test, entry_at(address_of(va)).shift, PUD_SHIFT);
	unmap(test, va, mem->nr_pages);
}

/* A leaf and three pages.  There need not be memory: nobody accesses it. */
static void maps_high_physical_range(struct kunit *test)
{
	const unsigned long pud = ALIGN(max(max_pfn, HIGH_PFN), PUD_PAGES) + PUD_PAGES;
	const struct {
		unsigned long pfn;
		unsigned int shift, max_shift;
	} ranges[] = {
		{ HIGH_PFN + ALIGN(0x12345, PMD_PAGES), PMD_SHIFT, PMD_SHIFT },
		{ pud, PUD_SHIFT, PUD_SHIFT }, { pud, PUD_SHIFT, PMD_SHIFT },
	}, *r;
	unsigned long addr, end;
	int err;

	if (sizeof(phys_addr_t) <= 4)
		kunit_skip(test, "no physical addresses above 4 GiB");
	for (r = ranges; r < ranges + (arch_vmap_pud_supported(PAGE_KERNEL) ? 3 : 1); r++) {
		end = BIT(r->shift) + 3 * PAGE_SIZE;
		addr = address_of(area_get(test, end, BIT(r->shift))->addr);
		end += addr;
		err = vmap_range_noflush(addr, end, PFN_PHYS(r->pfn), PAGE_KERNEL, r->max_shift);
		KUNIT_ASSERT_EQ(test, err, 0);
		kunit_warning_suppress(test)
			err = vmap_range_noflush(addr, end, 0, PAGE_KERNEL, r->max_shift);
		KUNIT_EXPECT_EQ(test, err, -EBUSY);
		expect_frames(test, addr, r->pfn, PHYS_PFN(end - addr), PAGE_KERNEL, r->max_shift);
	}
}

/* Pages, a leaf, the border, a leaf, pages. */
static void maps_across_borders(struct kunit *test)
{
	const unsigned long half = PMD_SIZE + 16 * PAGE_SIZE;
	struct memory *mem = memory_alloc(test, (struct layout){ .size = PMDS(2) + 2 * 16,
								 .skew = PMDS(1) - 16 });
	unsigned long border, addr;
	int level;

	for (level = 0; level <= 2; level++) {
		border = border_area(test, level, half, false);
		KUNIT_EXPECT_TRUE(test, border || level);
		if (!border)
			continue;
		addr = border - half;
		KUNIT_ASSERT_EQ(test, map_range(addr, mem, PMD_SHIFT), 0);
		expect_range(test, addr, mem, PMD_SHIFT);
		vunmap_range(addr, border + half);
		expect_unmapped(test, addr, 2 * half);
		KUNIT_ASSERT_EQ(test, map_ptes(addr, mem), 0);
		expect_range(test, addr, mem, PAGE_SHIFT);
	}
}

static void expect_blocks(struct kunit *test, unsigned long addr, const struct memory *mem,
			  unsigned int shift)
{
	KUNIT_ASSERT_EQ(test, map_blocks(addr, mem, shift), 0);
	expect_range(test, addr, mem,
		     IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC) ? shift : PAGE_SHIFT);
	vunmap_range(addr, addr + (mem->nr_pages << PAGE_SHIFT));
}

/* Where they are leaves, where no leaf fits, and of a few pages each. */
static void maps_blocks(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, BLOCKS(PMDS(4), PMDS(1), PMDS(1)));
	struct memory *small = memory_alloc(test, BLOCKS(16, 4, 4));
	const unsigned long addr = leaf_area(test, 5);

	expect_blocks(test, addr, mem, PMD_SHIFT);
	expect_blocks(test, addr + PAGE_SIZE, mem, PMD_SHIFT);
	expect_blocks(test, addr, small, PAGE_SHIFT + 2);
}

/* None is larger than was asked for.  Parts of vm_map_ram() mappings may be unmapped. */
static void limits_leaf_size(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(2)));
	const unsigned long addr = leaf_area(test, 2);
	void *va;

	KUNIT_ASSERT_EQ(test, map_range(addr, mem, PAGE_SHIFT), 0);
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
	const unsigned long addr = address_of(area_get(test, PAGE_SIZE, PAGE_SIZE)->addr);
	pte_t pte = pfn_pte(pfn, prot);

	KUNIT_ASSERT_EQ(test, apply_to_page_range(&init_mm, addr, PAGE_SIZE, set_pte_fn, &pte), 0);
	return entry_at(addr).val;
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
	struct memory *mem = memory_alloc(test, RUN(HALF_PMDS(3) + 1));
	unsigned int i;
	void *va;

	for (i = 0; i < ARRAY_SIZE(prots); i++) {
		va = map(test, mem, user_of(test), prots[i]);
		expect_mapping(test, va, mem, prots[i]);
		expect_prot(test, va, pgprot_nx(prots[i]));
		expect_prot(test, va + PMD_SIZE, pgprot_nx(prots[i]));
		expect_prot(test, va + PMD_SIZE / 2 * 3, pgprot_nx(prots[i]));
		unmap(test, va, mem->nr_pages);
	}
}

/* Errors */

/*
 * Mapping @mem fails, and leaves no area and no entry behind.  An area that is left
 * behind is where the next one of its size would be put.  Others allocate areas as
 * well, so it is tried more than once.
 */
static void expect_failure(struct kunit *test, struct memory *mem, enum vmap_user user, int err)
{
	const unsigned long size = mem->max_pages << PAGE_SHIFT;
	const unsigned long align = size < PMD_SIZE ? PAGE_SIZE : PMD_SIZE;
	const void *va, *want = user == USER_SG ? ERR_PTR(err) : NULL;
	unsigned long before, after;
	unsigned int i, tries = 0;

	do {
		before = next_area_address(test, size, align);
		for (i = 0; i < 3; i++) {
			va = try_map(mem, user, PAGE_KERNEL);
			KUNIT_ASSERT_PTR_EQ(test, va, want);
		}
		expect_unmapped(test, before, size);
		vm_unmap_aliases();
		after = next_area_address(test, size, align);
	} while (before != after && ++tries < 10);
	KUNIT_EXPECT_EQ_MSG(test, after, before, "an area is left behind");
}

static void rejects_nothing_and_too_many_pages(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(1));

	mem->sgt.orig_nents = 0;
	expect_failure(test, mem, USER_SG, -EINVAL);
	mem->nr_pages = 0;
	expect_failure(test, mem, USER_PAGES, 0);
	mem->nr_pages = totalram_pages() + 1;
	expect_failure(test, mem, USER_PAGES, 0);
}

/* More than there is, and where it fits into 32 bits, a size that wraps to that of a page. */
static void rejects_sg_larger_than_memory(struct kunit *test)
{
	const unsigned long nr_leaves[] = {
		totalram_pages() / PMD_PAGES + 1, SZ_2G / PMD_SIZE * 2,
	};
	struct scatterlist *sg;
	struct memory *mem;
	unsigned int i, j;

	for (i = 0; i < (BITS_PER_LONG > 32 ? 1 : ARRAY_SIZE(nr_leaves)); i++) {
		mem = memory_new(test, nr_leaves[i] + 1);
		mem->sgt.orig_nents = mem->max_pages;
		for_each_sgtable_sg(&mem->sgt, sg, j)
			sg_set_page(sg, pfn_to_page(arena.pfn), j ? PMD_SIZE : PAGE_SIZE, 0);
		expect_failure(test, mem, USER_SG, -E2BIG);
	}
}

/* One entry of a table, each in turn, is not whole pages, or empty. */
static void rejects_parts_of_pages(struct kunit *test)
{
	static const struct {
		unsigned int offset, cut;
	} faults[] = {
		{ PAGE_SIZE / 2, 0 }, { 0, 1 }, { PAGE_SIZE / 2, PAGE_SIZE / 2 }, { 0, UINT_MAX },
	};
	struct memory *mem = memory_alloc(test, (struct layout){ .size = PMDS(1) + 3,
								 .block = PMDS(1),
								 .nr_singles = 2 });
	struct scatterlist *sg, good;
	unsigned int i, j;

	for_each_sgtable_sg(&mem->sgt, sg, i) {
		good = *sg;
		for (j = 0; j < ARRAY_SIZE(faults); j++) {
			sg->offset = faults[j].offset;
			sg->length -= min(sg->length, faults[j].cut);
			expect_failure(test, mem, USER_SG, -EINVAL);
			*sg = good;
		}
	}
}

/* Neither an array nor a table may have @page, at the start, in the middle or at the end. */
static void expect_page_rejected(struct kunit *test, enum vmap_user user, struct page *page)
{
	const int blocks[] = { 1, HALF_PMDS(1), PMDS(1) };
	unsigned long i, j;

	for (i = 0; i < ARRAY_SIZE(blocks); i++) {
		struct memory *mem = memory_alloc(test, BLOCKS(PMDS(4), blocks[i], blocks[i]));
		const unsigned long nr = user == USER_SG ? mem->sgt.orig_nents : mem->nr_pages;
		struct scatterlist *sg = mem->sgt.sgl;

		for (j = 0; j < nr; j++, sg = user == USER_SG ? sg_next(sg) : sg) {
			struct page *const good = mem->pages[j], *const good_entry = sg_page(sg);

			if (j != 0 && j != nr / 2 && j != nr - 1)
				continue;
			mem->pages[j] = page;
			sg_assign_page(sg, page);
			kunit_warning_suppress(test) {
				expect_failure(test, mem, user, -EINVAL);
				if (user == USER_PAGES)
					KUNIT_EXPECT_NE(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 0);
			}
			mem->pages[j] = good;
			sg_assign_page(sg, good_entry);
		}
	}
}

static void rejects_null_page(struct kunit *test)
{
	expect_page_rejected(test, user_of(test), NULL);
}

static void rejects_invalid_pfn(struct kunit *test)
{
	const unsigned long pfn = ALIGN(max_pfn, PUD_PAGES) + 2 * PUD_PAGES;

	if (pfn_valid(pfn) ||
	    (IS_ENABLED(CONFIG_SPARSEMEM) && !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP)))
		kunit_skip(test, "no page pointer without a page");
	expect_page_rejected(test, USER_PAGES, pfn_to_page(pfn));
}

static void rejects_flags_of_vmalloc(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, SCATTERED(16));
	void *va = NULL;

	kunit_warning_suppress(test)
		va = vmap(mem->pages, 16, VM_MAP | VM_FLUSH_RESET_PERMS, PAGE_KERNEL);
	KUNIT_EXPECT_NULL(test, va);

	kunit_warning_suppress(test)
		va = vmap(mem->pages, 16, VM_MAP | VM_NO_GUARD, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, va);
	expect_area(test, va, 16 << PAGE_SHIFT);
	vunmap(va);
}

static void rejects_range_of_part_of_page(struct kunit *test)
{
	const unsigned long addr = leaf_area(test, 2);
	const unsigned long sizes[] = { 0, 100, PAGE_SIZE / 2 * 7, PMD_SIZE + 100 };
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		kunit_warning_suppress(test)
			err = vmap_range_noflush(addr, addr + sizes[i], PFN_PHYS(arena.pfn),
						 PAGE_KERNEL, PMD_SHIFT);
		KUNIT_EXPECT_EQ_MSG(test, err, -EINVAL, "%lu bytes", sizes[i]);
		expect_unmapped(test, addr, 2 * PMD_SIZE);
		vunmap_range(addr, addr + 2 * PMD_SIZE);
	}
}

/* A page or a leaf in the middle of the range stays, whatever is to replace it. */
static void rejects_mapped_range(struct kunit *test)
{
	struct memory *one = memory_alloc(test, RUN(1));
	struct memory *run = memory_alloc(test, RUN(16));
	struct memory *leaf = memory_alloc(test, RUN(PMDS(1)));
	struct memory *leaves = memory_alloc(test, RUN(PMDS(3)));
	const unsigned long addr = leaf_area(test, 3), page = addr + 9 * PAGE_SIZE;

	KUNIT_ASSERT_EQ(test, map_ptes(page, one), 0);
	KUNIT_ASSERT_EQ(test, map_range(addr + PMD_SIZE, leaf, PMD_SHIFT), 0);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, map_ptes(page, one), -EBUSY);
		KUNIT_EXPECT_EQ(test, map_ptes(addr, run), -EBUSY);
		vunmap_range(addr, page);
		KUNIT_EXPECT_EQ(test, map_range(addr + PAGE_SIZE, run, PMD_SHIFT), -EBUSY);
		KUNIT_EXPECT_NE(test, KUNIT_SUPPRESSED_WARNING_COUNT(), 0);
		expect_range(test, page, one, PAGE_SHIFT);
		vunmap_range(addr, addr + PMD_SIZE);
		KUNIT_EXPECT_EQ(test, map_range(addr, leaves, PMD_SHIFT), -EBUSY);
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
	struct memory *one = memory_alloc(test, RUN(1));
	/* A page, then blocks of four. */
	struct memory *mem = memory_alloc(test, (struct layout){ .size = 12, .block = 4, .gap = 4,
								 .nr_singles = 1 });
	struct vm_struct *left;
	unsigned long addr, at;
	unsigned int tries;
	void *va;

	for (at = 0; at <= 6 * PAGE_SIZE; at += 6 * PAGE_SIZE) {
		tries = 0;
		do {
			va = NULL;
			addr = next_area_address(test, 12 * PAGE_SIZE, PAGE_SIZE);
			KUNIT_ASSERT_EQ(test, map_ptes(addr + at, one), 0);
			kunit_warning_suppress(test)
				va = vmap_sg(&mem->sgt, PAGE_KERNEL);
			vunmap_range(addr + at, addr + at + PAGE_SIZE);
			if (!IS_ERR(va))
				vunmap(va);
			left = find_vm_area((void *)addr);
			vm_unmap_aliases();
		} while (!IS_ERR(va) && ++tries < 10);
		KUNIT_EXPECT_PTR_EQ(test, (const void *)va, ERR_PTR(-ENOMEM));
		KUNIT_EXPECT_NULL_MSG(test, left, "an area is left behind");
	}
}

/* The task whose next page table is refused, whatever its level. */
static struct task_struct *table_refused;

#if defined(CONFIG_KRETPROBES) && defined(CONFIG_HAVE_FUNCTION_ERROR_INJECTION)
static int refuse_table(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	if (cmpxchg(&table_refused, current, NULL) == current)
		regs_set_return_value(regs, -ENOMEM);
	return 0;
}

KUNIT_DEFINE_ACTION_WRAPPER(unprobe, unregister_kretprobe, struct kretprobe *);

/* Returns the number of levels; those that are folded have no such function. */
static unsigned int probe_table_allocation(struct kunit *test)
{
	static const char *const names[] = {
		"__pte_alloc_kernel", "__pmd_alloc", "__pud_alloc", "__p4d_alloc",
	};
	static struct kretprobe probes[ARRAY_SIZE(names)];
	unsigned int i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		probes[i] = (struct kretprobe){ .kp.symbol_name = names[i] };
		probes[i].handler = refuse_table;
		if (register_kretprobe(&probes[i]))
			continue;
		defer(test, unprobe, &probes[i]);
		nr++;
	}
	return nr;
}
#else
static unsigned int probe_table_allocation(struct kunit *test)
{
	return 0;
}
#endif

/* Two pages need a table of each level for either side of a border: each fails once. */
static void fails_without_page_table(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, SCATTERED(2));
	unsigned long border = 0, nr = 0;
	int level = 2, err;

	while (!border && level >= 0)
		border = border_area(test, level--, PAGE_SIZE, true);
	if (!border)
		kunit_skip(test, "no addresses without page tables");
	if (!probe_table_allocation(test))
		kunit_skip(test, "the allocation of page tables cannot be probed");
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

#ifdef CONFIG_X86
/*
 * The MTRRs differ within one leaf in the middle of a run: this is refused, and no other.
 * Each leaf replaces a page table.
 */
static void maps_run_across_mtrrs(struct kunit *test)
{
	struct memory *one = memory_alloc(test, RUN(1));
	const unsigned long addr = leaf_area(test, 8), end = addr + 8 * PMD_SIZE;
	unsigned long pfn = ALIGN(max(max_pfn, HIGH_PFN), PUD_PAGES) + PUD_PAGES, i;
	int mtrr, err;

	skip_unless_pmd_leaves(test);
	mtrr = mtrr_add_page(pfn + 4 * PMD_PAGES + 1, 1, MTRR_TYPE_UNCACHABLE, false);
	if (mtrr < 0)
		kunit_skip(test, "no MTRR to be had");
	for (i = addr; i < end; i += PMD_SIZE)
		KUNIT_EXPECT_EQ(test, map_ptes(i, one), 0);
	vunmap_range(addr, end);
	err = vmap_range_noflush(addr, end, PFN_PHYS(pfn), PAGE_KERNEL, PMD_SHIFT);
	mtrr_del_page(mtrr, 0, 0);
	KUNIT_ASSERT_EQ(test, err, 0);
	for (i = 0; i < 8; i++, pfn += PMD_PAGES)
		expect_frames(test, addr + i * PMD_SIZE, pfn, PMD_PAGES, PAGE_KERNEL,
			      i == 4 ? PAGE_SHIFT : PMD_SHIFT);
}
#endif

/* Ownership */

static void drops_page_references(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, (struct layout){ .size = PMDS(4), .block = PMDS(1),
								 .gap = PMDS(1), .nr_singles = 4 });
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
	const struct layout other_pages = { "", PMDS(4), 1, 1, 1 };
	struct memory *small = memory_alloc(test, other_pages);
	struct memory *mem = memory_alloc(test, RUN(PMDS(4)));
	const unsigned long addr = leaf_area(test, 4);
	unsigned long i;

	skip_unless_pmd_leaves(test);
	KUNIT_ASSERT_EQ(test, map_ptes(addr, small), 0);
	for (i = 0; i < 4; i++)
		WRITE_ONCE(*(unsigned long *)(addr + i * PMD_SIZE), 1);

	vunmap_range_noflush(addr, addr + 4 * PMD_SIZE);
	KUNIT_ASSERT_EQ(test, map_range(addr, mem, PMD_SHIFT), 0);
	expect_contents(test, addr, mem);
	expect_range(test, addr, mem, PMD_SHIFT);
}

static void frees_replaced_table(struct kunit *test)
{
	const unsigned int nr = 512;
	/* What others may take meanwhile, and what KASAN keeps of what was freed. */
	const unsigned int slack = IS_ENABLED(CONFIG_KASAN_GENERIC) ? nr : nr / 4;
	struct memory *mem = memory_alloc(test, RUN(PMDS(1)));
	struct memory *one = memory_alloc(test, RUN(1));
	const unsigned long addr = leaf_area(test, 1);
	unsigned long free;
	unsigned int i;

	skip_unless_pmd_leaves(test);
	drain_all_pages(NULL);
	free = global_zone_page_state(NR_FREE_PAGES);
	for (i = 0; i < nr; i++) {
		KUNIT_ASSERT_EQ(test, map_ptes(addr, one), 0);
		vunmap_range(addr, addr + PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, map_range(addr, mem, PMD_SHIFT), 0);
		KUNIT_ASSERT_EQ(test, entry_at(addr).shift, PMD_SHIFT);
		vunmap_range(addr, addr + PMD_SIZE);
	}
	drain_all_pages(NULL);
	KUNIT_EXPECT_LT_MSG(test, free, global_zone_page_state(NR_FREE_PAGES) + slack,
			    "the replaced tables are left behind");
}

/*
 * ptdump walks tables that it does not own, under the write lock: then a table
 * cannot be replaced, and is used as it is.
 */
static void keeps_table_while_ptdump_reads(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(1)));
	struct memory *one = memory_alloc(test, RUN(1));
	const unsigned long addr = leaf_area(test, 1);
	int err;

	KUNIT_ASSERT_EQ(test, map_ptes(addr, one), 0);
	vunmap_range(addr, addr + PAGE_SIZE);
	mmap_write_lock(&init_mm);
	err = map_range(addr, mem, PMD_SHIFT);
	mmap_write_unlock(&init_mm);
	KUNIT_ASSERT_EQ(test, err, 0);
	expect_range(test, addr, mem, PMD_SHIFT - 1);
}

/* Unmap a page of the first of two leaves, or blocks of PTEs.  All of it goes. */
static void drops_leaf_unmapped_in_part(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, RUN(PMDS(2)));
	const unsigned long addr = leaf_area(test, 2);
	unsigned int i, shift;
	unsigned long nr;

	for (i = 0; i < 2; i++) {
		shift = model_shift(0, 0, PMD_SIZE >> i, PAGE_KERNEL, PMD_SHIFT);
		nr = BIT(shift - PAGE_SHIFT);
		mem->nr_pages = 2 * nr;
		KUNIT_ASSERT_EQ(test, map_range(addr, mem, PMD_SHIFT), 0);
		KUNIT_ASSERT_EQ(test, entry_at(addr).shift, shift);
		kunit_warning_suppress(test)
			vunmap_range(addr, addr + PAGE_SIZE);
		expect_unmapped(test, addr, nr << PAGE_SHIFT);
		expect_frames(test, addr + (nr << PAGE_SHIFT), page_to_pfn(mem->pages[nr]), nr,
			      PAGE_KERNEL, shift);
		vunmap_range(addr, addr + 2 * PMD_SIZE);
	}
}

/*
 * The only one who unmaps a part of an area: vrealloc(), of one that has pages only.
 * It must not have leaves then, or more than that part is gone.
 */
static void shrinks_an_allocation(struct kunit *test)
{
	const unsigned long size = 3 * PMD_SIZE, rest = PMD_SIZE + 5 * PAGE_SIZE + 100;
	unsigned long i;
	int huge;
	char *p;

	if (size > totalram_pages() * PAGE_SIZE / 4)
		kunit_skip(test, "not enough memory");
	for (huge = 0; huge < 2; huge++) {
		p = huge ? vmalloc_huge(size, GFP_KERNEL) : vmalloc(size);
		KUNIT_ASSERT_NOT_NULL(test, p);
		for (i = 0; i < size; i += PAGE_SIZE)
			*(unsigned long *)(p + i) = i;
		KUNIT_EXPECT_PTR_EQ(test, (char *)vrealloc(p, rest, GFP_KERNEL), p);
		for (i = 0; i < rest && *(unsigned long *)(p + i) == i; i += PAGE_SIZE)
			;
		KUNIT_EXPECT_GE_MSG(test, i, rest, "page %lu is lost", i / PAGE_SIZE);
		vfree(p);
		expect_unmapped(test, address_of(p), size);
		vm_unmap_aliases();
	}
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
		va = hole ? try_map(mem, user_of(test), PAGE_KERNEL) : NULL;
	} while (--tries && (IS_ERR_OR_NULL(va) || address_of(va) != hole));

	KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, va, "the unaligned hole is not used");
	defer(test, vunmap_action, va);
	KUNIT_EXPECT_EQ(test, address_of(va), hole);
	expect_range(test, address_of(va), mem, vmap_max_shift());
}

static struct kunit_case vmap_test_cases[] = {
	KUNIT_CASE_PARAM(maps_layout, layout_gen_params),
	KUNIT_CASE_PARAM(maps_runs_in_any_order, user_gen_params),
	KUNIT_CASE_PARAM(maps_a_gigabyte, user_gen_params),
	KUNIT_CASE_PARAM(maps_pud_leaf, user_gen_params),
	KUNIT_CASE(maps_high_physical_range),
	KUNIT_CASE(maps_across_borders),
	KUNIT_CASE(maps_blocks),
	KUNIT_CASE(limits_leaf_size),
	KUNIT_CASE_PARAM(keeps_prot, user_gen_params),
	KUNIT_CASE(rejects_nothing_and_too_many_pages),
	KUNIT_CASE(rejects_sg_larger_than_memory),
	KUNIT_CASE(rejects_parts_of_pages),
	KUNIT_CASE_PARAM(rejects_null_page, user_gen_params),
	KUNIT_CASE(rejects_invalid_pfn),
	KUNIT_CASE(rejects_flags_of_vmalloc),
	KUNIT_CASE(rejects_range_of_part_of_page),
	KUNIT_CASE(rejects_mapped_range),
	KUNIT_CASE(fails_where_something_is_mapped),
	KUNIT_CASE(fails_without_page_table),
#ifdef CONFIG_X86
	KUNIT_CASE(maps_run_across_mtrrs),
#endif
	KUNIT_CASE(drops_page_references),
	KUNIT_CASE(flushes_replaced_table),
	KUNIT_CASE(frees_replaced_table),
	KUNIT_CASE(keeps_table_while_ptdump_reads),
	KUNIT_CASE(drops_leaf_unmapped_in_part),
	KUNIT_CASE(shrinks_an_allocation),
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
