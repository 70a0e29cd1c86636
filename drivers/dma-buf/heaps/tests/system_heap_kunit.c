// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the system heap: mostly of the layout of its buffers
 *
 * A case is a set of chunks, as the page allocator hands them out: naturally
 * aligned, in any order.  Their table is compared, page by page, with a model
 * that is as simple as the promise: of a bitmap of the pages, take the blocks of
 * the largest size by address, then those of the next, down to single pages.
 *
 * Chunks are page frame numbers only, nobody looks at the pages.  They need not
 * be memory, unless a struct page tells its number by the section that it is in.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/bitmap.h>
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/memblock.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/page_ref.h>
#include <linux/prandom.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "../system_heap.h"

#define PMD_PAGES	BIT(HEAP_PMD_ORDER)
#define TOP_PAGES	MAX_ORDER_NR_PAGES

/* Where page frame 0 of a set is; aligned to any block, and to a segment. */
static unsigned long base_pfn = HEAP_SEGMENT_PAGES;

/* Pages that the chunks of a case, and of a random set, are taken from. */
#define CASE_PAGES	(8 * max(PMD_PAGES, TOP_PAGES))
#define RANDOM_PAGES	(4 * max(PMD_PAGES, TOP_PAGES))
#define RANDOM_SETS	300

/* As many as take some tenths of a second, and what others may have to wait of these. */
#define MANY_RUNS	BIT(19)
#define RUNS_OF_A_TABLE	BIT(15)
#define MANY_BLOCKS	BIT(19)
#define WAIT_PART	50
#define WAIT_TRIES	5

/* Page frames that are used from base_pfn on, and ahead of it. */
#define PAGES_AFTER	max(CASE_PAGES, HEAP_SEGMENT_PAGES + 2 * TOP_PAGES)
#define PAGES_BEFORE	(RANDOM_PAGES / 2)

/**
 * struct chunk_set - chunks, in the order in which they were obtained
 * @chunk: the chunks, relative to the page frame @base
 * @nr: number of chunks
 * @base: page frame number, a multiple of the largest chunk and block
 * @window: pages from @base to the end of the highest chunk, at least
 */
struct chunk_set {
	struct heap_run *chunk;
	unsigned int nr;
	unsigned long base;
	unsigned long window;
};

/* The sizes of blocks, descending: leaves of page tables, and single pages. */
static unsigned int block_order(unsigned int i)
{
	const unsigned int cont = CONT_PTE_ORDER, small = get_order(SZ_64K);

	switch (i) {
	case 0:
		return HEAP_PMD_ORDER;
	case 1:
		return max(cont, small);
	case 2:
		return cont ? min(cont, small) : small;
	}
	return 0;
}

static unsigned long *set_bitmap(struct kunit *test,
				 const struct chunk_set *set)
{
	unsigned long *map = kunit_kcalloc(test, BITS_TO_LONGS(set->window),
					   sizeof(*map), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, map);
	for (i = 0; i < set->nr; i++)
		bitmap_set(map, set->chunk[i].pfn, set->chunk[i].nr_pages);
	return map;
}

