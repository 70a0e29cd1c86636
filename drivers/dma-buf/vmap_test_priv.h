/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the in-kernel dma_buf_vmap() test user share.
 */
#ifndef __DMABUF_VMAP_TEST_PRIV_H
#define __DMABUF_VMAP_TEST_PRIV_H

#include <linux/pgtable.h>
#include <linux/types.h>

#include "vmap_test.h"

struct device;
struct dma_buf;
struct page;
struct scatterlist;
struct sg_table;
struct vm_area_struct;

/**
 * struct vmap_test_area - contiguous memory for LAYOUT and REPLACE
 * @page: its first page, NULL if there is none
 * @nr_pages: its size, a power of two
 *
 * An open file keeps it for the next call that wants that size: getting the memory
 * takes longer than all that is to be measured.
 */
struct vmap_test_area {
	struct page *page;
	unsigned long nr_pages;
};

/**
 * struct vmap_test_dma_iter - a page of a device mapping
 * @dev: device that it is for
 * @sg: its DMA segment, NULL at the end
 * @left: number of segments from @sg on
 * @offset: bytes before it in the segment
 * @bounces: the device has a copy of it
 *
 * Unlike for_each_sgtable_dma_page(), this takes entries whose offset is more than
 * a page, as udmabuf of v6.12 makes them.
 */
struct vmap_test_dma_iter {
	struct device *dev;
	struct scatterlist *sg;
	unsigned int left;
	unsigned int offset;
	bool bounces;
};

/* Not every kernel that is measured has it: one that returns NULL stands for it. */
void *vmap_sg(const struct sg_table *sgt, pgprot_t prot);

/* mm's own: how vmalloc() maps pages that are contiguous in blocks of @page_shift. */
int __must_check __vmap_pages_range_noflush(unsigned long addr,
					    unsigned long end, pgprot_t prot,
					    struct page **pages,
					    unsigned int page_shift);

int vmap_test_resched(void);
int vmap_test_copy(void *arg, size_t size, const void __user *uarg,
		   size_t usize);
int vmap_test_report_rounds(const struct dmabuf_vmap_round *rounds, u32 n,
			    u64 rounds_ptr, struct dmabuf_vmap_result *res);
void vmap_test_describe(const void *vaddr, struct dmabuf_vmap_result *res);
void vmap_test_count_leaves(const void *vaddr, struct dmabuf_vmap_result *res);
void vmap_test_bad_pages(struct dmabuf_vmap_result *res, u64 page, u64 n);
long vmap_test_layout(struct vmap_test_area *area, void __user *uarg,
		      size_t usize);
long vmap_test_replace(struct vmap_test_area *area, void __user *uarg,
		       size_t usize);
long vmap_test_user(void __user *uarg, size_t usize);
long vmap_test_follow(void __user *uarg, size_t usize);
int vmap_test_import(struct dma_buf *dmabuf, struct vm_area_struct *vma);
void vmap_test_area_free(struct vmap_test_area *area);

int vmap_test_inspect(struct dma_buf *dmabuf, struct device *dev,
		      struct dmabuf_vmap_test *test);
struct device *vmap_test_new_device(unsigned int max_seg);
void vmap_test_dma_start(struct vmap_test_dma_iter *iter, struct device *dev,
			 const struct sg_table *sgt);
void vmap_test_dma_next(struct vmap_test_dma_iter *iter);
struct page *vmap_test_dma_page(const struct vmap_test_dma_iter *iter);
struct page *vmap_test_cpu_page(const struct vmap_test_dma_iter *iter);
int vmap_test_attach_dmabuf(struct dma_buf *dmabuf,
			    struct dmabuf_vmap_attach *arg);

#endif	/* __DMABUF_VMAP_TEST_PRIV_H */
