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
 *	MIXED	    the same of blocks that are not all as long
 *
 * And map one range of addresses with PTEs and with large leaves in turns, which
 * has leaves replace page tables.
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/io.h>
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

/* Pages of the next block. */
static u32 layout_length(const struct dmabuf_vmap_layout *arg,
			 struct rnd_state *state)
{
	/* Around what the walk or an architecture may treat in another way. */
	static const u32 lengths[] = {
		1, 1, 2, 3, 4, 8, 15, 16, 17, 100, 511, 512, 513,
	};

	if (arg->layout != DMABUF_VMAP_LAYOUT_MIXED)
		return (u32)arg->block >> PAGE_SHIFT;
	return lengths[prandom_u32_state(state) % ARRAY_SIZE(lengths)];
}

/* Where each block begins, and where the last ends.  Returns their number. */
static u32 layout_cut(const struct dmabuf_vmap_layout *arg, u32 *first)
{
	const u32 nr_pages = (u32)arg->bytes >> PAGE_SHIFT;
	struct rnd_state state;
	u32 n = 0;

	prandom_seed_state(&state, nr_pages);
	for (u32 page = 0; page < nr_pages; page += layout_length(arg, &state))
		first[n++] = page;
	first[n] = nr_pages;
	return n;
}

static int layout_fill_table(struct layout_memory *mem,
			     const struct dmabuf_vmap_layout *arg)
{
	struct scatterlist *sg;
	unsigned int i;
	u32 n;
	int ret;

	u32 *first __free(kvfree) =
		kvmalloc_array(mem->nr_pages + 1, sizeof(*first), GFP_KERNEL);
	u32 *order __free(kvfree) =
		kvmalloc_array(mem->nr_pages, sizeof(*order), GFP_KERNEL);
	if (!first || !order)
		return -ENOMEM;

	n = layout_cut(arg, first);
	for (i = 0; i < n; i++)
		order[i] = layout_block(arg->layout, i, n);
	if (arg->layout >= DMABUF_VMAP_LAYOUT_SHUFFLED)
		layout_shuffle(order, n);

	ret = sg_alloc_table(&mem->sgt, n, GFP_KERNEL);
	if (ret)
		return ret;
	for_each_sgtable_sg(&mem->sgt, sg, i) {
		const u32 page = first[order[i]];

		sg_set_page(sg, mem->area + page,
			    (first[order[i] + 1] - page) << PAGE_SHIFT, 0);
	}
	return 0;
}

/* Build the page array that vmap() needs, as a heap has to. May be timed. */
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
	int ret;

	mem->nr_pages = (u32)arg->bytes >> PAGE_SHIFT;
	ret = layout_get_area(area, mem->nr_pages + (arg->skip >> PAGE_SHIFT));
	if (ret)
		return ret;
	mem->area = area->page + (arg->skip >> PAGE_SHIFT);

	ret = layout_fill_table(mem, arg);
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

/* The PTE blocks or leaves that vmalloc() goes for if it may. */
static unsigned int layout_vmalloc_shift(unsigned long bytes)
{
	if (!IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC))
		return PAGE_SHIFT;
	if (bytes >= PMD_SIZE && arch_vmap_pmd_supported(PAGE_KERNEL))
		return PMD_SHIFT;
	return arch_vmap_pte_supported_shift(bytes);
}

static int layout_map_area(struct layout_memory *mem, u32 entry,
			   unsigned long addr, unsigned long bytes)
{
	if (entry == DMABUF_VMAP_ENTRY_IOREMAP)
		return ioremap_page_range(addr, addr + bytes,
					  page_to_phys(mem->area), PAGE_KERNEL);
	return __vmap_pages_range_noflush(addr, addr + bytes, PAGE_KERNEL,
					  mem->pages,
					  layout_vmalloc_shift(bytes));
}

/* VM_IOREMAP: aligned to its size, as both would have it here. */
static void *layout_map_block(struct layout_memory *mem, u32 entry)
{
	const unsigned long bytes = (unsigned long)mem->nr_pages << PAGE_SHIFT;
	struct vm_struct *vm = get_vm_area(bytes, VM_IOREMAP);
	int ret;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	ret = layout_map_area(mem, entry, (unsigned long)vm->addr, bytes);
	if (!ret)
		return vm->addr;
	free_vm_area(vm);
	return ERR_PTR(ret);
}