/* Page frame numbers in the promised order; the caller frees them. */
static unsigned long *model_pages(struct kunit *test,
				  const struct chunk_set *set,
				  unsigned long *nr_pages)
{
	unsigned long *left = set_bitmap(test, set), *pages;
	unsigned long pfn, size, i, nr = 0;
	unsigned int level;

	pages = kvmalloc_array(bitmap_weight(left, set->window) ?: 1,
			       sizeof(*pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pages);
	for (level = 0; level < 4; level++) {
		size = 1UL << block_order(level);
		for (pfn = 0; pfn + size <= set->window; pfn += size) {
			if (find_next_zero_bit(left, pfn + size, pfn) < pfn + size)
				continue;
			bitmap_clear(left, pfn, size);
			/* What leaves in page tables ask for. */
			KUNIT_EXPECT_EQ(test, nr % size, 0);
			for (i = 0; i < size; i++)
				pages[nr++] = set->base + pfn + i;
		}
	}
	*nr_pages = nr;
	return pages;
}

/* Entries that it takes at least, and so at most. */
static unsigned int model_nents(const unsigned long *pages,
				unsigned long nr_pages)
{
	unsigned int nents = !!nr_pages;
	unsigned long i;

	for (i = 1; i < nr_pages; i++)
		nents += pages[i] != pages[i - 1] + 1 ||
			 pages[i] % HEAP_SEGMENT_PAGES == 0;
	return nents;
}

/* Whether the table has the pages of the model, none twice and none lost. */
static void expect_pages(struct kunit *test, const struct sg_table *table,
			 const unsigned long *pages, unsigned long nr_pages)
{
	unsigned long done = 0, nr, pfn, i;
	struct scatterlist *sg;
	unsigned int n;

	for_each_sgtable_sg(table, sg, n) {
		pfn = page_to_pfn(sg_page(sg));
		nr = sg->length >> PAGE_SHIFT;
		KUNIT_EXPECT_EQ(test, sg->offset, 0);
		KUNIT_EXPECT_TRUE(test, PAGE_ALIGNED(sg->length));
		KUNIT_ASSERT_LE(test, done + nr, nr_pages);
		for (i = 0; i < nr && pages[done + i] == pfn + i; i++)
			;
		KUNIT_ASSERT_EQ_MSG(test, i, nr,
				    "entry %u: page 0x%lx where 0x%lx belongs",
				    n, pfn + i, pages[done + i]);
		done += nr;
	}
	KUNIT_EXPECT_EQ(test, done, nr_pages);
}

/* Release takes chunk by chunk from each entry: none may be in two. */
static void expect_whole_chunks(struct kunit *test,
				const struct sg_table *table,
				const struct chunk_set *set)
{
	unsigned long start, end, pfn;
	struct scatterlist *sg;
	unsigned int i, n;

	for (i = 0; i < set->nr; i++) {
		pfn = set->base + set->chunk[i].pfn;
		for_each_sgtable_sg(table, sg, n) {
			start = page_to_pfn(sg_page(sg));
			end = start + (sg->length >> PAGE_SHIFT);
			if (pfn < start || pfn >= end)
				continue;
			KUNIT_EXPECT_LE_MSG(test, pfn + set->chunk[i].nr_pages, end,
					    "chunk at 0x%lx is cut", pfn);
			break;
		}
	}
}

static void add_chunk(struct kunit *test, struct heap_runs *runs,
		      unsigned long pfn, unsigned long nr_pages)
{
	if (heap_runs_full(runs))
		KUNIT_ASSERT_EQ(test, 0, heap_runs_grow(runs));
	heap_runs_add(runs, pfn, nr_pages);
}

/* Lay out @set and compare with the model. */
static void expect_model(struct kunit *test, const struct chunk_set *set)
{
	struct sg_table table = {};
	struct heap_runs runs;
	unsigned long *pages, nr_pages;
	unsigned int i;

	heap_runs_init(&runs);
	for (i = 0; i < set->nr; i++)
		add_chunk(test, &runs, set->base + set->chunk[i].pfn,
			  set->chunk[i].nr_pages);
	KUNIT_ASSERT_EQ(test, 0, heap_runs_to_table(&runs, &table));
	heap_runs_destroy(&runs);

	pages = model_pages(test, set, &nr_pages);
	KUNIT_EXPECT_EQ(test, table.orig_nents, model_nents(pages, nr_pages));
	expect_pages(test, &table, pages, nr_pages);
	expect_whole_chunks(test, &table, set);
	kvfree(pages);
	sg_free_table(&table);
}

/**
 * struct layout_case - chunks, and the entries that they make
 * @name: what is special about them
 * @chunk: chunks, relative to base_pfn
 * @entry: entries of the table, relative to base_pfn
 */
struct layout_case {
	const char *name;
	struct heap_run chunk[6];
	struct heap_run entry[6];
};

static const struct layout_case layout_cases[] = {
	{
		"one_page",
		{ { 7, 1 } },
		{ { 7, 1 } },
	}, {
		"one_chunk",
		{ { TOP_PAGES, TOP_PAGES } },
		{ { TOP_PAGES, TOP_PAGES } },
	}, {
		"joined_already",
		{ { 0, 1 }, { 1, 1 }, { 2, 2 }, { 4, 4 } },
		{ { 0, 8 } },
	}, {
		"descending",
		{ { 5, 1 }, { 4, 1 }, { 3, 1 }, { 2, 1 }, { 1, 1 } },
		{ { 1, 5 } },
	}, {
		"descending_chunks",
		{ { 3 * TOP_PAGES, TOP_PAGES }, { 2 * TOP_PAGES, TOP_PAGES },
		  { TOP_PAGES, TOP_PAGES } },
		{ { TOP_PAGES, 3 * TOP_PAGES } },
	}, {
		"last_closes_the_gap",
		{ { 1, 1 }, { 3, 1 }, { 2, 1 } },
		{ { 1, 3 } },
	}, {
		"apart",
		{ { 5, 1 }, { 1, 1 }, { 3, 1 } },
		{ { 1, 1 }, { 3, 1 }, { 5, 1 } },
	},
};

KUNIT_ARRAY_PARAM_DESC(layout, layout_cases, name);

static void expect_layout(struct kunit *test, const struct layout_case *c)
{
	struct chunk_set set = { .base = base_pfn, .window = CASE_PAGES };
	struct sg_table table = {};
	struct heap_runs runs;
	struct scatterlist *sg;
	unsigned int i;

	heap_runs_init(&runs);
	for (i = 0; i < ARRAY_SIZE(c->chunk) && c->chunk[i].nr_pages; i++)
		add_chunk(test, &runs, base_pfn + c->chunk[i].pfn, c->chunk[i].nr_pages);
	set.chunk = (struct heap_run *)c->chunk;
	set.nr = i;
	KUNIT_ASSERT_EQ(test, 0, heap_runs_to_table(&runs, &table));
	heap_runs_destroy(&runs);

	for_each_sgtable_sg(&table, sg, i) {
		KUNIT_ASSERT_LT(test, i, ARRAY_SIZE(c->entry));
		KUNIT_EXPECT_EQ(test, page_to_pfn(sg_page(sg)), base_pfn + c->entry[i].pfn);
		KUNIT_EXPECT_EQ(test, sg->length >> PAGE_SHIFT, c->entry[i].nr_pages);
	}
	KUNIT_EXPECT_TRUE(test, i == ARRAY_SIZE(c->entry) || !c->entry[i].nr_pages);
	sg_free_table(&table);

	expect_model(test, &set);
}

static void lays_out_chunks(struct kunit *test)
{
	expect_layout(test, test->param_value);
}

/* Not in the table above: on some machines PMD_SIZE is known when they boot. */
static void lays_out_blocks(struct kunit *test)
{
	const struct layout_case cases[] = {
		{
			"larger_block_first",
			{ { 1, 1 }, { 4 * PMD_PAGES, PMD_PAGES }, { 3, 1 } },
			{ { 4 * PMD_PAGES, PMD_PAGES }, { 1, 1 }, { 3, 1 } },
		}, {
			"cut_around_a_block",
			{ { PMD_PAGES - 1, 1 }, { PMD_PAGES, PMD_PAGES },
			  { 2 * PMD_PAGES, 1 } },
			{ { PMD_PAGES, PMD_PAGES }, { PMD_PAGES - 1, 1 },
			  { 2 * PMD_PAGES, 1 } },
		}, {
			"block_of_two_halves",
			{ { PMD_PAGES + PMD_PAGES / 2, PMD_PAGES / 2 }, { 0, 1 },
			  { PMD_PAGES, PMD_PAGES / 2 } },
			{ { PMD_PAGES, PMD_PAGES }, { 0, 1 } },
		}, {
			"halves_across_a_border",
			{ { PMD_PAGES, PMD_PAGES / 2 }, { PMD_PAGES / 2, PMD_PAGES / 2 } },
			{ { PMD_PAGES / 2, PMD_PAGES } },
		},
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		kunit_info(test, "%s\n", cases[i].name);
		expect_layout(test, &cases[i]);
	}
}

static void rejects_empty_set(struct kunit *test)
{
	struct sg_table table = {};
	struct heap_runs runs;

	heap_runs_init(&runs);
	KUNIT_EXPECT_EQ(test, -EINVAL, heap_runs_to_table(&runs, &table));
	KUNIT_EXPECT_NULL(test, table.sgl);
}

/* A table of one entry needs nothing but the room for it, others take what they need. */
static void uses_embedded_entry(struct kunit *test)
{
	struct scatterlist entry;
	struct sg_table table = { .sgl = &entry };
	struct heap_runs runs;

	heap_runs_init(&runs);
	add_chunk(test, &runs, base_pfn + 1, 1);
	KUNIT_ASSERT_EQ(test, 0, heap_runs_to_table(&runs, &table));
	KUNIT_EXPECT_PTR_EQ(test, &entry, table.sgl);
	KUNIT_EXPECT_EQ(test, 1, table.orig_nents);
	KUNIT_EXPECT_TRUE(test, sg_is_last(&entry));
	KUNIT_EXPECT_EQ(test, base_pfn + 1, page_to_pfn(sg_page(&entry)));

	add_chunk(test, &runs, base_pfn + 3, 1);
	KUNIT_ASSERT_EQ(test, 0, heap_runs_to_table(&runs, &table));
	KUNIT_EXPECT_PTR_NE(test, &entry, table.sgl);
	KUNIT_EXPECT_EQ(test, 2, table.orig_nents);
	sg_free_table(&table);
}

/*
 * More than a segment, contiguous, from half a chunk of the top order on: a
 * segment that is measured from its start would end in the middle of a chunk.
 */
static void cuts_entries_at_segments(struct kunit *test)
{
	const unsigned long first = base_pfn - TOP_PAGES / 2;
	struct chunk_set set = { .base = base_pfn - TOP_PAGES };
	unsigned int i;

	set.nr = 2 + HEAP_SEGMENT_PAGES / TOP_PAGES;
	set.window = (set.nr + 1) * TOP_PAGES;
	set.chunk = kunit_kcalloc(test, set.nr, sizeof(*set.chunk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, set.chunk);
	set.chunk[0] = (struct heap_run){ first - set.base, TOP_PAGES / 2 };
	for (i = 1; i < set.nr; i++)
		set.chunk[i] = (struct heap_run){ i * TOP_PAGES, TOP_PAGES };
	expect_model(test, &set);
}

/* Some of the window, in chunks of at most @max_order. */
static void random_chunks(struct rnd_state *rnd, struct chunk_set *set,
			  unsigned int max_order)
{
	const unsigned int sparse = 1 + prandom_u32_state(rnd) % 8;
	unsigned long pfn = 0, nr;
	unsigned int order;

	set->nr = 0;
	while (pfn < set->window) {
		order = prandom_u32_state(rnd) % (max_order + 1);
		if (pfn)
			order = min(order, (unsigned int)__ffs(pfn));
		nr = 1UL << order;
		if (prandom_u32_state(rnd) % 8 < sparse)
			set->chunk[set->nr++] = (struct heap_run){ pfn, nr };
		pfn += nr;
	}
}

static void shuffle_chunks(struct rnd_state *rnd, struct chunk_set *set)
{
	unsigned int i, j;

	for (i = set->nr; i > 1; i--) {
		j = prandom_u32_state(rnd) % i;
		swap(set->chunk[i - 1], set->chunk[j]);
	}
}

/* Half of the sets lie across the border of a segment. */
static void lays_out_random_chunks(struct kunit *test)
{
	struct chunk_set set = { .window = RANDOM_PAGES };
	struct rnd_state rnd;
	unsigned int i;

	set.chunk = kunit_kcalloc(test, RANDOM_PAGES, sizeof(*set.chunk),
				  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, set.chunk);
	prandom_seed_state(&rnd, 1);
	for (i = 0; i < RANDOM_SETS; i++) {
		set.base = base_pfn - (i % 2) * RANDOM_PAGES / 2;
		random_chunks(&rnd, &set, i / 2 % (MAX_PAGE_ORDER + 1));
		if (!set.nr)
			continue;
		if (i % 3)
			shuffle_chunks(&rnd, &set);
		expect_model(test, &set);
		if (test->status == KUNIT_FAILURE) {
			kunit_err(test, "set %u of %u chunks\n", i, set.nr);
			return;
		}
	}
}

/* Memory is short: allocations fail with __GFP_NORETRY, or without direct reclaim. */
static struct heap_run *alloc_array_if_needed(unsigned int max, gfp_t gfp)
{
	if (!(gfp & __GFP_DIRECT_RECLAIM) || gfp & __GFP_NORETRY)
		return NULL;
	return kvmalloc_array(max, sizeof(struct heap_run), GFP_KERNEL);
}

/*
 * The bug: a request failed for want of an array that the heap did not insist on.  The
 * fix: it waits as for the pages.  Arrays that only save time may be missing.
 */
static void survives_failed_spare_arrays(struct kunit *test)
{
	struct chunk_set set = { .base = base_pfn, .window = RANDOM_PAGES };
	struct rnd_state rnd;
	unsigned long pfn;

	set.chunk = kunit_kcalloc(test, RANDOM_PAGES / 2, sizeof(*set.chunk),
				  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, set.chunk);
	for (pfn = 0; pfn < RANDOM_PAGES; pfn += 2)
		set.chunk[set.nr++] = (struct heap_run){ pfn, 1 };
	prandom_seed_state(&rnd, 1);
	shuffle_chunks(&rnd, &set);
	kunit_activate_static_stub(test, heap_runs_alloc_array,
				   alloc_array_if_needed);
	expect_model(test, &set);
}

/* How often OOM notifiers have been asked, and how often they have to be. */
static unsigned int times_asked;
#define ENOUGH_TIMES	3

static int count_times_asked(struct notifier_block *nb, unsigned long action, void *data)
{
	unsigned long *freed = data;

	if (times_asked < ENOUGH_TIMES) {
		times_asked++;
		++*freed;
	}
	return NOTIFY_OK;
}

static struct heap_run *alloc_array_if_asked(unsigned int max, gfp_t gfp)
{
	return times_asked < ENOUGH_TIMES ? NULL :
	       kvmalloc_array(max, sizeof(struct heap_run), GFP_KERNEL);
}

/* For the array as for pages, those who have memory to give back are asked. */
static void asks_oom_notifiers_for_array(struct kunit *test)
{
	struct notifier_block nb = { .notifier_call = count_times_asked };
	struct heap_runs runs;
	unsigned long pfn;

	heap_runs_init(&runs);
	for (pfn = 0; !heap_runs_full(&runs); pfn += 2)
		heap_runs_add(&runs, base_pfn + pfn, 1);
	times_asked = 0;
	kunit_activate_static_stub(test, heap_runs_alloc_array, alloc_array_if_asked);
	register_oom_notifier(&nb);
	KUNIT_EXPECT_EQ(test, 0, heap_runs_make_room(&runs));
	unregister_oom_notifier(&nb);
	KUNIT_EXPECT_EQ(test, ENOUGH_TIMES, times_asked);
	KUNIT_EXPECT_FALSE(test, heap_runs_full(&runs));
	heap_runs_destroy(&runs);
}

/* A table of 4 MiB, of the same 64 KiB over and over. */
static void make_table(struct kunit *test, struct sg_table *table,
		       struct page *page)
{
	struct scatterlist *sg;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(table, SZ_4M / SZ_64K, GFP_KERNEL));
	for_each_sgtable_sg(table, sg, i)
		sg_set_page(sg, page, max(SZ_64K, PAGE_SIZE), 0);
}

static void set_killed(bool killed)
{
	if (killed) {
		sigaddset(&current->pending.signal, SIGKILL);
		set_tsk_thread_flag(current, TIF_SIGPENDING);
	} else {
		sigdelset(&current->pending.signal, SIGKILL);
		clear_tsk_thread_flag(current, TIF_SIGPENDING);
	}
}

/* All is zeroed, unless the task has been killed. */
static void zeroes_table(struct kunit *test)
{
	const unsigned int order = get_order(SZ_64K);
	struct page *page = alloc_pages(GFP_KERNEL, order);
	const size_t bytes = PAGE_SIZE << order;
	struct sg_table table = {};
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, page);
	make_table(test, &table, page);
	memset(page_address(page), 0xff, bytes);

	set_killed(true);
	ret = heap_zero_table(&table);
	set_killed(false);
	KUNIT_EXPECT_EQ(test, -EINTR, ret);
	KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(page_address(page), 0xff, bytes));

	KUNIT_EXPECT_EQ(test, 0, heap_zero_table(&table));
	KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(page_address(page), 0, bytes));

	sg_free_table(&table);
	__free_pages(page, order);
}

