// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vmap() and vmap_sg()
 *
 * A case lays out memory in a certain way, maps it, and compares what the page
 * tables then hold with a model of its own.  The model knows the pages and the
 * virtual address, nothing of how the mapping was made:
 *
 *   layout, size -> struct memory: an array of pages, and an sg_table with an
 *                   entry for each chunk, whether or not chunks are adjacent
 *   memory       -> extents -> number of leaves of each size   (the model)
 *   page tables  -> entry_at() -> number of leaves of each size
 *
 * Memory is cut out of one arena, and a mapping larger than the arena has the
 * same pages more than once, which is legal.
 *
 * Cases that make the kernel WARN, as it should, are skipped unless the command
 * line has vmap_kunit.warn=1: a harness takes a WARN for a failure.  One that
 * knows better finds what is coming announced on the console: "@@ expect TEXT"
 * and, once the case has ended, "@@ expected".
 */

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kasan.h>
#include <linux/log2.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/moduleparam.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <asm/tlbflush.h>

#include "../internal.h"
#include "../page_alloc.h"
#include "../vmalloc.h"

/* The RFC that ours is measured against passes the tests, too, but has none. */
__weak void *vmap_sg(const struct sg_table *sgt, pgprot_t prot)
{
	return NULL;
}

static bool has_vmap_sg(void)
{
	const struct sg_table empty = {};

	return vmap_sg(&empty, PAGE_KERNEL);
}

static bool warn;
module_param(warn, bool, 0444);
MODULE_PARM_DESC(warn, "Run the cases that make the kernel WARN, too");

#define PMD_PAGES	(PMD_SIZE >> PAGE_SHIFT)
#define PUD_PAGES	(PUD_SIZE >> PAGE_SHIFT)

/* How often something is repeated to see whether it leaks a page each time. */
#define LEAK_ROUNDS	512
/* What others may take meanwhile, and KASAN keeps of what was freed. */
#define LEAK_SLACK \
	(IS_ENABLED(CONFIG_KASAN_GENERIC) ? LEAK_ROUNDS : LEAK_ROUNDS / 4)

/*
 * The arena: contiguous memory, each page of it allocated on its own, and as
 * many pages of it as a page table has entries, none of them adjacent.
 */
static struct {
	unsigned long pfn;
	unsigned long nr_pages;
	struct page *scattered[MAX_PTRS_PER_PTE];
} arena;

#define ARENA_MAX_PAGES	(64 * PMD_PAGES)

static unsigned long arena_alloc(unsigned long nr_pages)
{
#ifdef CONFIG_CONTIG_ALLOC
	struct page *page = alloc_contig_pages(nr_pages,
					       GFP_KERNEL | __GFP_NOWARN,
					       first_memory_node, NULL);

	return page ? page_to_pfn(page) : 0;
#else
	return 0;
#endif
}

static int vmap_suite_init(struct kunit_suite *suite)
{
	unsigned long nr_pages = ARENA_MAX_PAGES, i;

	while (nr_pages > totalram_pages() / 4)
		nr_pages /= 2;
	for (; nr_pages >= 4 * PMD_PAGES; nr_pages /= 2) {
		arena.pfn = arena_alloc(nr_pages);
		if (!arena.pfn)
			continue;
		arena.nr_pages = nr_pages;
		for (i = 0; i < PTRS_PER_PTE; i++)
			arena.scattered[i] = pfn_to_page(arena.pfn + 2 * i);
		break;
	}
	return 0;
}

static void vmap_suite_exit(struct kunit_suite *suite)
{
#ifdef CONFIG_CONTIG_ALLOC
	if (arena.nr_pages)
		free_contig_range(arena.pfn, arena.nr_pages);
#endif
	arena.nr_pages = 0;
}

static int vmap_test_init(struct kunit *test)
{
	if (!arena.nr_pages)
		kunit_skip(test, "no contiguous memory");
	return 0;
}

static void skip_without_vmap_sg(struct kunit *test)
{
	if (!has_vmap_sg())
		kunit_skip(test, "this kernel has no vmap_sg()");
}

static void announce_end(void *test)
{
	kunit_info((struct kunit *)test, "@@ expected\n");
}

/*
 * To be called when nothing but a failure can keep the WARN from coming.  It
 * names the file, or else the function; all of those that map begin with "vmap".
 */
static void expect_warn(struct kunit *test)
{
	if (!warn)
		kunit_skip(test, "makes the kernel WARN: vmap_kunit.warn=1 runs it");
	kunit_info(test, "@@ expect %s\n",
		   IS_ENABLED(CONFIG_DEBUG_BUGVERBOSE) ? "mm/vma" : " at vmap");
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, announce_end, test));
}

/* Layouts */

/* An amount of memory: so many pages and so many halves of a PMD leaf. */
struct amount {
	unsigned short pages;
	unsigned short half_pmds;
};

#define PAGES(n)	{ .pages = (n) }
#define HALF_PMDS(n)	{ .half_pmds = (n) }
#define PMDS(n)		{ .half_pmds = 2 * (n) }

static unsigned long nr_pages_of(struct amount amount)
{
	return amount.pages + amount.half_pmds * (PMD_PAGES / 2);
}

enum order { ASCENDING, DESCENDING, SHUFFLED };
enum singles { NO_SINGLES, FIRST_SINGLE, EVERY_OTHER_SINGLE };
enum source { ARENA, COMPOUND, NON_COMPOUND };

/**
 * struct layout - how physical memory is laid out
 * @name: what it is called; NULL if after @block
 * @block: a contiguous block; nothing for a single block, all there is
 * @gap: from the end of a block to the start of the next, physically
 * @skew: from an address aligned to PMD_SIZE to the first block
 * @order: of the blocks
 * @singles: where single pages are put between blocks
 * @source: where blocks come from
 */
struct layout {
	const char *name;
	struct amount block;
	struct amount gap;
	struct amount skew;
	enum order order;
	enum singles singles;
	enum source source;
};

static const struct layout one_run = { "one_run" };
static const struct layout unaligned_run = {
	"unaligned_run", .skew = PAGES(1),
};

static const struct layout blocks_of_2_pmds = {
	.block = PMDS(2), .gap = PMDS(2),
};

static const struct layout blocks_of_pmd = {
	.block = PMDS(1), .gap = PMDS(1),
};

static const struct layout blocks_of_half_pmd = {
	.block = HALF_PMDS(1), .gap = HALF_PMDS(1),
};

static const struct layout blocks_of_16_pages = {
	.block = PAGES(16), .gap = PAGES(16),
};

static const struct layout ascending_pages = {
	"ascending_pages", .block = PAGES(1),
};

static const struct layout descending_pages = {
	"descending_pages", .block = PAGES(1), .order = DESCENDING,
};

static const struct layout shuffled_pages = {
	"shuffled_pages", .block = PAGES(1), .order = SHUFFLED,
};

static const struct layout scattered_pages = {
	"scattered_pages", .block = PAGES(1), .gap = PAGES(1),
};

static const struct layout page_then_blocks = {
	"page_then_blocks",
	.block = PMDS(1), .gap = PMDS(1), .singles = FIRST_SINGLE,
};

static const struct layout page_then_run = {
	"page_then_run", .block = PMDS(16), .singles = FIRST_SINGLE,
};

static const struct layout pages_and_blocks = {
	"pages_and_blocks",
	.block = PMDS(1), .gap = PMDS(1), .singles = EVERY_OTHER_SINGLE,
};

/* After each single page, virtual and physical address are out of step. */
static const struct layout pages_and_runs = {
	"pages_and_runs",
	.block = PMDS(3), .gap = PMDS(1), .singles = EVERY_OTHER_SINGLE,
};

/* As long as a leaf, but half of it lies on either side of a border. */
static const struct layout blocks_across_border = {
	"blocks_across_border",
	.block = PMDS(1), .gap = PMDS(1), .skew = HALF_PMDS(1),
};

/* Half a leaf, a leaf, half a leaf. */
static const struct layout blocks_around_leaf = {
	"blocks_around_leaf",
	.block = PMDS(2), .gap = PMDS(1), .skew = HALF_PMDS(1),
};

static const struct layout shuffled_blocks = {
	"shuffled_blocks", .block = PMDS(1), .order = SHUFFLED,
};

static const struct layout compound_blocks = {
	"compound_blocks", .block = PMDS(1), .source = COMPOUND,
};

static const struct layout non_compound_blocks = {
	"non_compound_blocks", .block = PMDS(1), .source = NON_COMPOUND,
};

#define NR_BLOCKS	4

/**
 * struct memory - memory laid out, ready to be mapped
 * @layout: how
 * @pfn: start of the contiguous memory that it is cut out of
 * @block: pages per block
 * @stride: pages from one block to the next
 * @nr_slots: number of blocks that there is room for
 * @blocks: where blocks are cut out of, if they are allocated on their own
 * @pages: the pages, in their order
 * @nr_pages: number of @pages
 * @sgt: the same memory, an entry per block
 */
struct memory {
	const struct layout *layout;
	unsigned long pfn;
	unsigned long block;
	unsigned long stride;
	unsigned long nr_slots;
	struct page *blocks[NR_BLOCKS];
	struct page **pages;
	unsigned long nr_pages;
	struct sg_table sgt;
};