static void *layout_map(struct layout_memory *mem, u32 entry)
{
	switch (entry) {
	case DMABUF_VMAP_ENTRY_SG:
		return layout_map_sg(mem);
	case DMABUF_VMAP_ENTRY_PAGES:
		return layout_map_pages(mem->pages, mem->nr_pages);
	}
	return layout_map_block(mem, entry);
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
	return vmap_test_resched();
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
		int ret = vmap_test_resched();

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
	if (arg->layout > DMABUF_VMAP_LAYOUT_MIXED ||
	    arg->entry > DMABUF_VMAP_ENTRY_VMALLOC)
		return -EINVAL;
	if (!arg->rounds || arg->rounds > DMABUF_VMAP_TEST_MAX_ROUNDS)
		return -EINVAL;
	if (!arg->block || arg->block > arg->bytes ||
	    arg->bytes > DMABUF_VMAP_TEST_MAX_BYTES)
		return -EINVAL;
	if (!PAGE_ALIGNED(arg->block) || (u32)arg->bytes % (u32)arg->block)
		return -EINVAL;
	if (!PAGE_ALIGNED(arg->skip) ||
	    arg->skip > DMABUF_VMAP_TEST_MAX_BYTES - arg->bytes)
		return -EINVAL;
	if (arg->entry > DMABUF_VMAP_ENTRY_PAGES && arg->block != arg->bytes)
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

/**
 * struct replace_range - what REPLACE maps where
 * @addr: the addresses, aligned for PMD leaves
 * @page: the memory, aligned for PMD leaves; each page begins with its number
 * @nr_pages: number of pages
 */
struct replace_range {
	unsigned long addr;
	struct page *page;
	unsigned long nr_pages;
};

static u64 replace_mark(const struct replace_range *range, unsigned long page)
{
	return page_to_pfn(range->page + page);
}

static int replace_mark_pages(const struct replace_range *range)
{
	for (unsigned long i = 0; i < range->nr_pages; i++) {
		u64 *word = kmap_local_page(range->page + i);

		*word = replace_mark(range, i);
		kunmap_local(word);
		if (vmap_test_resched())
			return -EINTR;
	}
	return 0;
}

/* Not read unless the tables have the right page: there may be none. */
static bool replace_is_mapped(const struct replace_range *range, const u64 *vaddr,
			      unsigned long page)
{
	return vmalloc_to_page(vaddr) == range->page + page &&
	       READ_ONCE(*vaddr) == replace_mark(range, page);
}

static int replace_verify(const struct replace_range *range, unsigned long skip,
			  struct dmabuf_vmap_result *res)
{
	const void *vaddr = (void *)range->addr;

	for (unsigned long i = skip; i < range->nr_pages; i++) {
		if (!replace_is_mapped(range, vaddr, i))
			vmap_test_bad_pages(res, i - skip, 1);
		vaddr += PAGE_SIZE;
		if (vmap_test_resched())
			return -EINTR;
	}
	return 0;
}

static int replace_inspect(const struct replace_range *range, unsigned long skip,
			   struct dmabuf_vmap_result *res)
{
	const struct dmabuf_vmap_result before = *res;

	*res = (struct dmabuf_vmap_result){
		.bytes = (u64)(range->nr_pages - skip) << PAGE_SHIFT,
		.pages_checked = before.pages_checked + range->nr_pages - skip,
		.bad_pages = before.bad_pages,
		.first_bad_page = before.bad_pages ? before.first_bad_page :
						     DMABUF_VMAP_TEST_NO_PAGE,
	};
	vmap_test_describe((void *)range->addr, res);
	vmap_test_count_leaves((void *)range->addr, res);
	return replace_verify(range, skip, res);
}

/* Map from the @skip-th page on, look, unmap. */
static int replace_map(const struct replace_range *range, unsigned long skip,
		       struct dmabuf_vmap_result *res)
{
	const unsigned long end = range->addr +
				  ((range->nr_pages - skip) << PAGE_SHIFT);
	int ret;

	ret = vmap_page_range(range->addr, end,
			      page_to_phys(range->page + skip), PAGE_KERNEL);
	if (!ret)
		ret = replace_inspect(range, skip, res);
	vunmap_range(range->addr, end);
	return ret;
}

static int replace_rounds(const struct replace_range *range,
			  struct dmabuf_vmap_replace *arg)
{
	int ret = replace_mark_pages(range);

	for (u32 i = 0; !ret && i < arg->rounds; i++)
		ret = replace_map(range, 1, &arg->small) ?:
		      replace_map(range, 0, &arg->large) ?:
		      replace_map(range, 1, &arg->small);
	return ret;
}

static int replace_check(const struct dmabuf_vmap_replace *arg)
{
	if (!arg->rounds || arg->rounds > DMABUF_VMAP_TEST_MAX_ROUNDS ||
	    arg->reserved)
		return -EINVAL;
	if (!IS_ALIGNED(arg->bytes, PAGE_SIZE) || arg->bytes < 2 * PAGE_SIZE ||
	    arg->bytes > DMABUF_VMAP_TEST_MAX_BYTES)
		return -EINVAL;
	return 0;
}

/**
 * vmap_test_replace() - DMABUF_VMAP_TEST_REPLACE
 * @area: kept by the caller, who lets only one call at a time use it
 * @uarg: user address of a struct dmabuf_vmap_replace
 * @usize: its size according to the caller
 *
 * Context: May sleep, for as long as the rounds take.
 * Return: 0 or an error.
 */
long vmap_test_replace(struct vmap_test_area *area, void __user *uarg,
		       size_t usize)
{
	struct dmabuf_vmap_replace arg;
	struct replace_range range;
	struct vm_struct *vm;
	int ret;

	ret = vmap_test_copy(&arg, sizeof(arg), uarg, usize) ?:
	      replace_check(&arg) ?:
	      layout_get_area(area, arg.bytes >> PAGE_SHIFT);
	if (ret)
		return ret;
	/* VM_MAP, so that /proc/kcore reads it. */
	vm = get_vm_area(arg.bytes + PMD_SIZE, VM_MAP);
	if (!vm)
		return -ENOMEM;

	range = (struct replace_range){
		.addr = ALIGN((unsigned long)vm->addr, PMD_SIZE),
		.page = area->page,
		.nr_pages = arg.bytes >> PAGE_SHIFT,
	};
	arg.small = (struct dmabuf_vmap_result){};
	arg.large = (struct dmabuf_vmap_result){};
	ret = replace_rounds(&range, &arg);
	free_vm_area(vm);
	if (ret)
		return ret;
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}
