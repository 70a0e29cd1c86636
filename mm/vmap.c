// SPDX-License-Identifier: GPL-2.0-only
/*
 * Map physically contiguous extents into the kernel's page tables
 *
 * The memory to map is a physical range, an array of pages, or the entries of a
 * scatterlist.  One walk of the page tables takes it as extents, which are
 * physically contiguous runs of pages:
 *
 *   memory   |------------ extent ------------|-- extent --|-|-|-|-- ...
 *   entries  |   PMD leaf    |   PMD leaf   |PTEs | PTEs   |P|P|P|PTEs ...
 *   virtual  ^ aligned so that a large extent can use leaves
 *
 * At each level, an entry becomes a leaf if both the virtual range and the rest
 * of the extent cover it and are aligned to it.  Otherwise the walk descends.
 *
 * Invariants:
 *
 * - struct vmap_walk always describes the memory to map at the current address:
 *   the unmapped rest of the extent, then the pages or entries after it.
 * - An extent is a whole number of pages.
 */

#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kmsan.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mm_inline.h>
#include <linux/mmap_lock.h>
#include <linux/pfn.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/vmalloc.h>
#include <asm/tlbflush.h>

#include "internal.h"
#include "pgalloc-track.h"
#include "vmalloc.h"

/* Do vmap() and vmap_sg() use leaves that are larger than a page? */
static bool vmap_huge __ro_after_init = IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC);

static int __init set_nohugevmap(char *str)
{
	vmap_huge = false;
	return 0;
}
early_param("nohugevmap", set_nohugevmap);

/**
 * struct vmap_walk - the memory that is left to map, and how to map it
 * @phys: physical address of the extent
 * @len: bytes left of the extent; 0 if none is loaded
 * @pages: array of the pages after the extent, or %NULL
 * @sg: scatterlist entry after the extent, or %NULL
 * @prot: protection of the mapping
 * @max_shift: log2 of the largest leaf to use, in bytes
 * @mask: page-table levels changed so far (PGTBL_*_MODIFIED)
 */
struct vmap_walk {
	phys_addr_t phys;
	unsigned long len;
	struct page **pages;
	struct scatterlist *sg;
	pgprot_t prot;
	unsigned int max_shift;
	pgtbl_mod_mask mask;
};

/* What arch_vmap_set_ptes() takes as protection; computed once per PTE table. */
#ifndef arch_vmap_prot
#define arch_vmap_prot(prot)	(prot)
#endif

/* An arch may defer the barriers of PTEs to one sync after the last PTE of a table. */
#ifndef arch_vmap_sync_ptes
#define arch_vmap_sync_ptes()	do { } while (0)
#endif

#ifndef arch_vmap_set_ptes
/*
 * Set up to @nr PTEs of contiguous memory, in blocks that the MMU takes as one
 * translation where it can.  Stop at the first PTE that is already set.  Returns how
 * many were set.
 */
static inline unsigned long arch_vmap_set_ptes(pte_t *ptep, unsigned long addr,
					       phys_addr_t phys, pgprot_t prot,
					       unsigned long nr, unsigned int max_shift)
{
	unsigned long pfn = PHYS_PFN(phys), size = PAGE_SIZE, i;

	for (i = 0; i < nr && pte_none(ptep_get(ptep + i)); i += PFN_DOWN(size), addr += size) {
		pte_t pte = pfn_pte(pfn + i, prot);

#ifdef CONFIG_HUGETLB_PAGE
		size = arch_vmap_pte_range_map_size(addr, addr + ((nr - i) << PAGE_SHIFT),
						    pfn + i, max_shift);
		if (size > PAGE_SIZE) {
			pte = arch_make_huge_pte(pte, ilog2(size), 0);
			set_huge_pte_at(&init_mm, addr, ptep + i, pte, size);
			continue;
		}
#endif
		set_pte_at(&init_mm, addr, ptep + i, pte);
	}
	return i;
}
#endif

