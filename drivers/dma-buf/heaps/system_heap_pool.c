// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pool of the DMA-BUF system heap: memory of released buffers, zeroed in the
 * background
 *
 * Nearly all of the time that it takes to allocate a buffer is spent zeroing it.  So the
 * heap keeps some of the memory of released buffers, a thread zeroes it, and the next
 * buffer gets it at once:
 *
 *     release                                                alloc
 *        |                                                     ^
 *        v          thread takes           thread is done      |
 *      DIRTY -------------------> (zeroed) ----------------> CLEAN
 *        |                            |                        |
 *        +------- page allocator: shortage, cap, age, off -----+
 *
 * A block is a compound page of 64 KiB or more, as the heap has taken it from the page
 * allocator.  The pool never splits or joins blocks.
 *
 * For each node and order there is an xarray of blocks.  The index is the page
 * frame number of the block, divided by its pages.  The entry is the second in
 * which the block was released.  A mark tells its state: POOL_DIRTY or
 * POOL_CLEAN.  A block without a mark is with the thread.  Nothing of that is kept in
 * struct page.
 *
 * These always hold:
 *
 *  - A block is in one xarray, and nobody else has a reference to its page.
 *  - Only the thread sets POOL_CLEAN, after it has zeroed the whole block, and
 *    only for blocks that have no mark.  A block that is removed from an xarray was
 *    POOL_CLEAN, or is zeroed before use, or goes back to the page allocator.  So a
 *    buffer is always zero.
 *  - page_private() of a block that a buffer has from the pool is POOL_ZERO, so that
 *    the heap does not zero it again.  It is 0 again when the block is released.
 *  - Blocks without a mark are removed by the thread only.
 *  - The pool has no more pages than the cap.  Pages are counted before a block is
 *    added, and until after it was removed.
 *  - All pages of the pool are counted as reclaimable kernel memory of their node,
 *    which is part of MemAvailable.
 *
 * The blocks with the lowest addresses are used first.  So those with the highest
 * are left alone, grow old and go back, and the rest stays together.
 *
 * The pool must not cause memory pressure.  A shrinker gives back dirty blocks before
 * clean ones, small ones before large ones.  When a task waits for memory (direct
 * reclaim), then for two seconds released memory goes past the pool, and the thread
 * gives back what it would zero.
 *
 * Locks: each xarray has its own, which is held for one block at a time.  Under it, only
 * locks of the slab allocator are taken, and it is never taken in an interrupt.  Counts
 * are atomic.
 */

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/cacheflush.h>
#include <linux/cpuset.h>
#include <linux/debugfs.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/timekeeping.h>
#include <linux/topology.h>
#include <linux/vmstat.h>
#include <linux/xarray.h>
#include <kunit/static_stub.h>
#include <kunit/visibility.h>

#include "system_heap_pool.h"

#define CREATE_TRACE_POINTS
#include <trace/events/dma_heap_pool.h>

#define POOL_DIRTY	XA_MARK_0
#define POOL_CLEAN	XA_MARK_1

/* The part of all memory that the pool may have, unless told otherwise. */
#define POOL_DEFAULT_SHARE	64
/* Unused memory is given back after that many seconds. */
#define POOL_MAX_AGE	10
/* How often to look for it.  It goes back this much later at most. */
#define POOL_AGE_DELAY	(5 * HZ)
/* Delay zeroing, so that it does not compete with the task that releases buffers. */
#define POOL_ZERO_DELAY	msecs_to_jiffies(10)
/* How long memory is short after somebody had to wait for it, in seconds. */
#define POOL_SHORT_TIME	2
/* Pages to zero between two checks for shortage, users of the pool, or signals. */
#define POOL_STEP_PAGES	max(SZ_256K >> PAGE_SHIFT, 1UL)
/* Behind programs, but not idle: the memory must not be stuck on a busy machine. */
#define POOL_NICE	10

