// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA-BUF system heap: buffers from the page allocator
 *
 * A buffer is allocated in chunks, the largest that the page allocator has at
 * that moment, and laid out for those who map it, whatever the order in which
 * the chunks were obtained:
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
 * Every chunk is a compound page or a single page, so a table whose entries
 * hold many chunks still tells, page by page, what is to be freed.
 */

#include <linux/cc_platform.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/log2.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pgalloc.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/swap.h>
#include <linux/vmalloc.h>
#include <kunit/visibility.h>

#include "system_heap.h"

/**
 * struct system_heap_priv - what differs between the heaps
 * @cc_shared: memory is shared with the host of a confidential guest
 */
struct system_heap_priv {
	bool cc_shared;
};

/**
 * struct system_heap_buffer - a buffer, private data of its dma-buf
 * @attachments: devices that are attached, under @lock
 * @lock: protects @attachments and which are mapped, @vmap_cnt and @vaddr
 * @len: size in bytes, a multiple of PAGE_SIZE
 * @sg_table: the memory, in the order in which everyone sees it
 * @vmap_cnt: users of the kernel mapping
 * @vaddr: the kernel mapping, while @vmap_cnt is not 0
 * @leaves: what leaves in user space map, NULL before the first fault
 * @cc_shared: see struct system_heap_priv
 */
struct system_heap_buffer {
	struct list_head attachments;
	struct mutex lock;	/* see above */
	unsigned long len;
	struct sg_table sg_table;
	int vmap_cnt;
	void *vaddr;
	struct heap_leaves *leaves;
	bool cc_shared;
};

struct dma_heap_attachment {
	struct device *dev;
	struct sg_table table;
	struct list_head list;
	bool mapped;		/* under the lock of the buffer */
	bool cc_shared;
};

#define cc_shared_buffer(b) (IS_ENABLED(CONFIG_DMABUF_HEAPS_SYSTEM_CC_SHARED) && \
			     (b)->cc_shared)

/*
 * Reclaim for single pages, but not for larger chunks.  Never invoke the OOM
 * killer: buffers belong to no process, so killing one frees nothing.
 */
#define WAIT_GFP	(__GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define TABLE_GFP	(GFP_KERNEL | WAIT_GFP)
#define ARRAY_GFP	((GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN) & \
			 ~__GFP_KSWAPD_RECLAIM)
#define LOW_ORDER_GFP	(GFP_HIGHUSER | __GFP_ZERO | WAIT_GFP)
#define HIGH_ORDER_GFP	(((GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | \
			   __GFP_NORETRY) & ~__GFP_RECLAIM) | __GFP_COMP)

/* Up to so many runs a comparison sort is the faster one. */
#define SORT_FEW	64
#define SORT_DIGIT_BITS	11

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

static void __init system_heap_init_levels(void)
{
	system_heap_add_level(HEAP_PMD_ORDER);
	if (CONT_PTE_ORDER)
		system_heap_add_level(CONT_PTE_ORDER);
	system_heap_add_level(get_order(SZ_64K));
	system_heap_add_level(0);
}

static unsigned long run_end(const struct heap_run *run)
{
	return run->pfn + run->nr_pages;
}

/* Whether memory from @pfn on goes on where other ends; not in a new segment. */
static bool heap_goes_on(unsigned long end, unsigned long pfn)
{
	return pfn == end && pfn % HEAP_SEGMENT_PAGES;
}

/*
 * Need not be contiguous if it is large: no memory is compacted for it, and
 * nobody is woken to do so, as vmalloc() would that tries large pages first.
 */
static struct heap_run *heap_runs_alloc_array(unsigned int max)
{
	if (max <= PAGE_SIZE / sizeof(struct heap_run))
		return kmalloc_array(max, sizeof(struct heap_run), ARRAY_GFP);
	return __vmalloc_array(max, sizeof(struct heap_run), ARRAY_GFP);
}

static int heap_runs_grow(struct heap_runs *runs)
{
	const unsigned int max = 4 * runs->max;
	struct heap_run *run;

	run = heap_runs_alloc_array(max);
	if (!run)
		return -ENOMEM;
	memcpy(run, runs->run, runs->nr * sizeof(*run));
	heap_runs_destroy(runs);
	runs->run = run;
	runs->max = max;
	return 0;
}

