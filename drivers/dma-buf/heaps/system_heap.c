// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA-BUF system heap: buffers from the page allocator
 *
 * A buffer is allocated in chunks: the largest that the page allocator has at that
 * moment, down to HEAP_MIN_ORDER, and then single pages.  Smaller chunks would be
 * compound pages where small buffers have always been single ones, and at these orders
 * the page allocator compacts memory and may invoke the OOM killer.
 *
 * system_heap_layout.c lays the chunks out for those who map them.  Every chunk is a
 * compound page or a single page, so a table whose entries hold many chunks still
 * tells, page by page, what is to be freed.
 *
 * When memory is short:
 *
 * - The page allocator decides.  One exception: a large request fails at once if it
 *   exceeds total memory minus what is known to be unreclaimable.
 * - Only single pages wait for memory.  They wake kswapd, reclaim, and call the OOM
 *   notifiers.  They never invoke the OOM killer: buffers belong to no process, so
 *   killing one frees no buffer.  The request fails.
 * - Pages are zeroed last, so a request that fails has zeroed none, unless the page
 *   allocator zeroes all that it hands out.
 * - The heap then holds a small reserve, and releases it from an OOM notifier.
 *   Otherwise the next small allocation, such as the file of the last buffer, would
 *   invoke the OOM killer.  A buffer is then allocated only if the reserve is full.
 *
 * Copyright (C) 2011 Google, Inc.
 * Copyright (C) 2019, 2020 Linaro Ltd.
 *
 * Portions based off of the SRAM heap:
 * Copyright (C) 2019 Texas Instruments Incorporated - http://www.ti.com/
 */

#include <linux/atomic.h>
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
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/pgalloc.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <kunit/static_stub.h>
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
 * @entry: that of @sg_table if it has only one
 * @vmap_cnt: users of the kernel mapping
 * @cc_shared: see struct system_heap_priv
 * @vaddr: the kernel mapping, while @vmap_cnt is not 0
 */
struct system_heap_buffer {
	struct list_head attachments;
	struct mutex lock;	/* see above */
	unsigned long len;
	struct sg_table sg_table;
	struct scatterlist entry;
	int vmap_cnt;
	bool cc_shared;
	void *vaddr;
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
 * Single pages wait for memory, chunks do not.  See the top for __GFP_RETRY_MAYFAIL
 * and for the lack of __GFP_ZERO.
 */
#define WAIT_GFP	(__GFP_RETRY_MAYFAIL | __GFP_NOWARN)
#define LOW_ORDER_GFP	(GFP_HIGHUSER | WAIT_GFP)
#define HIGH_ORDER_GFP	(((GFP_HIGHUSER | __GFP_NOWARN | __GFP_NORETRY) & \
			  ~__GFP_RECLAIM) | __GFP_COMP)

/* Lowest order of a chunk.  Below it, single pages are used. */
#define HEAP_MIN_ORDER	(PAGE_ALLOC_COSTLY_ORDER + 1)

/* Longest entry that devices got before entries were joined, as an order. */
#define OLD_MAX_ORDER	8

/* From this size on, a request is compared with what memory there is. */
#define LARGE_PAGES	(SZ_4M >> PAGE_SHIFT)

/* Pages to zero between two reschedules and signal checks. */
#define ZERO_PAGES	(SZ_1M >> PAGE_SHIFT)

/* Size of the reserve: 4 MiB, or 1/64 of memory if that is less. */
#define RESERVE_PAGES	(SZ_4M >> PAGE_SHIFT)
#define RESERVE_SHARE	64

/* Pages in all buffers. */
static atomic_long_t heap_pages;

/**
 * struct heap_reserve - pages for others, held while memory is short
 * @lock: protects all of it
 * @pages: chunks and single pages, linked by their lru
 * @nr: number of pages
 */
struct heap_reserve {
	spinlock_t lock;	/* see above */
	struct list_head pages;
	unsigned long nr;
};

static struct heap_reserve heap_reserve = {
	.lock = __SPIN_LOCK_UNLOCKED(heap_reserve.lock),
	.pages = LIST_HEAD_INIT(heap_reserve.pages),
};