/**
 * enum pool_stat - what is counted, in pages
 * @POOL_KEPT: put into the pool
 * @POOL_TOOK_CLEAN: taken for a buffer, without zeroing
 * @POOL_TOOK_DIRTY: taken for a buffer, and zeroed for it
 * @POOL_MISSED: wanted for a buffer, and not in the pool
 * @POOL_ZEROED: zeroed in the background
 * @POOL_GAVE_BACK: given back to the page allocator, unused
 * @NR_POOL_STATS: number of them
 */
enum pool_stat {
	POOL_KEPT,
	POOL_TOOK_CLEAN,
	POOL_TOOK_DIRTY,
	POOL_MISSED,
	POOL_ZEROED,
	POOL_GAVE_BACK,
	NR_POOL_STATS,
};

/**
 * struct pool_node - the blocks of one node
 * @blocks: for each order, see above
 * @pages: pages of all blocks
 * @clean: pages of those that are POOL_CLEAN
 * @short_until: memory of the node is short until that second
 * @stats: see enum pool_stat
 */
struct pool_node {
	struct xarray blocks[NR_PAGE_ORDERS];
	atomic_long_t pages;
	atomic_long_t clean;
	unsigned long short_until;
	atomic_long_t stats[NR_POOL_STATS];
} ____cacheline_aligned_in_smp;

/**
 * struct heap_pool - the pool
 * @nodes: of each node that there may be; NULL if there is no pool
 * @pages: pages in the pool, or about to be
 * @max_pages: the cap; ULONG_MAX until the default is known
 * @zeroing: tasks that zero a block for a buffer
 * @worker: the thread
 * @zero_work: zeroes what is dirty
 * @age_work: gives back what is old
 */
struct heap_pool {
	struct pool_node *nodes;
	atomic_long_t pages;
	unsigned long max_pages;
	atomic_t zeroing;
	struct kthread_worker *worker;
	struct kthread_delayed_work zero_work;
	struct kthread_delayed_work age_work;
};

static struct heap_pool pool = {
	.max_pages = ULONG_MAX,
};

/* Buffers may come and go before the pool is ready.  NULL until then. */
static struct pool_node *pool_nodes(void)
{
	/* Pairs with system_heap_pool_init(): who sees the nodes sees the worker. */
	return smp_load_acquire(&pool.nodes);
}

static unsigned long pool_limit(void)
{
	return READ_ONCE(pool.max_pages);
}

static unsigned long pool_pages(void)
{
	return atomic_long_read(&pool.pages);
}

/* The counts are not read at the same time, so clean may be the larger one. */
static unsigned long pool_dirty_pages(const struct pool_node *node)
{
	const long pages = atomic_long_read(&node->pages);

	return max(pages - atomic_long_read(&node->clean), 0L);
}

static unsigned long pool_now(void)
{
	return ktime_get_seconds();
}

static bool pool_is_short(const struct pool_node *node)
{
	return pool_now() < READ_ONCE(node->short_until);
}

static void pool_add_stat(struct pool_node *node, enum pool_stat stat,
			  unsigned int order)
{
	atomic_long_add(1L << order, &node->stats[stat]);
}

/* Count @nr pages that are to be added.  Returns false if these are too many. */
static bool pool_reserve(unsigned long nr)
{
	if ((unsigned long)atomic_long_add_return(nr, &pool.pages) <= pool_limit())
		return true;
	atomic_long_sub(nr, &pool.pages);
	return false;
}

static void pool_count_block(struct pool_node *node, struct page *page,
			     unsigned int order)
{
	pool_add_stat(node, POOL_KEPT, order);
	atomic_long_add(1L << order, &node->pages);
	mod_node_page_state(page_pgdat(page), NR_KERNEL_MISC_RECLAIMABLE,
			    1L << order);
}

static void pool_uncount_block(struct pool_node *node, struct page *page,
			       unsigned int order, bool clean)
{
	if (clean)
		atomic_long_sub(1L << order, &node->clean);
	atomic_long_sub(1L << order, &node->pages);
	atomic_long_sub(1L << order, &pool.pages);
	mod_node_page_state(page_pgdat(page), NR_KERNEL_MISC_RECLAIMABLE,
			    -(1L << order));
}