struct chunk {
	unsigned long pfn;
	unsigned long nr_pages;
};

/* A permutation of 0 ... @nr - 1, the same in every run; @nr is 1 << k. */
static unsigned long shuffle(unsigned long i, unsigned long nr)
{
	const unsigned int half = ilog2(nr) / 2;

	i = (i * 0x9e3779b1 + 1) & (nr - 1);
	i ^= i >> (half ?: 1);
	return (i * 0x85ebca6b + 5) & (nr - 1);
}

static unsigned long block_pfn(const struct memory *mem, unsigned long i)
{
	unsigned long slot = i % mem->nr_slots;

	if (mem->layout->source != ARENA)
		return page_to_pfn(mem->blocks[i % NR_BLOCKS]);
	if (mem->layout->order == DESCENDING)
		slot = mem->nr_slots - 1 - slot;
	if (mem->layout->order == SHUFFLED)
		slot = shuffle(slot, mem->nr_slots);
	return mem->pfn + nr_pages_of(mem->layout->skew) + slot * mem->stride;
}

/* Single pages come from the end of the arena, which is kept free of blocks. */
static struct chunk single_page(unsigned long i)
{
	const unsigned long end = arena.pfn + arena.nr_pages;

	return (struct chunk){ end - PMD_PAGES + (2 * i + 1) % PMD_PAGES, 1 };
}

static struct chunk chunk_at(const struct memory *mem, unsigned long i)
{
	switch (mem->layout->singles) {
	case FIRST_SINGLE:
		if (!i)
			return single_page(0);
		i--;
		break;
	case EVERY_OTHER_SINGLE:
		if (i % 2 == 0)
			return single_page(i / 2);
		i /= 2;
		break;
	case NO_SINGLES:
		break;
	}
	return (struct chunk){ block_pfn(mem, i), mem->block };
}

/* Fill in the pages and, if @sg is given, its entries; returns their number. */
static unsigned int lay_out(struct memory *mem, struct scatterlist *sg)
{
	unsigned long done = 0, n, i, j;

	for (i = 0; done < mem->nr_pages; i++, done += n) {
		struct chunk chunk = chunk_at(mem, i);

		n = min(chunk.nr_pages, mem->nr_pages - done);
		for (j = 0; j < n; j++)
			mem->pages[done + j] = pfn_to_page(chunk.pfn + j);
		if (sg) {
			sg_set_page(sg, mem->pages[done], n << PAGE_SHIFT, 0);
			sg = sg_next(sg);
		}
		cond_resched();
	}
	return i;
}

static void memory_free(void *arg)
{
	struct memory *mem = arg;
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		if (mem->blocks[i])
			__free_pages(mem->blocks[i], get_order(PMD_SIZE));
	sg_free_table(&mem->sgt);
	kvfree(mem->pages);
}

static void alloc_blocks(struct kunit *test, struct memory *mem)
{
	const gfp_t comp = mem->layout->source == COMPOUND ? __GFP_COMP : 0;
	const unsigned int order = get_order(PMD_SIZE);
	unsigned int i;

	if (order > MAX_PAGE_ORDER)
		kunit_skip(test, "the page allocator has no such blocks");
	for (i = 0; i < NR_BLOCKS; i++) {
		mem->blocks[i] = alloc_pages(GFP_KERNEL | __GFP_NOWARN | comp,
					     order);
		if (!mem->blocks[i])
			kunit_skip(test, "no memory");
	}
}

/* Find room for the blocks in the @room pages from mem->pfn on. */
static void place_blocks(struct kunit *test, struct memory *mem,
			 unsigned long room)
{
	const struct layout *layout = mem->layout;
	const unsigned long skew = nr_pages_of(layout->skew);

	mem->block = nr_pages_of(layout->block) ?: mem->nr_pages;
	mem->stride = mem->block + nr_pages_of(layout->gap);
	if (layout->singles != NO_SINGLES)
		room -= PMD_PAGES;
	if (skew + mem->block > room)
		kunit_skip(test, "no contiguous memory of %lu pages",
			   skew + mem->block);

	mem->nr_slots = (room - skew - mem->block) / mem->stride + 1;
	if (layout->order == SHUFFLED)
		mem->nr_slots = rounddown_pow_of_two(mem->nr_slots);
}

static struct memory *memory_at(struct kunit *test, unsigned long pfn,
				unsigned long room, const struct layout *layout,
				unsigned long nr_pages)
{
	struct memory *mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, mem);
	err = kunit_add_action_or_reset(test, memory_free, mem);
	KUNIT_ASSERT_EQ(test, err, 0);

	if (nr_pages > totalram_pages())
		kunit_skip(test, "more than the memory of this machine");
	mem->layout = layout;
	mem->pfn = pfn;
	mem->nr_pages = nr_pages;
	place_blocks(test, mem, room);
	if (layout->source != ARENA)
		alloc_blocks(test, mem);

	mem->pages = kvmalloc_array(nr_pages, sizeof(*mem->pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem->pages);
	err = sg_alloc_table(&mem->sgt, lay_out(mem, NULL), GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, err, 0);
	lay_out(mem, mem->sgt.sgl);
	return mem;
}

static struct memory *memory_alloc(struct kunit *test,
				   const struct layout *layout,
				   unsigned long nr_pages)
{
	return memory_at(test, arena.pfn, arena.nr_pages, layout, nr_pages);
}

/* Mappings */

enum vmap_user { USER_PAGES, USER_SG };

KUNIT_DEFINE_ACTION_WRAPPER(vunmap_action, vunmap, const void *);

static void *try_map(struct kunit *test, struct memory *mem,
		     enum vmap_user user, pgprot_t prot)
{
	if (user == USER_PAGES)
		return vmap(mem->pages, mem->nr_pages, VM_MAP, prot);
	skip_without_vmap_sg(test);
	return vmap_sg(&mem->sgt, prot);
}

static void *map(struct kunit *test, struct memory *mem, enum vmap_user user,
		 pgprot_t prot)
{
	void *va = try_map(test, mem, user, prot);
	int err;

	KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, va, "%lu pages were not mapped",
					 mem->nr_pages);
	err = kunit_add_action_or_reset(test, vunmap_action, va);
	KUNIT_ASSERT_EQ(test, err, 0);
	return va;
}

static unsigned long address_of(const void *va)
{
	return (unsigned long)kasan_reset_tag(va);
}

/**
 * struct entry - what the page tables hold for an address
 * @shift: log2 of the bytes that the entry is for
 * @val: the entry, 0 if there is none
 * @pfn: of the first page that it maps
 */
struct entry {
	unsigned int shift;
	u64 val;
	unsigned long pfn;
};

static struct entry pte_entry_at(pmd_t *pmd, unsigned long addr)
{
	const pte_t pte = ptep_get(pte_offset_kernel(pmd, addr));
	unsigned long size = PAGE_SIZE;

	if (pte_none(pte))
		return (struct entry){ PAGE_SHIFT };

	if (pte_present(pte))
		size = pte_leaf_size(pte);
	return (struct entry){
		ilog2(size), pte_val(pte),
		pte_pfn(pte) - (PHYS_PFN(addr) & (PHYS_PFN(size) - 1)),
	};
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
		return (struct entry){ PUD_SHIFT, pud_val(*pud),
				       page_to_pfn(pud_page(*pud)) };

	pmd = pmd_offset(pud, addr);
	if (pmd_none(*pmd))
		return (struct entry){ PMD_SHIFT };
	if (pmd_leaf(*pmd))
		return (struct entry){ PMD_SHIFT, pmd_val(*pmd),
				       page_to_pfn(pmd_page(*pmd)) };

	return pte_entry_at(pmd, addr);
}

static unsigned long entry_end(unsigned long addr, unsigned int shift)
{
	return (addr | ((1UL << shift) - 1)) + 1;
}

/* The first address in [@addr, @end) that has an entry; @end if none does. */
static unsigned long first_mapped(unsigned long addr, unsigned long end)
{
	for (; addr < end; cond_resched()) {
		const struct entry entry = entry_at(addr);

		if (entry.val)
			return addr;
		addr = entry_end(addr, entry.shift);
	}
	return end;
}

static void expect_unmapped(struct kunit *test, unsigned long addr,
			    unsigned long size)
{
	const unsigned long found = first_mapped(addr, addr + size);

	KUNIT_EXPECT_EQ_MSG(test, found, addr + size,
			    "an entry is left %#lx bytes into the range",
			    found - addr);
}

static void unmap(struct kunit *test, void *va, unsigned long nr_pages)
{
	kunit_release_action(test, vunmap_action, va);
	expect_unmapped(test, address_of(va), nr_pages << PAGE_SHIFT);
	vm_unmap_aliases();
}

/* How many leaves of each size there are. */
struct leaves {
	unsigned long pud;
	unsigned long pmd;
	unsigned long cont;
	unsigned long pte;
};

static void count_leaf(struct leaves *leaves, unsigned int shift)
{
	if (shift >= PUD_SHIFT)
		leaves->pud++;
	else if (shift >= PMD_SHIFT)
		leaves->pmd++;
	else if (shift > PAGE_SHIFT)
		leaves->cont++;
	else
		leaves->pte++;
}

