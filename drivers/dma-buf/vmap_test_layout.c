// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time vmap_sg() and vmap() of memory whose physical layout is given.
 *
 * One contiguous area is cut into blocks, and the blocks are mapped in an order
 * that makes the layout: what is apart, or in a random order, in the sequence
 * that is mapped, is so to the code under test, though no memory between the
 * blocks goes unused.
 *
 *	APART	    1 3 5 7 0 2 4 6
 *	ASCENDING   0 1 2 3 4 5 6 7
 *	DESCENDING  7 6 5 4 3 2 1 0
 *	SHUFFLED    a random order, always the same
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "vmap_test_priv.h"

/**
 * struct layout_memory - memory in a layout
 * @area: its first page, from which on it is contiguous and ascending
 * @sgt: one entry for each block, in the order of the layout
 * @pages: the pages of @sgt, in its order, or NULL
 * @nr_pages: number of @pages
 */
struct layout_memory {
	struct page *area;
	struct sg_table sgt;
	struct page **pages;
	unsigned int nr_pages;
};

static void layout_shuffle(u32 *order, u32 n)
{
	struct rnd_state state;

	prandom_seed_state(&state, n);
	while (n > 1) {
		u32 other = prandom_u32_state(&state) % n--;

		swap(order[n], order[other]);
	}
}

/* Which block of the area comes @i-th, of @n. */
static u32 layout_block(u32 layout, u32 i, u32 n)
{
	switch (layout) {
	case DMABUF_VMAP_LAYOUT_APART:
		return i < n / 2 ? 2 * i + 1 : 2 * (i - n / 2);
	case DMABUF_VMAP_LAYOUT_DESCENDING:
		return n - 1 - i;
	}
	return i;
}

static int layout_fill_table(struct layout_memory *mem, u32 layout, u32 block)
{
	const u32 n = mem->sgt.orig_nents;
	struct scatterlist *sg;
	unsigned int i;

	u32 *order __free(kvfree) =
		kvmalloc_array(n, sizeof(*order), GFP_KERNEL);
	if (!order)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		order[i] = layout_block(layout, i, n);
	if (layout == DMABUF_VMAP_LAYOUT_SHUFFLED)
		layout_shuffle(order, n);

	for_each_sgtable_sg(&mem->sgt, sg, i)
		sg_set_page(sg, mem->area + order[i] * (block >> PAGE_SHIFT),
			    block, 0);
	return 0;
}

/* What stock heaps do before they can call vmap(); the clock may be running. */
static struct page **layout_page_array(struct sg_table *sgt, unsigned int n)
{
	struct page **pages = __vmalloc_array(n, sizeof(*pages),
					      GFP_KERNEL | __GFP_NOWARN);
	struct sg_page_iter iter;
	unsigned int i = 0;

	if (!pages)
		return NULL;
	for_each_sgtable_page(sgt, &iter, 0)
		pages[i++] = sg_page_iter_page(&iter);
	return pages;
}

/* Free exactly what layout_build() got, which may be a part. */
static void layout_free(struct layout_memory *mem)
{
	vfree(mem->pages);
	sg_free_table(&mem->sgt);
}

/**
 * vmap_test_area_free() - free what LAYOUT has kept
 * @area: may be empty, and is afterwards
 */
void vmap_test_area_free(struct vmap_test_area *area)
{
	if (area->page)
		free_contig_range(page_to_pfn(area->page), area->nr_pages);
	area->page = NULL;
}

static int layout_get_area(struct vmap_test_area *area, unsigned long nr_pages)
{
	nr_pages = roundup_pow_of_two(nr_pages);
	if (area->page && area->nr_pages == nr_pages)
		return 0;

	vmap_test_area_free(area);
	area->page = alloc_contig_pages(nr_pages, GFP_KERNEL | __GFP_NOWARN,
					numa_mem_id(), NULL);
	area->nr_pages = nr_pages;
	return area->page ? 0 : -ENOMEM;
}

/* Whatever is returned, the caller calls layout_free(). */
static int layout_build(struct layout_memory *mem, struct vmap_test_area *area,
			const struct dmabuf_vmap_layout *arg)
{
	const u32 bytes = arg->bytes, block = arg->block;
	int ret;

	mem->nr_pages = bytes >> PAGE_SHIFT;
	ret = layout_get_area(area, mem->nr_pages);
	if (ret)
		return ret;
	mem->area = area->page;

	ret = sg_alloc_table(&mem->sgt, bytes / block, GFP_KERNEL);
	if (!ret)
		ret = layout_fill_table(mem, arg->layout, block);
	if (ret)
		return ret;

	mem->pages = layout_page_array(&mem->sgt, mem->nr_pages);
	return mem->pages ? 0 : -ENOMEM;
}

static void *layout_map_pages(struct page **pages, unsigned int n)
{
	return vmap(pages, n, VM_MAP, PAGE_KERNEL) ?: ERR_PTR(-ENOMEM);
}

/* No weak reference: arm64 would need a GOT for one, and refuses to link it. */
__weak void *vmap_sg(const struct sg_table *sgt, pgprot_t prot)
{
	return NULL;
}

