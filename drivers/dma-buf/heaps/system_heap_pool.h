/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pool of the DMA-BUF system heap: what the heap and the KUnit tests use of it.
 */
#ifndef _DMABUF_SYSTEM_HEAP_POOL_H
#define _DMABUF_SYSTEM_HEAP_POOL_H

#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/sizes.h>

/* Only blocks of 64 KiB and more are kept, and no single pages. */
#define POOL_MIN_ORDER	max(get_order(SZ_64K), 1)

/* In the private data of the first page of a block that was taken from the pool. */
#define POOL_ZERO	1

struct page *heap_pool_alloc_block(gfp_t gfp, unsigned int order);
bool heap_pool_keep(struct page *page, unsigned int order);
void system_heap_pool_init(void);

/**
 * system_heap_pool_alloc() - get a block for a buffer
 * @gfp: for the page allocator, with %__GFP_COMP
 * @order: its order
 *
 * Takes a block of the pool if there is one of this order, clean or dirty, else
 * one of the page allocator.  The pool is not used for memory that is charged, nor for a
 * task that has a memory policy.
 *
 * Context: Process context.  May sleep, whatever @gfp says.
 * Return: the first page of a block, or NULL.  One of the pool is always zero.
 */
static inline struct page *system_heap_pool_alloc(gfp_t gfp, unsigned int order)
{
	return order < POOL_MIN_ORDER ? alloc_pages(gfp, order) :
					heap_pool_alloc_block(gfp, order);
}

/**
 * system_heap_pool_is_zero() - whether a block of a new buffer needs no zeroing
 * @page: any page of the buffer
 *
 * Return: true if @page is the first one of a block that came from the pool.
 */
static inline bool system_heap_pool_is_zero(const struct page *page)
{
	/* What tail pages have there is something else. */
	return PageHead(page) && page_private(page) == POOL_ZERO;
}

/**
 * system_heap_pool_free() - give back a block of a buffer
 * @page: its first page, as it came from system_heap_pool_alloc()
 * @order: its order
 * @keep: whether the pool may have it, else it goes to the page allocator
 *
 * Takes as long for a large block as for a small one.
 *
 * Context: Process context.
 */
static inline void system_heap_pool_free(struct page *page, unsigned int order,
					 bool keep)
{
	if (order >= POOL_MIN_ORDER) {
		/* Not all page allocators do that for a page that is freed. */
		set_page_private(page, 0);
		if (keep && heap_pool_keep(page, order))
			return;
	}
	__free_pages(page, order);
}

#if IS_ENABLED(CONFIG_KUNIT)
/**
 * struct pool_counts - pages in the pool
 * @dirty: not zeroed yet, or being zeroed
 * @clean: zeroed
 */
struct pool_counts {
	unsigned long dirty;
	unsigned long clean;
};

struct pool_counts heap_pool_count_pages(void);
unsigned long heap_pool_set_max(unsigned long nr_pages);
unsigned long heap_pool_shrink(int nid, unsigned long nr_pages);
void heap_pool_note_shortage(int nid, unsigned long seconds);
bool heap_pool_give_larger(int nid, unsigned int order);
void heap_pool_queue_work(void);
void heap_pool_zero_all(void);
void heap_pool_drop_old(unsigned long now);
#endif

#endif /* _DMABUF_SYSTEM_HEAP_POOL_H */
