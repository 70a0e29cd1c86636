/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Variants of vmap(), and what they are made of, in a header of their own:
 * linux/vmalloc.h is included nearly everywhere, and a line in it rebuilds the
 * kernel.
 */
#ifndef _LINUX_VMAP_H
#define _LINUX_VMAP_H

#include <linux/err.h>
#include <linux/pgtable.h>

struct sg_table;

#ifdef CONFIG_MMU
void *vmap_sg(const struct sg_table *sgt, pgprot_t prot);
#else
static inline void *vmap_sg(const struct sg_table *sgt, pgprot_t prot)
{
	return ERR_PTR(-EOPNOTSUPP);
}
#endif

/* For mm/vmap.c; an arch may have better ones than the loops there */
unsigned long pmd_set_huge_nr(pmd_t *pmd, phys_addr_t phys, pgprot_t prot,
			      unsigned long nr);
unsigned long pmd_clear_huge_nr(pmd_t *pmd, unsigned long nr);

#endif /* _LINUX_VMAP_H */