/**
 * heap_runs_add() - remember a new chunk, joined with the last if they touch
 * @runs: what there is so far
 * @pfn: page frame number of the chunk, a multiple of @nr_pages
 * @nr_pages: pages of the chunk, a power of two
 *
 * Return: 0 or -ENOMEM.
 */
VISIBLE_IF_KUNIT int heap_runs_add(struct heap_runs *runs, unsigned long pfn,
				   unsigned long nr_pages)
{
	struct heap_run *last = runs->run + runs->nr - 1;

	if (runs->nr && heap_goes_on(run_end(last), pfn)) {
		last->nr_pages += nr_pages;
		return 0;
	}
	if (runs->nr && heap_goes_on(pfn + nr_pages, last->pfn)) {
		last->pfn = pfn;
		last->nr_pages += nr_pages;
		return 0;
	}
	if (runs->nr == runs->max && heap_runs_grow(runs))
		return -ENOMEM;
	runs->run[runs->nr++] = (struct heap_run){ pfn, nr_pages };
	return 0;
}

static int heap_run_cmp(const void *a, const void *b)
{
	const struct heap_run *x = a, *y = b;

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
	for (i = 0; i < nr; i++)
		place[heap_run_digit(&from[i], shift)]++;
	for (i = 0; i < 1 << SORT_DIGIT_BITS; i++) {
		count = place[i];
		place[i] = sum;
		sum += count;
	}
	for (i = 0; i < nr; i++)
		to[place[heap_run_digit(&from[i], shift)]++] = from[i];
}

/*
 * Sort many runs, by digits of their address from the lowest to the last that
 * differs.  Returns false if there is no memory for that.
 */
