// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel mappings of physically contiguous extents
 *
 * What is to be mapped is a sequence of extents, physically contiguous runs of
 * pages.  A cursor yields them one after the other from whatever describes the
 * memory.  One walk of the page tables covers the whole virtual range and takes
 * from the cursor as it goes:
 *
 *   cursor   |------------ extent ------------|-- extent --|-|-|-|-- ...
 *   walk     |   PMD leaf    |   PMD leaf   |PTEs | PTEs   |P|P|P|PTEs ...
 *   virtual  ^ aligned for the first large extent
 *
 * At each level, an entry becomes a leaf if the rest of the extent covers it
 * and virtual and physical address are both aligned to it; otherwise the walk
 * descends.  At the last level a run of PTEs is filled at once.  The cost is
 * that of the leaves and extents, whatever the number of pages.
 *
 * The memory comes in pieces, such as the pages of an array.  Where a leaf would
 * fit, the cursor loads a piece and joins those that follow to one extent, as
 * far as they are contiguous and the leaf wants them.  Where none would, PTEs are
 * filled straight from the pieces.  So nobody pays for looking ahead but the
 * leaves, and single pages cost what they have to.
 *
 * Invariants:
 *
 * - The cursor stands where the walk stands: what it holds next, first of the
 *   extent and then of the pieces, is what goes to the address the walk is at.
 * - An extent is a whole number of pages.
 * - What is wrong with a page is found, at the latest, when its PTE is filled;
 *   a piece that is wrong never becomes part of an extent.
 */

#include <linux/bits.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kasan.h>
#include <linux/kmsan.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pfn.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/unroll.h>
#include <linux/vmalloc.h>
#include <linux/vmap.h>
#include <asm/tlbflush.h>
#include <asm/vmap.h>

#include "internal.h"
#include "pgalloc-track.h"
#include "vmap.h"

/* The largest leaf of vmap() and its variants, where the arch has it. */
static unsigned int vmap_max_leaf_shift __ro_after_init =
	IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC) ? BITS_PER_LONG - 1 :
						    PAGE_SHIFT;

static int __init set_nohugevmap(char *str)
{
	vmap_max_leaf_shift = PAGE_SHIFT;
	return 0;
}
early_param("nohugevmap", set_nohugevmap);

/**
 * struct vmap_cursor - a position in the memory to be mapped
 * @phys: physical address of what is left of the extent
 * @len: bytes left of the extent; 0 if none is loaded
 * @pages: pages after the extent
 * @nr_pages: number of @pages
 * @order: @pages come in contiguous blocks of this order, at least
 * @sg: scatterlist entry after the extent, if @nents is not 0
 * @nents: number of entries from @sg on
 *
 * A cursor has either @nr_pages or @nents to continue from, or neither if the
 * extent is all there is.
 */
struct vmap_cursor {
	phys_addr_t phys;
	unsigned long len;
	struct page **pages;
	unsigned long nr_pages;
	unsigned int order;
	struct scatterlist *sg;
	unsigned int nents;
};

/* Whether an entry is one page, as most are where there are very many. */
static bool sg_is_single_page(const struct scatterlist *sg)
{
	return sg->length == PAGE_SIZE && !sg->offset;
}

static void vmap_cursor_skip_sg(struct vmap_cursor *cur, unsigned int nr)
{
	cur->nents -= nr;
	cur->sg += nr;
	if (cur->nents && unlikely(sg_is_chain(cur->sg)))
		cur->sg = sg_chain_ptr(cur->sg);
}

static void vmap_cursor_take_sg(struct vmap_cursor *cur)
{
	cur->len += cur->sg->length;
	vmap_cursor_skip_sg(cur, 1);
}

static void vmap_cursor_take_pages(struct vmap_cursor *cur, unsigned long nr)
{
	cur->len += nr << PAGE_SHIFT;
	cur->pages += nr;
	cur->nr_pages -= nr;
}

static __always_inline int vmap_check_page(const struct page *page)
{
	if (WARN_ON(!page))
		return -ENOMEM;
	if (WARN_ON(!pfn_valid(page_to_pfn(page))))
		return -EINVAL;
	return 0;
}

/* Have an extent, if there is a piece left and nothing is wrong with it. */
static bool vmap_cursor_load(struct vmap_cursor *cur)
{
	if (cur->len)
		return true;

	if (cur->nents) {
		if (!sg_page(cur->sg))
			return false;
		cur->phys = sg_phys(cur->sg);
		vmap_cursor_take_sg(cur);
		return true;
	}
	if (!cur->nr_pages || !cur->pages[0] ||
	    !pfn_valid(page_to_pfn(cur->pages[0])))
		return false;
	cur->phys = page_to_phys(cur->pages[0]);
	vmap_cursor_take_pages(cur, 1UL << cur->order);
	return true;
}

/* Where the memory goes on; not aligned for anything if that cannot be told. */
static phys_addr_t vmap_cursor_phys(const struct vmap_cursor *cur)
{
	if (cur->len)
		return cur->phys;
	if (cur->nents)
		return sg_page(cur->sg) ? sg_phys(cur->sg) : 1;
	return cur->nr_pages && cur->pages[0] ? page_to_phys(cur->pages[0]) : 1;
}

static void vmap_cursor_advance(struct vmap_cursor *cur, unsigned long size)
{
	cur->phys += size;
	cur->len -= size;
}

/* Number of pages, at most @nr, whose struct pages follow each other. */
static unsigned long vmap_pages_in_a_row(struct page **pages, unsigned long nr)
{
	struct page *page = pages[0];
	unsigned long i;

	unrolled_count(4)
	for (i = 1; i < nr; i++)
		if (pages[i] != page + i)
			break;
	return i;
}

/*
 * Join pages that go on where the extent ends.  They are looked at in steps
 * that cross no multiple of PTRS_PER_PTE: as far as that, struct pages that
 * follow each other are of pages that do, and all of them valid if one is.
 */