static bool leaves_disabled(void)
{
	return !IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC) ||
	       strstr(saved_command_line, "nohugevmap");
}

static bool is_leaf(unsigned long addr, phys_addr_t phys, unsigned long len,
		    unsigned long size)
{
	return len >= size && IS_ALIGNED(addr, size) && IS_ALIGNED(phys, size);
}

/* log2 of the leaf that should map @addr if @len bytes follow at @phys. */
static unsigned int model_shift(unsigned long addr, phys_addr_t phys,
				unsigned long len, pgprot_t prot)
{
	if (leaves_disabled())
		return PAGE_SHIFT;
	if (is_leaf(addr, phys, len, PUD_SIZE) && arch_vmap_pud_supported(prot))
		return PUD_SHIFT;
	if (is_leaf(addr, phys, len, PMD_SIZE) && arch_vmap_pmd_supported(prot))
		return PMD_SHIFT;
	/* Contiguous PTEs are hugetlb's, but on arm64. */
#if defined(CONFIG_ARM64) || defined(CONFIG_HUGETLB_PAGE)
	len = min(len, PMD_SIZE - (addr & (PMD_SIZE - 1)));
	return ilog2(arch_vmap_pte_range_map_size(addr, addr + len,
						  PHYS_PFN(phys), PMD_SHIFT));
#else
	return PAGE_SHIFT;
#endif
}

/* Number of pages from pages[0] on that are physically contiguous. */
static unsigned long run_length(struct page **pages, unsigned long nr_pages)
{
	unsigned long nr = 1;

	while (nr < nr_pages &&
	       page_to_pfn(pages[nr]) == page_to_pfn(pages[0]) + nr)
		nr++;
	return nr;
}

static struct leaves model_leaves(const struct memory *mem, unsigned long addr,
				  pgprot_t prot)
{
	struct leaves leaves = {};
	unsigned long i, run, len, size;
	phys_addr_t phys;

	for (i = 0; i < mem->nr_pages; i += run) {
		run = run_length(mem->pages + i, mem->nr_pages - i);
		phys = page_to_phys(mem->pages[i]);
		for (len = run << PAGE_SHIFT; len; len -= size) {
			const unsigned int shift = model_shift(addr, phys, len,
							       prot);

			count_leaf(&leaves, shift);
			size = 1UL << shift;
			addr += size;
			phys += size;
		}
		cond_resched();
	}
	return leaves;
}

/* Does [@addr, @addr + @nr pages) map @pages, leaf by leaf? */
static struct leaves expect_pages(struct kunit *test, unsigned long addr,
				  struct page **pages, unsigned long nr)
{
	struct leaves leaves = {};
	unsigned long i, j, n;

	for (i = 0; i < nr; i += n, cond_resched()) {
		const unsigned long at = addr + (i << PAGE_SHIFT);
		const struct entry entry = entry_at(at);

		KUNIT_ASSERT_NE_MSG(test, entry.val, 0,
				    "page %lu of %lu is not mapped", i, nr);
		n = 1UL << (entry.shift - PAGE_SHIFT);
		KUNIT_ASSERT_TRUE_MSG(test, IS_ALIGNED(at, n << PAGE_SHIFT) &&
				      n <= nr - i,
				      "leaf of %lu pages at %#lx, page %lu of %lu",
				      n, at, i, nr);
		count_leaf(&leaves, entry.shift);

		for (j = 0; j < n; j++)
			if (page_to_pfn(pages[i + j]) != entry.pfn + j ||
			    vmalloc_to_page((void *)at + (j << PAGE_SHIFT)) !=
			    pages[i + j])
				break;
		KUNIT_ASSERT_EQ_MSG(test, j, n,
				    "page %lu of %lu is pfn %#lx, not %#lx",
				    i + j, nr, entry.pfn + j,
				    page_to_pfn(pages[i + j]));
	}
	return leaves;
}

static void expect_leaves(struct kunit *test, struct leaves found,
			  struct leaves model)
{
	KUNIT_EXPECT_EQ_MSG(test, found.pud, model.pud, "PUD leaves");
	KUNIT_EXPECT_EQ_MSG(test, found.pmd, model.pmd, "PMD leaves");
	KUNIT_EXPECT_EQ_MSG(test, found.cont, model.cont, "contiguous PTEs");
	KUNIT_EXPECT_EQ_MSG(test, found.pte, model.pte, "PTEs");
}

/* The first extent that holds a leaf decides where the mapping starts. */
static void expect_placement(struct kunit *test, unsigned long addr,
			     const struct memory *mem, pgprot_t prot)
{
	unsigned long i, run, skip;

	if (!has_vmap_sg() || leaves_disabled() || !arch_vmap_pmd_supported(prot))
		return;

	for (i = 0; i < mem->nr_pages; i += run) {
		const unsigned long pfn = page_to_pfn(mem->pages[i]);

		run = run_length(mem->pages + i, mem->nr_pages - i);
		skip = ALIGN(pfn, PMD_PAGES) - pfn;
		if (run < skip + PMD_PAGES)
			continue;
		KUNIT_EXPECT_TRUE_MSG(test, IS_ALIGNED(PHYS_PFN(addr) + i + skip,
						       PMD_PAGES),
				      "at %#lx, the leaf at page %lu is not aligned",
				      addr, i + skip);
		return;
	}
}

static void expect_area(struct kunit *test, const void *va, unsigned long size)
{
	const struct vm_struct *area = find_vm_area(va);

	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_EXPECT_PTR_EQ(test, (const void *)area->addr, va);
	KUNIT_EXPECT_EQ(test, get_vm_area_size(area), size);
	KUNIT_EXPECT_EQ_MSG(test, area->size, size + PAGE_SIZE, "guard page");
	KUNIT_EXPECT_EQ(test, area->flags, (unsigned long)VM_MAP);
	KUNIT_EXPECT_NULL(test, area->pages);
	KUNIT_EXPECT_EQ(test, area->nr_pages, 0);
}

static void expect_mapping(struct kunit *test, const void *va,
			   const struct memory *mem, pgprot_t prot)
{
	const unsigned long size = mem->nr_pages << PAGE_SHIFT;
	const unsigned long addr = address_of(va);

	prot = pgprot_nx(prot);
	expect_area(test, va, size);
	expect_leaves(test,
		      expect_pages(test, addr, mem->pages, mem->nr_pages),
		      model_leaves(mem, addr, prot));
	expect_placement(test, addr, mem, prot);
	KUNIT_EXPECT_EQ_MSG(test, entry_at(addr + size).val, 0,
			    "the guard page is mapped");
}

static bool words_are_one(unsigned long *a, unsigned long *b, unsigned long val)
{
	WRITE_ONCE(*a, val);
	if (READ_ONCE(*b) != val)
		return false;
	WRITE_ONCE(*b, ~val);
	return READ_ONCE(*a) == ~val;
}

/* Are the first and last word at @va those of @page, whichever is written? */
static bool page_is_shared(void *va, struct page *page, unsigned long val)
{
	const size_t last = PAGE_SIZE - sizeof(long);
	void *direct = kmap_local_page(page);
	bool ret;

	ret = words_are_one(va, direct, val) &&
	      words_are_one(va + last, direct + last, val + 1);
	kunmap_local(direct);
	return ret;
}

static void expect_contents(struct kunit *test, void *va, struct page **pages,
			    unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++, cond_resched())
		if (!page_is_shared(va + (i << PAGE_SHIFT), pages[i], 2 * i))
			break;
	KUNIT_EXPECT_EQ_MSG(test, i, nr_pages, "page %lu has other contents", i);
}

/* Virtual areas */

static struct vm_struct *area_alloc(unsigned long size, unsigned long align,
				    unsigned long start, unsigned long end)
{
	return __get_vm_area_node(size, align, 0, PAGE_SHIFT, VM_MAP, start, end,
				  NUMA_NO_NODE, GFP_KERNEL | __GFP_NOWARN,
				  __builtin_return_address(0));
}

static void area_free(void *area)
{
	free_vm_area(area);
	vm_unmap_aliases();
}

static struct vm_struct *area_get(struct kunit *test, unsigned long size,
				  unsigned long align)
{
	struct vm_struct *area = area_alloc(size, align, VMALLOC_START,
					    VMALLOC_END);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, area);
	err = kunit_add_action_or_reset(test, area_free, area);
	KUNIT_ASSERT_EQ(test, err, 0);
	return area;
}

/* Exactly the range from @addr on, and a guard page; NULL if it is taken. */
static struct vm_struct *area_at(unsigned long addr, unsigned long size)
{
	return area_alloc(size, 1, addr, addr + size + PAGE_SIZE);
}

static struct vm_struct *area_get_at(struct kunit *test, unsigned long addr,
				     unsigned long size)
{
	struct vm_struct *area = area_at(addr, size);

	if (area && kunit_add_action_or_reset(test, area_free, area))
		return NULL;
	return area;
}

/* Where an area of this size and alignment would be put now. */
static unsigned long next_area_address(struct kunit *test, unsigned long size,
				       unsigned long align)
{
	struct vm_struct *area = area_get(test, size, align);
	const unsigned long addr = address_of(area->addr);

	kunit_release_action(test, area_free, area);
	return addr;
}