/* Bytes of the smallest block of PTEs, or a page if there is none. */
static unsigned long vmap_pte_block(const struct vmap_walk *w)
{
	const unsigned int large = arch_vmap_pte_supported_shift(PMD_SIZE);
	const unsigned int small = arch_vmap_pte_supported_shift((1UL << large) - 1);

	if (w->max_shift == PAGE_SHIFT)
		return PAGE_SIZE;
	return 1UL << (small > PAGE_SHIFT ? small : large);
}

static __always_inline int vmap_check_page(const struct page *page)
{
	if (WARN_ON(!page))
		return -ENOMEM;
	if (WARN_ON(!pfn_valid(page_to_pfn(page))))
		return -EINVAL;
	return 0;
}

/* Number of contiguous pages at @pages, at most @nr. */
static noinline unsigned long vmap_run_length(struct page **pages, unsigned long nr)
{
	struct page *page = pages[0];
	long i;

	/* Struct pages of the next section may be elsewhere. */
	if (IS_ENABLED(CONFIG_SPARSEMEM) && !IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP))
		return num_pages_contiguous(pages, nr);

	pages += nr;
	for (i = -nr; i; i++)
		if (pages[i] != page++)
			break;
	return nr + i;
}

/* Extend the extent to @want bytes or more, as far as the memory is contiguous. */
static int vmap_extend(struct vmap_walk *w, unsigned long want)
{
	unsigned long nr;
	int err;

	if (w->pages && !w->len) {
		err = vmap_check_page(*w->pages);
		if (err)
			return err;
		nr = vmap_run_length(w->pages, PFN_DOWN(want));
		w->phys = page_to_phys(*w->pages);
		w->len = nr << PAGE_SHIFT;
		w->pages += nr;
	}
	while (w->sg && w->len < want) {
		if (sg_is_chain(w->sg))
			w->sg = sg_chain_ptr(w->sg);
		if (!w->len)
			w->phys = sg_phys(w->sg);
		else if (sg_phys(w->sg) != w->phys + w->len)
			break;
		w->len += w->sg->length;
		w->sg++;
	}
	return 0;
}

/*
 * Map [@addr, @end) or less with PTEs, from one extent.  Returns the next address, or an
 * error, as vmap_fill_pages() and vmap_fill_sg() do.
 */
static noinline unsigned long
vmap_fill_extent(pte_t *pte, unsigned long addr, unsigned long end, pgprot_t prot,
		 struct vmap_walk *w)
{
	const int err = vmap_extend(w, end - addr);
	const unsigned long size = min(end - addr, w->len), nr = PFN_DOWN(size);

	if (err)
		return err;
	if (WARN_ON(arch_vmap_set_ptes(pte, addr, w->phys, prot, nr, w->max_shift) != nr))
		return -EBUSY;
	w->phys += size;
	w->len -= size;
	return addr + size;
}

/*
 * Stop where a block of PTEs can start: from there on, pages are mapped as an extent.
 * Only the first page of a run is checked: those that follow are as valid.
 */
static unsigned long vmap_fill_pages(pte_t *pte, unsigned long addr, unsigned long end,
				     pgprot_t prot, struct vmap_walk *w)
{
	const unsigned long block = vmap_pte_block(w);
	const unsigned long to = block > PAGE_SIZE ? min(end, ALIGN(addr, block)) : end;
	struct page **const stop = w->pages + PFN_DOWN(to - addr);
	struct page **pages = w->pages;
	const struct page *prev = NULL;

	if (block > PAGE_SIZE && to == addr)
		return vmap_fill_extent(pte, addr, end, prot, w);

	do {
		struct page *page = *pages;
		const int err = page - 1 != prev ? vmap_check_page(page) : 0;

		if (err)
			return err;
		if (WARN_ON(!arch_vmap_set_ptes(pte, addr, page_to_phys(page), prot, 1, 0)))
			return -EBUSY;
		prev = page;
	} while (pte++, addr += PAGE_SIZE, ++pages != stop);
	w->pages = pages;
	return to;
}