static unsigned int nr_looks;

static bool killed_at_third_look(void)
{
	return ++nr_looks == 3;
}

/*
 * The bug: a chunk was zeroed to its end before a look at signals, and it may be 512 MiB.
 * The fix: a look at each MiB.
 */
static void stops_zeroing_on_sigkill(struct kunit *test)
{
	const unsigned int order = min(get_order(SZ_4M), MAX_PAGE_ORDER);
	const size_t bytes = PAGE_SIZE << order;
	struct page *page = alloc_pages(GFP_KERNEL, order);
	struct sg_table table = {};
	u8 *map;

	if (!page)
		kunit_skip(test, "no chunk of order %u", order);
	map = page_address(page);
	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&table, 1, GFP_KERNEL));
	sg_set_page(table.sgl, page, bytes, 0);
	memset(map, 0xff, bytes);
	nr_looks = 0;
	kunit_activate_static_stub(test, heap_is_killed, killed_at_third_look);
	KUNIT_EXPECT_EQ(test, -EINTR, heap_zero_table(&table));
	kunit_deactivate_static_stub(test, heap_is_killed);
	KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(map, 0, 2 * SZ_1M));
	KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(map + 2 * SZ_1M, 0xff, bytes - 2 * SZ_1M));
	sg_free_table(&table);
	__free_pages(page, order);
}

