/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Linux 6.12 lacks of what our files use.  Included ahead of each of them
 * by the build of that series only; when 6.12 goes, so does this file.
 */
#ifndef _LINUX_VMAP_COMPAT_H
#define _LINUX_VMAP_COMPAT_H

#include <linux/cleanup.h>
#include <linux/gfp.h>
#include <linux/kmsan.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/module.h>
#include <linux/pgtable.h>
#include <linux/slab.h>

/* 7.0, and late stable releases: the allocators by type */
#ifndef kzalloc_obj
#define kzalloc_obj(obj)	kzalloc(sizeof(obj), GFP_KERNEL)
#endif

/* 6.14: one bulk allocator, for arrays */
#undef alloc_pages_bulk
#define alloc_pages_bulk(gfp, nr, array) alloc_pages_bulk_array(gfp, nr, array)

/* 6.18: nested lazy MMU sections */
#define lazy_mmu_mode_enable()	arch_enter_lazy_mmu_mode()
#define lazy_mmu_mode_disable()	arch_leave_lazy_mmu_mode()

/* 6.19: KMSAN allocates its arrays with the flags of the caller */
#define kmsan_vmap_pages_range_noflush(start, end, prot, pages, shift, gfp) \
	((void)(gfp), \
	 kmsan_vmap_pages_range_noflush(start, end, prot, pages, shift))

/* 6.19: mmap_lock guards */
DEFINE_GUARD(mmap_read_lock, struct mm_struct *,
	     mmap_read_lock(_T), mmap_read_unlock(_T))
DEFINE_GUARD_COND(mmap_read_lock, _try, mmap_read_trylock(_T))

/* 6.13: unrolling by a count */
#ifndef unrolled_count
#define __unrolled_pragma(x)	_Pragma(#x)
#ifdef CONFIG_CC_IS_CLANG
#define unrolled_count(n)	__unrolled_pragma(clang loop unroll_count(n))
#else
#define unrolled_count(n)	__unrolled_pragma(GCC unroll n)
#endif
#endif

/*
 * 6.16: contiguous PTEs of the kernel on arm64.  6.12 neither makes nor undoes
 * any, and a backport does not begin to: nothing in its arch code, nor in what
 * was added to it, expects one outside of user mappings.
 */
static inline unsigned long arch_vmap_pte_range_unmap_size(unsigned long addr,
							   pte_t *ptep)
{
	return PAGE_SIZE;
}

/* 7.1: flags of a VMA are not passed as a number */
#define vma_is_cow_mapping(vma)	is_cow_mapping((vma)->vm_flags)

/* 7.1: named after what it is for */
#define zap_special_vma_range(vma, addr, size)	zap_vma_ptes(vma, addr, size)

/* 6.16: a name for the barriers that set_pte() on arm64 ends with */
#ifdef CONFIG_ARM64
static inline void emit_pte_barriers(void)
{
	dsb(ishst);
	isb();
}
#endif

/* 7.1: heap pages charged to the memcg of whoever allocates them */
#define mem_accounting		false

/* 7.1: DMA to memory that is shared with the host already */
#define DMA_ATTR_CC_SHARED	0

/* 6.13: symbol namespaces are strings */
#undef MODULE_IMPORT_NS
#define MODULE_IMPORT_NS(ns)	MODULE_INFO(import_ns, ns)

#endif /* _LINUX_VMAP_COMPAT_H */
