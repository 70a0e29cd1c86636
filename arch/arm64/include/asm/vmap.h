/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How mm/vmap.c sets and clears PTEs of the kernel on arm64.
 */
#ifndef __ASM_VMAP_H
#define __ASM_VMAP_H

#include <linux/compiler.h>
#include <linux/pgtable.h>
#include <linux/unroll.h>
#include <linux/vmalloc.h>

/*
 * PTEs are set without the barriers that each of them would need, and without a
 * look at contiguous ones nearby: those of the kernel never fold nor unfold.
 */
#define arch_vmap_set_pte arch_vmap_set_pte
static inline void arch_vmap_set_pte(pte_t *ptep, unsigned long addr, pte_t pte)
{
	__set_pte_nosync(ptep, pte);
}

static inline pte_t arch_vmap_get_pte(pte_t *ptep)
{
	return __ptep_get(ptep);
}

/* Who unmaps owns the range: nobody else changes the PTE between the two. */
static inline pte_t arch_vmap_clear_pte(pte_t *ptep, unsigned long addr)
{
	const pte_t pte = __ptep_get(ptep);

	__set_pte_nosync(ptep, __pte(0));
	return pte;
}

static inline void arch_vmap_sync_ptes(void)
{
	emit_pte_barriers();
}

/*
 * Where vmalloc() knows contiguous PTEs, so does vmap().  Not left to hugetlb's
 * functions, which a kernel may not have.
 */
#ifdef arch_vmap_pte_range_unmap_size
/* The page of @pte is aligned for the block, so that its low bits only count up. */
#define arch_vmap_set_pte_block arch_vmap_set_pte_block
static inline void arch_vmap_set_pte_block(pte_t *ptep, unsigned long addr,
					   pte_t pte, unsigned long size)
{
	pteval_t val = pte_val(pte_mkcont(pte));
	unsigned long i;

	unrolled_count(16)
	for (i = 0; i < CONT_PTES; i++, val += PAGE_SIZE) {
		/* One register holds them in turn, not sixteen all at once */
		OPTIMIZER_HIDE_VAR(val);
		__set_pte_nosync(ptep + i, __pte(val));
	}
}

static inline pte_t arch_vmap_clear_pte_block(pte_t *ptep, unsigned long addr,
					      unsigned long size)
{
	const pte_t first = __ptep_get(ptep);
	unsigned long i;

	unrolled_count(16)
	for (i = 0; i < CONT_PTES; i++)
		__set_pte_nosync(ptep + i, __pte(0));
	return first;
}

static inline unsigned long arch_vmap_pte_block_size(unsigned long addr, pte_t *ptep)
{
	const pte_t pte = __ptep_get(ptep);

	return pte_valid_cont(pte) ? CONT_PTE_SIZE : PAGE_SIZE;
}
#endif

#include <asm-generic/vmap.h>

#endif /* __ASM_VMAP_H */