/* Map single pages to the range, none adjacent, a page table at a time. */
static void map_small(struct kunit *test, void *va, unsigned long nr_pages)
{
	const unsigned long addr = address_of(va);
	struct leaves leaves;
	unsigned long i, n;

	for (i = 0; i < nr_pages; i += n) {
		const unsigned long start = addr + (i << PAGE_SHIFT);
		int err;

		n = min(nr_pages - i, (unsigned long)PTRS_PER_PTE);
		err = vmap_pages_range_noflush(start, start + (n << PAGE_SHIFT),
					       PAGE_KERNEL, arena.scattered,
					       PAGE_SHIFT, GFP_KERNEL);
		flush_cache_vmap(start, start + (n << PAGE_SHIFT));
		KUNIT_ASSERT_EQ(test, err, 0);
		leaves = expect_pages(test, start, arena.scattered, n);
		KUNIT_EXPECT_EQ(test, leaves.pte, n);
		expect_contents(test, va + (i << PAGE_SHIFT), arena.scattered,
				n);
	}
}

/*
 * Whether others have areas in a range that a mapping has left, as the stack of a
 * new kernel thread.  They are smaller than the mapping was.
 */
static bool range_is_taken(unsigned long addr, unsigned long nr_pages)
{
	unsigned long i;

	for (i = 0; i < nr_pages; i++, cond_resched()) {
		const struct vm_struct *area =
			find_vm_area((void *)(addr + (i << PAGE_SHIFT)));

		if (area && get_vm_area_size(area) < nr_pages << PAGE_SHIFT)
			return true;
	}
	return false;
}

/*
 * The range that a mapping has left can be mapped with small pages.  Where
 * there are several CPUs, small areas that were freed stay in a pool and their
 * addresses cannot be asked for.
 */
static void expect_small_pages_fit(struct kunit *test, unsigned long addr,
				   unsigned long nr_pages)
{
	struct vm_struct *area = area_get_at(test, addr,
					     nr_pages << PAGE_SHIFT);

	if (!area && num_possible_cpus() > 1 && nr_pages <= 256)
		return;
	if (!area && range_is_taken(addr, nr_pages))
		return;
	KUNIT_ASSERT_NOT_NULL_MSG(test, area,
				  "the range of the mapping is still in use");
	map_small(test, area->addr, nr_pages);
	kunit_release_action(test, area_free, area);
	expect_unmapped(test, addr, nr_pages << PAGE_SHIFT);
}

/* Every layout, in the sizes that differ, by both ways in */

static const struct amount sizes[] = {
	PAGES(1),
	PAGES(16),
	PMDS(1),
	{ .pages = 1, .half_pmds = 2 },
	HALF_PMDS(5),
	PMDS(4),
	PMDS(64),
	PMDS(512),
};

enum {
	ONE_PAGE, PAGES_16, PMD, PMD_AND_PAGE, HALF_PMDS_5, PMDS_4, PMDS_64,
	PMDS_512
};

struct layout_param {
	const struct layout *layout;
	unsigned int size;
};

static const struct layout_param layout_params[] = {
	{ &one_run, ONE_PAGE },
	{ &one_run, PAGES_16 },
	{ &one_run, PMD },
	{ &one_run, PMD_AND_PAGE },
	{ &one_run, PMDS_4 },
	{ &one_run, PMDS_64 },
	{ &unaligned_run, ONE_PAGE },
	{ &unaligned_run, PAGES_16 },
	{ &unaligned_run, PMD },
	{ &unaligned_run, PMD_AND_PAGE },
	{ &unaligned_run, PMDS_4 },
	{ &blocks_of_2_pmds, PMD },
	{ &blocks_of_2_pmds, PMD_AND_PAGE },
	{ &blocks_of_2_pmds, PMDS_4 },
	{ &blocks_of_2_pmds, PMDS_64 },
	{ &blocks_of_2_pmds, PMDS_512 },
	{ &blocks_of_pmd, PMD },
	{ &blocks_of_pmd, PMD_AND_PAGE },
	{ &blocks_of_pmd, PMDS_4 },
	{ &blocks_of_pmd, PMDS_64 },
	{ &blocks_of_pmd, PMDS_512 },
	{ &blocks_of_half_pmd, PMD },
	{ &blocks_of_half_pmd, PMD_AND_PAGE },
	{ &blocks_of_half_pmd, PMDS_4 },
	{ &blocks_of_half_pmd, PMDS_64 },
	{ &blocks_of_half_pmd, PMDS_512 },
	{ &blocks_of_16_pages, PAGES_16 },
	{ &blocks_of_16_pages, PMD },
	{ &blocks_of_16_pages, PMD_AND_PAGE },
	{ &blocks_of_16_pages, PMDS_4 },
	{ &blocks_of_16_pages, PMDS_64 },
	{ &blocks_of_16_pages, PMDS_512 },
	{ &ascending_pages, ONE_PAGE },
	{ &ascending_pages, PAGES_16 },
	{ &ascending_pages, PMD },
	{ &ascending_pages, PMD_AND_PAGE },
	{ &ascending_pages, PMDS_4 },
	{ &ascending_pages, PMDS_64 },
	{ &ascending_pages, PMDS_512 },
	{ &descending_pages, PAGES_16 },
	{ &descending_pages, PMD },
	{ &descending_pages, PMD_AND_PAGE },
	{ &descending_pages, PMDS_4 },
	{ &descending_pages, PMDS_64 },
	{ &shuffled_pages, PAGES_16 },
	{ &shuffled_pages, PMD },
	{ &shuffled_pages, PMD_AND_PAGE },
	{ &shuffled_pages, PMDS_4 },
	{ &shuffled_pages, PMDS_64 },
	{ &scattered_pages, ONE_PAGE },
	{ &scattered_pages, PAGES_16 },
	{ &scattered_pages, PMD },
	{ &scattered_pages, PMD_AND_PAGE },
	{ &scattered_pages, PMDS_4 },
	{ &scattered_pages, PMDS_64 },
	{ &scattered_pages, PMDS_512 },
	{ &page_then_blocks, ONE_PAGE },
	{ &page_then_blocks, PAGES_16 },
	{ &page_then_blocks, PMD },
	{ &page_then_blocks, PMD_AND_PAGE },
	{ &page_then_blocks, PMDS_4 },
	{ &page_then_blocks, PMDS_64 },
	{ &page_then_blocks, PMDS_512 },
	{ &page_then_run, PMD },
	{ &page_then_run, PMD_AND_PAGE },
	{ &page_then_run, PMDS_4 },
	{ &page_then_run, PMDS_64 },
	{ &pages_and_blocks, PAGES_16 },
	{ &pages_and_blocks, PMD },
	{ &pages_and_blocks, PMD_AND_PAGE },
	{ &pages_and_blocks, PMDS_4 },
	{ &pages_and_blocks, PMDS_64 },
	{ &pages_and_runs, PMDS_4 },
	{ &pages_and_runs, PMDS_64 },
	{ &blocks_across_border, PMD },
	{ &blocks_across_border, PMD_AND_PAGE },
	{ &blocks_across_border, PMDS_4 },
	{ &blocks_across_border, PMDS_64 },
	{ &blocks_around_leaf, PMD },
	{ &blocks_around_leaf, PMD_AND_PAGE },
	{ &blocks_around_leaf, HALF_PMDS_5 },
	{ &blocks_around_leaf, PMDS_4 },
	{ &blocks_around_leaf, PMDS_64 },
	{ &shuffled_blocks, PMDS_4 },
	{ &shuffled_blocks, PMDS_64 },
	{ &compound_blocks, PAGES_16 },
	{ &compound_blocks, PMD },
	{ &compound_blocks, PMD_AND_PAGE },
	{ &compound_blocks, PMDS_4 },
	{ &compound_blocks, PMDS_64 },
	{ &non_compound_blocks, PAGES_16 },
	{ &non_compound_blocks, PMD },
	{ &non_compound_blocks, PMD_AND_PAGE },
	{ &non_compound_blocks, PMDS_4 },
	{ &non_compound_blocks, PMDS_64 },
};

/* Write "2M" or "2M+4K", as exact as it has to be; returns the characters. */
static int size_name(char *buf, size_t len, struct amount amount)
{
	unsigned long size = nr_pages_of(amount) << PAGE_SHIFT, more = 0;
	unsigned int unit = 0;
	int n;

	if (amount.pages && amount.half_pmds) {
		more = (unsigned long)amount.pages << PAGE_SHIFT;
		size -= more;
	}
	for (size >>= 10, more >>= 10; size % 1024 == 0; size >>= 10)
		unit++;
	n = scnprintf(buf, len, "%lu%c", size, "KMGT"[unit]);
	if (more)
		n += scnprintf(buf + n, len - n, "+%luK", more);
	return n;
}