static void vmap_cursor_join_pages(struct vmap_cursor *cur, unsigned long len)
{
	while (cur->len < len && cur->nr_pages) {
		const unsigned long pfn = PHYS_PFN(cur->phys + cur->len);
		unsigned long nr = min3(PFN_DOWN(len - cur->len), cur->nr_pages,
					PTRS_PER_PTE - pfn % PTRS_PER_PTE);

		if (!cur->pages[0] || page_to_pfn(cur->pages[0]) != pfn ||
		    !pfn_valid(pfn))
			return;
		nr = vmap_pages_in_a_row(cur->pages, nr);
		vmap_cursor_take_pages(cur, round_up(nr, 1UL << cur->order));
	}
}

/* Make the extent @len bytes long, or longer, as far as the memory goes on. */
static void vmap_cursor_join(struct vmap_cursor *cur, unsigned long len)
{
	while (cur->len < len && cur->nents && sg_page(cur->sg) &&
	       sg_phys(cur->sg) == cur->phys + cur->len)
		vmap_cursor_take_sg(cur);
	vmap_cursor_join_pages(cur, len);
}

/**
 * struct vmap_walk - state of one walk of the kernel page tables
 * @cur: what is left to be mapped
 * @prot: protection of every entry
 * @pte: the PTE of page frame 0, from which all others are derived
 * @max_shift: log2 of the largest leaf to use, in bytes
 * @mask: levels that were modified, for arch_sync_kernel_mappings()
 */
struct vmap_walk {
	struct vmap_cursor cur;
	pgprot_t prot;
	pte_t pte;
	unsigned int max_shift;
	pgtbl_mod_mask mask;
};

#ifdef arch_vmap_set_pte_block
/* Bytes of a block of contiguous PTEs. */
static unsigned long vmap_pte_block_size(const struct vmap_walk *w)
{
	const unsigned int shift = arch_vmap_pte_supported_shift(PMD_SIZE);

	return 1UL << (shift <= w->max_shift ? shift : PAGE_SHIFT);
}
#else
static unsigned long vmap_pte_block_size(const struct vmap_walk *w)
{
	return PAGE_SIZE;
}

static void arch_vmap_set_pte_block(pte_t *ptep, unsigned long addr, pte_t pte,
				    unsigned long size)
{
	BUILD_BUG();
}

static pte_t arch_vmap_clear_pte_block(pte_t *ptep, unsigned long addr,
				       unsigned long size)
{
	BUILD_BUG();
	return *ptep;
}

static unsigned long arch_vmap_pte_block_size(unsigned long addr, pte_t *ptep)
{
	return PAGE_SIZE;
}
#endif

/*
 * Where all struct pages are in one array, a loop computes once where it begins,
 * which takes as long as all else that makes a page frame number of a page.
 */
static const struct page *vmap_first_page(void)
{
	return IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP) ? pfn_to_page(0) : NULL;
}

static unsigned long vmap_page_pfn(const struct page *page,
				   const struct page *first)
{
	return IS_ENABLED(CONFIG_SPARSEMEM_VMEMMAP) ? page - first :
						      page_to_pfn(page);
}

static phys_addr_t vmap_sg_phys(struct scatterlist *sg, const struct page *first)
{
	return PFN_PHYS(vmap_page_pfn(sg_page(sg), first)) + sg->offset;
}

/*
 * Set a PTE to the page at @pfn, given the one of page frame 0.  Returns
 * whether it was free.
 */
static __always_inline bool vmap_set_pte(pte_t *pte, unsigned long addr,
					 pte_t zero, unsigned long pfn)
{
	if (WARN_ON(!pte_none(arch_vmap_get_pte(pte))))
		return false;
	arch_vmap_set_pte(pte, addr, pte_advance_pfn(zero, pfn));
	return true;
}

/*
 * The same for the @nr pages from @pfn on.  They need not belong to one folio,
 * as set_ptes() asks for user mappings: nothing counts what kernel PTEs map.
 */
static bool vmap_set_ptes(pte_t *pte, unsigned long addr, pte_t zero,
			  unsigned long pfn, unsigned long nr)
{
	unsigned long i;

	unrolled_count(4)
	for (i = 0; i < nr; i++)
		if (!vmap_set_pte(pte + i, addr + (i << PAGE_SHIFT), zero, pfn + i))
			return false;
	return true;
}

/*
 * Set a block of contiguous PTEs.  Returns whether it was free, which the first
 * one tells.
 */
static __always_inline bool vmap_set_pte_block(pte_t *pte, unsigned long addr,
					       pgprot_t prot, unsigned long pfn,
					       unsigned long size)
{
	if (WARN_ON(!pte_none(arch_vmap_get_pte(pte))))
		return false;
	arch_vmap_set_pte_block(pte, addr, pfn_pte(pfn, prot), size);
	return true;
}

/*
 * The vmap_fill_*() functions map memory at @addr, at most up to @end, which is
 * in the same page table.  They return the bytes that they have mapped, at
 * least a page, or an error.
 */

/* From the extent: all that fits. */
static long vmap_fill_extent(pte_t *pte, unsigned long addr, unsigned long end,
			     struct vmap_walk *w)
{
	const unsigned long len = min(end - addr, w->cur.len);

	if (!vmap_set_ptes(pte, addr, w->pte, PHYS_PFN(w->cur.phys), PFN_DOWN(len)))
		return -EBUSY;
	vmap_cursor_advance(&w->cur, len);
	return len;
}

/*
 * From scatterlist entries of single pages, in a loop of their own as well.  A
 * chain entry ends it, as it has no length.
 */