/*
 * Stop at an entry that crosses @end, or that fills only the start of its last
 * contiguous-PTE block: it is mapped as an extent, joined with the entries after it.
 * A chain entry has no length.
 */
static noinline unsigned long vmap_fill_sg(pte_t *pte, unsigned long start, unsigned long end,
					   pgprot_t prot, struct vmap_walk *w)
{
	const unsigned long block = vmap_pte_block(w);
	struct scatterlist *sg = w->sg;
	unsigned long addr = start;

	for (; addr != end; sg++) {
		unsigned long next, nr;
		phys_addr_t phys;

		if (likely(sg->length == PAGE_SIZE &&
			   (block == PAGE_SIZE || !IS_ALIGNED(addr | sg_phys(sg), block)))) {
			if (WARN_ON(!arch_vmap_set_ptes(pte, addr, sg_phys(sg), prot, 1, 0)))
				return -EBUSY;
			pte++;
			addr += PAGE_SIZE;
			continue;
		}
		if (sg_is_chain(sg))
			sg = sg_chain_ptr(sg);
		phys = sg_phys(sg);
		nr = PFN_DOWN(sg->length);
		next = addr + (nr << PAGE_SHIFT);
		if (next > end || (!IS_ALIGNED(next, block) && ALIGN_DOWN(next, block) >= addr &&
				   IS_ALIGNED(phys - addr, block)))
			break;
		if (WARN_ON(arch_vmap_set_ptes(pte, addr, phys, prot, nr, w->max_shift) != nr))
			return -EBUSY;
		pte += nr;
		addr = next;
	}
	w->sg = sg;
	return addr == start ? vmap_fill_extent(pte, start, end, prot, w) : addr;
}

static int vmap_pte_range(pmd_t *pmd, unsigned long addr, unsigned long end,
			  struct vmap_walk *w)
{
	const pgprot_t prot = arch_vmap_prot(w->prot);
	pte_t *pte = pte_alloc_kernel_track(pmd, addr, &w->mask);
	unsigned long next;
	int err = 0;

	if (!pte)
		return -ENOMEM;

	lazy_mmu_mode_enable();
	for (;;) {
		if (w->len)
			next = vmap_fill_extent(pte, addr, end, prot, w);
		else if (w->sg)
			next = vmap_fill_sg(pte, addr, end, prot, w);
		else
			next = vmap_fill_pages(pte, addr, end, prot, w);
		if (next == end)
			break;
		if (IS_ERR_VALUE(next)) {
			err = next;
			break;
		}
		pte += PFN_DOWN(next - addr);
		addr = next;
	}
	arch_vmap_sync_ptes();
	lazy_mmu_mode_disable();

	w->mask |= PGTBL_PTE_MODIFIED;
	return err;
}

/* Can a leaf map [@addr, @next)?  Joins pieces up to @end.  Returns 1, 0, or an error. */
static int vmap_leaf_fits(unsigned long addr, unsigned long next, unsigned long end,
			  unsigned int shift, struct vmap_walk *w)
{
	const unsigned long size = next - addr;
	int err;

	if (size != 1UL << shift)
		return 0;
	err = w->len < end - addr ? vmap_extend(w, end - addr) : 0;
	return err ?: w->len >= size && IS_ALIGNED(w->phys, size);
}

/*
 * Set leaves.  Returns their number, 0 to map at a lower level, or an error.
 *
 * If an earlier mapping left a page table here, it is freed.  The mmap read lock
 * of init_mm keeps out ptdump and others that walk tables of areas they do not own,
 * under the write lock.  VM_UNINITIALIZED keeps out /proc/kcore.
 */