static void layout_desc(const struct layout_param *param, char *desc)
{
	const struct layout *layout = param->layout;
	size_t n;

	if (layout->name)
		n = scnprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s-", layout->name);
	else
		n = size_name(desc, KUNIT_PARAM_DESC_SIZE, layout->block);
	if (!layout->name)
		n += scnprintf(desc + n, KUNIT_PARAM_DESC_SIZE - n, "_blocks-");
	size_name(desc + n, KUNIT_PARAM_DESC_SIZE - n, sizes[param->size]);
}

KUNIT_ARRAY_PARAM(layout, layout_params, layout_desc);

/*
 * Map, unmap, map small pages in the same place, and map again: the last time
 * in place of the page tables that the small pages have left.
 */
static void expect_layout(struct kunit *test, enum vmap_user user)
{
	const struct layout_param *param = test->param_value;
	const unsigned long nr_pages = nr_pages_of(sizes[param->size]);
	struct memory *mem = memory_alloc(test, param->layout, nr_pages);
	void *va = map(test, mem, user, PAGE_KERNEL);

	expect_mapping(test, va, mem, PAGE_KERNEL);
	expect_contents(test, va, mem->pages, nr_pages);
	unmap(test, va, nr_pages);

	expect_small_pages_fit(test, address_of(va), nr_pages);

	va = map(test, mem, user, PAGE_KERNEL);
	expect_mapping(test, va, mem, PAGE_KERNEL);
	expect_contents(test, va, mem->pages, nr_pages);
	unmap(test, va, nr_pages);
}

static void vmap_test_pages(struct kunit *test)
{
	expect_layout(test, USER_PAGES);
}

static void vmap_test_sg(struct kunit *test)
{
	expect_layout(test, USER_SG);
}

struct user_param {
	const char *name;
	enum vmap_user user;
};

static const struct user_param user_params[] = {
	{ "pages", USER_PAGES },
	{ "sg", USER_SG },
};

KUNIT_ARRAY_PARAM_DESC(user, user_params, name);

/*
 * Start of PUD_SIZE of memory that has page structs; 0 if there is none.  The
 * first PUD_SIZE does not count, parts of it are not memory on some machines.
 */
static unsigned long borrow_pud_pfn(void)
{
	unsigned long pfn, i;

	for (pfn = ALIGN(max_pfn, PUD_PAGES); pfn > PUD_PAGES;) {
		pfn -= PUD_PAGES;
		for (i = 0; i < PUD_PAGES; i += PMD_PAGES)
			if (!pfn_valid(pfn + i))
				break;
		if (i >= PUD_PAGES)
			return pfn;
	}
	return 0;
}

/* The memory is not ours: it is mapped, and not accessed through the mapping. */
static void vmap_test_pud_leaf(struct kunit *test)
{
	const struct user_param *param = test->param_value;
	const unsigned long pfn = borrow_pud_pfn();
	struct memory *mem;
	void *va;

	skip_without_vmap_sg(test);
	if (leaves_disabled() || !arch_vmap_pud_supported(PAGE_KERNEL_RO))
		kunit_skip(test, "no PUD leaves");
	if (!pfn)
		kunit_skip(test, "no memory for a PUD leaf");

	mem = memory_at(test, pfn, PUD_PAGES, &one_run, PUD_PAGES);
	va = map(test, mem, param->user, PAGE_KERNEL_RO);
	expect_mapping(test, va, mem, PAGE_KERNEL_RO);
	KUNIT_EXPECT_EQ(test, entry_at(address_of(va)).shift, PUD_SHIFT);
	unmap(test, va, PUD_PAGES);

	expect_small_pages_fit(test, address_of(va), 2 * PMD_PAGES);
	va = map(test, mem, param->user, PAGE_KERNEL_RO);
	expect_mapping(test, va, mem, PAGE_KERNEL_RO);
	KUNIT_EXPECT_EQ(test, entry_at(address_of(va)).shift, PUD_SHIFT);
	unmap(test, va, PUD_PAGES);
}

/* Protection */

struct prot_param {
	const char *name;
	pgprot_t (*prot)(void);
};

static pgprot_t prot_rw(void)
{
	return PAGE_KERNEL;
}

static pgprot_t prot_ro(void)
{
	return PAGE_KERNEL_RO;
}

static pgprot_t prot_exec(void)
{
	return PAGE_KERNEL_EXEC;
}

static pgprot_t prot_writecombine(void)
{
	return pgprot_writecombine(PAGE_KERNEL);
}

static pgprot_t prot_noncached(void)
{
	return pgprot_noncached(PAGE_KERNEL);
}

static pgprot_t prot_decrypted(void)
{
	return pgprot_decrypted(PAGE_KERNEL);
}

static const struct prot_param prot_params[] = {
	{ "kernel", prot_rw },
	{ "kernel_ro", prot_ro },
	{ "kernel_exec", prot_exec },
	{ "writecombine", prot_writecombine },
	{ "noncached", prot_noncached },
	{ "decrypted", prot_decrypted },
};

KUNIT_ARRAY_PARAM_DESC(prot, prot_params, name);

static bool may_execute(u64 val)
{
#if defined(CONFIG_X86_64)
	return (__supported_pte_mask & _PAGE_NX) && !(val & _PAGE_NX);
#elif defined(CONFIG_ARM64)
	return !(val & PTE_PXN);
#else
	return false;
#endif
}

/* The arch's own idea of the entry for @page, as a PTE or as a PMD leaf. */
static u64 arch_entry(unsigned int shift, struct page *page, pgprot_t prot)
{
	pmd_t pmd = __pmd(0);

	if (shift == PAGE_SHIFT)
		return pte_val(pfn_pte(page_to_pfn(page), prot));
	if (!pmd_set_huge(&pmd, page_to_phys(page), prot))
		return 0;
	return pmd_val(pmd);
}

/* A write that is refused is an error here, and not an oops. */
static bool may_write(void *va)
{
	const unsigned long val = 1;

	return !copy_to_kernel_nofault(va, &val, sizeof(val));
}

static void expect_prot(struct kunit *test, enum vmap_user user, pgprot_t prot,
			unsigned long nr_pages)
{
	struct memory *mem = memory_alloc(test, &one_run, nr_pages);
	void *va = map(test, mem, user, prot);
	const struct entry entry = entry_at(address_of(va));
	const bool ro = pgprot_val(prot) == pgprot_val(PAGE_KERNEL_RO);

	expect_mapping(test, va, mem, prot);
	if (entry.shift == PAGE_SHIFT || entry.shift == PMD_SHIFT)
		KUNIT_EXPECT_EQ_MSG(test, entry.val,
				    arch_entry(entry.shift, mem->pages[0],
					       pgprot_nx(prot)),
				    "entry of shift %u", entry.shift);
	KUNIT_EXPECT_FALSE_MSG(test, may_execute(entry.val),
			       "entry %#llx is executable", entry.val);
	KUNIT_EXPECT_EQ_MSG(test, may_write(va), !ro, "write");
	unmap(test, va, nr_pages);
}

static void vmap_test_prot(struct kunit *test)
{
	const struct prot_param *param = test->param_value;
	const pgprot_t prot = param->prot();

	expect_prot(test, USER_PAGES, prot, 1);
	expect_prot(test, USER_PAGES, prot, PMD_PAGES);
	if (!has_vmap_sg())
		return;
	expect_prot(test, USER_SG, prot, 1);
	expect_prot(test, USER_SG, prot, PMD_PAGES);
}

/* sg tables */

static void vmap_test_sg_joined_across_chain(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &ascending_pages, PMD_PAGES);
	struct leaves leaves;
	void *va;

	KUNIT_ASSERT_EQ(test, mem->sgt.orig_nents, PMD_PAGES);
	KUNIT_ASSERT_GT(test, mem->sgt.orig_nents, SG_MAX_SINGLE_ALLOC);

	va = map(test, mem, USER_SG, PAGE_KERNEL);
	expect_mapping(test, va, mem, PAGE_KERNEL);
	leaves = expect_pages(test, address_of(va), mem->pages, PMD_PAGES);
	if (!leaves_disabled() && arch_vmap_pmd_supported(PAGE_KERNEL))
		KUNIT_EXPECT_EQ(test, leaves.pmd, 1);
	unmap(test, va, PMD_PAGES);
}

/* All of the table is mapped, whatever a DMA mapping has made of it. */
static void vmap_test_sg_orig_nents(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &scattered_pages, 16);
	void *va;

	mem->sgt.nents = 1;
	va = map(test, mem, USER_SG, PAGE_KERNEL);
	expect_mapping(test, va, mem, PAGE_KERNEL);
	unmap(test, va, 16);
}

/* An offset that is a multiple of the page size may be as large as it likes. */
static void vmap_test_sg_page_offset(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &blocks_of_16_pages, 32);
	struct scatterlist *sg = mem->sgt.sgl;
	void *va;

	sg_set_page(sg, pfn_to_page(arena.pfn), sg->length, PMD_SIZE);
	mem->pfn += PMD_PAGES;
	lay_out(mem, NULL);
	sg_set_page(sg_next(sg), mem->pages[16], 16 << PAGE_SHIFT, 0);

	va = map(test, mem, USER_SG, PAGE_KERNEL);
	expect_mapping(test, va, mem, PAGE_KERNEL);
	unmap(test, va, 32);
}

/* Errors */