static bool heap_runs_sort_digits(struct heap_runs *runs)
{
	struct heap_run *other = heap_runs_alloc_array(runs->max);
	unsigned int *place = kmalloc_array(1 << SORT_DIGIT_BITS,
					    sizeof(*place), ARRAY_GFP);
	unsigned long differ = 0;
	unsigned int i, shift;

	if (other && place) {
		for (i = 1; i < runs->nr; i++)
			differ |= runs->run[i].pfn ^ runs->run[0].pfn;
		for (shift = 0; shift < BITS_PER_LONG && differ >> shift;
		     shift += SORT_DIGIT_BITS) {
			heap_runs_sort_digit(other, runs->run, runs->nr, shift,
					     place);
			swap(other, runs->run);
		}
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
	struct heap_run *last = runs->run, *run;

	for (run = last + 1; run < runs->run + runs->nr; run++) {
		if (heap_goes_on(run_end(last), run->pfn))
			last->nr_pages += run->nr_pages;
		else
			*++last = *run;
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
		end = round_down(run_end(run), block_pages[i]);
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
	const struct heap_run *run, *const end = runs->run + runs->nr;
	const unsigned int last = nr_levels - 1;
	const unsigned long nr_block = block_pages[last - 1];

	for (run = runs->run; run < end; run++) {
		/* Where there are many runs, most have pages only */
		if (run->nr_pages < nr_block)
			piece(&levels[last], run->pfn, run_end(run));
		else
			heap_run_cut(run, levels, piece);
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
		for (; n < levels[i].entry; n++)
			sg = sg_next(sg);
		levels[i].sg = sg;
	}
}

/**
 * heap_runs_to_table() - lay out the memory of a buffer
 * @runs: its memory, in any order; sorted and joined on return
 * @table: becomes the table of the buffer
 *
 * Looks at no page, only at page frame numbers.
 *
 * Return: 0; or -EINVAL if there is no memory, -ENOMEM, and there is no table.
 */
VISIBLE_IF_KUNIT int heap_runs_to_table(struct heap_runs *runs,
					struct sg_table *table)
{
	struct heap_level levels[MAX_LEVELS] = {};
	int ret;

	if (!runs->nr)
		return -EINVAL;

	heap_runs_sort(runs);
	heap_runs_join(runs);
	heap_runs_cut(runs, levels, heap_piece_count);
	ret = sg_alloc_table(table, heap_levels_number(levels), TABLE_GFP);
	if (ret)
		return ret;
	heap_levels_find_entries(levels, table->sgl);
	heap_runs_cut(runs, levels, heap_piece_fill);
	return 0;
}

static int system_heap_set_page_decrypted(struct page *page)
{
	int ret;

	ret = set_memory_decrypted((unsigned long)page_address(page),
				   1 << compound_order(page));
	if (ret)
		pr_warn_ratelimited("dma-buf system heap: failed to decrypt page at %p\n",
				    page_address(page));
	return ret;
}

static int system_heap_set_page_encrypted(struct page *page)
{
	int ret;

	ret = set_memory_encrypted((unsigned long)page_address(page),
				   1 << compound_order(page));
	if (ret)
		pr_warn_ratelimited("dma-buf system heap: failed to re-encrypt page at %p, leaking memory\n",
				    page_address(page));
	return ret;
}

static int heap_decrypt_pages(struct page *page, unsigned long nr_pages)
{
	struct page *const end = page + nr_pages;
	int ret = 0;

	for (; !ret && page < end; page += 1UL << compound_order(page))
		ret = system_heap_set_page_decrypted(page);
	return ret;
}

/* Give each chunk back as it was taken; often there is one in each entry. */
static inline void heap_free_pages(struct page *page, unsigned long nr_pages,
				   bool cc_shared)
{
	struct page *const end = page + nr_pages;
	unsigned int order;

	for (; page < end; page += 1UL << order) {
		order = compound_order(page);
		/*
		 * Pages that cannot be encrypted again are leaked on purpose:
		 * nobody may get memory that the host still sees.
		 */
		if (IS_ENABLED(CONFIG_DMABUF_HEAPS_SYSTEM_CC_SHARED) &&
		    cc_shared && system_heap_set_page_encrypted(page))
			continue;
		__free_pages(page, order);
	}
}

static void system_heap_free_table(struct sg_table *table, bool cc_shared)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(table, sg, i)
		heap_free_pages(sg_page(sg), sg->length >> PAGE_SHIFT,
				cc_shared);
	sg_free_table(table);
}

static void heap_runs_free_pages(struct heap_runs *runs)
{
	const struct heap_run *run;

	for (run = runs->run; run < runs->run + runs->nr; run++)
		heap_free_pages(pfn_to_page(run->pfn), run->nr_pages, false);
}

/* A chunk of one page or more.  Returns its pages. */
static int heap_runs_alloc_chunk(struct heap_runs *runs, unsigned int order)
{
	const gfp_t gfp = order ? HIGH_ORDER_GFP : LOW_ORDER_GFP;
	struct page *page;

	page = alloc_pages(gfp | (mem_accounting ? __GFP_ACCOUNT : 0), order);
	if (!page)
		return order ? -EAGAIN : -ENOMEM;
	if (heap_runs_add(runs, page_to_pfn(page), 1UL << order)) {
		__free_pages(page, order);
		return -ENOMEM;
	}
	return 1 << order;
}

/* Some single pages, at most @nr of them.  Returns how many. */
static int heap_runs_alloc_pages(struct heap_runs *runs, unsigned long nr)
{
	const gfp_t gfp = LOW_ORDER_GFP | (mem_accounting ? __GFP_ACCOUNT : 0);
	struct page *pages[32] = {};
	unsigned int i, got;
	int err = 0;

	got = alloc_pages_bulk(gfp, min_t(unsigned long, nr, ARRAY_SIZE(pages)),
			       pages);
	for (i = 0; i < got && !err; i++)
		err = heap_runs_add(runs, page_to_pfn(pages[i]), 1);
	if (err) {
		for (i--; i < got; i++)
			__free_page(pages[i]);
		return err;
	}
	return got ?: -ENOMEM;
}

/*
 * Allocate @nr_pages pages in the largest chunks there are.  An order that
 * could not be had is left alone while as much as a chunk of the top order is
 * put together from smaller ones; then it is tried again.
 *
 * Returns 0, or an error with what was allocated until then in @runs.
 */
static int heap_runs_alloc(struct heap_runs *runs, unsigned long nr_pages)
{
	unsigned int order = MAX_PAGE_ORDER;
	unsigned long retry_at = 0;
	int got;

	while (nr_pages) {
		if (fatal_signal_pending(current))
			return -EINTR;

		if (nr_pages <= retry_at) {
			retry_at = 0;
			order = MAX_PAGE_ORDER;
		}
		order = min_t(unsigned int, order, ilog2(nr_pages));

		if (order || nr_pages == 1)
			got = heap_runs_alloc_chunk(runs, order);
		else
			got = heap_runs_alloc_pages(runs, nr_pages - retry_at);

		if (got == -EAGAIN) {
			if (!retry_at && nr_pages > MAX_ORDER_NR_PAGES)
				retry_at = nr_pages - MAX_ORDER_NR_PAGES;
			order--;
			continue;
		}
		if (got < 0)
			return got;
		nr_pages -= got;
	}
	return 0;
}

/* What is free in the regions of CMA is for moveable pages only. */
static long heap_free_cma_pages(void)
{
	return global_zone_page_state(NR_FREE_CMA_PAGES);
}

/*
 * Pages that can be had: free ones above the reserves of the kernel, and what may
 * be reclaimed.  An estimate that leaves out the per-CPU lists of the page
 * allocator, which may hold an eighth of the memory.
 */
static long heap_available_pages(void)
{
	const long anon = global_node_page_state(NR_ACTIVE_ANON) +
			  global_node_page_state(NR_INACTIVE_ANON);

	return si_mem_available() + min(get_nr_swap_pages(), anon) -
	       heap_free_cma_pages();
}

/* Whether to try at all. */
static bool heap_may_have(unsigned long nr_pages)
{
	const long total = totalram_pages();

	if (nr_pages <= MAX_ORDER_NR_PAGES)
		return true;
	return nr_pages <= total &&
	       (long)nr_pages <= heap_available_pages() + total / 8;
}

/*
 * Whether a buffer may be kept.  One that took the last page would have the OOM
 * killer called by the next small allocation, be it that of its own file.  Some
 * has to be left above the reserves, which are boosted for a while where memory
 * gets fragmented.
 */
static bool heap_leaves_enough(void)
{
	const long total = totalram_pages();
	const long free = global_zone_page_state(NR_FREE_PAGES) -
			  heap_free_cma_pages();

	return free > total / 8 || heap_available_pages() > total / 64;
}

/* Allocate the memory of a buffer, and the table that says where it is. */
static int system_heap_alloc_table(struct sg_table *table, unsigned long len)
{
	struct heap_runs runs;
	int ret;

	if (!heap_may_have(len >> PAGE_SHIFT))
		return -ENOMEM;

	heap_runs_init(&runs);
	ret = heap_runs_alloc(&runs, len >> PAGE_SHIFT);
	if (!ret && !heap_leaves_enough())
		ret = -ENOMEM;
	if (!ret)
		ret = heap_runs_to_table(&runs, table);	/* owns the pages now */
	if (ret)
		heap_runs_free_pages(&runs);
	heap_runs_destroy(&runs);
	return ret;
}

static int dup_sg_table(struct sg_table *from, struct sg_table *to)
{
	struct scatterlist *sg, *new_sg;
	int ret, i;

	ret = sg_alloc_table(to, from->orig_nents, GFP_KERNEL);
	if (ret)
		return ret;

	new_sg = to->sgl;
	for_each_sgtable_sg(from, sg, i) {
		sg_set_page(new_sg, sg_page(sg), sg->length, sg->offset);
		new_sg = sg_next(new_sg);
	}
	return 0;
}

static int system_heap_attach(struct dma_buf *dmabuf,
			      struct dma_buf_attachment *attachment)
{
	struct system_heap_buffer *buffer = dmabuf->priv;
	struct dma_heap_attachment *a;
	int ret;

	a = kzalloc_obj(*a);
	if (!a)
		return -ENOMEM;

	ret = dup_sg_table(&buffer->sg_table, &a->table);
	if (ret) {
		kfree(a);
		return ret;
	}

	a->dev = attachment->dev;
	a->cc_shared = buffer->cc_shared;
	attachment->priv = a;

	mutex_lock(&buffer->lock);
	list_add(&a->list, &buffer->attachments);
	mutex_unlock(&buffer->lock);

	return 0;
}

static void system_heap_detach(struct dma_buf *dmabuf,
			       struct dma_buf_attachment *attachment)
{
	struct system_heap_buffer *buffer = dmabuf->priv;
	struct dma_heap_attachment *a = attachment->priv;

	mutex_lock(&buffer->lock);
	list_del(&a->list);
	mutex_unlock(&buffer->lock);

	sg_free_table(&a->table);
	kfree(a);
}

static struct sg_table *
system_heap_map_dma_buf(struct dma_buf_attachment *attachment,
			enum dma_data_direction direction)
{
	struct system_heap_buffer *buffer = attachment->dmabuf->priv;
	struct dma_heap_attachment *a = attachment->priv;
	struct sg_table *table = &a->table;
	int ret;

	ret = dma_map_sgtable(attachment->dev, table, direction,
			      cc_shared_buffer(a) ? DMA_ATTR_CC_SHARED : 0);
	if (ret)
		return ERR_PTR(ret);

	mutex_lock(&buffer->lock);
	a->mapped = true;
	mutex_unlock(&buffer->lock);
	return table;
}

static void system_heap_unmap_dma_buf(struct dma_buf_attachment *attachment,
				      struct sg_table *table,
				      enum dma_data_direction direction)
{
	struct system_heap_buffer *buffer = attachment->dmabuf->priv;
	struct dma_heap_attachment *a = attachment->priv;

	mutex_lock(&buffer->lock);
	a->mapped = false;
	mutex_unlock(&buffer->lock);
	dma_unmap_sgtable(attachment->dev, table, direction, 0);
}

static int system_heap_begin_cpu_access(struct dma_buf *dmabuf,
					enum dma_data_direction direction)
{
	struct system_heap_buffer *buffer = dmabuf->priv;
	struct dma_heap_attachment *a;

	mutex_lock(&buffer->lock);

	if (buffer->vmap_cnt)
		invalidate_kernel_vmap_range(buffer->vaddr, buffer->len);

	list_for_each_entry(a, &buffer->attachments, list)
		if (a->mapped)
			dma_sync_sgtable_for_cpu(a->dev, &a->table, direction);

	mutex_unlock(&buffer->lock);

	return 0;
}

static int system_heap_end_cpu_access(struct dma_buf *dmabuf,
				      enum dma_data_direction direction)
{
	struct system_heap_buffer *buffer = dmabuf->priv;
	struct dma_heap_attachment *a;

	mutex_lock(&buffer->lock);

	if (buffer->vmap_cnt)
		flush_kernel_vmap_range(buffer->vaddr, buffer->len);

	list_for_each_entry(a, &buffer->attachments, list)
		if (a->mapped)
			dma_sync_sgtable_for_device(a->dev, &a->table,
						    direction);

	mutex_unlock(&buffer->lock);

	return 0;
}

static pgprot_t system_heap_pgprot(const struct system_heap_buffer *buffer,
				   pgprot_t prot)
{
	return cc_shared_buffer(buffer) ? pgprot_decrypted(prot) : prot;
}

/**
 * struct heap_leaves - what PMD leaves in user space map, to bring back one of them
 * @nr: number of blocks of PMD_SIZE in the buffer
 * @pfn: first page frame of each, NO_LEAF where there can be none
 */
struct heap_leaves {
	unsigned long nr;
	unsigned long pfn[] __counted_by(nr);
};

#define HEAP_PMD_PAGES	BIT(HEAP_PMD_ORDER)
#define NO_LEAF		(~0UL)

static struct heap_leaves *heap_leaves_alloc(const struct sg_table *table,
					     unsigned long len)
{
	const unsigned long nr = len >> PAGE_SHIFT >> HEAP_PMD_ORDER;
	unsigned long pgoff = 0, block, pfn, end;
	struct heap_leaves *leaves;
	struct scatterlist *sg;
	int i;

	leaves = kvmalloc(struct_size(leaves, pfn, nr), GFP_KERNEL);
	if (!leaves)
		return NULL;
	leaves->nr = nr;
	memset(leaves->pfn, 0xff, nr * sizeof(*leaves->pfn));

	for_each_sgtable_sg(table, sg, i) {
		end = pgoff + (sg->length >> PAGE_SHIFT);
		block = DIV_ROUND_UP(pgoff, HEAP_PMD_PAGES);
		pfn = page_to_pfn(sg_page(sg)) + block * HEAP_PMD_PAGES - pgoff;
		for (; (block + 1) * HEAP_PMD_PAGES <= end; block++) {
			if (!(pfn % HEAP_PMD_PAGES))
				leaves->pfn[block] = pfn;
			pfn += HEAP_PMD_PAGES;
		}
		pgoff = end;
	}
	return leaves;
}

/* Once for each buffer, by the first fault. */
static const struct heap_leaves *
system_heap_leaves(struct system_heap_buffer *buffer)
{
	struct heap_leaves *leaves = READ_ONCE(buffer->leaves), *first;

	if (leaves)
		return leaves;
	leaves = heap_leaves_alloc(&buffer->sg_table, buffer->len);
	if (!leaves)
		return NULL;
	first = cmpxchg(&buffer->leaves, NULL, leaves);
	if (!first)
		return leaves;
	kvfree(leaves);
	return first;
}

/*
 * A leaf that has been split.  Importers may put data of theirs into the VMA, but it
 * keeps the file of the dma-buf.
 */
static vm_fault_t system_heap_huge_fault(struct vm_fault *vmf,
					 unsigned int order)
{
	const struct dma_buf *dmabuf = vmf->vma->vm_file->private_data;
	struct system_heap_buffer *buffer = dmabuf->priv;
	const struct heap_leaves *leaves = system_heap_leaves(buffer);
	const unsigned long block = vmf->pgoff >> HEAP_PMD_ORDER;

	if (!leaves)
		return VM_FAULT_OOM;
	if (block >= leaves->nr || leaves->pfn[block] == NO_LEAF)
		return VM_FAULT_SIGBUS;
	return vmf_map_leaf(vmf, leaves->pfn[block], order,
			    system_heap_pgprot(buffer, vmf->vma->vm_page_prot));
}

static vm_fault_t system_heap_fault(struct vm_fault *vmf)
{
	return system_heap_huge_fault(vmf, 0);
}

static const struct vm_operations_struct system_heap_vm_ops = {
	.fault = system_heap_fault,
	.huge_fault = system_heap_huge_fault,
};

/*
 * Whether a mapping may have leaves.  An importer that counts its mappings keeps its
 * operations, which know of no leaf.  A private mapping is made by remap_pfn_range().
 */
static bool system_heap_may_fault(const struct vm_area_struct *vma)
{
	return IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) &&
	       vma_pages(vma) >= HEAP_PMD_PAGES && !vma_is_cow_mapping(vma) &&
	       !(vma->vm_ops && vma->vm_ops->close);
}

