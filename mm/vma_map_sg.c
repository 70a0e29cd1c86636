// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mappings of the memory of an sg_table.
 *
 * The memory is seen as runs, one for each entry of the table.  A mapping is filled
 * one PMD after the other: with a leaf, or with a page table, which is looked up
 * and locked once for all the runs that it has room for.
 *
 * A leaf is a special PMD.  Splitting it drops it, as that of any file, so there are
 * leaves only where a fault can bring back what was there.
 */

#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/huge_mm.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pgalloc.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>

#include "internal.h"

#define PMD_PAGES	(PMD_SIZE >> PAGE_SHIFT)

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
 * Writable mappings are dirty from the start, so that CPUs that do not set the dirty
 * bit themselves do not fault.  Only architectures with PMD pfnmap leaves are known to
 * have that bit in the pgprot.
 */
static pgprot_t vma_prot(const struct vm_area_struct *vma, pgprot_t prot)
{
	const pte_t pte = pfn_pte(0, prot);

	if (!IS_ENABLED(CONFIG_ARCH_SUPPORTS_PMD_PFNMAP) ||
	    !(vma->vm_flags & VM_WRITE))
		return prot;
	/* Not pte_pgprot(): it drops the bit for memory shared with a realm's host. */
	return __pgprot(pgprot_val(prot) ^ pte_val(pte) ^ pte_val(pte_mkdirty(pte)));
}

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

/*
 * Set @left PTEs.  Returns how many remain when the runs end.  noinline: the loop needs
 * the registers.
 */
static noinline unsigned long fill_table(struct mm_struct *mm, unsigned long addr,
					 pte_t *ptep, unsigned long left,
					 struct sg_run *run, pgprot_t prot)
{
	unsigned long nr;

	for (; left; left -= nr) {
		if (!run->nr_pages && !sg_run_next(run))
			break;
		nr = min(run->nr_pages, left);
		map_pages(mm, addr, ptep, run->pfn, nr, prot);
		sg_run_skip(run, nr);
		addr += nr << PAGE_SHIFT;
		ptep += nr;
	}
	return left;
}

/* Fill one page table, up to @end. */
static int map_table(struct mm_struct *mm, pmd_t *pmd, unsigned long addr,
		     unsigned long end, struct sg_run *run, pgprot_t prot)
{
	unsigned long left;
	spinlock_t *ptl;	/* of the table */
	pte_t *ptep;

	ptep = pte_alloc_map_lock(mm, pmd, addr, &ptl);
	if (!ptep)
		return -ENOMEM;
	lazy_mmu_mode_enable();
	left = fill_table(mm, addr, ptep, (end - addr) >> PAGE_SHIFT, run, prot);
	lazy_mmu_mode_disable();
	pte_unmap_unlock(ptep, ptl);
	return left ? -ENXIO : 0;
}

#ifdef CONFIG_ARCH_SUPPORTS_PMD_PFNMAP

/*
 * The address must agree with the offset modulo PMD_SIZE, or a fault cannot find the
 * block.  vm_ops with a ->close() belong to an importer, whose fault handler cannot
 * restore leaves.
 */
static bool vma_may_have_leaves(struct vm_area_struct *vma, unsigned long pgoff)
{
	return vma->vm_end - vma->vm_start >= PMD_SIZE &&
	       !(((vma->vm_start >> PAGE_SHIFT) - pgoff) % PMD_PAGES) &&
	       vma->vm_ops && vma->vm_ops->huge_fault && !vma->vm_ops->close &&
	       !arch_needs_pgtable_deposit() &&
	       thp_vma_allowable_order(vma, vma->vm_flags, TVA_PAGEFAULT,
				       PMD_ORDER);
}