static int vmap_try_huge_pmd(pmd_t *pmd, unsigned long addr, unsigned long next,
			     unsigned long end, struct vmap_walk *w)
{
	int fits;

	if (w->max_shift < PMD_SHIFT || !arch_vmap_pmd_supported(w->prot))
		return 0;
	if (WARN_ON(pmd_leaf(*pmd)))
		return -EBUSY;
	fits = vmap_leaf_fits(addr, next, end, PMD_SHIFT, w);
	if (fits <= 0)
		return fits;
#ifdef pmd_set_huge_run
	scoped_cond_guard(mmap_read_lock_try, fits = 0, &init_mm)
		fits = pmd_set_huge_run(pmd, addr, w->phys, w->prot,
					min(end - addr, w->len) >> PMD_SHIFT);
	if (fits)
		return fits;
#endif
	if (pmd_none(*pmd))
		return pmd_set_huge(pmd, w->phys, w->prot);
	scoped_cond_guard(mmap_read_lock_try, return 0, &init_mm)
		return pmd_free_pte_page(pmd, addr) &&
		       pmd_set_huge(pmd, w->phys, w->prot);
}

static int vmap_pmd_range(pud_t *pud, unsigned long addr, unsigned long end,
			  struct vmap_walk *w)
{
	pmd_t *pmd = pmd_alloc_track(&init_mm, pud, addr, &w->mask);
	unsigned long next;
	int ret;

	if (!pmd)
		return -ENOMEM;
	do {
		next = pmd_addr_end(addr, end);
		ret = vmap_try_huge_pmd(pmd, addr, next, end, w);
		if (ret > 0) {
			w->mask |= PGTBL_PMD_MODIFIED;
			w->phys += ret * PMD_SIZE;
			w->len -= ret * PMD_SIZE;
			next = addr + ret * PMD_SIZE;
			pmd += ret - 1;
			continue;
		}
		if (!ret)
			ret = vmap_pte_range(pmd, addr, next, w);
		if (ret)
			return ret;
	} while (pmd++, addr = next, addr != end);
	return 0;
}

static int vmap_try_huge_pud(pud_t *pud, unsigned long addr, unsigned long next,
			     struct vmap_walk *w)
{
	int fits;

	if (w->max_shift < PUD_SHIFT || !arch_vmap_pud_supported(w->prot))
		return 0;
	if (WARN_ON(pud_leaf(*pud)))
		return -EBUSY;
	fits = vmap_leaf_fits(addr, next, next, PUD_SHIFT, w);
	if (fits <= 0)
		return fits;
	if (pud_none(*pud))
		return pud_set_huge(pud, w->phys, w->prot);
	scoped_cond_guard(mmap_read_lock_try, return 0, &init_mm)
		return pud_free_pmd_page(pud, addr) &&
		       pud_set_huge(pud, w->phys, w->prot);
}

/* The entry of @addr in a PUD table, or %NULL. */
static pud_t *vmap_alloc_pud(unsigned long addr, pgtbl_mod_mask *mask)
{
	p4d_t *p4d = p4d_alloc_track(&init_mm, pgd_offset_k(addr), addr, mask);

	return p4d ? pud_alloc_track(&init_mm, p4d, addr, mask) : NULL;
}

/* Map [@start, @end), from the extent of @w on.  No arch has leaves above PUDs. */
static int vmap_walk_noflush(unsigned long start, unsigned long end,
			     struct vmap_walk *w)
{
	unsigned long addr = start, next;
	pud_t *pud;
	int ret;

	do {
		/* Not pud_addr_end(): where PUDs are folded, that is @end. */
		next = min(end - 1, addr | ~PUD_MASK) + 1;
		pud = vmap_alloc_pud(addr, &w->mask);
		ret = pud ? vmap_try_huge_pud(pud, addr, next, w) : -ENOMEM;
		if (ret > 0) {
			w->mask |= PGTBL_PUD_MODIFIED;
			w->phys += PUD_SIZE;
			w->len -= PUD_SIZE;
		} else if (!ret) {
			ret = vmap_pmd_range(pud, addr, next, w);
		}
	} while (ret >= 0 && (addr = next, addr != end));

