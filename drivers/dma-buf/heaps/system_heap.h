/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the system heap and its KUnit tests share: the layout of buffers,
 * apart from where their memory comes from.
 */
#ifndef _DMABUF_SYSTEM_HEAP_H
#define _DMABUF_SYSTEM_HEAP_H

#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mmzone.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

/*
 * No entry of an sg_table crosses a multiple of this.  Users keep lengths in an
 * int, devices do not like to cross 4 GiB, and without a virtual memory map the
 * struct pages of two sections are apart.  A chunk never does.
 */
#if defined(CONFIG_SPARSEMEM) && !defined(CONFIG_SPARSEMEM_VMEMMAP)
#define HEAP_SEGMENT_PAGES	PAGES_PER_SECTION
#else
#define HEAP_SEGMENT_PAGES	((unsigned long)SZ_1G >> PAGE_SHIFT)
#endif

/* Order of a leaf of the level above PTEs, and without an MMU of the usual one. */
#ifdef CONFIG_MMU
#define HEAP_PMD_ORDER	PMD_ORDER
#else
#define HEAP_PMD_ORDER	(const_ilog2(SZ_2M) - PAGE_SHIFT)
#endif

/* Order of a block of contiguous PTEs, 0 where there are none. */
#ifdef CONT_PTE_SHIFT
#define CONT_PTE_ORDER	(CONT_PTE_SHIFT - PAGE_SHIFT)
#else
#define CONT_PTE_ORDER	0
#endif

/* For what a buffer needs beside its pages; see system_heap.c for the flags. */
#define HEAP_TABLE_GFP	(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/**
 * struct heap_run - physically contiguous memory, one chunk or several
 * @pfn: the first page frame
 * @nr_pages: number of pages
 */
struct heap_run {
	unsigned long pfn;
	unsigned long nr_pages;
};

/**
 * struct heap_runs - what has been allocated for a buffer
 * @run: the runs, in the order in which they were obtained
 * @nr: number of runs
 * @max: number of runs that there is room for
 * @first: room for the first ones, enough for small buffers and fresh memory
 */
struct heap_runs {
	struct heap_run *run;
	unsigned int nr;
	unsigned int max;
	struct heap_run first[8];
};

static inline void heap_runs_init(struct heap_runs *runs)
{
	runs->run = runs->first;
	runs->nr = 0;
	runs->max = ARRAY_SIZE(runs->first);
}

static inline void heap_runs_destroy(struct heap_runs *runs)
{
	if (runs->run != runs->first)
		kvfree(runs->run);
}

/* Whether there is no room for another run: heap_runs_grow() makes some. */
static inline bool heap_runs_full(const struct heap_runs *runs)
{
	return runs->nr == runs->max;
}

static inline unsigned long heap_run_end(const struct heap_run *run)
{
	return run->pfn + run->nr_pages;
}

/* Whether memory from @pfn on goes on where other ends; not in a new segment. */
static inline bool heap_goes_on(unsigned long end, unsigned long pfn)
{
	return pfn == end && pfn % HEAP_SEGMENT_PAGES;
}

/**
 * heap_runs_add() - remember a new chunk, joined with the last if they touch
 * @runs: what there is so far, not full
 * @pfn: page frame number of the chunk, a multiple of @nr_pages
 * @nr_pages: pages of the chunk, a power of two
 */
static inline void heap_runs_add(struct heap_runs *runs, unsigned long pfn,
				 unsigned long nr_pages)
{
	struct heap_run *last = runs->run + runs->nr - 1;

	if (runs->nr && heap_goes_on(heap_run_end(last), pfn)) {
		last->nr_pages += nr_pages;
	} else if (runs->nr && heap_goes_on(pfn + nr_pages, last->pfn)) {
		last->pfn = pfn;
		last->nr_pages += nr_pages;
	} else {
		runs->run[runs->nr++] = (struct heap_run){ pfn, nr_pages };
	}
}

void system_heap_init_levels(void);
int heap_runs_grow(struct heap_runs *runs);
int heap_runs_to_table(struct heap_runs *runs, struct sg_table *table);

#if IS_ENABLED(CONFIG_KUNIT)
struct heap_run *heap_runs_alloc_array(unsigned int max, gfp_t gfp);
int heap_runs_make_room(struct heap_runs *runs);
bool heap_is_killed(void);
int heap_zero_table(const struct sg_table *table);
void heap_free_table_pages(const struct sg_table *table, bool cc_shared);
#endif

#endif /* _DMABUF_SYSTEM_HEAP_H */
