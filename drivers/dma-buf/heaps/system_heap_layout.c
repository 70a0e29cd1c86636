// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA-BUF system heap: how the memory of a buffer is laid out
 *
 * Chunks arrive in any order, and are laid out for large mappings:
 *
 *   obtained   16..19  0..7  12..13  8..11  (page frames)
 *   sorted     0..7 8..11 12..13 16..19
 *   joined     0 ................ 13    16..19
 *   laid out   0..7 | 8..11 16..19 | 12..13      for blocks of 8, 4, 1 pages
 *
 * Chunks are sorted by address and joined to runs.  Each run is cut where
 * blocks of the sizes that page tables have leaves for begin and end, and the
 * pieces are laid out by block size, the largest first, and by address.  As the
 * block sizes are powers of two, every block comes to stand at a multiple of
 * its own size: a mapping whose start is aligned for the first can use leaves
 * for all of them.  Pieces that are neighbours after that share one entry of
 * the sg_table.
 *
 * All of this is arithmetic on page frame numbers.  No page is looked at.
 */

#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>
#include <kunit/static_stub.h>
#include <kunit/visibility.h>

#include "system_heap.h"

/*
 * An array that a buffer needs waits for memory as the pages of the buffer do.  One
 * that only saves time takes what is there.
 */
#define NEEDED_GFP	(HEAP_TABLE_GFP & ~__GFP_KSWAPD_RECLAIM)
#define SPARE_GFP	((GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN) & \
			 ~__GFP_KSWAPD_RECLAIM)

/* Up to this many runs, a comparison sort is faster. */
#define SORT_FEW	64
#define SORT_DIGIT_BITS	11

/* How many runs to look at before others may run. */
#define RUNS_AT_ONCE	4096

/*
 * Pages of the blocks that buffers are laid out by, descending: what the page
 * tables of CPUs and IOMMUs have leaves for, and single pages.
 */
#define MAX_LEVELS	4

static unsigned long block_pages[MAX_LEVELS] __ro_after_init;
static unsigned int nr_levels __ro_after_init;

static void __init system_heap_add_level(unsigned int order)
{
	const unsigned long nr_pages = 1UL << order;

	if (!nr_levels || nr_pages < block_pages[nr_levels - 1])
		block_pages[nr_levels++] = nr_pages;
}

void __init system_heap_init_levels(void)
{
	system_heap_add_level(HEAP_PMD_ORDER);
	if (CONT_PTE_ORDER)
		system_heap_add_level(CONT_PTE_ORDER);
	system_heap_add_level(get_order(SZ_64K));
	system_heap_add_level(0);
}

/*
 * A large array need not be contiguous, and no memory is compacted for it: @gfp lacks
 * __GFP_KSWAPD_RECLAIM, as vmalloc() may try large pages first, and wake kswapd for them.
 */
VISIBLE_IF_KUNIT struct heap_run *heap_runs_alloc_array(unsigned int max,
							gfp_t gfp)
{
	KUNIT_STATIC_STUB_REDIRECT(heap_runs_alloc_array, max, gfp);

	if (max <= PAGE_SIZE / sizeof(struct heap_run))
		return kmalloc_array(max, sizeof(struct heap_run), gfp);
	return __vmalloc_array(max, sizeof(struct heap_run), gfp);
}

/**
 * heap_runs_grow() - make room for more runs
 * @runs: what there is so far
 *
 * Return: 0 or -ENOMEM.
 */
int heap_runs_grow(struct heap_runs *runs)
{
	const unsigned int max = 4 * runs->max;
	struct heap_run *run;

	run = heap_runs_alloc_array(max, NEEDED_GFP);
	if (!run)
		return -ENOMEM;
	memcpy(run, runs->run, runs->nr * sizeof(*run));
	heap_runs_destroy(runs);
	runs->run = run;
	runs->max = max;
	return 0;
}

/* There may be as many runs as pages: others may run before all are looked at. */
static __always_inline void heap_resched(unsigned int i)
{
	if (!(i % RUNS_AT_ONCE))
		cond_resched();
}

/* For sort(), which is slow for many runs, and does not reschedule. */
static int heap_run_cmp(const void *a, const void *b)
{
	const struct heap_run *x = a, *y = b;

	cond_resched();
	return x->pfn < y->pfn ? -1 : x->pfn > y->pfn;
}