	if (w->mask & ARCH_PAGE_TABLE_SYNC_MASK)
		arch_sync_kernel_mappings(start, end);
	return min(ret, 0);
}

/*
 * Map a physical range, with leaves up to 1 << @max_page_shift.  The caller owns
 * the virtual range, and calls flush_cache_vmap() before it is accessed.
 */
int vmap_range_noflush(unsigned long addr, unsigned long end,
		       phys_addr_t phys_addr, pgprot_t prot,
		       unsigned int max_page_shift)
{
	struct vmap_walk w = {
		.phys = ALIGN_DOWN(phys_addr, PAGE_SIZE),
		.len = end - addr,
		.prot = prot,
		.max_shift = max_page_shift,
	};

	might_sleep();
	if (WARN_ON_ONCE(addr >= end || !PAGE_ALIGNED(addr | end)))
		return -EINVAL;
	return vmap_walk_noflush(addr, end, &w);
}

static noinline int vmap_blocks_noflush(unsigned long addr, unsigned long end,
					pgprot_t prot, struct page **pages,
					unsigned int shift)
{
	const unsigned long size = 1UL << shift;
	int err = 0;

	for (; !err && addr < end; addr += size, pages += PFN_DOWN(size))
		err = vmap_check_page(*pages) ?:
		      vmap_range_noflush(addr, addr + size, page_to_phys(*pages), prot, shift);
	return err;
}

/*
 * Map an array of pages for vmalloc() and KMSAN, without KMSAN's metadata.  Each
 * 1 << @page_shift bytes of @pages are contiguous; no larger leaf is set.
 */
int __vmap_pages_range_noflush(unsigned long addr, unsigned long end,
			       pgprot_t prot, struct page **pages,
			       unsigned int page_shift)
{
	/* Set every field: cheaper than zeroing the struct. */
	struct vmap_walk w = {
		.phys = 0, .len = 0, .mask = 0,
		.pages = pages, .sg = NULL,
		.prot = prot, .max_shift = PAGE_SHIFT,
	};

	if (WARN_ON_ONCE(addr >= end))
		return -EINVAL;
	WARN_ON(page_shift < PAGE_SHIFT);
	if (IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC) && page_shift > PAGE_SHIFT)
		return vmap_blocks_noflush(addr, end, prot, pages, page_shift);
	return vmap_walk_noflush(addr, end, &w);
}

/* log2 of the largest leaf for @size bytes of contiguous, aligned memory. */
static unsigned int vmap_leaf_shift(unsigned long size, pgprot_t prot)
{
	if (size >= PMD_SIZE && vmap_huge) {
		if (size >= PUD_SIZE && arch_vmap_pud_supported(prot))
			return PUD_SHIFT;
		if (arch_vmap_pmd_supported(prot))
			return PMD_SHIFT;
	}
	return vmap_huge ? arch_vmap_pte_supported_shift(size) : PAGE_SHIFT;
}

/*
 * Index of the first page of an aligned run of @leaf pages, or @nr.  Such a run
 * contains a step of half a leaf.  Heuristic: only the ends of a run are compared;
 * the walk compares all pages.
 */
static unsigned long vmap_find_leaf(struct page **pages, unsigned long nr,
				    unsigned long leaf)
{
	const unsigned long half = leaf / 2;
	unsigned long i, before;

	for (i = 0; i + half <= nr; i += half) {
		struct page *page = pages[i];

		if (!page || pages[i + half - 1] != page + half - 1)
			continue;
		before = page_to_pfn(page) % leaf;
		if (before <= min(i, half) && i - before + leaf <= nr &&
		    pages[i - before] == page - before &&
		    pages[i - before + leaf - 1] == page - before + leaf - 1)
			return i - before;
	}
	return nr;
}

/*
 * log2 of the largest leaf that some run of pages can have, 1 << @shift bytes at most.
 * The area fits it if it starts @offset bytes after a multiple of the leaf.
 */