static long vmap_fill_sg_pages(pte_t *pte, unsigned long addr,
			       unsigned long end, struct vmap_walk *w)
{
	struct scatterlist *const stop =
		w->cur.sg + min(PFN_DOWN(end - addr), w->cur.nents);
	const struct page *const first = vmap_first_page();
	struct scatterlist *sg = w->cur.sg;
	const pte_t zero = w->pte;
	unsigned int nr;

	for (; sg != stop && sg_is_single_page(sg); sg++, pte++, addr += PAGE_SIZE) {
		const struct page *page = sg_page(sg);

		if (!page)
			return -EINVAL;
		if (!vmap_set_pte(pte, addr, zero, vmap_page_pfn(page, first)))
			return -EBUSY;
	}
	nr = sg - w->cur.sg;
	vmap_cursor_skip_sg(&w->cur, nr);
	return (long)nr << PAGE_SHIFT;
}

/* From a scatterlist entry: the whole, or as much as fits. */
static long vmap_fill_sg(pte_t *pte, unsigned long addr, unsigned long end,
			 struct vmap_walk *w)
{
	struct scatterlist *sg = w->cur.sg;
	const unsigned int len = sg->length;

	if (sg_is_single_page(sg))
		return vmap_fill_sg_pages(pte, addr, end, w);

	if (!sg_page(sg))
		return -EINVAL;
	if (len > end - addr) {
		vmap_cursor_load(&w->cur);
		return vmap_fill_extent(pte, addr, end, w);
	}
	if (!vmap_set_ptes(pte, addr, w->pte, PHYS_PFN(sg_phys(sg)), PFN_DOWN(len)))
		return -EBUSY;
	vmap_cursor_skip_sg(&w->cur, 1);
	return len;
}

/*
 * From an array of pages, single ones: a loop with nothing else in it, for there
 * may be very many.  It ends at a page that follows the one before it.
 */
static long vmap_fill_single_pages(pte_t *pte, unsigned long addr,
				   unsigned long end, struct vmap_walk *w)
{
	const unsigned long start = addr;
	const struct page *const first = vmap_first_page();
	struct page **pages = w->cur.pages;
	const struct page *next = pages[0] + 1;
	const pte_t zero = w->pte;

	do {
		const struct page *page = *pages;
		int err;

		if (page == next)
			break;
		err = vmap_check_page(page);
		if (err)
			return err;
		if (!vmap_set_pte(pte++, addr, zero, vmap_page_pfn(page, first)))
			return -EBUSY;
		next = page + 1;
		pages++;
		addr += PAGE_SIZE;
	} while (addr != end);

	w->cur.nr_pages -= pages - w->cur.pages;
	w->cur.pages = pages;
	return addr - start;
}

/*
 * From an array of pages.  Those in a row need one look, as far as they cross
 * no multiple of PTRS_PER_PTE: see vmap_cursor_join_pages().
 */
static long vmap_fill_pages(pte_t *pte, unsigned long addr, unsigned long end,
			    struct vmap_walk *w)
{
	struct page **pages = w->cur.pages;
	const unsigned long pfn = page_to_pfn(pages[0]);
	const unsigned long max = min(PFN_DOWN(end - addr), w->cur.nr_pages);
	const unsigned long nr =
		vmap_pages_in_a_row(pages, min(max, PTRS_PER_PTE - pfn % PTRS_PER_PTE));
	int err;

	if (nr == 1)
		return vmap_fill_single_pages(pte, addr, addr + (max << PAGE_SHIFT), w);

	err = vmap_check_page(pages[0]);
	if (err)
		return err;
	if (!vmap_set_ptes(pte, addr, w->pte, pfn, nr))
		return -EBUSY;
	w->cur.pages += nr;
	w->cur.nr_pages -= nr;
	return nr << PAGE_SHIFT;
}

/* From scatterlist entries that are a block of contiguous PTEs each. */
static long vmap_fill_sg_blocks(pte_t *pte, unsigned long addr,
				unsigned long end, struct vmap_walk *w,
				unsigned long size)
{
	const unsigned int max = min((end - addr) / size, w->cur.nents);
	const struct page *const first = vmap_first_page();
	struct scatterlist *sg = w->cur.sg;
	const pgprot_t prot = w->prot;
	unsigned int nr;

	/* That is @size bytes at offset 0, for one branch. */
	for (nr = 0; nr < max && !((sg->length ^ size) | sg->offset); nr++, sg++) {
		const struct page *page = sg_page(sg);
		unsigned long pfn;

		if (!page)
			return -EINVAL;
		pfn = vmap_page_pfn(page, first);
		if (!IS_ALIGNED(pfn, PFN_DOWN(size)))
			break;
		if (!vmap_set_pte_block(pte, addr, prot, pfn, size))
			return -EBUSY;
		pte += PFN_DOWN(size);
		addr += size;
	}
	vmap_cursor_skip_sg(&w->cur, nr);
	return nr * size;
}

/*
 * As many blocks of contiguous PTEs as the memory allows, or none, at @addr that
 * is aligned for them.
 */
static long vmap_fill_blocks(pte_t *pte, unsigned long addr, unsigned long end,
			     struct vmap_walk *w, unsigned long size)
{
	struct vmap_cursor *cur = &w->cur;
	unsigned long filled, len;

	if (!cur->len && cur->nents && cur->sg->length == size && !cur->sg->offset)
		return vmap_fill_sg_blocks(pte, addr, end, w, size);

	if (!IS_ALIGNED(vmap_cursor_phys(cur), size) || !vmap_cursor_load(cur))
		return 0;
	vmap_cursor_join(cur, end - addr);
	len = round_down(min(end - addr, cur->len), size);

	for (filled = 0; filled < len; filled += size) {
		if (!vmap_set_pte_block(pte + PFN_DOWN(filled), addr + filled,
					w->prot, PHYS_PFN(cur->phys + filled), size))
			return -EBUSY;
	}
	vmap_cursor_advance(cur, len);
	return len;
}

