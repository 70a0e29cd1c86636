// SPDX-License-Identifier: GPL-2.0-only
/*
 * Large leaves of kernel mappings in runs, for mm/vmap.c
 *
 * pmd_set_huge() looks at the MTRRs for every leaf, which takes longer than
 * everything else it does.  Memory is hardly ever covered by more than one of
 * them, so one look will do for a run.
 */

#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/pgtable.h>
#include <linux/unroll.h>
#include <linux/vmap.h>
#include <asm/mtrr.h>

/**
 * pmd_set_huge_nr - set PMDs to leaves
 * @pmd: first of the PMDs, all of which are empty and in one table
 * @addr: physical address that the first one is to map, aligned to PMD_SIZE
 * @prot: protection of the mapping
 * @nr: number of PMDs, and of leaves of contiguous memory
 *
 * Return: the number of leaves that were set, fewer than @nr if the MTRRs do
 * not cover the memory uniformly.
 */
unsigned long pmd_set_huge_nr(pmd_t *pmd, phys_addr_t addr, pgprot_t prot,
			      unsigned long nr)
{
	const pte_t first = pfn_pte(PHYS_PFN(addr),
				    __pgprot(protval_4k_2_large(pgprot_val(prot)) |
					     _PAGE_PSE));
	unsigned long i;
	u8 uniform;

	mtrr_type_lookup(addr, addr + (nr << PMD_SHIFT), &uniform);
	if (!uniform)
		return pmd_set_huge(pmd, addr, prot);

	for (i = 0; i < nr; i++)
		set_pte((pte_t *)pmd + i,
			pte_advance_pfn(first, i * PTRS_PER_PTE));
	return nr;
}

/**
 * pmd_clear_huge_nr - clear PMDs that are leaves
 * @pmd: first of the PMDs, in one table
 * @nr: number of PMDs
 *
 * Return: the number of leaves that were cleared: all up to the first PMD that
 * is none.
 */
unsigned long pmd_clear_huge_nr(pmd_t *pmd, unsigned long nr)
{
	unsigned long i;

	/* What pmd_leaf() is true for, less the masks that it has */
	unrolled_count(4)
	for (i = 0; i < nr; i++) {
		if (!(pmd_val(pmd[i]) & _PAGE_PSE))
			break;
		pmd_clear(pmd + i);
	}
	return i;
}