static void pool_give_back(struct pool_node *node, struct page *page,
			   unsigned int order)
{
	pool_add_stat(node, POOL_GAVE_BACK, order);
	trace_dma_heap_pool_give_back(page, order);
	__free_pages(page, order);
}

/* Returns false if there is no memory for that.  Its state is on the stack. */
static noinline_for_stack bool pool_insert(struct pool_node *node, struct page *page,
					   unsigned int order)
{
	XA_STATE(xas, &node->blocks[order], page_to_pfn(page) >> order);
	void *entry = xa_mk_value(pool_now());

	do {
		xas_lock(&xas);
		xas_store(&xas, entry);
		if (!xas_error(&xas)) {
			xas_set_mark(&xas, POOL_DIRTY);
			pool_count_block(node, page, order);
			trace_dma_heap_pool_keep(page, order);
		}
		xas_unlock(&xas);
	} while (xas_nomem(&xas, GFP_NOWAIT));

	return !xas_error(&xas);
}

/* With the lock of the xarray held: remove the block that @xas has found. */
static struct page *pool_remove_found(struct pool_node *node, struct xa_state *xas,
				      unsigned int order, bool clean)
{
	struct page *page = pfn_to_page(xas->xa_index << order);

	xas_store(xas, NULL);
	pool_uncount_block(node, page, order, clean);
	return page;
}

/* Remove the block with the lowest address that has @mark, or return NULL. */
static struct page *pool_remove(struct pool_node *node, unsigned int order,
				xa_mark_t mark)
{
	XA_STATE(xas, &node->blocks[order], 0);
	struct page *page = NULL;

	/* Only a guess, so that an empty pool costs little. */
	if (!data_race(xa_marked(xas.xa, mark)))
		return NULL;

	xas_lock(&xas);
	if (xas_find_marked(&xas, ULONG_MAX, mark))
		page = pool_remove_found(node, &xas, order, mark == POOL_CLEAN);
	xas_unlock(&xas);
	return page;
}

/* Remove the block at @index if it is as old as @entry, and not with the thread. */
static struct page *pool_remove_at(struct pool_node *node, unsigned int order,
				   unsigned long index, void *entry)
{
	XA_STATE(xas, &node->blocks[order], index);
	struct page *page = NULL;
	bool clean;

	xas_lock(&xas);
	if (xas_load(&xas) == entry) {
		clean = xas_get_mark(&xas, POOL_CLEAN);
		if (clean || xas_get_mark(&xas, POOL_DIRTY))
			page = pool_remove_found(node, &xas, order, clean);
	}
	xas_unlock(&xas);
	return page;
}

/* Claim the lowest dirty block for the thread, which zeroes it.  Others do not see it. */
static struct page *pool_claim_dirty(struct pool_node *node, unsigned int order)
{
	XA_STATE(xas, &node->blocks[order], 0);
	struct page *page = NULL;

	xas_lock(&xas);
	if (xas_find_marked(&xas, ULONG_MAX, POOL_DIRTY)) {
		page = pfn_to_page(xas.xa_index << order);
		xas_clear_mark(&xas, POOL_DIRTY);
	}
	xas_unlock(&xas);
	return page;
}

/* Let others see a claimed block, which has been zeroed if @mark is POOL_CLEAN. */
static void pool_unclaim(struct pool_node *node, struct page *page,
			 unsigned int order, xa_mark_t mark)
{
	XA_STATE(xas, &node->blocks[order], page_to_pfn(page) >> order);

	xas_lock(&xas);
	xas_load(&xas);
	xas_set_mark(&xas, mark);
	if (mark == POOL_CLEAN)
		atomic_long_add(1L << order, &node->clean);
	xas_unlock(&xas);
}