static unsigned int heap_run_digit(const struct heap_run *run,
				   unsigned int shift)
{
	return run->pfn >> shift & (BIT(SORT_DIGIT_BITS) - 1);
}

/*
 * Copy @nr runs, sorted by a digit of their address, else in the same order.
 * @place has an element for each value of a digit.
 */
static void heap_runs_sort_digit(struct heap_run *to,
				 const struct heap_run *from, unsigned int nr,
				 unsigned int shift, unsigned int *place)
{
	unsigned int i, count, sum = 0;

	memset(place, 0, sizeof(*place) << SORT_DIGIT_BITS);
	for (i = 0; i < nr; i++) {
		place[heap_run_digit(&from[i], shift)]++;
		heap_resched(i);
	}
	for (i = 0; i < 1 << SORT_DIGIT_BITS; i++) {
		count = place[i];
		place[i] = sum;
		sum += count;
	}
	for (i = 0; i < nr; i++) {
		to[place[heap_run_digit(&from[i], shift)]++] = from[i];
		heap_resched(i);
	}
}

/*
 * Sort many runs, by digits of their address from the lowest to the last that
 * differs.  Returns false if there is no memory for that.
 */
static bool heap_runs_sort_digits(struct heap_runs *runs)
{
	struct heap_run *other = heap_runs_alloc_array(runs->nr, SPARE_GFP);
	unsigned int *place = kmalloc_array(1 << SORT_DIGIT_BITS,
					    sizeof(*place), SPARE_GFP);
	unsigned long differ = 0;
	unsigned int i, shift;

	if (other && place) {
		for (i = 1; i < runs->nr; i++) {
			differ |= runs->run[i].pfn ^ runs->run[0].pfn;
			heap_resched(i);
		}
		for (shift = 0; shift < BITS_PER_LONG && differ >> shift;
		     shift += SORT_DIGIT_BITS) {
			heap_runs_sort_digit(other, runs->run, runs->nr, shift,
					     place);
			swap(other, runs->run);
		}
		runs->max = runs->nr;
	}
	kfree(place);
	kvfree(other);
	return other && place;
}

/* Sort runs by address: in fragmented memory there are as many as pages. */
static void heap_runs_sort(struct heap_runs *runs)
{
	/* So those that are swapped have both been allocated. */
	BUILD_BUG_ON(ARRAY_SIZE(runs->first) > SORT_FEW);

	if (runs->nr <= SORT_FEW || !heap_runs_sort_digits(runs))
		sort(runs->run, runs->nr, sizeof(*runs->run), heap_run_cmp,
		     NULL);
}

/* Join sorted runs that touch. */
static void heap_runs_join(struct heap_runs *runs)
{
	struct heap_run *last = runs->run;
	unsigned int i;

	for (i = 1; i < runs->nr; i++) {
		if (heap_goes_on(heap_run_end(last), runs->run[i].pfn))
			last->nr_pages += runs->run[i].nr_pages;
		else
			*++last = runs->run[i];
		heap_resched(i);
	}
	runs->nr = last + 1 - runs->run;
}

/**
 * struct heap_level - what is laid out in blocks of one size
 * @nr: number of pieces, each some blocks of one run
 * @entry: number of the entry for the first piece
 * @pfn: where the first piece starts
 * @end: where the last piece ends
 * @sg: entry for the next piece
 */
struct heap_level {
	unsigned int nr;
	unsigned int entry;
	unsigned long pfn;
	unsigned long end;
	struct scatterlist *sg;
};

typedef void (*heap_piece_t)(struct heap_level *level, unsigned long pfn,
			     unsigned long end);

static void heap_piece_count(struct heap_level *level, unsigned long pfn,
			     unsigned long end)
{
	if (!level->nr++)
		level->pfn = pfn;
	level->end = end;
}

/* An entry that has memory already is shared with the level above. */
static void heap_piece_fill(struct heap_level *level, unsigned long pfn,
			    unsigned long end)
{
	struct scatterlist *sg = level->sg;
	const unsigned int len = (end - pfn) << PAGE_SHIFT;

	if (sg->length)
		sg->length += len;
	else
		sg_set_page(sg, pfn_to_page(pfn), len, 0);
	level->sg = sg_next(sg);
}

/*
 * Cut a run: its blocks of the largest size, then what they leave of it at both
 * ends in blocks of the next size, down to pages.
 */