/**
 * struct other - a task that wants to run on this CPU every now and then
 * @last: when it has last run
 * @longest: how long it had to wait at most, and has slept
 */
struct other {
	u64 last;
	u64 longest;
};

static int other_runs(void *data)
{
	struct other *other = data;
	u64 now;

	while (!kthread_should_stop()) {
		now = ktime_get_ns();
		WRITE_ONCE(other->longest, max(other->longest, now - other->last));
		WRITE_ONCE(other->last, now);
		usleep_range(500, 1000);
	}
	return 0;
}

/* Longest wait of another task, in % of the run time of @work. */
static unsigned int longest_wait(struct kunit *test, void (*work)(struct kunit *test))
{
	struct other other = { .last = ktime_get_ns() };
	struct task_struct *task;
	u64 start, end;

	task = kthread_create(other_runs, &other, "heap_other");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	kthread_bind(task, raw_smp_processor_id());
	sched_set_fifo(task);
	wake_up_process(task);
	msleep(50);

	WRITE_ONCE(other.longest, 0);
	start = ktime_get_ns();
	work(test);
	end = ktime_get_ns();
	kthread_stop(task);
	other.longest = max(other.longest, end - min(end, other.last));
	return div64_u64(100 * min(other.longest, end - start), end - start);
}

/*
 * The bug: whoever was to run on that CPU had to wait until all pages were zeroed or
 * freed, or their runs sorted, where the kernel is not preemptible.  The fix:
 * cond_resched().  A machine that is busy otherwise may make one wait as well, so not
 * each time.
 */