/* Give a claimed block back to the page allocator. */
static void pool_drop_claimed(struct pool_node *node, struct page *page,
			      unsigned int order)
{
	XA_STATE(xas, &node->blocks[order], page_to_pfn(page) >> order);

	xas_lock(&xas);
	pool_remove_found(node, &xas, order, false);
	xas_unlock(&xas);
	pool_give_back(node, page, order);
}

/* A block with a bad page goes to the page allocator, which may leave the page out. */
static bool pool_has_bad_page(const struct page *page, unsigned long nr)
{
	if (IS_ENABLED(CONFIG_MEMORY_FAILURE))
		while (nr--)
			if (PageHWPoison(page++))
				return true;
	return false;
}

/* A task zeroes blocks for a buffer.  The thread would compete for them and for the CPU. */
static bool pool_is_busy(void)
{
	return atomic_read(&pool.zeroing);
}

/*
 * Zero a block in steps.  The thread, which has a @node, stops when its memory is
 * short or the pool is busy, others when they are killed.  Returns whether all of the
 * block is zero.
 */
static bool pool_zero(const struct pool_node *node, struct page *page,
		      unsigned int order)
{
	const unsigned long nr = 1UL << order, step = min(nr, POOL_STEP_PAGES);
	unsigned long i, j;

	for (i = 0; i < nr; i += step) {
		if (node ? pool_is_short(node) || pool_is_busy() :
			   fatal_signal_pending(current))
			return false;
		if (pool_has_bad_page(page + i, step))
			return false;
		for (j = i; j < i + step; j++)
			clear_highpage(page + j);
		cond_resched();
	}
	/* The page allocator forgets what caches have of a page that is freed. */
	flush_dcache_folio(page_folio(page));
	return true;
}

/*
 * Zero one dirty block, or give it back if memory is short, there is too much in the
 * pool, or a page is bad.  Returns false if there is nothing to do.
 */
static bool pool_zero_one(struct pool_node *node, unsigned int order)
{
	struct page *page = pool_claim_dirty(node, order);

	if (!page)
		return false;
	if (pool_pages() <= pool_limit() && pool_zero(node, page, order)) {
		pool_add_stat(node, POOL_ZEROED, order);
		trace_dma_heap_pool_zero(page, order);
		pool_unclaim(node, page, order, POOL_CLEAN);
		return true;
	}
	if (pool_is_busy()) {
		pool_unclaim(node, page, order, POOL_DIRTY);
		return false;
	}
	pool_drop_claimed(node, page, order);
	return true;
}

VISIBLE_IF_KUNIT void heap_pool_zero_all(void)
{
	unsigned int order;
	int nid;

	for (nid = 0; nid < nr_node_ids; nid++)
		for (order = MAX_PAGE_ORDER; order >= POOL_MIN_ORDER; order--)
			while (pool_zero_one(&pool.nodes[nid], order))
				;
}

/* Give back about @nr_pages pages.  Returns how many. */
static unsigned long pool_shrink_node(struct pool_node *node,
				      unsigned long nr_pages)
{
	static const xa_mark_t marks[] = { POOL_DIRTY, POOL_CLEAN };
	unsigned long done = 0;
	unsigned int i, order;
	struct page *page;

	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		for (order = POOL_MIN_ORDER; order < NR_PAGE_ORDERS; order++) {
			while (done < nr_pages) {
				page = pool_remove(node, order, marks[i]);
				if (!page)
					break;
				pool_give_back(node, page, order);
				done += 1UL << order;
				cond_resched();
			}
		}
	}
	return done;
}

/* Give back what is above the cap, but for what is being zeroed. */
static void pool_trim(void)
{
	int nid;

	for (nid = 0; nid < nr_node_ids; nid++) {
		const unsigned long pages = pool_pages(), limit = pool_limit();

		if (pages <= limit)
			return;
		pool_shrink_node(&pool.nodes[nid], pages - limit);
	}
}

