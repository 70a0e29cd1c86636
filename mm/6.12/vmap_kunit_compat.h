/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Linux 6.12 lacks of what the KUnit tests use, see vmap_compat.h.
 */
#ifndef _MM_VMAP_KUNIT_COMPAT_H
#define _MM_VMAP_KUNIT_COMPAT_H

#include "../internal.h"

/* 6.19: KMSAN allocates its arrays with the flags of the caller */
#define vmap_pages_range_noflush(start, end, prot, pages, shift, gfp) \
	((void)(gfp), \
	 vmap_pages_range_noflush(start, end, prot, pages, shift))

#endif /* _MM_VMAP_KUNIT_COMPAT_H */