/* Set a leaf, or make an existing one writable if @write. */
static bool set_leaf(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
		     unsigned long pfn, pgprot_t prot, bool write)
{
	spinlock_t *ptl = pmd_lock(vma->vm_mm, pmd);	/* of the table */
	pmd_t entry = *pmd;
	bool is_leaf = true;

	if (pmd_none(entry)) {
		entry = pmd_mkspecial(pmd_mkhuge(pfn_pmd(pfn, prot)));
		if (write)
			entry = maybe_pmd_mkwrite(pmd_mkyoung(entry), vma);
		set_pmd_at(vma->vm_mm, addr, pmd, entry);
		update_mmu_cache_pmd(vma, addr, pmd);
	} else if (!pmd_trans_huge(entry)) {
		is_leaf = false;
	} else if (write) {
		entry = maybe_pmd_mkwrite(pmd_mkyoung(pmd_mkdirty(entry)), vma);
		if (pmdp_set_access_flags(vma, addr, pmd, entry, 1))
			update_mmu_cache_pmd(vma, addr, pmd);
	}
	spin_unlock(ptl);
	return is_leaf;
}

#else /* !CONFIG_ARCH_SUPPORTS_PMD_PFNMAP */

static bool vma_may_have_leaves(struct vm_area_struct *vma, unsigned long pgoff)
{
	return false;
}

static bool set_leaf(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
		     unsigned long pfn, pgprot_t prot, bool write)
{
	return false;
}

#endif /* CONFIG_ARCH_SUPPORTS_PMD_PFNMAP */

/* Map [@addr, @end) with a leaf, if one fits. */
static bool map_leaf(struct vm_area_struct *vma, pmd_t *pmd, unsigned long addr,
		     unsigned long end, struct sg_run *run, pgprot_t prot)
{
	if (end - addr != PMD_SIZE || (!run->nr_pages && !sg_run_next(run)))
		return false;
	if (run->nr_pages < PMD_PAGES || run->pfn % PMD_PAGES ||
	    !set_leaf(vma, pmd, addr, run->pfn, prot, false))
		return false;
	sg_run_skip(run, PMD_PAGES);
	return true;
}

static pmd_t *alloc_pmd(struct mm_struct *mm, unsigned long addr)
{
	p4d_t *p4d = p4d_alloc(mm, pgd_offset(mm, addr), addr);
	pud_t *pud = p4d ? pud_alloc(mm, p4d, addr) : NULL;

	return pud ? pmd_alloc(mm, pud, addr) : NULL;
}

static int map_runs(struct vm_area_struct *vma, unsigned long pgoff,
		    struct sg_run *run, pgprot_t prot)
{
	struct mm_struct *mm = vma->vm_mm;
	unsigned long addr, next;
	bool leaves;
	int err = 0;
	pmd_t *pmd;

	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	flush_cache_range(vma, vma->vm_start, vma->vm_end);
	leaves = vma_may_have_leaves(vma, pgoff);
	prot = vma_prot(vma, prot);
	for (addr = vma->vm_start; !err && addr != vma->vm_end; addr = next) {
		/* Not pmd_addr_end(): where PMDs are folded, that is the end. */
		next = min(vma->vm_end - 1, addr | ~PMD_MASK) + 1;
		pmd = alloc_pmd(mm, addr);
		if (!pmd)
			err = -ENOMEM;
		else if (!leaves || !map_leaf(vma, pmd, addr, next, run, prot))
			err = map_table(mm, pmd, addr, next, run, prot);
	}
	/*
	 * Nothing holds a reference, so the caller may free the pages.  Unmap now:
	 * the core clears vm_file on error, and leaves would then be taken for huge
	 * pages with references.
	 */
	if (err)
		zap_special_vma_range(vma, vma->vm_start,
				      vma->vm_end - vma->vm_start);
	return err;
}

