// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mappings of the memory of an sg_table.
 *
 * The memory is seen as runs, one for each entry of the table.  Page tables are
 * filled one after the other, with as many runs as each has room for, so that a
 * table is looked up and locked once.
 */

#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>

/**
 * struct sg_run - what is left of an entry of an sg_table
 * @sg: the next entry, or the link to it, if @nents is not 0
 * @nents: number of entries from @sg on
 * @pfn: page frame number of the first page that is left
 * @nr_pages: number of pages that are left
 */
struct sg_run {
	struct scatterlist *sg;
	unsigned int nents;
	unsigned long pfn;
	unsigned long nr_pages;
};

/* Go on with the next entry, if there is one. */
static inline bool sg_run_next(struct sg_run *run)
{
	struct scatterlist *sg = run->sg;

	if (!run->nents)
		return false;
	if (unlikely(sg_is_chain(sg)))
		sg = sg_chain_ptr(sg);
	run->pfn = page_to_pfn(sg_page(sg)) + (sg->offset >> PAGE_SHIFT);
	run->nr_pages = sg->length >> PAGE_SHIFT;
	run->sg = sg + 1;
	run->nents--;
	return true;
}

static inline void sg_run_skip(struct sg_run *run, unsigned long nr_pages)
{
	run->pfn += nr_pages;
	run->nr_pages -= nr_pages;
}

/* Start at page @pgoff of the table, if it has that many. */
static bool sg_run_start(struct sg_run *run, const struct sg_table *sgt,
			 unsigned long pgoff)
{
	run->sg = sgt->sgl;
	run->nents = sgt->orig_nents;
	while (sg_run_next(run)) {
		if (pgoff < run->nr_pages) {
			sg_run_skip(run, pgoff);
			return true;
		}
		pgoff -= run->nr_pages;
	}
	return false;
}

#ifdef CONFIG_MMU

/*
 * Unmapping takes special PTEs one by one, so set them one by one: arm64 would
 * make contiguous PTEs of them otherwise, and then have to undo these.
 */
static void map_pages(struct mm_struct *mm, unsigned long addr, pte_t *ptep,
		      unsigned long pfn, unsigned long nr_pages, pgprot_t prot)
{
	const unsigned long end = pfn + nr_pages;

	for (; pfn != end; pfn++, ptep++, addr += PAGE_SIZE)
		set_pte_at(mm, addr, ptep, pte_mkspecial(pfn_pte(pfn, prot)));
}

/* Fill one page table, up to @end.  Not inlined: its loop needs the registers. */
static noinline int map_table(struct mm_struct *mm, unsigned long addr,
			      unsigned long end, struct sg_run *run,
			      pgprot_t prot)
{
	unsigned long left = (end - addr) >> PAGE_SHIFT, nr;
	pte_t *first, *ptep;
	spinlock_t *ptl;	/* of the table */

	first = get_locked_pte(mm, addr, &ptl);
	if (!first)
		return -ENOMEM;

	lazy_mmu_mode_enable();
	for (ptep = first; left; left -= nr) {
		if (!run->nr_pages && !sg_run_next(run))
			break;
		nr = min(run->nr_pages, left);
		map_pages(mm, addr, ptep, run->pfn, nr, prot);
		sg_run_skip(run, nr);
		addr += nr << PAGE_SHIFT;
		ptep += nr;
	}
	lazy_mmu_mode_disable();
	pte_unmap_unlock(first, ptl);
	return left ? -ENXIO : 0;
}

static int map_runs(struct vm_area_struct *vma, struct sg_run *run,
		    pgprot_t prot)
{
	unsigned long addr, next;
	int err = 0;

	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	flush_cache_range(vma, vma->vm_start, vma->vm_end);
	for (addr = vma->vm_start; !err && addr != vma->vm_end; addr = next) {
		next = pmd_addr_end(addr, vma->vm_end);
		err = map_table(vma->vm_mm, addr, next, run, prot);
	}
	/* No page is referenced, and the caller may free them all. */
	if (err)
		zap_special_vma_range(vma, vma->vm_start,
				      vma->vm_end - vma->vm_start);
	return err;
}

#else /* !CONFIG_MMU */

/* A mapping is of what is at its address. */
static int map_runs(struct vm_area_struct *vma, struct sg_run *run,
		    pgprot_t prot)
{
	return -EINVAL;
}

#endif /* CONFIG_MMU */

/**
 * vma_map_sg - map the memory of an sg_table into user space
 * @vma: mapping to fill, all of it
 * @sgt: memory to map, as the CPU sees it (all @orig_nents entries)
 * @pgoff: page of the table to start at
 * @prot: page protection for the mapping
 *
 * Maps pages of memory like remap_pfn_range(), as raw frames that nobody may take
 * references of, but of all entries at once, in their order.  Offsets and lengths
 * of entries must be multiples of PAGE_SIZE.  A private mapping that may be
 * written, and any mapping without an MMU, must lie within one entry.
 *
 * The memory type is taken from @prot, and not looked up as remap_pfn_range()
 * does on x86: who has changed that of the pages knows it.
 *
 * The table is not looked at after the call.  The memory stays the caller's, who
 * keeps it until the mapping is gone.
 *
 * Context: From ->mmap(), with the mmap lock held for writing.  May sleep.
 * Return: 0, -ENXIO if the table ends before the mapping, -EINVAL for a mapping
 * that has to lie within one entry and does not, -ENOMEM.  After an error nothing
 * is mapped.
 */
int vma_map_sg(struct vm_area_struct *vma, const struct sg_table *sgt,
	       unsigned long pgoff, pgprot_t prot)
{
	struct sg_run run;

	if (!sg_run_start(&run, sgt, pgoff))
		return -ENXIO;
	if (IS_ENABLED(CONFIG_MMU) && !vma_is_cow_mapping(vma))
		return map_runs(vma, &run, prot);

	/* To copy on write, the original page has to be known by its offset. */
	if (run.nr_pages < vma_pages(vma))
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, run.pfn,
			       vma->vm_end - vma->vm_start, prot);
}
EXPORT_SYMBOL_GPL(vma_map_sg);