static long vmap_fill_ptes(pte_t *pte, unsigned long addr, unsigned long end,
			   struct vmap_walk *w)
{
	const unsigned long block = vmap_pte_block_size(w);
	struct vmap_cursor *cur = &w->cur;

	if (block > PAGE_SIZE) {
		long size = 0;

		if (IS_ALIGNED(addr, block) && end - addr >= block)
			size = vmap_fill_blocks(pte, addr, end, w, block);
		if (size)
			return size;
		/* Stop where the next block could begin. */
		end = min(end, ALIGN(addr + 1, block));
	}

	if (cur->len)
		return vmap_fill_extent(pte, addr, end, w);
	if (cur->nents)
		return vmap_fill_sg(pte, addr, end, w);
	if (cur->nr_pages)
		return vmap_fill_pages(pte, addr, end, w);

	/* The memory ends before the range does. */
	WARN_ON_ONCE(1);
	return -EINVAL;
}

static int vmap_pte_range(pmd_t *pmd, unsigned long addr, unsigned long end,
			  struct vmap_walk *w)
{
	pte_t *pte = pte_alloc_kernel_track(pmd, addr, &w->mask);
	long size;

	if (!pte)
		return -ENOMEM;

	lazy_mmu_mode_enable();
	do {
		size = vmap_fill_ptes(pte, addr, end, w);
		if (size < 0)
			break;
	} while (pte += PFN_DOWN(size), addr += size, addr != end);
	lazy_mmu_mode_disable();
	arch_vmap_sync_ptes();

	w->mask |= PGTBL_PTE_MODIFIED;
	return size < 0 ? size : 0;
}

/* Could a leaf of 1 << @shift begin at @addr, if the extent is long enough? */
static bool vmap_leaf_may_start(unsigned long addr, unsigned long end,
				unsigned int shift, struct vmap_walk *w)
{
	const unsigned long size = 1UL << shift;

	return shift <= w->max_shift && end - addr >= size &&
	       IS_ALIGNED(addr, size) && vmap_cursor_load(&w->cur) &&
	       IS_ALIGNED(w->cur.phys, size);
}

/* Can the entry that maps exactly [@addr, @end) be a leaf of 1 << @shift? */
static bool vmap_leaf_fits(unsigned long addr, unsigned long end,
			   unsigned int shift, struct vmap_walk *w)
{
	if (!vmap_leaf_may_start(addr, end, shift, w))
		return false;
	vmap_cursor_join(&w->cur, end - addr);
	return w->cur.len >= end - addr;
}

/*
 * Set @nr PMDs, all of them empty, to leaves.  Returns how many were set: where
 * the arch refuses, it is fewer.
 */
unsigned long __weak pmd_set_huge_nr(pmd_t *pmd, phys_addr_t phys,
				     pgprot_t prot, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		if (!pmd_set_huge(pmd + i, phys + (i << PMD_SHIFT), prot))
			break;
	return i;
}

/*
 * vmap_replace_pmd() and vmap_set_*_leaf() return whether they have set a leaf.  They
 * have not where the arch refuses, the range then has to be mapped with smaller
 * entries; and where there is a leaf already, which is an error.
 *
 * An entry that still points to a table is left from an earlier mapping.  The
 * table is freed under the mmap read lock of init_mm, to keep out ptdump: it
 * walks kernel page tables that it does not own under the write lock.  Others
 * that hold the read lock are harmless, each of them owns the range that it
 * works on and cannot reach this table.
 */
static int vmap_replace_pmd(pmd_t *pmd, unsigned long addr,
			    const struct vmap_walk *w)
{
	if (pmd_leaf(*pmd))
		return 0;

	scoped_cond_guard(mmap_read_lock_try, return 0, &init_mm)
		return pmd_free_pte_page(pmd, addr) &&
		       pmd_set_huge(pmd, w->cur.phys, w->prot);
	return 0;
}

/*
 * Leaves in PMDs from @pmd on, as many at once as the extent and the arch
 * allow.  Returns their number.
 */
static unsigned long vmap_set_pmd_leaves(pmd_t *pmd, unsigned long addr,
					 unsigned long end, struct vmap_walk *w)
{
	unsigned long nr, i;

	if (!vmap_leaf_may_start(addr, end, PMD_SHIFT, w) ||
	    !arch_vmap_pmd_supported(w->prot))
		return 0;

	vmap_cursor_join(&w->cur, end - addr);
	nr = min(end - addr, w->cur.len) >> PMD_SHIFT;
	if (!nr)
		return 0;

	for (i = 0; i < nr && pmd_none(pmd[i]); i++)
		;
	if (i)
		nr = pmd_set_huge_nr(pmd, w->cur.phys, w->prot, i);
	else
		nr = vmap_replace_pmd(pmd, addr, w);

	if (nr)
		w->mask |= PGTBL_PMD_MODIFIED;
	vmap_cursor_advance(&w->cur, nr << PMD_SHIFT);
	return nr;
}

static int vmap_pmd_range(pud_t *pud, unsigned long addr, unsigned long end,
			  struct vmap_walk *w)
{
	pmd_t *pmd = pmd_alloc_track(&init_mm, pud, addr, &w->mask);
	unsigned long next, nr;
	int err;

	if (!pmd)
		return -ENOMEM;
	do {
		nr = vmap_set_pmd_leaves(pmd, addr, end, w);
		if (nr) {
			next = addr + (nr << PMD_SHIFT);
			pmd += nr;
			continue;
		}
		if (WARN_ON(pmd_leaf(*pmd)))
			return -EBUSY;
		next = pmd_addr_end(addr, end);
		err = vmap_pte_range(pmd, addr, next, w);
		if (err)
			return err;
		pmd++;
	} while (addr = next, addr != end);
	return 0;
}