static noinline unsigned int vmap_align_pages(struct page **pages, unsigned long nr,
					      pgprot_t prot, unsigned int shift,
					      unsigned long *offset)
{
	while (shift > PAGE_SHIFT) {
		const unsigned long leaf = 1UL << shift;
		const unsigned long first = vmap_find_leaf(pages, nr, PFN_DOWN(leaf));

		if (first < nr) {
			*offset = -(first << PAGE_SHIFT);
			break;
		}
		shift = vmap_leaf_shift(leaf - 1, prot);
	}
	return shift;
}

/* Align for the first entry that holds a PMD leaf, or else for a long one. */
static int vmap_layout_sg(const struct sg_table *sgt, unsigned long *size,
			  unsigned long *offset)
{
	struct scatterlist *sg = sgt->sgl, *best = sg;
	unsigned long nr = sgt->orig_nents;
	unsigned long length, lengths = 0, longest = 0;
	unsigned int offsets = 0;
	u64 total = 0, before = 0;

	for (; nr; nr--, sg++) {
		if (unlikely(sg_is_chain(sg)))
			sg = sg_chain_ptr(sg);
		length = sg->length;
		if (!sg_page(sg))
			return -EINVAL;
		/* The length of an empty entry wraps around. */
		if (unlikely(length - 1 >= longest)) {
			if (!length)
				return -EINVAL;
			best = sg;
			before = total;
			longest = ALIGN(sg_phys(sg), PMD_SIZE) + PMD_SIZE <= sg_phys(sg) + length ?
				  ULONG_MAX : min(length, PMD_SIZE - 1);
		}
		offsets |= sg->offset;
		lengths |= length;
		total += length;
	}
	if (!total || !PAGE_ALIGNED(offsets | lengths))
		return -EINVAL;
	if (total > ULONG_MAX || total >> PAGE_SHIFT > totalram_pages())
		return -E2BIG;

	*size = total;
	*offset = sg_phys(best) - before;
	return 0;
}

/* KMSAN takes arrays of pages, so hand it those of a scatterlist one by one. */
static int vmap_kmsan(unsigned long addr, unsigned long end, pgprot_t prot,
		      struct page **pages, struct scatterlist *sg)
{
	struct sg_page_iter iter;
	int err = 0;

	if (!IS_ENABLED(CONFIG_KMSAN))
		return 0;
	if (pages)
		return kmsan_vmap_pages_range_noflush(addr, end, prot, pages, PAGE_SHIFT,
						      GFP_KERNEL);
	for_each_sg_page(sg, &iter, PFN_DOWN(end - addr), 0) {
		struct page *page = sg_page_iter_page(&iter);

		err = kmsan_vmap_pages_range_noflush(addr, addr + PAGE_SIZE, prot, &page,
						     PAGE_SHIFT, GFP_KERNEL);
		addr += PAGE_SIZE;
		if (err || addr == end)
			break;
	}
	return err;
}

/*
 * Map an array, or the entries of a table, if possible into an area that starts
 * @offset bytes after a multiple of 1 << @shift, the largest leaf.
 */
static __always_inline struct vm_struct *
vmap_area_map(struct page **pages, struct scatterlist *sg, unsigned long size,
	      unsigned int shift, unsigned long offset, pgprot_t prot,
	      unsigned long flags, const void *caller)
{
	const unsigned long align = 1UL << shift, addr_offset = offset & (align - 1);
	struct vmap_walk w = {
		.phys = 0, .len = 0, .mask = 0,
		.pages = pages, .sg = sg,
		.prot = pgprot_nx(prot), .max_shift = shift,
	};
	gfp_t gfp = GFP_KERNEL;
	struct vm_struct *area;
	unsigned long addr, end;
	int err;

	/* Leaves replace page tables, and nobody may read the area meanwhile. */
	if (shift > PAGE_SHIFT) {
		flags |= VM_UNINITIALIZED;
		gfp |= __GFP_NOWARN;
	}
	area = __get_vm_area_node_offset(size, align, addr_offset, PAGE_SHIFT, flags,
					 VMALLOC_START, VMALLOC_END, NUMA_NO_NODE, gfp, caller);
	if (!area && shift > PAGE_SHIFT)
		area = get_vm_area_caller(size, flags, caller);
	if (!area)
		return NULL;
	addr = (unsigned long)area->addr;
	end = addr + size;

	err = vmap_kmsan(addr, end, w.prot, pages, sg) ?: vmap_walk_noflush(addr, end, &w);
	flush_cache_vmap(addr, end);
	if (err) {
		vunmap(area->addr);
		return NULL;
	}
	if (flags & VM_UNINITIALIZED)
		clear_vm_uninitialized_flag(area);
	return area;
}

