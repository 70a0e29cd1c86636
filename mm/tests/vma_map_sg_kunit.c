// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of vma_map_sg(), on what no exporter does: tables that are too short,
 * and protections that are not those of the mapping.  All else is in
 * tools/testing/selftests/dmabuf-heaps/heap_mmap.c.
 */

#include <kunit/test.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pgalloc.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/shm.h>

#define PMD_PAGES	(PMD_SIZE >> PAGE_SHIFT)
/* Of an address that is not at the start of a table, and that a shared mapping may have. */
#define SOME_PAGES	(3 * (SHMLBA >> PAGE_SHIFT))
/* So far behind the start of a page table that it has room for some pages. */
#define MOST_PAGES	(max_t(unsigned long, PMD_PAGES, 2 * SOME_PAGES) - SOME_PAGES)
/* Enough for a table of several pieces. */
#define ENTRIES		300

/* Entries of so many pages each, which begin at a page of their block. */
struct memory {
	struct sg_table sgt;
	unsigned int order;	/* of blocks */
	unsigned int skip;	/* pages of a block before its entry */
	unsigned int nr_pages;	/* of an entry */
};

static void memory_free(void *data)
{
	struct memory *mem = data;
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(&mem->sgt, sg, i) {
		if (sg_page(sg))
			__free_pages(sg_page(sg), mem->order);
	}
	sg_free_table(&mem->sgt);
}

static struct memory *memory_alloc(struct kunit *test, unsigned int nents,
				   unsigned int order, unsigned int skip,
				   unsigned int nr_pages)
{
	struct memory *mem = kunit_kzalloc(test, sizeof(*mem), GFP_KERNEL);
	struct scatterlist *sg;
	struct page *page;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, mem);
	mem->order = order;
	mem->skip = skip;
	mem->nr_pages = nr_pages;
	KUNIT_ASSERT_EQ(test, sg_alloc_table(&mem->sgt, nents, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, memory_free, mem), 0);
	for_each_sgtable_sg(&mem->sgt, sg, i) {
		page = alloc_pages(GFP_HIGHUSER | __GFP_NOWARN |
				   (order ? __GFP_COMP : 0), order);
		if (!page)
			kunit_skip(test, "no block of order %u", order);
		sg_set_page(sg, page, nr_pages << PAGE_SHIFT, skip << PAGE_SHIFT);
	}
	return mem;
}

static unsigned long memory_pages(const struct memory *mem)
{
	return mem->sgt.orig_nents * mem->nr_pages;
}

static unsigned long memory_pfn(struct memory *mem, unsigned long i)
{
	struct scatterlist *sg;
	int n;

	for_each_sgtable_sg(&mem->sgt, sg, n) {
		if (n == i / mem->nr_pages)
			break;
	}
	return page_to_pfn(sg_page(sg)) + mem->skip + i % mem->nr_pages;
}

static vm_fault_t no_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static vm_fault_t no_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	return VM_FAULT_SIGBUS;
}

static void no_close(struct vm_area_struct *vma)
{
}

/* Of an exporter, whose leaves come back, and of an importer that counts mappings. */
static const struct vm_operations_struct exporter_ops = {
	.fault = no_fault, .huge_fault = no_huge_fault,
};

static const struct vm_operations_struct importer_ops = {
	.fault = no_fault, .huge_fault = no_huge_fault, .close = no_close,
};

/* A mapping of this thread, @skip pages behind where a page table starts. */
static struct vm_area_struct *new_vma(struct kunit *test, unsigned long nr_pages,
				      unsigned long skip, unsigned long flags)
{
	const unsigned long bytes = nr_pages << PAGE_SHIFT, before = skip << PAGE_SHIFT;
	const unsigned long align = max_t(unsigned long, PMD_SIZE, SHMLBA);
	struct vm_area_struct *vma;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, bytes + before + align, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_TRUE(test, addr && !IS_ERR_VALUE(addr));
	addr = ALIGN(addr, align) + before;
	KUNIT_ASSERT_EQ(test, addr,
			kunit_vm_mmap(test, NULL, addr, bytes, PROT_READ | PROT_WRITE,
				      flags | MAP_ANONYMOUS | MAP_FIXED, 0));
	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, addr);
	mmap_read_unlock(current->mm);
	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_ASSERT_EQ(test, vma_pages(vma), nr_pages);
	return vma;
}

static int map(struct vm_area_struct *vma, const struct vm_operations_struct *ops,
	       const struct memory *mem, unsigned long pgoff, pgprot_t prot)
{
	int ret;

	mmap_write_lock(vma->vm_mm);
	vma->vm_ops = ops;
	ret = vma_map_sg(vma, &mem->sgt, pgoff, prot);
	mmap_write_unlock(vma->vm_mm);
	return ret;
}

