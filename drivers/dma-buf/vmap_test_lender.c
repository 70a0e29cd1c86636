// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that a test allocates and the kernel can reclaim, by a shrinker or an OOM
 * notifier.
 *
 * Two files of the directory dma_buf_lender in debugfs, shrinker and oom, hold as many
 * pages as are written to them.  They give some back whenever a shrinker, or an OOM
 * notifier, is asked to.  Reading one tells how many it still holds.
 */
#include <linux/debugfs.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/swap.h>

/* Given back by each call of the notifier. */
#define OOM_PAGES	1024

/*
 * Given back to a shrinker at once: more than what is between two watermarks.  kswapd
 * that has found too little too often is not woken in 7.3, until somebody has reclaimed
 * so much that all watermarks are met.
 */
#define SHRINK_PAGES	(SZ_64M >> PAGE_SHIFT)

/**
 * struct lender - pages that can be given back
 * @lock: protects all of it
 * @pages: single pages, linked by their lru
 * @nr: number of pages
 */
struct lender {
	spinlock_t lock;	/* see above */
	struct list_head pages;
	unsigned long nr;
};

static struct lender shrinker_lender, oom_lender;

static int lender_take(struct lender *lender)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

	if (!page)
		return -ENOMEM;
	spin_lock(&lender->lock);
	list_add(&page->lru, &lender->pages);
	lender->nr++;
	spin_unlock(&lender->lock);
	return 0;
}

/* Returns how many pages were given back, at most @nr. */
static unsigned long lender_give(struct lender *lender, unsigned long nr)
{
	unsigned long given = 0;
	struct page *page;

	while (given < nr) {
		spin_lock(&lender->lock);
		page = list_first_entry_or_null(&lender->pages, struct page, lru);
		if (page) {
			list_del(&page->lru);
			lender->nr--;
		}
		spin_unlock(&lender->lock);
		if (!page)
			break;
		__free_page(page);
		given++;
	}
	return given;
}

static int lender_get(void *data, u64 *nr)
{
	struct lender *lender = data;

	*nr = READ_ONCE(lender->nr);
	return 0;
}

static int lender_set(void *data, u64 nr)
{
	struct lender *lender = data;
	int ret = 0;

	if (nr > totalram_pages())
		return -EINVAL;
	while (!ret && READ_ONCE(lender->nr) < nr) {
		cond_resched();
		ret = fatal_signal_pending(current) ? -EINTR : lender_take(lender);
	}
	if (READ_ONCE(lender->nr) > nr)
		lender_give(lender, READ_ONCE(lender->nr) - nr);
	return ret;
}

DEFINE_DEBUGFS_ATTRIBUTE(lender_fops, lender_get, lender_set, "%llu\n");

static unsigned long lender_count(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	return READ_ONCE(shrinker_lender.nr) ?: SHRINK_EMPTY;
}

static unsigned long lender_scan(struct shrinker *shrinker,
				 struct shrink_control *sc)
{
	const unsigned long given = lender_give(&shrinker_lender, sc->nr_to_scan);

	mm_account_reclaimed_pages(given);
	return given ?: SHRINK_STOP;
}

static int lender_oom(struct notifier_block *nb, unsigned long action, void *data)
{
	unsigned long *freed = data;

	*freed += lender_give(&oom_lender, OOM_PAGES);
	return NOTIFY_OK;
}

static struct notifier_block lender_nb = {
	.notifier_call = lender_oom,
};

static void __init lender_init_one(struct lender *lender)
{
	spin_lock_init(&lender->lock);
	INIT_LIST_HEAD(&lender->pages);
}

static int __init lender_init(void)
{
	struct shrinker *shrinker = shrinker_alloc(0, "dma_buf_lender");
	struct dentry *dir;

	if (!shrinker)
		return -ENOMEM;
	lender_init_one(&shrinker_lender);
	lender_init_one(&oom_lender);
	shrinker->count_objects = lender_count;
	shrinker->scan_objects = lender_scan;
	shrinker->batch = SHRINK_PAGES;
	shrinker_register(shrinker);
	register_oom_notifier(&lender_nb);

	dir = debugfs_create_dir("dma_buf_lender", NULL);
	debugfs_create_file_unsafe("shrinker", 0600, dir, &shrinker_lender, &lender_fops);
	debugfs_create_file_unsafe("oom", 0600, dir, &oom_lender, &lender_fops);
	return 0;
}
late_initcall(lender_init);