/**
 * vmap - map an array of pages into virtually contiguous space
 * @pages: array of page pointers
 * @count: number of pages to map
 * @flags: vm_area->flags
 * @prot: page protection for the mapping
 *
 * Maps @count pages from @pages into contiguous kernel virtual space.
 * If @flags contains %VM_MAP_PUT_PAGES the ownership of the pages array itself
 * (which must be kmalloc or vmalloc memory) and one reference per pages in it
 * are transferred from the caller to vmap(), and will be freed / dropped when
 * vfree() is called on the return value.
 *
 * Context: May sleep.
 * Return: the address of the area or %NULL on failure
 */
void *vmap(struct page **pages, unsigned int count,
	   unsigned long flags, pgprot_t prot)
{
	unsigned long size = (unsigned long)count << PAGE_SHIFT, offset = 0;
	unsigned int shift = vmap_leaf_shift(size, prot);
	struct vm_struct *area;

	might_sleep();

	if (WARN_ON_ONCE(flags & VM_FLUSH_RESET_PERMS))
		return NULL;

	/*
	 * Your top guard is someone else's bottom guard. Not having a top
	 * guard compromises someone else's mappings too.
	 */
	if (WARN_ON_ONCE(flags & VM_NO_GUARD))
		flags &= ~VM_NO_GUARD;

	if (count > totalram_pages())
		return NULL;

	if (shift > PAGE_SHIFT)
		shift = vmap_align_pages(pages, count, prot, shift, &offset);
	area = vmap_area_map(pages, NULL, size, shift, offset, prot, flags,
			     __builtin_return_address(0));
	if (!area)
		return NULL;

	if (flags & VM_MAP_PUT_PAGES) {
		area->pages = pages;
		area->nr_pages = count;
	}
	return area->addr;
}
EXPORT_SYMBOL(vmap);

/**
 * vmap_sg - map the memory of an sg_table into virtually contiguous space
 * @sgt: memory to map, all @orig_nents entries, as the CPU sees it
 * @prot: page protection for the mapping
 *
 * Maps the pages of all entries, in their order, into contiguous kernel virtual
 * space.  No array of pages is needed.  Each entry describes struct pages, which
 * are not checked.  Its offset and length are multiples of PAGE_SIZE.
 *
 * The table is not used after the call.  The caller keeps the memory until after
 * vunmap() of the mapping.
 *
 * Context: May sleep.
 * Return: the address of the mapping, or an ERR_PTR(): -EINVAL for an empty
 * table or an entry without pages or that is not whole pages, -E2BIG for more
 * memory than the system has, -ENOMEM.
 */
void *vmap_sg(const struct sg_table *sgt, pgprot_t prot)
{
	unsigned long size, offset;
	struct vm_struct *area;
	int err;

	might_sleep();

	err = vmap_layout_sg(sgt, &size, &offset);
	if (err)
		return ERR_PTR(err);

	area = vmap_area_map(NULL, sgt->sgl, size, vmap_leaf_shift(size, prot), offset, prot,
			     VM_MAP, __builtin_return_address(0));
	return area ? area->addr : ERR_PTR(-ENOMEM);
}
EXPORT_SYMBOL_GPL(vmap_sg);