VISIBLE_IF_KUNIT void heap_pool_drop_old(unsigned long now)
{
	struct pool_node *node;
	unsigned long index;
	struct page *page;
	void *entry;
	int order, nid;

	for (nid = 0; nid < nr_node_ids; nid++) {
		node = &pool.nodes[nid];
		for (order = POOL_MIN_ORDER; order < NR_PAGE_ORDERS; order++) {
			xa_for_each(&node->blocks[order], index, entry) {
				if (now < xa_to_value(entry) + POOL_MAX_AGE)
					continue;
				page = pool_remove_at(node, order, index, entry);
				if (page)
					pool_give_back(node, page, order);
				cond_resched();
			}
		}
	}
}

static bool pool_has_dirty(void)
{
	int nid;

	for (nid = 0; nid < nr_node_ids; nid++)
		if (pool_dirty_pages(&pool.nodes[nid]))
			return true;
	return false;
}

static void pool_queue_zero_work(void)
{
	kthread_queue_delayed_work(pool.worker, &pool.zero_work, POOL_ZERO_DELAY);
}

/* Also gives back what was released while the cap was lowered. */
static void pool_zero_work(struct kthread_work *work)
{
	heap_pool_zero_all();
	pool_trim();
	if (pool_has_dirty())
		pool_queue_zero_work();
}

static void pool_queue_age_work(void)
{
	kthread_queue_delayed_work(pool.worker, &pool.age_work, POOL_AGE_DELAY);
}

static void pool_age_work(struct kthread_work *work)
{
	heap_pool_drop_old(pool_now());
	if (pool_pages())
		pool_queue_age_work();
}

VISIBLE_IF_KUNIT void heap_pool_queue_work(void)
{
	KUNIT_STATIC_STUB_REDIRECT(heap_pool_queue_work);
	pool_queue_zero_work();
	pool_queue_age_work();
}

/*
 * A block can be kept if nobody else has a reference to it, no group is charged for it,
 * and it need not be zeroed when it is freed.
 */
static bool pool_may_keep(struct page *page)
{
	return !want_init_on_free() && page_count(page) == 1 &&
	       !PageMemcgKmem(page) && !PageHWPoison(page);
}

/* Keep a released block.  Returns false if the page allocator is to have it. */
bool heap_pool_keep(struct page *page, unsigned int order)
{
	struct pool_node *node;

	/* The limit first: return early if the pool is off. */
	if (1UL << order > pool_limit() || !pool_nodes() || !pool_may_keep(page))
		return false;
	node = &pool.nodes[page_to_nid(page)];
	if (pool_is_short(node) || !pool_reserve(1UL << order))
		return false;

	if (!pool_insert(node, page, order)) {
		atomic_long_sub(1L << order, &pool.pages);
		return false;
	}
	heap_pool_queue_work();
	return true;
}

/*
 * The node that the page allocator would try first, or NULL if the pool is not used: if
 * it is off, if the memory is charged, or if the task has a memory policy.
 */
static struct pool_node *pool_node_for(gfp_t gfp)
{
	const int nid = numa_mem_id();

	if (!pool_nodes() || !pool_limit() || gfp & __GFP_ACCOUNT)
		return NULL;
#ifdef CONFIG_NUMA
	if (current->mempolicy)
		return NULL;
#endif
	if (!node_isset(nid, cpuset_current_mems_allowed))
		return NULL;
	return &pool.nodes[nid];
}

static struct page *pool_take_clean(struct pool_node *node, unsigned int order)
{
	struct page *page = pool_remove(node, order, POOL_CLEAN);

	if (!page)
		return NULL;
	pool_add_stat(node, POOL_TOOK_CLEAN, order);
	trace_dma_heap_pool_take_clean(page, order);
	return page;
}

static struct page *pool_take_dirty(struct pool_node *node, unsigned int order)
{
	struct page *page = pool_remove(node, order, POOL_DIRTY);
	bool done;

	if (!page) {
		pool_add_stat(node, POOL_MISSED, order);
		return NULL;
	}
	atomic_inc(&pool.zeroing);
	done = pool_zero(NULL, page, order);
	atomic_dec(&pool.zeroing);
	if (!done) {
		pool_give_back(node, page, order);
		return NULL;
	}
	pool_add_stat(node, POOL_TOOK_DIRTY, order);
	trace_dma_heap_pool_take_dirty(page, order);
	return page;
}