/* With what is on the per-CPU lists of the page allocator. */
static unsigned long free_pages_now(void)
{
	drain_all_pages(NULL);
	return global_zone_page_state(NR_FREE_PAGES);
}

/**
 * struct attempt - a call that is to fail
 * @sgt: table for vmap_sg(), or NULL for vmap()
 * @pages: array for vmap()
 * @count: pages for vmap()
 * @flags: for vmap()
 * @err: what vmap_sg() is to return
 * @size: bytes that the call would have mapped
 */
struct attempt {
	struct sg_table *sgt;
	struct page **pages;
	unsigned int count;
	unsigned long flags;
	int err;
	unsigned long size;
};

static void *make_attempt(const struct attempt *a)
{
	if (a->sgt)
		return vmap_sg(a->sgt, PAGE_KERNEL);
	return vmap(a->pages, a->count, a->flags, PAGE_KERNEL);
}

/*
 * The call fails as it should and leaves no area behind, no entry and no page.
 * An area that is left behind is where the next one of that size would be put.
 * Others allocate areas and pages as well, so it is tried more than once.
 */
static void expect_failure(struct kunit *test, const struct attempt *a,
			   unsigned int rounds)
{
	const void *want = a->sgt ? ERR_PTR(a->err) : NULL;
	unsigned long before, after, free, left;
	unsigned int i, tries = 0;

	if (a->sgt)
		skip_without_vmap_sg(test);
	do {
		free = free_pages_now();
		before = next_area_address(test, a->size, PMD_SIZE);
		for (i = 0; i < rounds; i++)
			KUNIT_ASSERT_PTR_EQ(test, (const void *)make_attempt(a),
					    want);
		expect_unmapped(test, before, a->size);
		vm_unmap_aliases();
		after = next_area_address(test, a->size, PMD_SIZE);
		left = free_pages_now();
	} while ((before != after || free >= left + LEAK_SLACK) && ++tries < 10);

	KUNIT_EXPECT_EQ_MSG(test, after, before, "an area is left behind");
	KUNIT_EXPECT_LT_MSG(test, free, left + LEAK_SLACK,
			    "pages are left behind");
}

static void vmap_test_no_pages(struct kunit *test)
{
	const struct attempt a = {
		.pages = arena.scattered, .flags = VM_MAP, .size = PMD_SIZE,
	};

	expect_failure(test, &a, LEAK_ROUNDS);
}

static void vmap_test_too_many_pages(struct kunit *test)
{
	const struct attempt a = {
		.pages = arena.scattered, .count = totalram_pages() + 1,
		.flags = VM_MAP, .size = (totalram_pages() + 1) << PAGE_SHIFT,
	};

	expect_failure(test, &a, LEAK_ROUNDS);
}

static void vmap_test_sg_empty(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &one_run, 1);
	const struct attempt a = {
		.sgt = &mem->sgt, .err = -EINVAL, .size = PMD_SIZE,
	};
	const unsigned int nents = mem->sgt.orig_nents;
	struct sg_table none = {};
	const struct attempt b = {
		.sgt = &none, .err = -EINVAL, .size = PMD_SIZE,
	};

	mem->sgt.orig_nents = 0;
	expect_failure(test, &a, LEAK_ROUNDS);
	mem->sgt.orig_nents = nents;
	expect_failure(test, &b, LEAK_ROUNDS);
}

static void vmap_test_sg_too_large(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &one_run, PMD_PAGES);
	const unsigned long nr = totalram_pages() / PMD_PAGES + 1;
	struct sg_table sgt;
	const struct attempt a = {
		.sgt = &sgt, .err = -E2BIG, .size = nr * PMD_SIZE,
	};
	struct scatterlist *sg;
	unsigned int i;

	skip_without_vmap_sg(test);
	KUNIT_ASSERT_EQ(test, sg_alloc_table(&sgt, nr, GFP_KERNEL), 0);
	for_each_sgtable_sg(&sgt, sg, i)
		sg_set_page(sg, mem->pages[0], PMD_SIZE, 0);
	expect_failure(test, &a, LEAK_ROUNDS);
	sg_free_table(&sgt);
}

struct sg_fault_param {
	const char *name;
	void (*spoil)(struct scatterlist *sg);
	unsigned int entry;
};

static void spoil_offset(struct scatterlist *sg)
{
	sg->offset = PAGE_SIZE / 2;
}

static void spoil_length(struct scatterlist *sg)
{
	sg->length -= 1;
}

/* Ends at a page border, which is not enough. */
static void spoil_offset_and_length(struct scatterlist *sg)
{
	sg->offset = PAGE_SIZE / 2;
	sg->length -= PAGE_SIZE / 2;
}

static void spoil_empty(struct scatterlist *sg)
{
	sg->length = 0;
}

static void spoil_page(struct scatterlist *sg)
{
	sg_assign_page(sg, NULL);
}

static const struct sg_fault_param sg_fault_params[] = {
	{ "offset-first", spoil_offset, 0 },
	{ "offset-middle", spoil_offset, 1 },
	{ "offset-last", spoil_offset, 2 },
	{ "length-first", spoil_length, 0 },
	{ "length-middle", spoil_length, 1 },
	{ "length-last", spoil_length, 2 },
	{ "offset_and_length-first", spoil_offset_and_length, 0 },
	{ "offset_and_length-middle", spoil_offset_and_length, 1 },
	{ "offset_and_length-last", spoil_offset_and_length, 2 },
	{ "zero_length-first", spoil_empty, 0 },
	{ "zero_length-middle", spoil_empty, 1 },
	{ "zero_length-last", spoil_empty, 2 },
	{ "no_page-first", spoil_page, 0 },
	{ "no_page-middle", spoil_page, 1 },
	{ "no_page-last", spoil_page, 2 },
};

KUNIT_ARRAY_PARAM_DESC(sg_fault, sg_fault_params, name);

static void vmap_test_sg_fault(struct kunit *test)
{
	const struct sg_fault_param *param = test->param_value;
	struct memory *mem = memory_alloc(test, &blocks_of_pmd, 3 * PMD_PAGES);
	const struct attempt a = {
		.sgt = &mem->sgt, .err = -EINVAL, .size = 3 * PMD_SIZE,
	};
	struct scatterlist *sg = mem->sgt.sgl;
	unsigned int i;

	for (i = 0; i < param->entry; i++)
		sg = sg_next(sg);
	param->spoil(sg);
	expect_failure(test, &a, LEAK_ROUNDS);
}

struct page_fault_param {
	const char *name;
	const struct layout *layout;
	unsigned int at;	/* in halves of the array */
};

static const struct page_fault_param page_fault_params[] = {
	{ "run-first", &blocks_of_2_pmds, 0 },
	{ "run-middle", &blocks_of_2_pmds, 1 },
	{ "run-last", &blocks_of_2_pmds, 2 },
	{ "scattered-first", &scattered_pages, 0 },
	{ "scattered-middle", &scattered_pages, 1 },
	{ "scattered-last", &scattered_pages, 2 },
};

KUNIT_ARRAY_PARAM_DESC(page_fault, page_fault_params, name);

static void expect_page_fails(struct kunit *test, struct page *page)
{
	const struct page_fault_param *param = test->param_value;
	const unsigned long nr = 4 * PMD_PAGES;
	struct memory *mem = memory_alloc(test, param->layout, nr);
	const struct attempt a = {
		.pages = mem->pages, .count = nr, .flags = VM_MAP,
		.size = 4 * PMD_SIZE,
	};

	mem->pages[min(param->at * nr / 2, nr - 1)] = page;
	expect_warn(test);
	expect_failure(test, &a, 3);
}

static void vmap_test_null_page(struct kunit *test)
{
	expect_page_fails(test, NULL);
}

static void vmap_test_invalid_pfn(struct kunit *test)
{
	const unsigned long pfn = ALIGN(max_pfn, PUD_PAGES) + 2 * PUD_PAGES;

	if (!IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP) || pfn_valid(pfn))
		kunit_skip(test, "no page pointer without a page");
	expect_page_fails(test, pfn_to_page(pfn));
}

static void vmap_test_reset_perms_refused(struct kunit *test)
{
	const struct attempt a = {
		.pages = arena.scattered, .count = 1,
		.flags = VM_MAP | VM_FLUSH_RESET_PERMS, .size = PMD_SIZE,
	};

	expect_warn(test);
	expect_failure(test, &a, 3);
}

static void vmap_test_guard_kept(struct kunit *test)
{
	void *va;

	expect_warn(test);
	va = vmap(arena.scattered, 16, VM_MAP | VM_NO_GUARD, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, va);
	expect_area(test, va, 16 << PAGE_SHIFT);
	vunmap(va);
}

/* An area of PMD leaves; what it maps goes away with it. */
static unsigned long leaf_area(struct kunit *test, unsigned long nr_pmds)
{
	return address_of(area_get(test, nr_pmds * PMD_SIZE, PMD_SIZE)->addr);
}