static int system_heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct system_heap_buffer *buffer = dmabuf->priv;

	if (system_heap_may_fault(vma))
		vma->vm_ops = &system_heap_vm_ops;
	return vma_map_sg(vma, &buffer->sg_table, vma->vm_pgoff,
			  system_heap_pgprot(buffer, vma->vm_page_prot));
}

static int system_heap_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct system_heap_buffer *buffer = dmabuf->priv;
	int ret = 0;

	mutex_lock(&buffer->lock);
	if (!buffer->vmap_cnt) {
		void *vaddr = vmap_sg(&buffer->sg_table,
				      system_heap_pgprot(buffer, PAGE_KERNEL));

		if (IS_ERR(vaddr)) {
			ret = PTR_ERR(vaddr);
			goto out;
		}
		buffer->vaddr = vaddr;
	}
	buffer->vmap_cnt++;
	iosys_map_set_vaddr(map, buffer->vaddr);
out:
	mutex_unlock(&buffer->lock);

	return ret;
}

static void system_heap_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct system_heap_buffer *buffer = dmabuf->priv;

	mutex_lock(&buffer->lock);
	if (!--buffer->vmap_cnt) {
		vunmap(buffer->vaddr);
		buffer->vaddr = NULL;
	}
	mutex_unlock(&buffer->lock);
	iosys_map_clear(map);
}

