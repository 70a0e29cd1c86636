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
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/swap.h>
#include <linux/vmalloc.h>
#include <linux/vmap.h>
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
 * @lock: protects @attachments, @vmap_cnt and @vaddr
 * @len: size in bytes, a multiple of PAGE_SIZE
 * @sg_table: the memory, in the order in which everyone sees it
 * @vmap_cnt: users of the kernel mapping
 * @vaddr: the kernel mapping, while @vmap_cnt is not 0
 * @cc_shared: see struct system_heap_priv
 */
struct system_heap_buffer {
	struct list_head attachments;
	struct mutex lock;	/* see above */
	unsigned long len;
	struct sg_table sg_table;
	int vmap_cnt;
	void *vaddr;
	bool cc_shared;
};

struct dma_heap_attachment {
	struct device *dev;
	struct sg_table table;
	struct list_head list;
	bool mapped;
	bool cc_shared;
};

#define cc_shared_buffer(b) (IS_ENABLED(CONFIG_DMABUF_HEAPS_SYSTEM_CC_SHARED) && \
			     (b)->cc_shared)

/*
 * Single pages may be waited for, larger chunks are taken if they are there.
 * Nobody is killed for a buffer: its memory is that of no process, so the OOM
 * killer would shoot one innocent after the other.
 */
#define WAIT_GFP	(__GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define TABLE_GFP	(GFP_KERNEL | WAIT_GFP)
#define ARRAY_GFP	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)
#define LOW_ORDER_GFP	(GFP_HIGHUSER | __GFP_ZERO | WAIT_GFP)
#define HIGH_ORDER_GFP	(((GFP_HIGHUSER | __GFP_ZERO | __GFP_NOWARN | \
			   __GFP_NORETRY) & ~__GFP_RECLAIM) | __GFP_COMP)

/* Up to so many runs a comparison sort is the faster one. */
#define SORT_FEW	64
#define SORT_DIGIT_BITS	8

/*
 * Orders of the blocks that buffers are laid out by, descending: what the page
 * tables of CPUs and IOMMUs have leaves for, and single pages.
 */
static unsigned int block_orders[4] __ro_after_init;
static unsigned int nr_block_orders __ro_after_init;

static void __init system_heap_add_block_order(unsigned int order)
{
	if (!nr_block_orders || order < block_orders[nr_block_orders - 1])
		block_orders[nr_block_orders++] = order;
}

static void __init system_heap_init_block_orders(void)
{
	system_heap_add_block_order(PMD_ORDER);
	if (CONT_PTE_ORDER)
		system_heap_add_block_order(CONT_PTE_ORDER);
	system_heap_add_block_order(get_order(SZ_64K));
	system_heap_add_block_order(0);
}

static unsigned long run_end(const struct heap_run *run)
{
	return run->pfn + run->nr_pages;
}

