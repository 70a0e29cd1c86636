// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the pool of the system heap
 *
 * They use the pool of the running kernel, while nobody has buffers.  Each test
 * starts with an empty pool and a cap of its own.  Nothing is left to the thread of
 * the pool: the tests call what it does, so that nothing depends on time.
 *
 * A block is found again by its address: the pool has no other.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/vmstat.h>

#include "../system_heap_pool.h"

#define BLOCK_PAGES	BIT(POOL_MIN_ORDER)
#define LARGE_ORDER	(POOL_MIN_ORDER + 2)
#define MAX_BLOCKS	8
#define CAP_PAGES	(4 * MAX_BLOCKS * BLOCK_PAGES)
#define BLOCK_GFP	(GFP_HIGHUSER | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN)

static unsigned long max_before;

static struct page *new_block(struct kunit *test, unsigned int order)
{
	struct page *page = alloc_pages(BLOCK_GFP, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

static void fill_block(struct page *page, unsigned int order)
{
	unsigned long i;

	for (i = 0; i < 1UL << order; i++)
		memset_page(page + i, 0, 0xa5, PAGE_SIZE);
}

static void expect_zero(struct kunit *test, struct page *page, unsigned int order)
{
	unsigned long i;
	void *first_bad, *addr;

	for (i = 0; i < 1UL << order; i++) {
		addr = kmap_local_page(page + i);
		first_bad = memchr_inv(addr, 0, PAGE_SIZE);
		kunmap_local(addr);
		KUNIT_ASSERT_NULL_MSG(test, first_bad, "page %lu is not zero", i);
	}
}

static void expect_pages(struct kunit *test, unsigned long dirty,
			 unsigned long clean)
{
	const struct pool_counts counts = heap_pool_count_pages();

	KUNIT_EXPECT_EQ(test, counts.dirty, dirty);
	KUNIT_EXPECT_EQ(test, counts.clean, clean);
}

/* Put @nr filled blocks into the pool. */
static void keep_blocks(struct kunit *test, struct page **pages, unsigned int nr,
			unsigned int order)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		pages[i] = new_block(test, order);
		fill_block(pages[i], order);
	}
	for (i = 0; i < nr; i++)
		system_heap_pool_free(pages[i], order, true);
}