static void system_heap_release(struct dma_buf *dmabuf)
{
	struct system_heap_buffer *buffer = dmabuf->priv;

	system_heap_free_table(&buffer->sg_table, buffer->cc_shared);
	kvfree(buffer->leaves);
	kfree(buffer);
}

static const struct dma_buf_ops system_heap_buf_ops = {
	.attach = system_heap_attach,
	.detach = system_heap_detach,
	.map_dma_buf = system_heap_map_dma_buf,
	.unmap_dma_buf = system_heap_unmap_dma_buf,
	.begin_cpu_access = system_heap_begin_cpu_access,
	.end_cpu_access = system_heap_end_cpu_access,
	.mmap = system_heap_mmap,
	.vmap = system_heap_vmap,
	.vunmap = system_heap_vunmap,
	.release = system_heap_release,
};

static int system_heap_decrypt(struct sg_table *table)
{
	struct scatterlist *sg;
	int ret, i;

	for_each_sgtable_sg(table, sg, i) {
		ret = heap_decrypt_pages(sg_page(sg), sg->length >> PAGE_SHIFT);
		if (ret)
			return ret;
	}
	return 0;
}

static struct dma_buf *system_heap_allocate(struct dma_heap *heap,
					    unsigned long len,
					    u32 fd_flags,
					    u64 heap_flags)
{
	const struct system_heap_priv *priv = dma_heap_get_drvdata(heap);
	DEFINE_DMA_BUF_EXPORT_INFO(exp_info);
	struct system_heap_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	buffer = kzalloc_obj(*buffer);
	if (!buffer)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&buffer->attachments);
	mutex_init(&buffer->lock);
	buffer->len = len;
	buffer->cc_shared = priv->cc_shared;

	ret = system_heap_alloc_table(&buffer->sg_table, len);
	if (ret)
		goto free_buffer;

	if (cc_shared_buffer(buffer)) {
		ret = system_heap_decrypt(&buffer->sg_table);
		if (ret)
			goto free_table;
	}

	exp_info.exp_name = dma_heap_get_name(heap);
	exp_info.ops = &system_heap_buf_ops;
	exp_info.size = buffer->len;
	exp_info.flags = fd_flags;
	exp_info.priv = buffer;
	dmabuf = dma_buf_export(&exp_info);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto free_table;
	}
	return dmabuf;

