struct vmap_walk {
	phys_addr_t phys;
	unsigned long len;
	struct page **pages;
	struct scatterlist *sg;
	unsigned long nr;
	pgprot_t prot;
	pgprot_t pte_prot;
	unsigned int max_shift;
	pgtbl_mod_mask mask;
};

/* The protection of a mapping, as PTEs are set with it. */
#ifndef arch_vmap_prot
#define arch_vmap_prot(prot)	(prot)
#endif

/* Called after the last PTE of a table, if each needs no barrier of its own. */
#ifndef arch_vmap_sync_ptes
#define arch_vmap_sync_ptes()	do { } while (0)
#endif

#ifndef arch_vmap_set_ptes
/*
 * Set up to @nr PTEs of contiguous memory, in blocks that the MMU takes as one
 * translation where it can.  Stop at one that is not none.  Returns how many were set.
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

	/* All memory is used up, but part of the range is not mapped. */
	if (WARN_ON_ONCE(!w->len && !w->nr))
		return -EINVAL;

	if (w->pages && !w->len) {
		err = vmap_check_page(*w->pages);
		if (err)
			return err;
		nr = vmap_run_length(w->pages, min(PFN_DOWN(want), w->nr));
		w->phys = page_to_phys(*w->pages);
		w->len = nr << PAGE_SHIFT;
		w->pages += nr;
		w->nr -= nr;
	}
	for (; w->sg && w->nr && w->len < want; w->nr--) {
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

/* Set PTEs up to @end at most, as the other two.  Returns the bytes, or an error. */
static long vmap_fill_extent(pte_t *pte, unsigned long addr, unsigned long end,
			     struct vmap_walk *w)
{
	const unsigned long size = min(end - addr, w->len), nr = PFN_DOWN(size);

	if (WARN_ON(arch_vmap_set_ptes(pte, addr, w->phys, w->pte_prot, nr, w->max_shift) != nr))
		return -EBUSY;
	w->phys += size;
	w->len -= size;
	return size;
}

/*
 * Stop where a block of PTEs can start: the caller looks for an extent there.  Only
 * the first page of a run is checked: those that follow are as valid.
 */
static long vmap_fill_pages(pte_t *pte, unsigned long addr, unsigned long end,
			    struct vmap_walk *w)
{
	const unsigned long block = vmap_pte_block(w);
	const unsigned long to = block > PAGE_SIZE ? min(end, ALIGN(addr, block)) : end;
	const unsigned long nr = min(PFN_DOWN(to - addr), w->nr);
	struct page **const stop = w->pages + nr;
	struct page **pages = w->pages;
	const struct page *prev = NULL;

	for (; pages != stop; pages++, pte++, addr += PAGE_SIZE) {
		const struct page *page = *pages;
		const int err = page - 1 != prev ? vmap_check_page(page) : 0;

		if (err)
			return err;
		if (WARN_ON(!arch_vmap_set_ptes(pte, addr, page_to_phys(page), w->pte_prot, 1, 0)))
			return -EBUSY;
		prev = page;
	}
	w->pages = pages;
	w->nr -= nr;
	return nr * PAGE_SIZE;
}

/*
 * Stop at an entry that crosses @end, or that ends in a block of PTEs which it may
 * begin: the caller maps it as an extent, together with what follows.
 */
static noinline long vmap_fill_sg(pte_t *pte, unsigned long start, unsigned long end,
				  struct vmap_walk *w)
{
	pte_t *const first = pte, *const stop = pte + PFN_DOWN(end - start);
	const unsigned long block = vmap_pte_block(w);
	const pgprot_t prot = w->pte_prot;
	struct scatterlist *sg = w->sg;
	unsigned long nr = w->nr;

	for (; nr && pte != stop; nr--, sg++) {
		const unsigned long addr = start + (pte - first) * PAGE_SIZE;
		unsigned long next, nr_pages;

		if (likely(!sg_is_chain(sg) && sg->length == PAGE_SIZE &&
			   (block == PAGE_SIZE || !IS_ALIGNED(addr, block)))) {
			if (WARN_ON(!arch_vmap_set_ptes(pte, addr, sg_phys(sg), prot, 1, 0)))
				return -EBUSY;
			pte++;
			continue;
		}
		if (sg_is_chain(sg))
			sg = sg_chain_ptr(sg);
		nr_pages = PFN_DOWN(sg->length);
		next = addr + sg->length;
		if (nr_pages > stop - pte ||
		    (!IS_ALIGNED(next, block) && ALIGN_DOWN(next, block) >= addr))
			break;
		if (WARN_ON(arch_vmap_set_ptes(pte, addr, sg_phys(sg), prot, nr_pages,
					       w->max_shift) != nr_pages))
			return -EBUSY;
		pte += nr_pages;
	}
	w->sg = sg;
	w->nr = nr;
	return (pte - first) * PAGE_SIZE;
}

static int vmap_pte_range(pmd_t *pmd, unsigned long addr, unsigned long end,
			  struct vmap_walk *w)
{
	pte_t *pte = pte_alloc_kernel_track(pmd, addr, &w->mask);
	long size;
	int err;

	if (!pte)
		return -ENOMEM;

	lazy_mmu_mode_enable();
	do {
		size = 0;
		if (!w->len)
			size = w->sg ? vmap_fill_sg(pte, addr, end, w) :
				       vmap_fill_pages(pte, addr, end, w);
		if (!size) {
			err = vmap_extend(w, end - addr);
			size = err ?: vmap_fill_extent(pte, addr, end, w);
		}
		if (size < 0)
			break;
	} while (pte += PFN_DOWN(size), addr += size, addr != end);
	arch_vmap_sync_ptes();
	lazy_mmu_mode_disable();

	w->mask |= PGTBL_PTE_MODIFIED;
	return min(size, 0);
}