/* Fill the empty PTEs of a table.  Installs the preallocated table if there is none. */
static void fault_table(struct vm_fault *vmf, unsigned long addr,
			unsigned long pfn, unsigned long nr_pages, pgprot_t prot)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	pte_t pte = pte_mkspecial(pfn_pte(pfn, prot));
	const unsigned long start __maybe_unused = addr;
	pte_t *first, *ptep;
	spinlock_t *ptl;	/* of the table */
	unsigned long i;

	if (pmd_none(*vmf->pmd) && vmf->prealloc_pte)
		pmd_install(mm, vmf->pmd, &vmf->prealloc_pte);
	first = pte_offset_map_lock(mm, vmf->pmd, addr, &ptl);
	if (!first)
		return;		/* raced: now a leaf, or unmapped */
	lazy_mmu_mode_enable();
	for (i = 0, ptep = first; i < nr_pages; i++, ptep++, addr += PAGE_SIZE) {
		if (pte_none(ptep_get(ptep)))
			set_pte_at(mm, addr, ptep, pte);
		pte = pte_next_pfn(pte);
	}
	update_mmu_cache_range(vmf, vmf->vma, start, first, nr_pages);
	lazy_mmu_mode_disable();
	pte_unmap_unlock(first, ptl);
}

/**
 * vmf_map_leaf - bring back what a leaf of vma_map_sg() has mapped
 * @vmf: the fault
 * @pfn: first page frame of the block that the leaf mapped
 * @order: PMD_ORDER for a leaf, 0 for pages
 * @prot: page protection for the mapping
 *
 * Splitting a leaf drops it: when the protection of a part of it is changed, when
 * a part of it is moved or unmapped.  Maps again what the mapping has of the block,
 * as far as one page table reaches, at once.
 *
 * The block has PMD_SIZE bytes, is aligned to that in memory and in the file, and
 * contains the faulting page.  vm_pgoff is the page offset in the table.
 *
 * Context: From ->fault() and, with its order, ->huge_fault().
 * Return: VM_FAULT_NOPAGE, also if the access has to fault again, or
 * VM_FAULT_FALLBACK if there can be no leaf.
 */
vm_fault_t vmf_map_leaf(struct vm_fault *vmf, unsigned long pfn,
			unsigned int order, pgprot_t prot)
{
	struct vm_area_struct *vma = vmf->vma;
	const unsigned long page = vmf->pgoff % PMD_PAGES;
	const unsigned long before = min3(page, pte_index(vmf->address),
					  (vmf->address - vma->vm_start) >> PAGE_SHIFT);
	const unsigned long after = min3(PMD_PAGES - page,
					 PMD_PAGES - pte_index(vmf->address),
					 (vma->vm_end - vmf->address) >> PAGE_SHIFT);
	const unsigned long addr = vmf->address - (before << PAGE_SHIFT);

	prot = vma_prot(vma, prot);
	if (!order)
		fault_table(vmf, addr, pfn + page - before, before + after, prot);
	else if (order != PMD_ORDER || before + after != PMD_PAGES ||
		 !set_leaf(vma, vmf->pmd, addr, pfn, prot,
			   vmf->flags & FAULT_FLAG_WRITE))
		return VM_FAULT_FALLBACK;
	return VM_FAULT_NOPAGE;
}
EXPORT_SYMBOL_GPL(vmf_map_leaf);

#else /* !CONFIG_MMU */

/*
 * Not called: without an MMU, only memory within one entry can be mapped, at its own
 * address.
 */
static int map_runs(struct vm_area_struct *vma, unsigned long pgoff,
		    struct sg_run *run, pgprot_t prot)
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
 * Where @vma has a ->huge_fault() that calls vmf_map_leaf(), as its ->fault() does,
 * and no ->close(), what is aligned to PMD_SIZE in user space, in memory and in the
 * table is mapped by PMD leaves.
 *
 * The memory type is taken from @prot, not looked up as remap_pfn_range() does on
 * x86: the caller must pass the type that the pages have.
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
		return map_runs(vma, pgoff, &run, prot);

	/* To copy on write, the original page has to be known by its offset. */
	if (run.nr_pages < vma_pages(vma))
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, run.pfn,
			       vma->vm_end - vma->vm_start, prot);
}
EXPORT_SYMBOL_GPL(vma_map_sg);