free_table:
	system_heap_free_table(&buffer->sg_table, buffer->cc_shared);
free_buffer:
	kfree(buffer);
	return ERR_PTR(ret);
}

static const struct dma_heap_ops system_heap_ops = {
	.allocate = system_heap_allocate,
};

static struct system_heap_priv system_heap_priv;

static struct system_heap_priv system_heap_cc_shared_priv = {
	.cc_shared = true,
};

static int __init system_heap_create(void)
{
	struct dma_heap_export_info exp_info = {
		.name = "system",
		.ops = &system_heap_ops,
		.priv = &system_heap_priv,
	};
	struct dma_heap *heap;

	system_heap_init_levels();

	heap = dma_heap_add(&exp_info);
	if (IS_ERR(heap))
		return PTR_ERR(heap);

	if (IS_ENABLED(CONFIG_HIGHMEM) ||
	    !IS_ENABLED(CONFIG_DMABUF_HEAPS_SYSTEM_CC_SHARED) ||
	    !cc_platform_has(CC_ATTR_MEM_ENCRYPT))
		return 0;

	exp_info.name = "system_cc_shared";
	exp_info.priv = &system_heap_cc_shared_priv;
	return PTR_ERR_OR_ZERO(dma_heap_add(&exp_info));
}
module_init(system_heap_create);

MODULE_DESCRIPTION("DMA-BUF System Heap");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
MODULE_IMPORT_NS("DMA_BUF_HEAP");