/* Before its memory is freed, of which a mapping has no references. */
static void unmap(struct kunit *test, const struct vm_area_struct *vma)
{
	KUNIT_EXPECT_EQ(test, vm_munmap(vma->vm_start, vma->vm_end - vma->vm_start), 0);
}

/* Every page is that of the table, or none is there if @mem is NULL. */
static void expect_pages(struct kunit *test, struct vm_area_struct *vma,
			 struct memory *mem, unsigned long pgoff)
{
	struct follow_pfnmap_args args = { .vma = vma };
	unsigned long i, found = 0, right = 0;

	mmap_read_lock(vma->vm_mm);
	for (i = 0; i < vma_pages(vma); i++) {
		args.address = vma->vm_start + (i << PAGE_SHIFT);
		if (follow_pfnmap_start(&args))
			continue;
		found++;
		if (mem && args.pfn == memory_pfn(mem, pgoff + i))
			right++;
		follow_pfnmap_end(&args);
	}
	mmap_read_unlock(vma->vm_mm);
	KUNIT_EXPECT_EQ(test, found, mem ? i : 0);
	KUNIT_EXPECT_EQ(test, right, found);
}

static void expect_leaf(struct kunit *test, struct vm_area_struct *vma,
			unsigned long addr, bool leaf)
{
	mmap_read_lock(vma->vm_mm);
	KUNIT_EXPECT_EQ_MSG(test, pmd_leaf(*pmd_off(vma->vm_mm, addr)), leaf,
			    "page %lu", (addr - vma->vm_start) >> PAGE_SHIFT);
	mmap_read_unlock(vma->vm_mm);
}

/* All pages are as many as were allocated, each with the reference of the test. */
static void expect_references(struct kunit *test, struct memory *mem)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(&mem->sgt, sg, i)
		KUNIT_ASSERT_EQ(test, page_count(sg_page(sg)), 1);
}

static bool has_leaves(void)
{
	return IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) &&
	       has_transparent_hugepage() && !arch_needs_pgtable_deposit();
}

/* A page table ends after some pages, and where it has 512 entries the next one as well. */
static void maps_from_any_page_on(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, ENTRIES, 2, 1, 2);
	static const unsigned long pgoffs[] = { 0, 1, 2, ENTRIES, 2 * ENTRIES - 1 };
	int i;

	for (i = 0; i < ARRAY_SIZE(pgoffs); i++) {
		const unsigned long nr_pages = memory_pages(mem) - pgoffs[i];
		struct vm_area_struct *vma = new_vma(test, nr_pages, MOST_PAGES, MAP_SHARED);

		KUNIT_ASSERT_EQ(test, map(vma, NULL, mem, pgoffs[i], vma->vm_page_prot), 0);
		expect_pages(test, vma, mem, pgoffs[i]);
		unmap(test, vma);
		expect_references(test, mem);
	}
}

/* One page short, and not even one. */
static void maps_nothing_of_short_table(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, ENTRIES, 0, 0, 1);
	struct vm_area_struct *vma = new_vma(test, ENTRIES + 1, 0, MAP_SHARED);

	KUNIT_EXPECT_EQ(test, map(vma, NULL, mem, 0, vma->vm_page_prot), -ENXIO);
	expect_pages(test, vma, NULL, 0);
	KUNIT_EXPECT_EQ(test, map(vma, NULL, mem, ENTRIES, vma->vm_page_prot), -ENXIO);
	expect_pages(test, vma, NULL, 0);
	expect_references(test, mem);
}

static struct memory *leaves_alloc(struct kunit *test)
{
	if (!has_leaves())
		kunit_skip(test, "no PMD leaves in user space here");
	return memory_alloc(test, 2, PMD_SHIFT - PAGE_SHIFT, 0, PMD_PAGES);
}

/* A leaf is there already when the table ends. */
static void drops_leaves_of_short_table(struct kunit *test)
{
	struct memory *mem = leaves_alloc(test);
	struct vm_area_struct *vma = new_vma(test, 2 * PMD_PAGES + 1, 0, MAP_SHARED);

	KUNIT_EXPECT_EQ(test, map(vma, &exporter_ops, mem, 0, vma->vm_page_prot), -ENXIO);
	expect_pages(test, vma, NULL, 0);
	expect_references(test, mem);
}

/* The first or the last page of the blocks is not in the mapping. */
static void sets_leaves_within_the_mapping(struct kunit *test)
{
	struct memory *mem = leaves_alloc(test);
	struct vm_area_struct *vma;
	int skip;

	for (skip = 0; skip < 2; skip++) {
		vma = new_vma(test, 2 * PMD_PAGES - 1, skip, MAP_SHARED);
		KUNIT_ASSERT_EQ(test, map(vma, &exporter_ops, mem, skip,
					  vma->vm_page_prot), 0);
		expect_leaf(test, vma, vma->vm_start, !skip);
		expect_leaf(test, vma, vma->vm_end - 1, skip);
		expect_pages(test, vma, mem, skip);
		unmap(test, vma);
		expect_references(test, mem);
	}
}