static __always_inline void heap_run_cut(const struct heap_run *run,
					 struct heap_level *levels,
					 heap_piece_t piece)
{
	unsigned long start, end, done_start = 0, done_end = 0;
	unsigned int i;

	for (i = 0; i < nr_levels; i++) {
		start = round_up(run->pfn, block_pages[i]);
		end = round_down(heap_run_end(run), block_pages[i]);
		if (start >= end)
			continue;
		if (!done_end) {
			done_start = start;
			done_end = start;
		}
		if (start < done_start)
			piece(&levels[i], start, done_start);
		if (done_end < end)
			piece(&levels[i], done_end, end);
		done_start = start;
		done_end = end;
	}
}

static __always_inline void heap_runs_cut(const struct heap_runs *runs,
					  struct heap_level *levels,
					  heap_piece_t piece)
{
	const unsigned int last = nr_levels - 1;
	const unsigned long nr_block = block_pages[last - 1];
	unsigned int i;

	for (i = 0; i < runs->nr; i++) {
		const struct heap_run *run = &runs->run[i];

		/* Where there are many runs, most have pages only */
		if (run->nr_pages < nr_block)
			piece(&levels[last], run->pfn, heap_run_end(run));
		else
			heap_run_cut(run, levels, piece);
		heap_resched(i);
	}
}

/*
 * Number the entries, level by level.  A piece that goes on where the level
 * above ends shares its entry.  Returns how many there are.
 */
static unsigned int heap_levels_number(struct heap_level *levels)
{
	unsigned int i, nents = 0;
	unsigned long end = 0;

	for (i = 0; i < nr_levels; i++) {
		struct heap_level *level = &levels[i];

		if (!level->nr)
			continue;
		level->entry = nents - heap_goes_on(end, level->pfn);
		nents = level->entry + level->nr;
		end = level->end;
	}
	return nents;
}

static void heap_levels_find_entries(struct heap_level *levels,
				     struct scatterlist *sg)
{
	unsigned int i, n = 0;

	for (i = 0; i < nr_levels; i++) {
		for (; n < levels[i].entry; n++) {
			sg = sg_next(sg);
			heap_resched(n);
		}
		levels[i].sg = sg;
	}
}

/* A table with room for one entry needs no more of that. */
static int heap_table_alloc(struct sg_table *table, unsigned int nents)
{
	if (!table->sgl || nents != 1)
		return sg_alloc_table(table, nents, HEAP_TABLE_GFP);
	sg_init_table(table->sgl, 1);
	table->nents = 1;
	table->orig_nents = 1;
	return 0;
}

static noinline_for_stack int heap_runs_lay_out(struct heap_runs *runs,
						struct sg_table *table)
{
	struct heap_level levels[MAX_LEVELS] = {};
	int ret;

	heap_runs_sort(runs);
	heap_runs_join(runs);
	heap_runs_cut(runs, levels, heap_piece_count);
	ret = heap_table_alloc(table, heap_levels_number(levels));
	if (ret)
		return ret;
	heap_levels_find_entries(levels, table->sgl);
	heap_runs_cut(runs, levels, heap_piece_fill);
	return 0;
}

/* A chunk, or what could have been one, has all of its blocks in order. */
static bool heap_run_is_block(const struct heap_run *run)
{
	return !(run->pfn & (run->nr_pages - 1)) && is_power_of_2(run->nr_pages);
}

/**
 * heap_runs_to_table() - lay out the memory of a buffer
 * @runs: its memory, in any order; sorted and joined on return
 * @table: becomes the table of the buffer; if its @sgl is set, there is room for one
 *	entry, which is used if that is enough
 *
 * Looks at no page, only at page frame numbers.
 *
 * Return: 0; or -EINVAL if there is no memory, -ENOMEM, and there is no table.
 */
int heap_runs_to_table(struct heap_runs *runs, struct sg_table *table)
{
	const struct heap_run *run = runs->run;
	int ret;

	if (!runs->nr)
		return -EINVAL;
	if (runs->nr > 1 || !heap_run_is_block(run))
		return heap_runs_lay_out(runs, table);

	ret = heap_table_alloc(table, 1);
	if (!ret)
		sg_set_page(table->sgl, pfn_to_page(run->pfn),
			    run->nr_pages << PAGE_SHIFT, 0);
	return ret;
}