/* Of the pool or of the page allocator; not given back to the pool. */
static void expect_block(struct kunit *test, const struct page *want,
			 unsigned int order)
{
	struct page *page = system_heap_pool_alloc(BLOCK_GFP, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	expect_zero(test, page, order);
	KUNIT_EXPECT_EQ(test, system_heap_pool_is_zero(page), !!want);
	if (want)
		KUNIT_EXPECT_PTR_EQ(test, page, want);
	KUNIT_EXPECT_EQ(test, compound_order(page), order);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	system_heap_pool_free(page, order, false);
}

static void zeroes_in_place(struct kunit *test)
{
	struct page *page;

	keep_blocks(test, &page, 1, POOL_MIN_ORDER);
	expect_pages(test, BLOCK_PAGES, 0);
	expect_block(test, page, POOL_MIN_ORDER);
	expect_pages(test, 0, 0);
}

static void zeroes_in_the_background(struct kunit *test)
{
	struct page *page;

	keep_blocks(test, &page, 1, LARGE_ORDER);
	heap_pool_zero_all();
	expect_pages(test, 0, 1UL << LARGE_ORDER);
	expect_block(test, page, LARGE_ORDER);
	expect_pages(test, 0, 0);
}

static void takes_clean_before_dirty(struct kunit *test)
{
	struct page *clean, *dirty;

	keep_blocks(test, &clean, 1, POOL_MIN_ORDER);
	heap_pool_zero_all();
	keep_blocks(test, &dirty, 1, POOL_MIN_ORDER);
	expect_block(test, clean, POOL_MIN_ORDER);
	expect_block(test, dirty, POOL_MIN_ORDER);
}

static void takes_lowest_address_first(struct kunit *test)
{
	struct page *pages[MAX_BLOCKS], *lowest;
	unsigned int i, n;

	keep_blocks(test, pages, MAX_BLOCKS, POOL_MIN_ORDER);
	heap_pool_zero_all();
	for (n = MAX_BLOCKS; n; n--) {
		lowest = pages[0];
		for (i = 1; i < n; i++)
			if (page_to_pfn(pages[i]) < page_to_pfn(lowest))
				lowest = pages[i];
		expect_block(test, lowest, POOL_MIN_ORDER);
		for (i = 0; pages[i] != lowest; i++)
			;
		pages[i] = pages[n - 1];
	}
	expect_pages(test, 0, 0);
}

static void serves_only_its_order(struct kunit *test)
{
	struct page *page;

	keep_blocks(test, &page, 1, LARGE_ORDER);
	expect_block(test, NULL, POOL_MIN_ORDER);
	expect_block(test, NULL, LARGE_ORDER + 1);
	expect_pages(test, 1UL << LARGE_ORDER, 0);
	expect_block(test, page, LARGE_ORDER);
}

static void keeps_no_small_blocks(struct kunit *test)
{
	struct page *page = new_block(test, POOL_MIN_ORDER - 1);

	system_heap_pool_free(page, POOL_MIN_ORDER - 1, true);
	expect_pages(test, 0, 0);
	expect_block(test, NULL, POOL_MIN_ORDER - 1);
	expect_block(test, NULL, 0);
}

static void stays_within_limit(struct kunit *test)
{
	struct page *pages[MAX_BLOCKS];

	heap_pool_set_max(3 * BLOCK_PAGES);
	keep_blocks(test, pages, MAX_BLOCKS, POOL_MIN_ORDER);
	expect_pages(test, 3 * BLOCK_PAGES, 0);

	/* One that does not fit any more. */
	keep_blocks(test, pages, 1, LARGE_ORDER);
	expect_pages(test, 3 * BLOCK_PAGES, 0);

	heap_pool_set_max(2 * BLOCK_PAGES - 1);
	expect_pages(test, BLOCK_PAGES, 0);
}

static void switches_off_at_zero(struct kunit *test)
{
	struct page *pages[2];

	keep_blocks(test, pages, 1, POOL_MIN_ORDER);
	heap_pool_zero_all();
	keep_blocks(test, pages, 2, LARGE_ORDER);
	heap_pool_set_max(0);
	expect_pages(test, 0, 0);
	keep_blocks(test, pages, 2, POOL_MIN_ORDER);
	expect_pages(test, 0, 0);
	expect_block(test, NULL, POOL_MIN_ORDER);
}

static void gives_back_dirty_before_clean(struct kunit *test)
{
	struct page *clean, *dirty;
	const int nid = numa_mem_id();

	keep_blocks(test, &clean, 1, POOL_MIN_ORDER);
	heap_pool_zero_all();
	keep_blocks(test, &dirty, 1, LARGE_ORDER);
	if (page_to_nid(clean) != nid || page_to_nid(dirty) != nid)
		kunit_skip(test, "blocks of two nodes");
	KUNIT_EXPECT_EQ(test, heap_pool_shrink(nid, 1), 1UL << LARGE_ORDER);
	expect_pages(test, 0, BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, heap_pool_shrink(nid, 1), BLOCK_PAGES);
	expect_pages(test, 0, 0);
	KUNIT_EXPECT_EQ(test, heap_pool_shrink(nid, 1), 0);
}

static void gives_back_small_before_large(struct kunit *test)
{
	struct page *small, *large;
	const int nid = numa_mem_id();

	keep_blocks(test, &large, 1, LARGE_ORDER);
	keep_blocks(test, &small, 1, POOL_MIN_ORDER);
	heap_pool_zero_all();
	if (page_to_nid(small) != nid || page_to_nid(large) != nid)
		kunit_skip(test, "blocks of two nodes");
	KUNIT_EXPECT_EQ(test, heap_pool_shrink(nid, 1), BLOCK_PAGES);
	expect_block(test, large, LARGE_ORDER);
}

static void gives_back_a_larger_block(struct kunit *test)
{
	struct page *page;

	keep_blocks(test, &page, 1, LARGE_ORDER);
	KUNIT_EXPECT_FALSE(test, heap_pool_give_larger(page_to_nid(page), LARGE_ORDER));
	KUNIT_EXPECT_TRUE(test, heap_pool_give_larger(page_to_nid(page), POOL_MIN_ORDER));
	expect_pages(test, 0, 0);
}

static void frees_old_blocks(struct kunit *test)
{
	struct page *pages[2];
	unsigned long now;

	keep_blocks(test, pages, 1, POOL_MIN_ORDER);
	heap_pool_zero_all();
	keep_blocks(test, pages, 1, LARGE_ORDER);
	now = ktime_get_seconds();
	heap_pool_drop_old(now + 5);
	expect_pages(test, 1UL << LARGE_ORDER, BLOCK_PAGES);
	heap_pool_drop_old(now + 10);
	expect_pages(test, 0, 0);
}

static void keeps_nothing_in_shortage(struct kunit *test)
{
	struct page *pages[2];
	const int nid = numa_mem_id();

	keep_blocks(test, pages, 2, POOL_MIN_ORDER);
	if (page_to_nid(pages[0]) != nid || page_to_nid(pages[1]) != nid)
		kunit_skip(test, "blocks of two nodes");
	heap_pool_note_shortage(nid, 1000);
	/* What is to be zeroed goes back instead. */
	heap_pool_zero_all();
	expect_pages(test, 0, 0);
	keep_blocks(test, pages, 2, POOL_MIN_ORDER);
	expect_pages(test, 0, 0);
}

/* Who has a reference to a page may still write to it. */
static void rejects_referenced_pages(struct kunit *test)
{
	struct page *page = new_block(test, POOL_MIN_ORDER);

	get_page(page);
	system_heap_pool_free(page, POOL_MIN_ORDER, true);
	expect_pages(test, 0, 0);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	put_page(page);
}

/* Whoever has the memory next must not find the mark of a block of the pool. */
static void clears_page_private_on_release(struct kunit *test)
{
	struct page *page;

	keep_blocks(test, &page, 1, POOL_MIN_ORDER);
	KUNIT_ASSERT_PTR_EQ(test, page, system_heap_pool_alloc(BLOCK_GFP, POOL_MIN_ORDER));
	KUNIT_EXPECT_TRUE(test, system_heap_pool_is_zero(page));
	get_page(page);
	system_heap_pool_free(page, POOL_MIN_ORDER, false);
	KUNIT_EXPECT_EQ(test, page_private(page), 0);
	put_page(page);
}

static void serves_no_charged_requests(struct kunit *test)
{
	struct page *page, *other;

	keep_blocks(test, &page, 1, POOL_MIN_ORDER);
	other = system_heap_pool_alloc(BLOCK_GFP | __GFP_ACCOUNT, POOL_MIN_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_PTR_NE(test, page, other);
	__free_pages(other, POOL_MIN_ORDER);
	expect_pages(test, BLOCK_PAGES, 0);
}

static long reclaimable_pages(void)
{
	unsigned long sum = 0;
	int nid;

	for_each_online_node(nid)
		sum += atomic_long_read(&NODE_DATA(nid)->vm_stat[NR_KERNEL_MISC_RECLAIMABLE]);
	return sum;
}

/* CPUs keep some of the count to themselves, but not that much. */
static void is_counted_as_reclaimable(struct kunit *test)
{
	const long slack = num_possible_cpus() * 128L;
	const unsigned int order = min(MAX_PAGE_ORDER, ilog2(4 * slack) + 1);
	const long pages = 1L << order, before = reclaimable_pages();
	struct page *page;

	heap_pool_set_max(pages);
	if (pages < 2 * slack)
		kunit_skip(test, "too many CPUs");
	keep_blocks(test, &page, 1, order);
	KUNIT_EXPECT_GE(test, reclaimable_pages() - before, pages - slack);
	heap_pool_set_max(0);
	KUNIT_EXPECT_LE(test, reclaimable_pages() - before, slack);
}

static void leave_it(void)
{
}

static int pool_test_init(struct kunit *test)
{
	kunit_activate_static_stub(test, heap_pool_queue_work, leave_it);
	max_before = heap_pool_set_max(0);
	heap_pool_zero_all();
	heap_pool_set_max(CAP_PAGES);
	heap_pool_note_shortage(numa_mem_id(), 0);
	return 0;
}

static void pool_test_exit(struct kunit *test)
{
	heap_pool_note_shortage(numa_mem_id(), 0);
	heap_pool_set_max(0);
	heap_pool_set_max(max_before);
}

static struct kunit_case pool_test_cases[] = {
	KUNIT_CASE(zeroes_in_place),
	KUNIT_CASE(zeroes_in_the_background),
	KUNIT_CASE(takes_clean_before_dirty),
	KUNIT_CASE(takes_lowest_address_first),
	KUNIT_CASE(serves_only_its_order),
	KUNIT_CASE(keeps_no_small_blocks),
	KUNIT_CASE(stays_within_limit),
	KUNIT_CASE(switches_off_at_zero),
	KUNIT_CASE(gives_back_dirty_before_clean),
	KUNIT_CASE(gives_back_small_before_large),
	KUNIT_CASE(gives_back_a_larger_block),
	KUNIT_CASE(frees_old_blocks),
	KUNIT_CASE(keeps_nothing_in_shortage),
	KUNIT_CASE(rejects_referenced_pages),
	KUNIT_CASE(clears_page_private_on_release),
	KUNIT_CASE(serves_no_charged_requests),
	KUNIT_CASE(is_counted_as_reclaimable),
	{}
};

static struct kunit_suite pool_test_suite = {
	.name = "system_heap_pool",
	.init = pool_test_init,
	.exit = pool_test_exit,
	.test_cases = pool_test_cases,
};

kunit_test_suite(pool_test_suite);

MODULE_DESCRIPTION("KUnit tests of the pool of the system heap");
MODULE_LICENSE("GPL");