static int vmap_set_pud_leaf(pud_t *pud, unsigned long addr,
			     const struct vmap_walk *w)
{
	if (pud_none(*pud))
		return pud_set_huge(pud, w->cur.phys, w->prot);
	if (pud_leaf(*pud))
		return 0;

	scoped_cond_guard(mmap_read_lock_try, return 0, &init_mm)
		return pud_free_pmd_page(pud, addr) &&
		       pud_set_huge(pud, w->cur.phys, w->prot);
	return 0;
}

static int vmap_pud_range(p4d_t *p4d, unsigned long addr, unsigned long end,
			  struct vmap_walk *w)
{
	pud_t *pud = pud_alloc_track(&init_mm, p4d, addr, &w->mask);
	unsigned long next;
	int err;

	if (!pud)
		return -ENOMEM;
	do {
		next = pud_addr_end(addr, end);
		if (arch_vmap_pud_supported(w->prot) &&
		    vmap_leaf_fits(addr, next, PUD_SHIFT, w) &&
		    vmap_set_pud_leaf(pud, addr, w)) {
			w->mask |= PGTBL_PUD_MODIFIED;
			vmap_cursor_advance(&w->cur, PUD_SIZE);
			continue;
		}
		if (WARN_ON(pud_leaf(*pud)))
			return -EBUSY;
		err = vmap_pmd_range(pud, addr, next, w);
		if (err)
			return err;
	} while (pud++, addr = next, addr != end);
	return 0;
}

static int vmap_set_p4d_leaf(p4d_t *p4d, unsigned long addr,
			     const struct vmap_walk *w)
{
	if (p4d_none(*p4d))
		return p4d_set_huge(p4d, w->cur.phys, w->prot);
	if (p4d_leaf(*p4d))
		return 0;

	scoped_cond_guard(mmap_read_lock_try, return 0, &init_mm)
		return p4d_free_pud_page(p4d, addr) &&
		       p4d_set_huge(p4d, w->cur.phys, w->prot);
	return 0;
}

static int vmap_p4d_range(pgd_t *pgd, unsigned long addr, unsigned long end,
			  struct vmap_walk *w)
{
	p4d_t *p4d = p4d_alloc_track(&init_mm, pgd, addr, &w->mask);
	unsigned long next;
	int err;

	if (!p4d)
		return -ENOMEM;
	do {
		next = p4d_addr_end(addr, end);
		if (arch_vmap_p4d_supported(w->prot) &&
		    vmap_leaf_fits(addr, next, P4D_SHIFT, w) &&
		    vmap_set_p4d_leaf(p4d, addr, w)) {
			w->mask |= PGTBL_P4D_MODIFIED;
			vmap_cursor_advance(&w->cur, P4D_SIZE);
			continue;
		}
		if (WARN_ON(p4d_leaf(*p4d)))
			return -EBUSY;
		err = vmap_pud_range(p4d, addr, next, w);
		if (err)
			return err;
	} while (p4d++, addr = next, addr != end);
	return 0;
}

/*
 * Map [@start, @end) from the cursor.  Who asks for leaves may sleep; vmalloc()
 * of pages need not, so this does not either but for page tables.
 */
static int vmap_walk_noflush(unsigned long start, unsigned long end,
			     struct vmap_walk *w)
{
	unsigned long addr = start, next;
	pgd_t *pgd = pgd_offset_k(addr);
	int err = 0;

	w->pte = pfn_pte(0, w->prot);

	if (WARN_ON_ONCE(addr >= end))
		return -EINVAL;

	for (; !err && addr != end; pgd++, addr = next) {
		next = pgd_addr_end(addr, end);
		err = vmap_p4d_range(pgd, addr, next, w);
	}

	if (w->mask & ARCH_PAGE_TABLE_SYNC_MASK)
		arch_sync_kernel_mappings(start, end);
	return err;
}

/**
 * vmap_range_noflush - map a physical range to a kernel virtual range
 * @addr: start of the virtual range, in bytes, page aligned
 * @end: end of the virtual range (exclusive)
 * @phys_addr: physical address that @addr is to map
 * @prot: protection of the mapping
 * @max_page_shift: log2 of the largest leaf to use, in bytes
 *
 * The caller owns the virtual range and calls flush_cache_vmap() on it before
 * it is accessed.
 *
 * Context: May sleep.
 * Return: 0, or -ENOMEM, or -EBUSY if some of the range is mapped already.
 */
int vmap_range_noflush(unsigned long addr, unsigned long end,
		       phys_addr_t phys_addr, pgprot_t prot,
		       unsigned int max_page_shift)
{
	struct vmap_walk w = {
		.cur = { .phys = phys_addr, .len = end - addr },
		.prot = prot,
		.max_shift = max_page_shift,
	};

	might_sleep();
	return vmap_walk_noflush(addr, end, &w);
}

/*
 * Map an array of pages without a flush, nor KMSAN metadata; for vmalloc() and
 * its relatives, and for KMSAN itself.  @pages come in contiguous blocks of
 * 1 << @page_shift bytes, which is also the largest leaf.
 */
int __vmap_pages_range_noflush(unsigned long addr, unsigned long end,
			       pgprot_t prot, struct page **pages,
			       unsigned int page_shift)
{
	struct vmap_walk w = {
		.cur = { .pages = pages, .nr_pages = PHYS_PFN(end - addr) },
		.prot = prot,
		.max_shift = PAGE_SHIFT,
	};

	WARN_ON(page_shift < PAGE_SHIFT);
	if (IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC)) {
		/* A leaf may replace a page table, which takes a TLB flush. */
		might_sleep_if(page_shift > PAGE_SHIFT);
		w.cur.order = page_shift - PAGE_SHIFT;
		w.max_shift = page_shift;
	}
	return vmap_walk_noflush(addr, end, &w);
}