/*
 * Pages that @zone has free above the watermark that kswapd stops at, and
 * above a little more, so that memory is short before anybody waits for it.
 */
static long heap_zone_excess(struct zone *zone)
{
	const long free = zone_page_state(zone, NR_FREE_PAGES) -
			  zone_page_state(zone, NR_FREE_CMA_PAGES);

	return free - high_wmark_pages(zone) -
	       zone->lowmem_reserve[gfp_zone(GFP_HIGHUSER)] -
	       zone_managed_pages(zone) / 64;
}

static unsigned long heap_reserve_full(void)
{
	return min(RESERVE_PAGES, totalram_pages() / RESERVE_SHARE);
}

static void heap_reserve_add(struct page *page)
{
	spin_lock(&heap_reserve.lock);
	list_add(&page->lru, &heap_reserve.pages);
	WRITE_ONCE(heap_reserve.nr, heap_reserve.nr + (1UL << compound_order(page)));
	spin_unlock(&heap_reserve.lock);
}

static struct page *heap_reserve_remove(void)
{
	struct page *page;

	spin_lock(&heap_reserve.lock);
	page = list_first_entry_or_null(&heap_reserve.pages, struct page, lru);
	if (page) {
		list_del(&page->lru);
		WRITE_ONCE(heap_reserve.nr,
			   heap_reserve.nr - (1UL << compound_order(page)));
	}
	spin_unlock(&heap_reserve.lock);
	return page;
}

/* Give back @nr pages or some more, as far as there are.  Returns how many. */
static unsigned long heap_reserve_give(unsigned long nr)
{
	unsigned long given = 0;
	struct page *page;

	while (given < nr && (page = heap_reserve_remove())) {
		given += 1UL << compound_order(page);
		__free_pages(page, compound_order(page));
	}
	return given;
}

/*
 * The OOM killer is about to run: release a quarter of the reserve.  The heap's own
 * oom_notify() has a nonzero action and is ignored.
 */
static int heap_oom_notify(struct notifier_block *nb, unsigned long action,
			   void *data)
{
	unsigned long *freed = data;

	if (!action)
		*freed += heap_reserve_give(heap_reserve_full() / 4);
	return NOTIFY_OK;
}

static struct notifier_block heap_oom_nb = {
	.notifier_call = heap_oom_notify,
};

/*
 * Allocate a page without invoking the OOM killer.  If an uncharged page can be
 * allocated, the memcg is at its limit: the OOM notifiers cannot help.
 */
static struct page *heap_wait_page(gfp_t gfp)
{
	struct page *page, *uncharged;
	bool tried = false;

	for (;;) {
		page = alloc_page(gfp);
		if (page || fatal_signal_pending(current))
			return page;
		uncharged = gfp & __GFP_ACCOUNT ?
			alloc_page(gfp & ~__GFP_ACCOUNT) : NULL;
		if (uncharged)
			__free_page(uncharged);
		if (uncharged ? tried : !oom_notify())
			return NULL;
		/* Memory may just have been uncharged: retry once. */
		tried = uncharged;
	}
}

/*
 * Fill the reserve.  Returns false on failure.  Prefers chunks: freed single pages go
 * to per-CPU lists, which do not count for the watermarks.
 */