static void vmap_test_mapped_already(struct kunit *test)
{
	const unsigned long addr = leaf_area(test, 1);
	int err;

	map_small(test, (void *)addr, 16);
	expect_warn(test);
	err = vmap_pages_range_noflush(addr + 15 * PAGE_SIZE,
				       addr + 16 * PAGE_SIZE, PAGE_KERNEL,
				       arena.scattered, PAGE_SHIFT, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, err, has_vmap_sg() ? -EBUSY : -ENOMEM);
	expect_pages(test, addr, arena.scattered, 16);
}

/* Ownership */

static void expect_put(struct kunit *test, const struct layout *layout,
		       unsigned long nr_pages)
{
	struct memory *mem = memory_alloc(test, layout, nr_pages);
	struct page **pages = vmalloc_array(nr_pages, sizeof(*pages));
	unsigned long i;
	void *va;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (i = 0; i < nr_pages; i++) {
		pages[i] = mem->pages[i];
		get_page(pages[i]);
	}

	va = vmap(pages, nr_pages, VM_MAP | VM_MAP_PUT_PAGES, PAGE_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, va);
	expect_pages(test, address_of(va), mem->pages, nr_pages);
	vfree(va);

	KUNIT_EXPECT_NULL_MSG(test, find_vm_area(pages), "array not freed");
	expect_unmapped(test, address_of(va), nr_pages << PAGE_SHIFT);
	for (i = 0; i < nr_pages; i++)
		if (page_count(mem->pages[i]) != 1)
			break;
	KUNIT_EXPECT_EQ_MSG(test, i, nr_pages, "page %lu has %d references",
			    i, i < nr_pages ? page_count(mem->pages[i]) : 1);
}

static void vmap_test_put_pages(struct kunit *test)
{
	expect_put(test, &one_run, 1);
	expect_put(test, &scattered_pages, 16);
	expect_put(test, &one_run, 2 * PMD_PAGES + 1);
	expect_put(test, &page_then_blocks, PMD_PAGES + 1);
}

/* A mapping that is not made to put its pages keeps them. */
static void vmap_test_keeps_pages(struct kunit *test)
{
	const struct user_param *param = test->param_value;
	struct memory *mem = memory_alloc(test, &one_run, PMD_PAGES);
	void *va = map(test, mem, param->user, PAGE_KERNEL);

	unmap(test, va, PMD_PAGES);
	KUNIT_EXPECT_EQ(test, page_count(mem->pages[0]), 1);
	KUNIT_EXPECT_EQ(test, page_count(mem->pages[PMD_PAGES - 1]), 1);
}

/* Page tables that are replaced by leaves */

static void skip_unless_pmd_leaves(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC) ||
	    !arch_vmap_pmd_supported(PAGE_KERNEL))
		kunit_skip(test, "no PMD leaves");
}

static struct leaves map_large(struct kunit *test, unsigned long addr,
			       const struct memory *mem)
{
	const unsigned long end = addr + (mem->nr_pages << PAGE_SHIFT);
	int err = vmap_range_noflush(addr, end, page_to_phys(mem->pages[0]),
				     PAGE_KERNEL, PMD_SHIFT);

	flush_cache_vmap(addr, end);
	KUNIT_ASSERT_EQ(test, err, 0);
	return expect_pages(test, addr, mem->pages, mem->nr_pages);
}

/*
 * A leaf that is there stays, whether a leaf or pages are to replace it.  The
 * walk that came before vmap_sg() takes it for a table.
 */
static void vmap_test_leaf_mapped_already(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &one_run, PMD_PAGES);
	const unsigned long addr = leaf_area(test, 1);
	int err;

	skip_without_vmap_sg(test);
	skip_unless_pmd_leaves(test);
	KUNIT_ASSERT_EQ(test, map_large(test, addr, mem).pmd, 1);
	expect_warn(test);
	err = vmap_range_noflush(addr, addr + PMD_SIZE,
				 page_to_phys(mem->pages[0]), PAGE_KERNEL,
				 PMD_SHIFT);
	KUNIT_EXPECT_EQ(test, err, -EBUSY);
	err = vmap_pages_range_noflush(addr, addr + PAGE_SIZE, PAGE_KERNEL,
				       arena.scattered, PAGE_SHIFT, GFP_KERNEL);
	KUNIT_EXPECT_EQ(test, err, -EBUSY);
	KUNIT_EXPECT_EQ(test, expect_pages(test, addr, mem->pages,
					   PMD_PAGES).pmd, 1);
}

/*
 * The bug: a TLB entry that was made through the old table outlives it.  To
 * have one, the small pages go without the flush that vunmap() would do.  The
 * contract of pmd_free_pte_page() is no more than that walk caches are flushed;
 * every arch does so by flushing at least the first page.
 */
static void vmap_test_replaced_table_flushed(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &one_run, 4 * PMD_PAGES);
	const unsigned long addr = leaf_area(test, 4);
	unsigned long i, found, *word;
	struct leaves leaves;

	skip_unless_pmd_leaves(test);
	map_small(test, (void *)addr, 4 * PMD_PAGES);
	for (i = 0; i < 4; i++) {
		word = (unsigned long *)(addr + i * PMD_SIZE);
		WRITE_ONCE(*word, 1);
	}

	vunmap_range_noflush(addr, addr + 4 * PMD_SIZE);
	leaves = map_large(test, addr, mem);
	KUNIT_EXPECT_EQ(test, leaves.pmd, 4);
	for (i = 0; i < 4; i++) {
		word = page_address(mem->pages[i * PMD_PAGES]);
		WRITE_ONCE(*word, 2 + i);
		found = READ_ONCE(*(unsigned long *)(addr + i * PMD_SIZE));
		KUNIT_EXPECT_EQ_MSG(test, found, 2 + i,
				    "leaf %lu still shows the small page", i);
	}
}

static void vmap_test_replaced_table_freed(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &one_run, PMD_PAGES);
	const unsigned long addr = leaf_area(test, 1);
	const unsigned long free = free_pages_now();
	unsigned int i;

	skip_unless_pmd_leaves(test);
	for (i = 0; i < LEAK_ROUNDS; i++) {
		map_small(test, (void *)addr, 1);
		vunmap_range(addr, addr + PAGE_SIZE);
		KUNIT_ASSERT_EQ(test, map_large(test, addr, mem).pmd, 1);
		vunmap_range(addr, addr + PMD_SIZE);
	}
	KUNIT_EXPECT_LT_MSG(test, free, free_pages_now() + LEAK_SLACK,
			    "the replaced tables are left behind");
}

/*
 * ptdump walks tables that it does not own, under the write lock: then a table
 * cannot be replaced, and is used as it is.
 */
static void vmap_test_table_kept_from_ptdump(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &one_run, PMD_PAGES);
	const unsigned long addr = leaf_area(test, 1);
	struct leaves leaves;
	int err;

	skip_unless_pmd_leaves(test);
	map_small(test, (void *)addr, 1);
	vunmap_range(addr, addr + PAGE_SIZE);

	mmap_write_lock(&init_mm);
	err = vmap_range_noflush(addr, addr + PMD_SIZE,
				 page_to_phys(mem->pages[0]), PAGE_KERNEL,
				 PMD_SHIFT);
	mmap_write_unlock(&init_mm);

	KUNIT_ASSERT_EQ(test, err, 0);
	leaves = expect_pages(test, addr, mem->pages, PMD_PAGES);
	KUNIT_EXPECT_EQ(test, leaves.pmd, 0);
	expect_contents(test, (void *)addr, mem->pages, PMD_PAGES);
}

/* What the walk is to those who call it for themselves */

/* As huge vmalloc() does: blocks that are one leaf each, in any order. */
static void vmap_test_pages_in_blocks(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &blocks_of_pmd, 4 * PMD_PAGES);
	const unsigned long addr = leaf_area(test, 4);
	struct leaves leaves;
	int err;

	skip_unless_pmd_leaves(test);
	err = vmap_pages_range_noflush(addr, addr + 4 * PMD_SIZE, PAGE_KERNEL,
				       mem->pages, PMD_SHIFT, GFP_KERNEL);
	KUNIT_ASSERT_EQ(test, err, 0);
	leaves = expect_pages(test, addr, mem->pages, mem->nr_pages);
	KUNIT_EXPECT_EQ(test, leaves.pmd, 4);
	expect_contents(test, (void *)addr, mem->pages, mem->nr_pages);
}

/* As ioremap() does: no leaf larger than was asked for. */
static void vmap_test_range_max_shift(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &one_run, 2 * PMD_PAGES);
	const unsigned long addr = leaf_area(test, 2);
	struct leaves leaves;
	int err;

	err = vmap_range_noflush(addr, addr + 2 * PMD_SIZE,
				 page_to_phys(mem->pages[0]), PAGE_KERNEL,
				 PAGE_SHIFT);
	KUNIT_ASSERT_EQ(test, err, 0);
	leaves = expect_pages(test, addr, mem->pages, mem->nr_pages);
	KUNIT_EXPECT_EQ(test, leaves.pte, 2 * PMD_PAGES);
	expect_contents(test, (void *)addr, mem->pages, mem->nr_pages);
}