/* Give back a larger block, for the page allocator to split it. */
static bool pool_give_larger_of(struct pool_node *node, unsigned int order)
{
	struct page *page;

	while (++order < NR_PAGE_ORDERS) {
		page = pool_remove(node, order, POOL_DIRTY) ?:
		       pool_remove(node, order, POOL_CLEAN);
		if (!page)
			continue;
		pool_give_back(node, page, order);
		return true;
	}
	return false;
}

struct page *heap_pool_alloc_block(gfp_t gfp, unsigned int order)
{
	struct pool_node *node = pool_node_for(gfp);
	struct page *page = NULL;

	if (node)
		page = pool_take_clean(node, order) ?: pool_take_dirty(node, order);
	if (page) {
		set_page_private(page, POOL_ZERO);
		return page;
	}

	page = alloc_pages(gfp, order);
	if (!page && node && pool_give_larger_of(node, order))
		page = alloc_pages(gfp, order);
	return page;
}

static void pool_set_short(struct pool_node *node, unsigned long seconds)
{
	WRITE_ONCE(node->short_until, pool_now() + seconds);
}

/* Is this direct reclaim?  count_objects() is called even if the pool is empty. */
static bool pool_task_waits(void)
{
	return (current->flags & (PF_MEMALLOC | PF_KSWAPD)) == PF_MEMALLOC;
}

static unsigned long pool_shrinker_count(struct shrinker *shrinker,
					 struct shrink_control *sc)
{
	struct pool_node *node = &pool.nodes[sc->nid];

	if (pool_task_waits())
		pool_set_short(node, POOL_SHORT_TIME);
	return atomic_long_read(&node->pages);
}

static unsigned long pool_shrinker_scan(struct shrinker *shrinker,
					struct shrink_control *sc)
{
	const unsigned long done = pool_shrink_node(&pool.nodes[sc->nid],
						    sc->nr_to_scan);

	sc->nr_scanned = done;
	mm_account_reclaimed_pages(done);
	return done ?: SHRINK_STOP;
}

VISIBLE_IF_KUNIT unsigned long heap_pool_set_max(unsigned long nr_pages)
{
	const unsigned long before = READ_ONCE(pool.max_pages);

	WRITE_ONCE(pool.max_pages, nr_pages);
	if (pool_nodes()) {
		pool_trim();
		heap_pool_queue_work();
	}
	return before;
}

static int pool_max_kbytes_set(const char *val, const struct kernel_param *kp)
{
	unsigned long kbytes;
	int ret = kstrtoul(val, 0, &kbytes);

	if (!ret)
		heap_pool_set_max(kbytes >> (PAGE_SHIFT - 10));
	return ret;
}

static int pool_max_kbytes_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%lu\n",
			  READ_ONCE(pool.max_pages) << (PAGE_SHIFT - 10));
}

static const struct kernel_param_ops pool_max_kbytes_ops = {
	.set = pool_max_kbytes_set,
	.get = pool_max_kbytes_get,
};

module_param_cb(pool_max_kbytes, &pool_max_kbytes_ops, NULL, 0644);
MODULE_PARM_DESC(pool_max_kbytes,
		 "Memory to keep for new buffers, in KiB, 0 for none (default: 1/64 of all memory)");

static void pool_show_kbytes(struct seq_file *m, unsigned long pages)
{
	seq_printf(m, " %lu", pages << (PAGE_SHIFT - 10));
}