static bool heap_reserve_fill(void)
{
	struct page *page;

	while (READ_ONCE(heap_reserve.nr) < heap_reserve_full()) {
		page = alloc_pages(HIGH_ORDER_GFP & ~__GFP_HIGHMEM, HEAP_MIN_ORDER);
		if (!page)
			page = heap_wait_page(GFP_KERNEL | WAIT_GFP);
		if (!page)
			return false;
		heap_reserve_add(page);
	}
	return true;
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
		cond_resched();
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

/**
 * heap_free_table_pages() - free the pages of a table
 * @table: the table
 * @cc_shared: they are shared with the host of a confidential guest
 */
VISIBLE_IF_KUNIT void heap_free_table_pages(const struct sg_table *table,
					    bool cc_shared)
{
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(table, sg, i)
		heap_free_pages(sg_page(sg), sg->length >> PAGE_SHIFT,
				cc_shared);
}

static void system_heap_free_table(struct system_heap_buffer *buffer,
				   bool cc_shared)
{
	struct sg_table *table = &buffer->sg_table;

	heap_free_table_pages(table, cc_shared);
	if (table->sgl != &buffer->entry)
		sg_free_table(table);
}

/*
 * The longest entry for @dev: what it can take, and what its bounce buffers can.
 * Few drivers say what their device can take, and the default is 64 KiB, so as much
 * as heaps have always had in one chunk is never cut for that.
 */
static unsigned int max_sg_length(struct device *dev)
{
	size_t max = clamp_t(size_t, dma_get_max_seg_size(dev),
			     PAGE_SIZE << OLD_MAX_ORDER, SZ_1G);

	/* A device without a DMA mask does no DMA itself. */
	if (dev->dma_mask)
		max = min(max, dma_max_mapping_size(dev));
	return max_t(size_t, round_down(max, PAGE_SIZE), PAGE_SIZE);
}

/* Copy a table, with entries of at most @max bytes, which is a multiple of pages. */
static int dup_sg_table(struct sg_table *from, struct sg_table *to,
			unsigned int max)
{
	struct scatterlist *sg, *new_sg;
	unsigned int nents = 0, done, len;
	int ret, i;

	for_each_sgtable_sg(from, sg, i)
		nents += DIV_ROUND_UP(sg->length, max);
	ret = sg_alloc_table(to, nents, GFP_KERNEL);
	if (ret)
		return ret;

	new_sg = to->sgl;
	for_each_sgtable_sg(from, sg, i) {
		for (done = 0; done < sg->length; done += len) {
			len = min(max, sg->length - done);
			sg_set_page(new_sg, sg_page(sg) + (done >> PAGE_SHIFT),
				    len, 0);
			new_sg = sg_next(new_sg);
		}
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

	ret = dup_sg_table(&buffer->sg_table, &a->table,
			   max_sg_length(attachment->dev));
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

#define HEAP_PMD_PAGES	BIT(HEAP_PMD_ORDER)

/*
 * A leaf that has been split.  Blocks that leaves fit come first in the table, so there
 * are no more entries before it than leaves.  Importers may put data of theirs into the
 * VMA, but it keeps the file of the dma-buf.
 */
static vm_fault_t system_heap_huge_fault(struct vm_fault *vmf,
					 unsigned int order)
{
	const struct dma_buf *dmabuf = vmf->vma->vm_file->private_data;
	struct system_heap_buffer *buffer = dmabuf->priv;
	unsigned long pgoff = round_down(vmf->pgoff, HEAP_PMD_PAGES);
	unsigned long pfn, nr_pages = 0;
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(&buffer->sg_table, sg, i) {
		nr_pages = sg->length >> PAGE_SHIFT;
		if (pgoff < nr_pages)
			break;
		pgoff -= nr_pages;
	}
	if (pgoff + HEAP_PMD_PAGES > nr_pages)
		return VM_FAULT_SIGBUS;
	pfn = page_to_pfn(sg_page(sg)) + pgoff;
	if (pfn % HEAP_PMD_PAGES)
		return VM_FAULT_SIGBUS;
	return vmf_map_leaf(vmf, pfn, order,
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
static bool system_heap_may_fault(struct vm_area_struct *vma)
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
	struct zone *zone = page_zone(sg_page(buffer->sg_table.sgl));
	long left;

	system_heap_free_table(buffer, buffer->cc_shared);
	left = atomic_long_sub_return(buffer->len >> PAGE_SHIFT, &heap_pages);
	kfree(buffer);

	/* Memory is short no more, or the heap has none that could be. */
	if (READ_ONCE(heap_reserve.nr) &&
	    (!left || heap_zone_excess(zone) > (long)zone_managed_pages(zone) / 64))
		heap_reserve_give(ULONG_MAX);
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

static void heap_runs_free_pages(struct heap_runs *runs)
{
	const struct heap_run *run;

	for (run = runs->run; run < runs->run + runs->nr; run++)
		heap_free_pages(pfn_to_page(run->pfn), run->nr_pages, false);
}

static gfp_t heap_gfp(unsigned int order)
{
	return (order ? HIGH_ORDER_GFP : LOW_ORDER_GFP) |
	       (mem_accounting ? __GFP_ACCOUNT : 0);
}

/**
 * heap_runs_make_room() - make room for more runs
 * @runs: what there is so far
 *
 * Waits for memory as the allocation of a single page does.
 *
 * Return: 0 or -ENOMEM.
 */
VISIBLE_IF_KUNIT int heap_runs_make_room(struct heap_runs *runs)
{
	int ret;

	do {
		ret = heap_runs_grow(runs);
	} while (ret && !fatal_signal_pending(current) && oom_notify());
	return ret;
}

/* A chunk, or one page.  Returns its pages, 0 if there is none. */
static unsigned long heap_runs_alloc_chunk(struct heap_runs *runs, unsigned int order)
{
	struct page *page;

	if (order)
		page = alloc_pages(heap_gfp(order), order);
	else
		page = heap_wait_page(heap_gfp(0));
	if (!page)
		return 0;
	heap_runs_add(runs, page_to_pfn(page), 1UL << order);
	return 1UL << order;
}

/* Some single pages, at most @nr of them.  Returns how many. */
static noinline_for_stack unsigned long heap_runs_alloc_pages(struct heap_runs *runs,
							      unsigned long nr)
{
	struct page *pages[32] = {};
	unsigned long got, i;

	nr = min3(nr, (unsigned long)ARRAY_SIZE(pages),
		  (unsigned long)(runs->max - runs->nr));
	got = alloc_pages_bulk(heap_gfp(0), nr, pages);
	for (i = 0; i < got; i++)
		heap_runs_add(runs, page_to_pfn(pages[i]), 1);
	return got ?: heap_runs_alloc_chunk(runs, 0);
}

/* alloc_pages_bulk() knows of no policy, alloc_pages() does. */
static bool heap_task_has_policy(void)
{
#ifdef CONFIG_NUMA
	return current->mempolicy;
#else
	return false;
#endif
}

/* The largest order for @nr_pages pages, if @order is the largest there is. */
static unsigned int heap_order(unsigned long nr_pages, unsigned int order)
{
	order = min_t(unsigned int, order, ilog2(nr_pages));
	return order < HEAP_MIN_ORDER ? 0 : order;
}

/*
 * When to retry an order that failed: after smaller chunks add up to one of the top
 * order.  Returns the number of missing pages at that point, or 0 for never: if none
 * are missing then, or if the page allocator zeroes and a memcg may be at its limit,
 * where each try would zero a chunk for nothing.
 */
static unsigned long heap_retry_at(unsigned long nr_pages)
{
	if (nr_pages <= MAX_ORDER_NR_PAGES ||
	    (mem_accounting && want_init_on_alloc(0)))
		return 0;
	return nr_pages - MAX_ORDER_NR_PAGES;
}

/*
 * Allocate @nr_pages pages in the largest chunks there are.
 *
 * Returns 0, or an error with what was allocated until then in @runs.
 */
static int heap_runs_alloc(struct heap_runs *runs, unsigned long nr_pages)
{
	const bool one_by_one = heap_task_has_policy();
	unsigned int order = MAX_PAGE_ORDER;
	unsigned long retry_at = 0;
	const struct page *page;
	unsigned long got;

	while (nr_pages) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (heap_runs_full(runs) && heap_runs_make_room(runs))
			return -ENOMEM;

		if (nr_pages <= retry_at) {
			retry_at = 0;
			order = MAX_PAGE_ORDER;
		}
		order = heap_order(nr_pages, order);

		if (order || nr_pages == 1 || one_by_one)
			got = heap_runs_alloc_chunk(runs, order);
		else
			got = heap_runs_alloc_pages(runs, nr_pages - retry_at);

		if (!got && !order)
			return -ENOMEM;
		if (!got) {
			if (!retry_at)
				retry_at = heap_retry_at(nr_pages);
			order--;
			continue;
		}
		nr_pages -= got;

		page = pfn_to_page(runs->run[runs->nr - 1].pfn);
		if (heap_zone_excess(page_zone(page)) < 0 && !heap_reserve_fill())
			return -ENOMEM;
		cond_resched();
	}
	return 0;
}

/*
 * Can the request succeed?  Only memory known to be unreclaimable is subtracted:
 * shrinkers may hold what is counted nowhere.
 */
static bool heap_may_have(unsigned long nr_pages)
{
	const long anon = global_node_page_state(NR_ACTIVE_ANON) +
			  global_node_page_state(NR_INACTIVE_ANON);
	long taken;

	if (nr_pages < LARGE_PAGES)
		return true;
	taken = max(anon - get_nr_swap_pages(), 0L) +
		global_node_page_state(NR_UNEVICTABLE) +
		global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) +
		global_zone_page_state(NR_FREE_CMA_PAGES) +
		atomic_long_read(&heap_pages);
#ifdef CONFIG_HUGETLB_PAGE
	taken += global_node_page_state(NR_HUGETLB);
#endif
	return nr_pages + taken <= totalram_pages();
}

/**
 * heap_is_killed() - whether to stop zeroing
 *
 * Return: true if the task was killed.
 */
VISIBLE_IF_KUNIT bool heap_is_killed(void)
{
	KUNIT_STATIC_STUB_REDIRECT(heap_is_killed);
	return fatal_signal_pending(current);
}

/**
 * heap_zero_table() - zero the pages of a table
 * @table: the table
 *
 * Return: 0; or -EINTR if the task was killed before all were zero.
 */
VISIBLE_IF_KUNIT int heap_zero_table(const struct sg_table *table)
{
	unsigned long pgoff, done = 0;
	struct scatterlist *sg;
	int i;

	for_each_sgtable_sg(table, sg, i) {
		for (pgoff = 0; pgoff < sg->length >> PAGE_SHIFT; pgoff++) {
			if (!(done++ % ZERO_PAGES)) {
				cond_resched();
				if (heap_is_killed())
					return -EINTR;
			}
			clear_highpage(sg_page(sg) + pgoff);
		}
	}
	return 0;
}

/* Lay out the runs.  Calls the OOM notifiers on failure, as for pages. */
static int heap_runs_make_table(struct heap_runs *runs, struct sg_table *table)
{
	int ret;

	do {
		ret = heap_runs_to_table(runs, table);
	} while (ret && !fatal_signal_pending(current) && oom_notify());
	return ret;
}

/* Allocate the memory of a buffer, and the table that says where it is. */
static int system_heap_alloc_table(struct system_heap_buffer *buffer)
{
	const unsigned long nr_pages = buffer->len >> PAGE_SHIFT;
	struct sg_table *table = &buffer->sg_table;
	struct heap_runs runs __uninitialized;	/* runs->first as they are added */
	int ret;

	if (!heap_may_have(nr_pages))
		return -ENOMEM;

	table->sgl = &buffer->entry;
	heap_runs_init(&runs);
	ret = heap_runs_alloc(&runs, nr_pages);
	if (!ret)
		ret = heap_runs_make_table(&runs, table);
	if (ret)
		heap_runs_free_pages(&runs);
	heap_runs_destroy(&runs);
	if (ret)
		return ret;

	/* From here on, the table owns the pages. */
	if (want_init_on_free() || want_init_on_alloc(0))
		return 0;
	ret = heap_zero_table(table);
	if (ret)
		system_heap_free_table(buffer, false);
	return ret;
}

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

	ret = system_heap_alloc_table(buffer);
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
	atomic_long_add(len >> PAGE_SHIFT, &heap_pages);
	return dmabuf;

free_table:
	system_heap_free_table(buffer, buffer->cc_shared);
free_buffer:
	kfree(buffer);
	if (READ_ONCE(heap_reserve.nr) && !atomic_long_read(&heap_pages))
		heap_reserve_give(ULONG_MAX);
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
	register_oom_notifier(&heap_oom_nb);

	heap = dma_heap_add(&exp_info);
	if (IS_ERR(heap)) {
		unregister_oom_notifier(&heap_oom_nb);
		return PTR_ERR(heap);
	}

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