/* Parts of a vm_map_ram() mapping may be unmapped, so it has no large leaves. */
static void vmap_test_vm_map_ram(struct kunit *test)
{
	const unsigned long nr = 2 * PMD_PAGES;
	struct memory *mem = memory_alloc(test, &one_run, nr);
	struct leaves leaves;
	void *va = vm_map_ram(mem->pages, nr, NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, va);
	leaves = expect_pages(test, address_of(va), mem->pages, nr);
	KUNIT_EXPECT_EQ(test, leaves.pte, nr);
	expect_contents(test, va, mem->pages, nr);
	vm_unmap_ram(va, nr);
	expect_unmapped(test, address_of(va), nr << PAGE_SHIFT);
}

static void vmap_test_vm_map_ram_partial(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, &one_run, 16);
	void *a = vm_map_ram(mem->pages, 8, NUMA_NO_NODE);
	void *b = vm_map_ram(mem->pages + 8, 8, NUMA_NO_NODE);

	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_ASSERT_NOT_NULL(test, b);
	expect_contents(test, a, mem->pages, 8);
	vm_unmap_ram(a, 8);
	expect_unmapped(test, address_of(a), 8 << PAGE_SHIFT);
	expect_pages(test, address_of(b), mem->pages + 8, 8);
	expect_contents(test, b, mem->pages + 8, 8);
	vm_unmap_ram(b, 8);
	expect_unmapped(test, address_of(b), 8 << PAGE_SHIFT);
	vm_unmap_aliases();
}

/* Where there is no aligned room */

static bool area_list_add(struct vm_struct **list, struct vm_struct *area)
{
	if (!area)
		return false;
	area->next = *list;
	*list = area;
	return true;
}

static void area_list_free(void *arg)
{
	struct vm_struct **list = arg, *area;

	while ((area = *list)) {
		*list = area->next;
		free_vm_area(area);
	}
	vm_unmap_aliases();
}

/*
 * Take all of the address space but for holes that are too small for a leaf; by no
 * more than 2^31 pages at once, since vmalloc's pools tell sizes by 32 bits.
 */
static void area_list_fill(struct vm_struct **list)
{
	unsigned long size;

	size = min(rounddown_pow_of_two(VMALLOC_END - VMALLOC_START),
		   BIT(31) << PAGE_SHIFT);
	while (size >= PMD_SIZE) {
		struct vm_struct *area = area_alloc(size, 1, VMALLOC_START,
						    VMALLOC_END);

		if (!area_list_add(list, area))
			size /= 2;
	}
}

/*
 * Leave the one hole that is large enough, and not aligned.  0 if another thread
 * came between.
 */
static unsigned long leave_unaligned_hole(struct kunit *test,
					  struct vm_struct **list)
{
	const unsigned long base = next_area_address(test, 4 * PMD_SIZE,
						     PMD_SIZE);
	const unsigned long addr = base + 2 * PAGE_SIZE;
	struct vm_struct *hole = area_at(addr, PMD_SIZE);
	bool alone = hole && area_list_add(list, area_at(base, PAGE_SIZE)) &&
		     area_list_add(list, area_at(addr + PMD_SIZE + PAGE_SIZE,
						 PAGE_SIZE));

	if (alone)
		area_list_fill(list);
	if (hole)
		area_free(hole);
	return alone ? addr : 0;
}

/*
 * Map @mem to such a hole.  Threads start and end meanwhile, whose stacks are areas
 * as well: one may take part of the hole, or leave a larger one.  Then once more.
 */
static void *map_to_unaligned_hole(struct kunit *test, struct memory *mem,
				   enum vmap_user user, struct vm_struct **list)
{
	int tries = 20;
	unsigned long hole;
	void *va;

	while (tries--) {
		hole = leave_unaligned_hole(test, list);
		va = hole ? try_map(test, mem, user, PAGE_KERNEL) : NULL;
		if (!IS_ERR_OR_NULL(va)) {
			if (address_of(va) == hole)
				return va;
			vunmap(va);
		}
		kunit_info(test, "hole at %lx, mapped to %lx", hole,
			   (unsigned long)va);
		area_list_free(list);
	}
	return NULL;
}

static void vmap_test_no_aligned_area(struct kunit *test)
{
	const struct user_param *param = test->param_value;
	struct memory *mem = memory_alloc(test, &one_run, PMD_PAGES);
	struct vm_struct **list;
	struct leaves leaves;
	void *va;

	if (IS_ENABLED(CONFIG_KASAN_VMALLOC))
		kunit_skip(test, "the shadow of all that space takes too much");
	list = kunit_kzalloc(test, sizeof(*list), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, list);
	KUNIT_ASSERT_EQ(test, kunit_add_action(test, area_list_free, list), 0);

	va = map_to_unaligned_hole(test, mem, param->user, list);
	KUNIT_ASSERT_NOT_NULL_MSG(test, va, "the unaligned hole is not used");
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, vunmap_action, va),
			0);
	leaves = expect_pages(test, address_of(va), mem->pages, PMD_PAGES);
	KUNIT_EXPECT_EQ(test, leaves.pmd, 0);
	expect_contents(test, va, mem->pages, PMD_PAGES);
	unmap(test, va, PMD_PAGES);
}

/* What others find in the mapping */

/* As /proc/kcore reads it.  The area may start ahead of the mapping. */
static void expect_readable(struct kunit *test, const struct layout *layout,
			    unsigned long nr_pages, enum vmap_user user)
{
	const unsigned long size = nr_pages << PAGE_SHIFT;
	struct memory *mem = memory_alloc(test, layout, nr_pages);
	void *va = map(test, mem, user, PAGE_KERNEL);
	unsigned long word, i;
	struct kvec kvec;
	struct iov_iter iter;

	for (i = 0; i < nr_pages; i++)
		WRITE_ONCE(*(unsigned long *)page_address(mem->pages[i]), ~i);
	for (i = 0; i < nr_pages; i++) {
		word = 0;
		kvec = (struct kvec){ &word, sizeof(word) };
		iov_iter_kvec(&iter, ITER_DEST, &kvec, 1, sizeof(word));
		vread_iter(&iter, va + (i << PAGE_SHIFT), sizeof(word));
		if (word != ~i)
			break;
	}
	KUNIT_EXPECT_EQ_MSG(test, i, nr_pages, "page %lu of %lu reads %#lx",
			    i, nr_pages, word);
	unmap(test, va, size >> PAGE_SHIFT);
}

static void vmap_test_vread(struct kunit *test)
{
	const struct user_param *param = test->param_value;

	expect_readable(test, &one_run, PMD_PAGES, param->user);
	expect_readable(test, &scattered_pages, 16, param->user);
	expect_readable(test, &page_then_blocks, PMD_PAGES + 1, param->user);
	expect_readable(test, &blocks_around_leaf, 2 * PMD_PAGES, param->user);
}

static struct kunit_case vmap_test_cases[] = {
	KUNIT_CASE_PARAM(vmap_test_pages, layout_gen_params),
	KUNIT_CASE_PARAM(vmap_test_sg, layout_gen_params),
	KUNIT_CASE_PARAM(vmap_test_pud_leaf, user_gen_params),
	KUNIT_CASE_PARAM(vmap_test_prot, prot_gen_params),
	KUNIT_CASE(vmap_test_sg_joined_across_chain),
	KUNIT_CASE(vmap_test_sg_orig_nents),
	KUNIT_CASE(vmap_test_sg_page_offset),
	KUNIT_CASE(vmap_test_no_pages),
	KUNIT_CASE(vmap_test_too_many_pages),
	KUNIT_CASE(vmap_test_sg_empty),
	KUNIT_CASE(vmap_test_sg_too_large),
	KUNIT_CASE_PARAM(vmap_test_sg_fault, sg_fault_gen_params),
	KUNIT_CASE_PARAM(vmap_test_null_page, page_fault_gen_params),
	KUNIT_CASE_PARAM(vmap_test_invalid_pfn, page_fault_gen_params),
	KUNIT_CASE(vmap_test_reset_perms_refused),
	KUNIT_CASE(vmap_test_guard_kept),
	KUNIT_CASE(vmap_test_mapped_already),
	KUNIT_CASE(vmap_test_leaf_mapped_already),
	KUNIT_CASE(vmap_test_put_pages),
	KUNIT_CASE_PARAM(vmap_test_keeps_pages, user_gen_params),
	KUNIT_CASE(vmap_test_replaced_table_flushed),
	KUNIT_CASE(vmap_test_replaced_table_freed),
	KUNIT_CASE(vmap_test_table_kept_from_ptdump),
	KUNIT_CASE(vmap_test_pages_in_blocks),
	KUNIT_CASE(vmap_test_range_max_shift),
	KUNIT_CASE(vmap_test_vm_map_ram),
	KUNIT_CASE(vmap_test_vm_map_ram_partial),
	KUNIT_CASE_PARAM(vmap_test_no_aligned_area, user_gen_params),
	KUNIT_CASE_PARAM(vmap_test_vread, user_gen_params),
	{}
};

static struct kunit_suite vmap_test_suite = {
	.name = "vmap",
	.suite_init = vmap_suite_init,
	.suite_exit = vmap_suite_exit,
	.init = vmap_test_init,
	.test_cases = vmap_test_cases,
};

kunit_test_suite(vmap_test_suite);

MODULE_DESCRIPTION("KUnit tests of vmap() and vmap_sg()");
MODULE_LICENSE("GPL");