static int pool_stats_show(struct seq_file *m, void *unused)
{
	int nid, i;

	seq_puts(m, "node total dirty clean kept took_clean took_dirty missed zeroed gave_back (kB)\n");
	for_each_online_node(nid) {
		const struct pool_node *node = &pool.nodes[nid];

		seq_printf(m, "%d", nid);
		pool_show_kbytes(m, atomic_long_read(&node->pages));
		pool_show_kbytes(m, pool_dirty_pages(node));
		pool_show_kbytes(m, atomic_long_read(&node->clean));
		for (i = 0; i < NR_POOL_STATS; i++)
			pool_show_kbytes(m, atomic_long_read(&node->stats[i]));
		seq_putc(m, '\n');
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(pool_stats);

static struct pool_node *__init pool_alloc_nodes(void)
{
	struct pool_node *nodes = kcalloc(nr_node_ids, sizeof(*nodes), GFP_KERNEL);
	int nid, order;

	if (!nodes)
		return NULL;
	for (nid = 0; nid < nr_node_ids; nid++)
		for (order = 0; order < NR_PAGE_ORDERS; order++)
			xa_init(&nodes[nid].blocks[order]);
	return nodes;
}

static struct shrinker *__init pool_alloc_shrinker(void)
{
	struct shrinker *shrinker = shrinker_alloc(SHRINKER_NUMA_AWARE,
						   "dma-heap-pool");

	if (!shrinker)
		return NULL;
	shrinker->count_objects = pool_shrinker_count;
	shrinker->scan_objects = pool_shrinker_scan;
	/* To fill it again takes no I/O, so half of it goes at a time. */
	shrinker->seeks = 0;
	/* Less than a block, so that the last one goes as well. */
	shrinker->batch = 1L << (POOL_MIN_ORDER - 1);
	return shrinker;
}

static struct kthread_worker *__init pool_create_worker(void)
{
	struct kthread_worker *worker;

	worker = kthread_create_worker(KTW_FREEZABLE, "dma_heap_pool");
	if (IS_ERR(worker))
		return NULL;
	set_user_nice(worker->task, POOL_NICE);
	wake_up_process(worker->task);
	return worker;
}

/**
 * system_heap_pool_init() - begin to keep memory
 *
 * Cannot be undone, so call it once the heap is registered.
 *
 * If it fails, all memory comes from the page allocator and goes back to it.
 */
void __init system_heap_pool_init(void)
{
	struct pool_node *nodes = pool_alloc_nodes();
	struct shrinker *shrinker = pool_alloc_shrinker();

	pool.worker = pool_create_worker();
	if (!nodes || !shrinker || !pool.worker)
		goto fail;

	if (pool.max_pages == ULONG_MAX)
		pool.max_pages = totalram_pages() / POOL_DEFAULT_SHARE;
	kthread_init_delayed_work(&pool.zero_work, pool_zero_work);
	kthread_init_delayed_work(&pool.age_work, pool_age_work);
	/* Pairs with pool_nodes(): all of the pool is there. */
	smp_store_release(&pool.nodes, nodes);
	shrinker_register(shrinker);
	debugfs_create_file("dma_heap_pool", 0444, NULL, NULL, &pool_stats_fops);
	return;

fail:
	pr_warn("dma-buf system heap: no memory for a pool\n");
	if (pool.worker)
		kthread_destroy_worker(pool.worker);
	if (shrinker)
		shrinker_free(shrinker);
	kfree(nodes);
}

#if IS_ENABLED(CONFIG_KUNIT)
struct pool_counts heap_pool_count_pages(void)
{
	struct pool_counts counts = {};
	int nid;

	for (nid = 0; nid < nr_node_ids; nid++) {
		counts.dirty += pool_dirty_pages(&pool.nodes[nid]);
		counts.clean += atomic_long_read(&pool.nodes[nid].clean);
	}
	return counts;
}

unsigned long heap_pool_shrink(int nid, unsigned long nr_pages)
{
	return pool_shrink_node(&pool.nodes[nid], nr_pages);
}

void heap_pool_note_shortage(int nid, unsigned long seconds)
{
	pool_set_short(&pool.nodes[nid], seconds);
}

bool heap_pool_give_larger(int nid, unsigned int order)
{
	return pool_give_larger_of(&pool.nodes[nid], order);
}
#endif