static void vunmap_pte_range(pmd_t *pmd, unsigned long addr, unsigned long end,
			     pgtbl_mod_mask *mask)
{
	pte_t *pte = pte_offset_kernel(pmd, addr);
	unsigned long size;
	pte_t ptent;

	lazy_mmu_mode_enable();
	do {
		size = arch_vmap_pte_block_size(addr, pte);
		if (size == PAGE_SIZE) {
			ptent = arch_vmap_clear_pte(pte, addr);
		} else {
			if (WARN_ON(!IS_ALIGNED(addr, size))) {
				addr = ALIGN_DOWN(addr, size);
				pte = PTR_ALIGN_DOWN(pte, sizeof(*pte) * PFN_DOWN(size));
			}
			ptent = arch_vmap_clear_pte_block(pte, addr, size);
			if (WARN_ON(end - addr < size))
				size = end - addr;
		}
		WARN_ON(!pte_none(ptent) && !pte_present(ptent));
	} while (pte += PFN_DOWN(size), addr += size, addr != end);
	lazy_mmu_mode_disable();

	*mask |= PGTBL_PTE_MODIFIED;
}

/* Clear leaves from @pmd on, up to @nr of them.  Returns how many there were. */
unsigned long __weak pmd_clear_huge_nr(pmd_t *pmd, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr && pmd_leaf(pmd[i]); i++)
		pmd_clear(pmd + i);
	return i;
}

/*
 * Only what is unmapped as a whole may have leaves: one that reaches out of the
 * range, at its start or end, is a bug.
 */
static void vunmap_pmd_range(pud_t *pud, unsigned long addr, unsigned long end,
			     pgtbl_mod_mask *mask)
{
	pmd_t *pmd = pmd_offset(pud, addr);
	unsigned long next, nr;

	WARN_ON(!IS_ALIGNED(addr, PMD_SIZE) && pmd_leaf(*pmd));
	WARN_ON(!IS_ALIGNED(end, PMD_SIZE) && pmd_leaf(*pmd_offset(pud, end - 1)));

	do {
		nr = pmd_clear_huge_nr(pmd, pmd_index(end - 1) - pmd_index(addr) + 1);
		if (nr) {
			*mask |= PGTBL_PMD_MODIFIED;
			next = min(end, (addr & PMD_MASK) + (nr << PMD_SHIFT));
			pmd += nr - 1;
			continue;
		}
		next = pmd_addr_end(addr, end);
		if (pmd_none(*pmd))
			continue;
		if (pmd_bad(*pmd))
			*mask |= PGTBL_PMD_MODIFIED;
		if (pmd_none_or_clear_bad(pmd))
			continue;
		vunmap_pte_range(pmd, addr, next, mask);

		cond_resched();
	} while (pmd++, addr = next, addr != end);
}

static void vunmap_pud_range(p4d_t *p4d, unsigned long addr, unsigned long end,
			     pgtbl_mod_mask *mask)
{
	pud_t *pud = pud_offset(p4d, addr);
	unsigned long next;

	WARN_ON(!IS_ALIGNED(addr, PUD_SIZE) && pud_leaf(*pud));
	WARN_ON(!IS_ALIGNED(end, PUD_SIZE) && pud_leaf(*pud_offset(p4d, end - 1)));

	do {
		next = pud_addr_end(addr, end);
		if (pud_leaf(*pud)) {
			pud_clear(pud);
			*mask |= PGTBL_PUD_MODIFIED;
			continue;
		}
		if (pud_bad(*pud))
			*mask |= PGTBL_PUD_MODIFIED;
		if (pud_none_or_clear_bad(pud))
			continue;
		vunmap_pmd_range(pud, addr, next, mask);
	} while (pud++, addr = next, addr != end);
}

static void vunmap_p4d_range(pgd_t *pgd, unsigned long addr, unsigned long end,
			     pgtbl_mod_mask *mask)
{
	p4d_t *p4d = p4d_offset(pgd, addr);
	unsigned long next;

	do {
		next = p4d_addr_end(addr, end);

		p4d_clear_huge(p4d);
		if (p4d_bad(*p4d))
			*mask |= PGTBL_P4D_MODIFIED;
		if (p4d_none_or_clear_bad(p4d))
			continue;
		vunmap_pud_range(p4d, addr, next, mask);
	} while (p4d++, addr = next, addr != end);
}

/*
 * Clear what is mapped in [@start, @end), without a flush, nor KMSAN metadata.
 * The caller calls flush_cache_vunmap() before and flush_tlb_kernel_range()
 * after, the latter at the latest before the addresses are used again.
 */
void __vunmap_range_noflush(unsigned long start, unsigned long end)
{
	unsigned long addr = start, next;
	pgd_t *pgd = pgd_offset_k(addr);
	pgtbl_mod_mask mask = 0;

	if (WARN_ON_ONCE(addr >= end))
		return;

	do {
		next = pgd_addr_end(addr, end);
		if (pgd_bad(*pgd))
			mask |= PGTBL_PGD_MODIFIED;
		if (pgd_none_or_clear_bad(pgd))
			continue;
		vunmap_p4d_range(pgd, addr, next, &mask);
	} while (pgd++, addr = next, addr != end);

	if (mask & ARCH_PAGE_TABLE_SYNC_MASK)
		arch_sync_kernel_mappings(start, end);
}

/**
 * struct vmap_align - where a virtual area should start
 * @shift: log2 of the leaf to align it for; PAGE_SHIFT if any address will do
 * @offset: bytes from an address that is aligned, less than a leaf
 */
struct vmap_align {
	unsigned int shift;
	unsigned long offset;
};

/**
 * struct vmap_layout - what the memory to be mapped asks of its virtual area
 * @size: bytes
 * @start: physical address of the extent that ends at @size
 * @end: its end; 0 if there is none
 * @wanted: bytes that an extent has to have for a leaf larger than that of @align
 * @align: of the area
 * @prot: protection of the mapping
 *
 * The first extent that takes the largest leaf decides.  The area is as good as
 * this guess, and nothing else depends on it.
 */
