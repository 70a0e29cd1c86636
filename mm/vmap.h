/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What mm/vmap.c and mm/vmalloc.c share.
 */
#ifndef _MM_VMAP_H
#define _MM_VMAP_H

#include "vmalloc.h"

int __must_check vmap_range_noflush(unsigned long addr, unsigned long end,
				    phys_addr_t phys_addr, pgprot_t prot,
				    unsigned int max_page_shift);

#endif /* _MM_VMAP_H */