static void expect_others_run(struct kunit *test, void (*work)(struct kunit *test))
{
	cpumask_var_t allowed;
	unsigned int part = 100;
	int i;

	KUNIT_ASSERT_TRUE(test, alloc_cpumask_var(&allowed, GFP_KERNEL));
	cpumask_copy(allowed, current->cpus_ptr);
	set_cpus_allowed_ptr(current, cpumask_of(raw_smp_processor_id()));
	for (i = 0; i < WAIT_TRIES && part > WAIT_PART; i++)
		part = min(part, longest_wait(test, work));
	KUNIT_EXPECT_LE(test, part, WAIT_PART);
	set_cpus_allowed_ptr(current, allowed);
	free_cpumask_var(allowed);
}

/* Call before allocating: kunit_skip() ends the test. */
static void skip_if_preemptible(struct kunit *test)
{
	if (preempt_model_preemptible())
		kunit_skip(test, "others always run in this kernel");
}

static void zero_much(struct kunit *test)
{
	int i;

	for (i = 0; i < 64; i++)
		KUNIT_ASSERT_EQ(test, 0, heap_zero_table(test->priv));
}

static void reschedules_while_zeroing(struct kunit *test)
{
	const unsigned int order = get_order(SZ_64K);
	struct sg_table table = {};
	struct page *page;

	skip_if_preemptible(test);
	page = alloc_pages(GFP_KERNEL, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	make_table(test, &table, page);
	test->priv = &table;
	expect_others_run(test, zero_much);
	sg_free_table(&table);
	__free_pages(page, order);
}

static void free_much(struct kunit *test)
{
	const struct sg_table *table = test->priv;
	unsigned int i;

	for (i = 0; i < MANY_BLOCKS / table->orig_nents; i++)
		heap_free_table_pages(table, false);
}

/* One block with many references, so it is freed many times and stays. */
static void reschedules_while_freeing(struct kunit *test)
{
	const unsigned int order = get_order(SZ_64K);
	struct sg_table table = {};
	struct page *page;

	skip_if_preemptible(test);
	page = alloc_pages(GFP_KERNEL | __GFP_COMP, order);
	KUNIT_ASSERT_NOT_NULL(test, page);
	make_table(test, &table, page);
	page_ref_add(page, WAIT_TRIES * MANY_BLOCKS);
	test->priv = &table;
	expect_others_run(test, free_much);
	set_page_count(page, 1);
	sg_free_table(&table);
	__free_pages(page, order);
}

/* vmalloc() and vfree() let others run by themselves. */
static struct heap_run *alloc_array_by_kmalloc(unsigned int max, gfp_t gfp)
{
	return kmalloc_array(max, sizeof(struct heap_run), gfp);
}

/* Single pages in disorder, whose sorting is most of the work. */
static void lay_out_much(struct kunit *test)
{
	const unsigned long nr = min(HEAP_SEGMENT_PAGES, RUNS_OF_A_TABLE);
	unsigned long i, done;

	for (done = 0; done < MANY_RUNS; done += nr) {
		struct sg_table table = {};
		struct heap_runs runs;

		heap_runs_init(&runs);
		for (i = 0; i < nr; i++)
			add_chunk(test, &runs, base_pfn + 7919 * i % nr, 1);
		KUNIT_ASSERT_EQ(test, 0, heap_runs_to_table(&runs, &table));
		KUNIT_EXPECT_EQ(test, 1, table.orig_nents);
		heap_runs_destroy(&runs);
		sg_free_table(&table);
	}
}

static void reschedules_while_sorting(struct kunit *test)
{
	skip_if_preemptible(test);
	kunit_activate_static_stub(test, heap_runs_alloc_array, alloc_array_by_kmalloc);
	expect_others_run(test, lay_out_much);
}

static bool has_struct_pages(unsigned long pfn, unsigned long end)
{
	if (!IS_ENABLED(CONFIG_SPARSEMEM) || IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		return true;
	for (; pfn < end; pfn += HEAP_SEGMENT_PAGES)
		if (!pfn_valid(pfn))
			return false;
	return pfn_valid(end - 1);
}

static int heap_test_init(struct kunit *test)
{
	while (!has_struct_pages(base_pfn - PAGES_BEFORE, base_pfn + PAGES_AFTER)) {
		base_pfn += HEAP_SEGMENT_PAGES;
		if (base_pfn >= max_pfn)
			kunit_skip(test, "not enough memory in a row of sections");
	}
	return 0;
}

static struct kunit_case heap_test_cases[] = {
	KUNIT_CASE_PARAM(lays_out_chunks, layout_gen_params),
	KUNIT_CASE(lays_out_blocks),
	KUNIT_CASE(rejects_empty_set),
	KUNIT_CASE(uses_embedded_entry),
	KUNIT_CASE(cuts_entries_at_segments),
	KUNIT_CASE(lays_out_random_chunks),
	KUNIT_CASE(survives_failed_spare_arrays),
	KUNIT_CASE(asks_oom_notifiers_for_array),
	KUNIT_CASE(zeroes_table),
	KUNIT_CASE(stops_zeroing_on_sigkill),
	KUNIT_CASE(reschedules_while_zeroing),
	KUNIT_CASE(reschedules_while_freeing),
	KUNIT_CASE(reschedules_while_sorting),
	{}
};

static struct kunit_suite heap_test_suite = {
	.name = "dma_buf_system_heap",
	.init = heap_test_init,
	.test_cases = heap_test_cases,
};

kunit_test_suite(heap_test_suite);

MODULE_DESCRIPTION("KUnit tests of the system heap");
MODULE_LICENSE("GPL");