struct vmap_layout {
	unsigned long size;
	phys_addr_t start;
	phys_addr_t end;
	unsigned long wanted;
	struct vmap_align align;
	pgprot_t prot;
};

/* Bytes of the next leaf that is larger than 1 << @shift, for any extent. */
static unsigned long vmap_next_leaf(unsigned int shift)
{
	const unsigned int pte_shift = arch_vmap_pte_supported_shift(PMD_SIZE);

	if (shift >= PUD_SHIFT || shift >= vmap_max_leaf_shift)
		return ULONG_MAX;
	if (shift >= PMD_SHIFT)
		return PUD_SIZE;
	return shift < pte_shift ? BIT(pte_shift) : PMD_SIZE;
}

/* Nothing laid out yet. */
#define VMAP_LAYOUT(_prot) {				\
	.wanted = vmap_next_leaf(PAGE_SHIFT),		\
	.align.shift = PAGE_SHIFT,			\
	.prot = _prot,					\
}

static bool extent_holds_leaf(phys_addr_t phys, unsigned long len,
			      unsigned int shift)
{
	const unsigned long size = 1UL << shift;

	return len >= size && ALIGN(phys, size) - phys <= len - size;
}

/* log2 of the largest leaf that fits into an extent. */
static unsigned int extent_leaf_shift(phys_addr_t phys, unsigned long len,
				      pgprot_t prot)
{
	const unsigned int pte_shift = arch_vmap_pte_supported_shift(len);

	if (extent_holds_leaf(phys, len, PUD_SHIFT) &&
	    arch_vmap_pud_supported(prot))
		return PUD_SHIFT;
	if (extent_holds_leaf(phys, len, PMD_SHIFT) &&
	    arch_vmap_pmd_supported(prot))
		return PMD_SHIFT;
	return extent_holds_leaf(phys, len, pte_shift) ? pte_shift : PAGE_SHIFT;
}

/* The extent has grown to where it may hold a larger leaf. */
static noinline void vmap_layout_align(struct vmap_layout *layout)
{
	const unsigned int shift =
		extent_leaf_shift(layout->start, layout->end - layout->start,
				  layout->prot);

	if (shift > layout->align.shift) {
		layout->align.shift = shift;
		layout->align.offset = (layout->end - layout->size) & (BIT(shift) - 1);
		layout->wanted = vmap_next_leaf(shift);
	}
}

/* Append memory that is contiguous. */
static __always_inline void vmap_layout_add(struct vmap_layout *layout,
					    phys_addr_t phys, unsigned long len)
{
	struct vmap_layout grown;

	if (phys != layout->end)
		layout->start = phys;
	layout->end = phys + len;
	layout->size += len;
	if (layout->end - layout->start >= layout->wanted) {
		/* A copy: registers can hold what nobody has the address of. */
		grown = *layout;
		vmap_layout_align(&grown);
		*layout = grown;
	}
}

/* Single pages are laid out in groups, for there may be very many. */
#define VMAP_GROUP	64U

/*
 * Lay out the whole table, and look for what cannot be mapped.  Entries are
 * joined here as well: many users limit their length to what a device takes.
 * Single pages that are as far from each other as they should be stand for
 * those between.
 */
static int vmap_layout_sg(struct vmap_layout *layout, struct scatterlist *sg,
			  unsigned int nents)
{
	const struct page *const page0 = vmap_first_page();
	struct vmap_layout l = *layout;
	struct scatterlist *next, *stop;
	unsigned long len;

	while (nents) {
		if (unlikely(sg_is_chain(sg))) {
			sg = sg_chain_ptr(sg);
			continue;
		}
		if (!sg_is_single_page(sg)) {
			if (!sg->length || !PAGE_ALIGNED(sg->offset | sg->length))
				return -EINVAL;
			vmap_layout_add(&l, vmap_sg_phys(sg, page0), sg->length);
			sg++;
			nents--;
			continue;
		}

		next = sg + 1;
		stop = sg + min(nents, VMAP_GROUP);
		while (next != stop && sg_is_single_page(next))
			next++;
		nents -= next - sg;
		len = (next - sg) * PAGE_SIZE;
		if (vmap_sg_phys(next - 1, page0) - vmap_sg_phys(sg, page0) == len - PAGE_SIZE) {
			vmap_layout_add(&l, vmap_sg_phys(sg, page0), len);
		} else {
			l.end = 0;
			l.size += len;
		}
		sg = next;
	}
	*layout = l;
	return 0;
}

/*
 * Look for the first run of @pages that holds a leaf.  A run that is long enough
 * has a group of half a leaf's pages in it, wherever it begins, and pages that
 * are as far from each other as they should be stand for those between.
 */
static struct vmap_align vmap_layout_pages(struct page **pages,
					   unsigned long nr_pages, pgprot_t prot)
{
	struct vmap_layout layout = VMAP_LAYOUT(prot);
	unsigned long i = 0, start, leaf, nr;

	while (layout.wanted <= PMD_SIZE) {
		leaf = PFN_DOWN(layout.wanted);
		nr = leaf / 2;
		if (i + nr > nr_pages)
			break;
		start = i;
		i += nr;
		if (!pages[start] || pages[i - 1] != pages[start] + nr - 1)
			continue;

		while (start && pages[start - 1] == pages[start] - 1)
			start--;
		nr = nr_pages - start;
		if (nr < leaf || pages[start + leaf - 1] != pages[start] + leaf - 1)
			continue;

		if (pages[nr_pages - 1] != pages[start] + nr - 1)
			nr = vmap_pages_in_a_row(pages + start,
						 min(nr, 2 * PFN_DOWN(PMD_SIZE)));
		layout.size = start << PAGE_SHIFT;
		layout.end = 0;
		vmap_layout_add(&layout, page_to_phys(pages[start]),
				nr << PAGE_SHIFT);
		i = max(i, start + nr);
	}
	return layout.align;
}

