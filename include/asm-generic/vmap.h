/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How mm/vmap.c sets and clears PTEs of the kernel.  Not in asm/vmalloc.h, which
 * nearly every file includes.
 */
#ifndef __ASM_GENERIC_VMAP_H
#define __ASM_GENERIC_VMAP_H

#include <linux/hugetlb.h>
#include <linux/log2.h>
#include <linux/pgtable.h>
#include <linux/vmalloc.h>

/*
 * An arch may set PTEs without what each of them would take, and then do it once
 * for all of them.  Nor need it look for what is found in user mappings only.
 */
#ifndef arch_vmap_set_pte
static inline void arch_vmap_set_pte(pte_t *ptep, unsigned long addr, pte_t pte)
{
	set_pte_at(&init_mm, addr, ptep, pte);
}

static inline pte_t arch_vmap_get_pte(pte_t *ptep)
{
	return ptep_get(ptep);
}

static inline pte_t arch_vmap_clear_pte(pte_t *ptep, unsigned long addr)
{
	return ptep_get_and_clear(&init_mm, addr, ptep);
}

static inline void arch_vmap_sync_ptes(void)
{
}
#endif

/* Blocks of contiguous PTEs, if neither this nor the arch leaves them out. */
#if !defined(arch_vmap_set_pte_block) && defined(CONFIG_HUGETLB_PAGE)
#define arch_vmap_set_pte_block arch_vmap_set_pte_block
static inline void arch_vmap_set_pte_block(pte_t *ptep, unsigned long addr,
					   pte_t pte, unsigned long size)
{
	pte = arch_make_huge_pte(pte, ilog2(size), 0);
	set_huge_pte_at(&init_mm, addr, ptep, pte, size);
}

static inline pte_t arch_vmap_clear_pte_block(pte_t *ptep, unsigned long addr,
					      unsigned long size)
{
	return huge_ptep_get_and_clear(&init_mm, addr, ptep, size);
}

/* Bytes of the block at @addr; PAGE_SIZE if there is none. */
static inline unsigned long arch_vmap_pte_block_size(unsigned long addr, pte_t *ptep)
{
	return arch_vmap_pte_range_unmap_size(addr, ptep);
}
#endif

#endif /* __ASM_GENERIC_VMAP_H */