/* Need not be contiguous if it is large: no memory is compacted for it. */
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

	if (runs->nr && pfn == run_end(last)) {
		last->nr_pages += nr_pages;
		return 0;
	}
	if (runs->nr && pfn + nr_pages == last->pfn) {
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

/* Copy @nr runs, sorted by a digit of their address, else in the same order. */
static void heap_runs_sort_digit(struct heap_run *to,
				 const struct heap_run *from, unsigned int nr,
				 unsigned int shift)
{
	unsigned int place[1 << SORT_DIGIT_BITS] = {};
	unsigned int i, count, sum = 0;

	for (i = 0; i < nr; i++)
		place[heap_run_digit(&from[i], shift)]++;
	for (i = 0; i < ARRAY_SIZE(place); i++) {
		count = place[i];
		place[i] = sum;
		sum += count;
	}
	for (i = 0; i < nr; i++)
		to[place[heap_run_digit(&from[i], shift)]++] = from[i];
}

/*
 * Sort runs by address.  In fragmented memory there are as many as pages: do not
 * compare them, sort by digits, from the lowest to the last that differs.
 */
static void heap_runs_sort(struct heap_runs *runs)
{
	struct heap_run *other = NULL;
	unsigned long differ = 0;
	unsigned int i, shift;

	/* So those that are swapped have both been allocated. */
	BUILD_BUG_ON(ARRAY_SIZE(runs->first) > SORT_FEW);

	if (runs->nr == 1)
		return;
	if (runs->nr > SORT_FEW)
		other = heap_runs_alloc_array(runs->max);
	if (!other) {
		sort(runs->run, runs->nr, sizeof(*runs->run), heap_run_cmp,
		     NULL);
		return;
	}

	for (i = 1; i < runs->nr; i++)
		differ |= runs->run[i].pfn ^ runs->run[0].pfn;
	for (shift = 0; shift < BITS_PER_LONG && differ >> shift;
	     shift += SORT_DIGIT_BITS) {
		heap_runs_sort_digit(other, runs->run, runs->nr, shift);
		swap(other, runs->run);
	}
	kvfree(other);
}

/* Join sorted runs that touch.  Returns the pages of the longest. */
static unsigned long heap_runs_join(struct heap_runs *runs)
{
	struct heap_run *last = runs->run, *run;
	unsigned long longest = last->nr_pages;

	for (run = last + 1; run < runs->run + runs->nr; run++) {
		if (run->pfn == run_end(last))
			last->nr_pages += run->nr_pages;
		else
			*++last = *run;
		longest = max(longest, last->nr_pages);
	}
	runs->nr = last + 1 - runs->run;
	return longest;
}

/**
 * struct heap_layout - entries of an sg_table while they are made
 * @sg: entry for @last, or NULL to only count
 * @nents: entries so far, with @last
 * @last: the last entry, not yet filled in
 */
struct heap_layout {
	struct scatterlist *sg;
	unsigned int nents;
	struct heap_run last;
};

static void heap_layout_fill(struct scatterlist *sg, const struct heap_run *run)
{
	sg_set_page(sg, pfn_to_page(run->pfn), run->nr_pages << PAGE_SHIFT, 0);
}

/* Append [@pfn, @end), to the last entry if it touches that. */
static void heap_layout_add(struct heap_layout *layout, unsigned long pfn,
			    unsigned long end)
{
	struct heap_run *last = &layout->last;
	unsigned long next;

	for (; pfn < end; pfn = next) {
		next = min(end, ALIGN(pfn + 1, HEAP_SEGMENT_PAGES));
		if (pfn == run_end(last) && pfn % HEAP_SEGMENT_PAGES) {
			last->nr_pages += next - pfn;
			continue;
		}
		if (layout->sg && layout->nents) {
			heap_layout_fill(layout->sg, last);
			layout->sg = sg_next(layout->sg);
		}
		*last = (struct heap_run){ pfn, next - pfn };
		layout->nents++;
	}
}

/*
 * Append what @run has of blocks of @nr_block pages and not of the larger ones
 * of @nr_larger.
 */
static void heap_layout_add_blocks(struct heap_layout *layout,
				   const struct heap_run *run,
				   unsigned long nr_block,
				   unsigned long nr_larger)
{
	unsigned long start, end, larger_start, larger_end;

	/* Most are small where there are many */
	if (run->nr_pages < nr_block)
		return;
	start = round_up(run->pfn, nr_block);
	end = round_down(run_end(run), nr_block);
	if (run->nr_pages < nr_larger || !nr_larger) {
		heap_layout_add(layout, start, end);
		return;
	}
	if (start >= end)
		return;

	larger_start = round_up(run->pfn, nr_larger);
	larger_end = round_down(run_end(run), nr_larger);
	if (larger_start >= larger_end) {
		heap_layout_add(layout, start, end);
		return;
	}
	heap_layout_add(layout, start, larger_start);
	heap_layout_add(layout, larger_end, end);
}

/* Lay out joined runs, the longest of @longest pages; but for the last entry. */
static void heap_runs_layout(const struct heap_runs *runs,
			     unsigned long longest, struct heap_layout *layout)
{
	unsigned long nr_block, nr_larger = 0;
	unsigned int i, j;

	for (i = 0; i < nr_block_orders; i++) {
		nr_block = 1UL << block_orders[i];
		if (nr_block > longest)
			continue;
		for (j = 0; j < runs->nr; j++)
			heap_layout_add_blocks(layout, &runs->run[j],
					       nr_block, nr_larger);
		nr_larger = nr_block;
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
	struct heap_layout layout = {};
	unsigned long longest;
	int ret;

	if (!runs->nr)
		return -EINVAL;

	heap_runs_sort(runs);
	longest = heap_runs_join(runs);
	heap_runs_layout(runs, longest, &layout);
	ret = sg_alloc_table(table, layout.nents, TABLE_GFP);
	if (ret)
		return ret;

	if (layout.nents > 1) {
		layout = (struct heap_layout){ .sg = table->sgl };
		heap_runs_layout(runs, longest, &layout);
	} else {
		layout.sg = table->sgl;
	}
	heap_layout_fill(layout.sg, &layout.last);
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

static int heap_run_decrypt(const struct heap_run *run)
{
	unsigned long pfn;
	int ret;

	for (pfn = run->pfn; pfn < run_end(run);
	     pfn += 1UL << compound_order(pfn_to_page(pfn))) {
		ret = system_heap_set_page_decrypted(pfn_to_page(pfn));
		if (ret)
			return ret;
	}
	return 0;
}

/* Give each chunk of @run back as it was taken. */
static void heap_run_free(const struct heap_run *run, bool cc_shared)
{
	unsigned long pfn, nr_pages;

	for (pfn = run->pfn; pfn < run_end(run); pfn += nr_pages) {
		struct page *page = pfn_to_page(pfn);
		const unsigned int order = compound_order(page);

		nr_pages = 1UL << order;
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

	for_each_sgtable_sg(table, sg, i) {
		const struct heap_run run = {
			page_to_pfn(sg_page(sg)), sg->length >> PAGE_SHIFT
		};

		heap_run_free(&run, cc_shared);
	}
	sg_free_table(table);
}

static void heap_runs_free_pages(struct heap_runs *runs)
{
	unsigned int i;

	for (i = 0; i < runs->nr; i++)
		heap_run_free(&runs->run[i], false);
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

/*
 * Whether to try at all.  What is available is an estimate that leaves out the
 * per-CPU lists of the page allocator, which may hold an eighth of the memory.
 */
static bool heap_may_have(unsigned long nr_pages)
{
	if (nr_pages <= MAX_ORDER_NR_PAGES)
		return true;
	return nr_pages <= totalram_pages() &&
	       nr_pages <= si_mem_available() + get_nr_swap_pages() +
			   totalram_pages() / 8;
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
	struct dma_heap_attachment *a = attachment->priv;
	struct sg_table *table = &a->table;
	int ret;

	ret = dma_map_sgtable(attachment->dev, table, direction,
			      cc_shared_buffer(a) ? DMA_ATTR_CC_SHARED : 0);
	if (ret)
		return ERR_PTR(ret);

	a->mapped = true;
	return table;
}

static void system_heap_unmap_dma_buf(struct dma_buf_attachment *attachment,
				      struct sg_table *table,
				      enum dma_data_direction direction)
{
	struct dma_heap_attachment *a = attachment->priv;

	a->mapped = false;
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
 * struct heap_mmap - where a walk that maps a buffer stands
 * @mm: address space
 * @prot: protection of the pages
 * @end: end of the mapping
 * @sg: entry of the table
 * @left: pages of @sg that are not yet mapped
 * @pte: maps the first of them
 */
struct heap_mmap {
	struct mm_struct *mm;
	pgprot_t prot;
	unsigned long end;
	struct scatterlist *sg;
	unsigned long left;
	pte_t pte;
};

/* Go on at page @skip of @sg. */
static void heap_mmap_load(struct heap_mmap *m, struct scatterlist *sg,
			   unsigned long skip)
{
	m->sg = sg;
	m->left = (sg->length >> PAGE_SHIFT) - skip;
	m->pte = pte_mkspecial(pfn_pte(page_to_pfn(sg_page(sg)) + skip,
				       m->prot));
}

/* Fill what is left of a page table, which is locked, from @ptep on. */
static int heap_mmap_table(pte_t *ptep, unsigned long addr, void *data)
{
	struct heap_mmap *m = data;
	const unsigned long end = pmd_addr_end(addr, m->end);

	for (; addr != end; addr += PAGE_SIZE, ptep++) {
		if (!m->left)
			heap_mmap_load(m, sg_next(m->sg), 0);
		set_pte_at(m->mm, addr, ptep, m->pte);
		m->pte = pte_next_pfn(m->pte);
		m->left--;
	}
	return 0;
}

/*
 * As remap_pfn_range(), but for all entries at once, a page table at a time, and
 * what that checks of each page is known: it is memory, cached like any other.
 * If this fails, mmap() undoes what has been mapped.
 */
static int system_heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct system_heap_buffer *buffer = dmabuf->priv;
	struct heap_mmap m = {
		.mm = vma->vm_mm,
		.prot = system_heap_pgprot(buffer, vma->vm_page_prot),
		.end = vma->vm_end,
	};
	struct scatterlist *sg = buffer->sg_table.sgl;
	unsigned long skip = vma->vm_pgoff, addr;
	int ret = 0;

	while (skip >= sg->length >> PAGE_SHIFT) {
		skip -= sg->length >> PAGE_SHIFT;
		sg = sg_next(sg);
	}

	/*
	 * A private mapping is of one contiguous range.  Whether the pages of a
	 * buffer are contiguous is nobody's business, unless there is only one.
	 */
	if (vma_is_cow_mapping(vma)) {
		if (vma_pages(vma) > 1)
			return -EINVAL;
		return remap_pfn_range(vma, vma->vm_start,
				       page_to_pfn(sg_page(sg)) + skip,
				       PAGE_SIZE, m.prot);
	}

	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	heap_mmap_load(&m, sg, skip);
	for (addr = vma->vm_start; !ret && addr != m.end;
	     addr = pmd_addr_end(addr, m.end))
		ret = apply_to_page_range(m.mm, addr, PAGE_SIZE,
					  heap_mmap_table, &m);
	return ret;
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
		const struct heap_run run = {
			page_to_pfn(sg_page(sg)), sg->length >> PAGE_SHIFT
		};

		ret = heap_run_decrypt(&run);
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

	system_heap_init_block_orders();

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
