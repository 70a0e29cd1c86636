/* SPDX-License-Identifier: GPL-2.0-only */
/* What ppc-8xx.c and an object of the kernel want of each other. */
#ifndef PPC_8XX_H
#define PPC_8XX_H

struct pgprot {
	unsigned long val;
};

int vmap_range_noflush(unsigned long addr, unsigned long end, unsigned long phys,
		       struct pgprot prot, unsigned int max_shift);

int __pte_alloc_kernel(unsigned long *pmd, unsigned long addr);
void set_ptes(void *mm, unsigned long addr, unsigned long *ptep, unsigned long pte,
	      unsigned int nr);
void set_huge_pte_at(void *mm, unsigned long addr, unsigned long *ptep, unsigned long pte,
		     unsigned long size);

#endif