static __always_inline struct vm_struct *
vmap_get_any_area(unsigned long size, unsigned long flags, const void *caller)
{
	return __get_vm_area_node(size, 1, PAGE_SHIFT, flags, VMALLOC_START,
				  VMALLOC_END, NUMA_NO_NODE, GFP_KERNEL, caller);
}

/*
 * An area at @align.offset from an aligned address or, where the address space
 * has no room for that any more, at any address.
 */
static struct vm_struct *vmap_get_aligned_area(unsigned long size,
					       struct vmap_align align,
					       unsigned long flags,
					       const void *caller)
{
	struct vm_struct *area;

	area = __get_vm_area_node(size + align.offset, BIT(align.shift),
				  PAGE_SHIFT, flags, VMALLOC_START, VMALLOC_END,
				  NUMA_NO_NODE, GFP_KERNEL | __GFP_NOWARN, caller);
	if (!area)
		return vmap_get_any_area(size, flags, caller);

	if (align.offset)
		kasan_poison_vmalloc(area->addr, align.offset);
	area->addr += align.offset;
	area->size -= align.offset;
	area->requested_size -= align.offset;
	return area;
}

#ifdef CONFIG_KMSAN
/* KMSAN wants arrays of pages: hand it the memory a few pages at a time. */
static int vmap_kmsan_map(struct vmap_cursor cur, unsigned long addr,
			  pgprot_t prot)
{
	struct page *pages[16];
	unsigned long nr;
	int err = 0;

	for (; !err && vmap_cursor_load(&cur); addr += nr << PAGE_SHIFT) {
		for (nr = 0; nr < ARRAY_SIZE(pages) && vmap_cursor_load(&cur); nr++) {
			pages[nr] = phys_to_page(cur.phys);
			vmap_cursor_advance(&cur, PAGE_SIZE);
		}
		err = kmsan_vmap_pages_range_noflush(addr,
						     addr + (nr << PAGE_SHIFT),
						     prot, pages, PAGE_SHIFT,
						     GFP_KERNEL);
	}
	return err;
}
#else
static int vmap_kmsan_map(struct vmap_cursor cur, unsigned long addr,
			  pgprot_t prot)
{
	return 0;
}
#endif

/* Get an area of @size bytes and map the memory from @w->cur on into it. */
static __always_inline struct vm_struct *
vmap_area(struct vmap_walk *w, unsigned long size, struct vmap_align align,
	  unsigned long flags, const void *caller)
{
	struct vm_struct *area;
	unsigned long addr, end;
	int err;

	area = align.shift > PAGE_SHIFT ?
		vmap_get_aligned_area(size, align, flags, caller) :
		vmap_get_any_area(size, flags, caller);
	if (!area)
		return ERR_PTR(-ENOMEM);

	addr = (unsigned long)area->addr;
	end = addr + size;
	err = vmap_kmsan_map(w->cur, addr, w->prot);
	if (!err)
		err = vmap_walk_noflush(addr, end, w);
	flush_cache_vmap(addr, end);
	if (err) {
		vunmap(area->addr);
		return ERR_PTR(err);
	}
	return area;
}

/**
 * vmap - map an array of pages into virtually contiguous space
 * @pages: array of page pointers
 * @count: number of pages to map
 * @flags: vm_area->flags
 * @prot: page protection for the mapping
 *
 * Maps @count pages from @pages into contiguous kernel virtual space, runs of
 * physically contiguous pages with as few page-table entries as they allow.
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
	struct vmap_walk w = {
		.cur = { .pages = pages, .nr_pages = count },
		.prot = pgprot_nx(prot),
		.max_shift = vmap_max_leaf_shift,
	};
	struct vmap_align align = { .shift = PAGE_SHIFT };
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

	if (!count || count > totalram_pages())
		return NULL;

	if (count >= PFN_DOWN(vmap_next_leaf(PAGE_SHIFT)))
		align = vmap_layout_pages(pages, count, prot);
	area = vmap_area(&w, (unsigned long)count << PAGE_SHIFT, align, flags,
			 __builtin_return_address(0));
	if (IS_ERR(area))
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
 * @sgt: memory to map, as the CPU sees it (all @orig_nents entries)
 * @prot: page protection for the mapping
 *
 * Maps the pages of all entries, in their order, into contiguous kernel virtual
 * space, physically contiguous runs with as few page-table entries as they
 * allow.  No array of pages is needed, and the cost is that of the entries and
 * of the page-table entries.  Offsets and lengths must be multiples of
 * PAGE_SIZE.
 *
 * The table is not looked at after the call.  The memory stays the caller's,
 * who keeps it until after vunmap() of the mapping.
 *
 * Context: May sleep.
 * Return: the address of the mapping, or an ERR_PTR(): -EINVAL for an empty
 * table or an entry that is not whole pages, -E2BIG for more memory than the
 * system has, -ENOMEM.
 */
void *vmap_sg(const struct sg_table *sgt, pgprot_t prot)
{
	struct vmap_walk w = {
		.cur = { .sg = sgt->sgl, .nents = sgt->orig_nents },
		.prot = pgprot_nx(prot),
		.max_shift = vmap_max_leaf_shift,
	};
	struct vmap_layout layout = VMAP_LAYOUT(prot);
	struct vm_struct *area;
	int err;

	might_sleep();

	err = vmap_layout_sg(&layout, w.cur.sg, w.cur.nents);
	if (err)
		return ERR_PTR(err);
	if (!layout.size)
		return ERR_PTR(-EINVAL);
	if (PHYS_PFN(layout.size) > totalram_pages())
		return ERR_PTR(-E2BIG);

	area = vmap_area(&w, layout.size, layout.align, VM_MAP,
			 __builtin_return_address(0));
	return IS_ERR(area) ? ERR_CAST(area) : area->addr;
}
EXPORT_SYMBOL_GPL(vmap_sg);