static void *layout_map_sg(struct layout_memory *mem)
{
	struct page **pages;
	void *vaddr;

	vaddr = vmap_sg(&mem->sgt, PAGE_KERNEL);
	if (vaddr)
		return vaddr;

	pages = layout_page_array(&mem->sgt, mem->nr_pages);
	if (!pages)
		return ERR_PTR(-ENOMEM);
	vaddr = layout_map_pages(pages, mem->nr_pages);
	vfree(pages);
	return vaddr;
}

static void *layout_map(struct layout_memory *mem, u32 entry)
{
	if (entry == DMABUF_VMAP_ENTRY_SG)
		return layout_map_sg(mem);
	return layout_map_pages(mem->pages, mem->nr_pages);
}

/* Nothing but the call is between two readings of the clock. */
static int layout_time_round(struct layout_memory *mem, u32 entry,
			     struct dmabuf_vmap_round *round)
{
	u64 start, end;
	void *vaddr;

	start = ktime_get_ns();
	vaddr = layout_map(mem, entry);
	end = ktime_get_ns();
	if (IS_ERR(vaddr))
		return PTR_ERR(vaddr);
	round->map_ns = end - start;

	start = ktime_get_ns();
	vunmap(vaddr);
	end = ktime_get_ns();
	round->unmap_ns = end - start;
	return 0;
}

/*
 * vunmap() leaves its address range to a worker to purge. Let it finish, or it
 * is the next round that pays.
 */
static int layout_settle(void)
{
	schedule_timeout_killable(1);
	return vmap_test_breathe();
}

static int layout_measure(struct layout_memory *mem,
			  struct dmabuf_vmap_layout *arg)
{
	struct dmabuf_vmap_round *rounds __free(kvfree) =
		kvcalloc(arg->rounds, sizeof(*rounds), GFP_KERNEL);
	int ret = 0;

	if (!rounds)
		return -ENOMEM;
	for (u32 i = 0; !ret && i < arg->rounds; i++)
		ret = layout_time_round(mem, arg->entry, &rounds[i]) ?:
		      layout_settle();
	if (ret)
		return ret;
	return vmap_test_report_rounds(rounds, arg->rounds, arg->rounds_ptr,
				       &arg->result);
}

/* Every page, in order: is it the one that was to be mapped there? */
static int layout_verify(const struct layout_memory *mem, const void *vaddr,
			 struct dmabuf_vmap_result *res)
{
	res->first_bad_page = DMABUF_VMAP_TEST_NO_PAGE;
	for (unsigned int i = 0; i < mem->nr_pages; i++) {
		int ret = vmap_test_breathe();

		if (ret)
			return ret;
		if (vmalloc_to_page(vaddr) != mem->pages[i])
			vmap_test_bad_pages(res, i, 1);
		vaddr += PAGE_SIZE;
		res->pages_checked++;
	}
	return 0;
}

/* Out of the timed part: a mapping that is wrong has no time. */
static int layout_inspect(struct layout_memory *mem,
			  struct dmabuf_vmap_layout *arg)
{
	void *vaddr = layout_map(mem, arg->entry);
	int ret;

	if (IS_ERR(vaddr))
		return PTR_ERR(vaddr);
	arg->result.nents = mem->sgt.orig_nents;
	vmap_test_describe(vaddr, &arg->result);
	vmap_test_count_leaves(vaddr, &arg->result);
	ret = layout_verify(mem, vaddr, &arg->result);
	vunmap(vaddr);
	return ret;
}

static int layout_check(const struct dmabuf_vmap_layout *arg)
{
	if (arg->layout > DMABUF_VMAP_LAYOUT_SHUFFLED ||
	    arg->entry > DMABUF_VMAP_ENTRY_PAGES || arg->reserved)
		return -EINVAL;
	if (!arg->rounds || arg->rounds > DMABUF_VMAP_TEST_MAX_ROUNDS)
		return -EINVAL;
	if (!arg->block || arg->block > arg->bytes ||
	    arg->bytes > DMABUF_VMAP_TEST_MAX_BYTES)
		return -EINVAL;
	if (!PAGE_ALIGNED(arg->block) || (u32)arg->bytes % (u32)arg->block)
		return -EINVAL;
	return 0;
}

/**
 * vmap_test_layout() - DMABUF_VMAP_TEST_LAYOUT
 * @area: kept by the caller, who lets only one call at a time use it
 * @uarg: user address of a struct dmabuf_vmap_layout
 * @usize: its size according to the caller
 *
 * Context: May sleep, for as long as the rounds take.
 * Return: 0 or an error.
 */
long vmap_test_layout(struct vmap_test_area *area, void __user *uarg,
		      size_t usize)
{
	struct layout_memory mem = {};
	struct dmabuf_vmap_layout arg;
	int ret;

	ret = vmap_test_copy(&arg, sizeof(arg), uarg, usize) ?:
	      layout_check(&arg);
	if (ret)
		return ret;

	arg.result = (struct dmabuf_vmap_result){ .bytes = arg.bytes };
	ret = layout_build(&mem, area, &arg);
	if (!ret)
		ret = layout_measure(&mem, &arg);
	if (!ret)
		ret = layout_inspect(&mem, &arg);
	layout_free(&mem);
	if (ret)
		return ret;
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}