/* No fault would bring them back, or the offset is not that of the block. */
static void sets_leaves_only_if_refaultable(struct kunit *test)
{
	struct memory *mem = leaves_alloc(test);
	struct vm_area_struct *vma;

	vma = new_vma(test, 2 * PMD_PAGES, 0, MAP_SHARED);
	KUNIT_ASSERT_EQ(test, map(vma, &importer_ops, mem, 0, vma->vm_page_prot), 0);
	expect_leaf(test, vma, vma->vm_start, false);
	expect_pages(test, vma, mem, 0);
	unmap(test, vma);

	vma = new_vma(test, 2 * PMD_PAGES - 1, 0, MAP_SHARED);
	KUNIT_ASSERT_EQ(test, map(vma, &exporter_ops, mem, 1, vma->vm_page_prot), 0);
	expect_leaf(test, vma, vma->vm_start, false);
	expect_pages(test, vma, mem, 1);
	unmap(test, vma);

	vma = new_vma(test, 2 * PMD_PAGES, 0, MAP_SHARED);
	KUNIT_ASSERT_EQ(test, map(vma, &exporter_ops, mem, 0, vma->vm_page_prot), 0);
	expect_leaf(test, vma, vma->vm_start, true);
	expect_leaf(test, vma, vma->vm_end - 1, true);
	expect_pages(test, vma, mem, 0);
	unmap(test, vma);
}

static bool combines(pgprot_t prot)
{
#ifdef CONFIG_X86
	/* Not the bit that is a part of this in a PTE, and the size in a leaf. */
	const u64 mask = _PAGE_PWT | _PAGE_PCD;
#else
	const u64 mask = U64_MAX;
#endif

	return !((pgprot_val(pgprot_writecombine(prot)) ^ pgprot_val(prot)) & mask);
}

/* As the memory that a confidential guest shares needs, not what the mapping has. */
static void keeps_prot(struct kunit *test)
{
	struct memory *mem = leaves_alloc(test);
	struct follow_pfnmap_args args = {};
	struct vm_area_struct *vma;
	unsigned long skip;
	pgprot_t prot;
	int ret;

	if (!IS_ENABLED(CONFIG_X86) && !IS_ENABLED(CONFIG_ARM64))
		kunit_skip(test, "what an entry has cannot be told here");
	for (skip = 0; skip < 2; skip++) {
		vma = new_vma(test, PMD_PAGES, skip, MAP_SHARED);
		prot = pgprot_writecombine(vma->vm_page_prot);
		KUNIT_ASSERT_FALSE(test, combines(vma->vm_page_prot));
		KUNIT_ASSERT_EQ(test, map(vma, &exporter_ops, mem, 0, prot), 0);
		expect_leaf(test, vma, vma->vm_start, !skip);
		args.vma = vma;
		args.address = vma->vm_start;
		mmap_read_lock(vma->vm_mm);
		ret = follow_pfnmap_start(&args);
		if (!ret)
			follow_pfnmap_end(&args);
		mmap_read_unlock(vma->vm_mm);
		KUNIT_EXPECT_EQ(test, ret, 0);
		KUNIT_EXPECT_TRUE(test, combines(args.pgprot));
		KUNIT_EXPECT_TRUE(test, args.writable);
		unmap(test, vma);
	}
}

static void rejects_private_mapping_of_several_entries(struct kunit *test)
{
	struct memory *mem = memory_alloc(test, 2, 0, 0, 1);
	struct vm_area_struct *vma = new_vma(test, 2, 0, MAP_PRIVATE);

	KUNIT_EXPECT_EQ(test, map(vma, NULL, mem, 0, vma->vm_page_prot), -EINVAL);
}

static struct kunit_case vma_map_sg_test_cases[] = {
	KUNIT_CASE(maps_from_any_page_on),
	KUNIT_CASE(maps_nothing_of_short_table),
	KUNIT_CASE(drops_leaves_of_short_table),
	KUNIT_CASE(sets_leaves_within_the_mapping),
	KUNIT_CASE(sets_leaves_only_if_refaultable),
	KUNIT_CASE(keeps_prot),
	KUNIT_CASE(rejects_private_mapping_of_several_entries),
	{}
};

static struct kunit_suite vma_map_sg_test_suite = {
	.name = "vma_map_sg",
	.test_cases = vma_map_sg_test_cases,
};

kunit_test_suite(vma_map_sg_test_suite);

MODULE_DESCRIPTION("KUnit tests of vma_map_sg()");
MODULE_LICENSE("GPL");
