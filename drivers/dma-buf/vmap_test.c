// SPDX-License-Identifier: GPL-2.0-only
/*
 * An in-kernel user of dma_buf_vmap() for tests and measurements.
 *
 * A file in debugfs takes a dma-buf, times vmap and vunmap of it, and then, out
 * of the timed part, compares the kernel mapping with the device mapping: which
 * page is where, what is in it, and what the mapping costs in leaves and page
 * tables. The device mapping is made for a private device without limits that
 * does no DMA, so each DMA address can be turned back into a page; or for a
 * device that the caller names, see vmap_test_attach.c.
 *
 * It knows of no exporter and of nothing inside vmap(): the same file measures
 * a kernel with and without a change.
 */
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/iosys-map.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pgtable.h>
#include <linux/scatterlist.h>
#include <linux/sched/signal.h>
#include <linux/set_memory.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "vmap_test_priv.h"

#define WORDS_PER_PAGE	(PAGE_SIZE / sizeof(u64))

/**
 * struct vmap_test_file - an open test file
 * @lock: serializes all but RUN
 * @held: the dma-buf that is kept mapped, or NULL
 * @map: the mapping of @held
 * @protected: pages of @map may be read-only
 * @area: memory for LAYOUT and REPLACE
 */
struct vmap_test_file {
	struct mutex lock;	/* of all below */
	struct dma_buf *held;
	struct iosys_map map;
	bool protected;
	struct vmap_test_area area;
};

/* The device of the device mapping. */
static struct device *vmap_test_dev;

static void vmap_test_put(struct dma_buf *dmabuf)
{
	if (!IS_ERR_OR_NULL(dmabuf))
		dma_buf_put(dmabuf);
}

DEFINE_FREE(vmap_test_put, struct dma_buf *, vmap_test_put(_T))

/**
 * vmap_test_resched() - to be called in every loop over pages or rounds
 *
 * Return: 0, or -EINTR if the caller is to give up.
 */
int vmap_test_resched(void)
{
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/*
 * Map, and refuse what the tests cannot look at: only addresses of the vmalloc
 * area have page tables of their own.
 */
static int vmap_test_map(struct dma_buf *dmabuf, struct iosys_map *map)
{
	int ret = dma_buf_vmap_unlocked(dmabuf, map);

	if (ret)
		return ret;
	if (!map->is_iomem && is_vmalloc_addr(map->vaddr))
		return 0;
	dma_buf_vunmap_unlocked(dmabuf, map);
	return -EOPNOTSUPP;
}

/* Nothing but the call is between two readings of the clock. */
static int vmap_test_time_round(struct dma_buf *dmabuf,
				struct dmabuf_vmap_round *round)
{
	struct iosys_map map;
	u64 start, end;
	int ret;

	start = ktime_get_ns();
	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	end = ktime_get_ns();
	if (ret)
		return ret;
	round->map_ns = end - start;

	start = ktime_get_ns();
	dma_buf_vunmap_unlocked(dmabuf, &map);
	end = ktime_get_ns();
	round->unmap_ns = end - start;
	return 0;
}

static void vmap_test_summarize(const struct dmabuf_vmap_round *rounds, u32 n,
				struct dmabuf_vmap_result *res)
{
	res->map_min_ns = U64_MAX;
	res->unmap_min_ns = U64_MAX;
	for (u32 i = 0; i < n; i++) {
		res->map_min_ns = min(res->map_min_ns, rounds[i].map_ns);
		res->map_total_ns += rounds[i].map_ns;
		res->unmap_min_ns = min(res->unmap_min_ns, rounds[i].unmap_ns);
		res->unmap_total_ns += rounds[i].unmap_ns;
	}
}

/**
 * vmap_test_report_rounds() - hand out the times of all rounds
 * @rounds: the times
 * @n: number of @rounds, not 0
 * @rounds_ptr: user address to copy them to, or 0
 * @res: gets their sums and minima
 *
 * Return: 0 or -EFAULT.
 */
int vmap_test_report_rounds(const struct dmabuf_vmap_round *rounds, u32 n,
			    u64 rounds_ptr, struct dmabuf_vmap_result *res)
{
	vmap_test_summarize(rounds, n, res);
	if (!rounds_ptr)
		return 0;
	if (copy_to_user(u64_to_user_ptr(rounds_ptr), rounds,
			 array_size(n, sizeof(*rounds))))
		return -EFAULT;
	return 0;
}

static int vmap_test_measure(struct dma_buf *dmabuf,
			     struct dmabuf_vmap_test *test)
{
	struct dmabuf_vmap_round *rounds __free(kvfree) =
		kvcalloc(test->rounds, sizeof(*rounds), GFP_KERNEL);

	if (!rounds)
		return -ENOMEM;

	for (u32 i = 0; i < test->rounds; i++) {
		int ret = vmap_test_time_round(dmabuf, &rounds[i]);

		if (!ret)
			ret = vmap_test_resched();
		if (ret)
			return ret;
	}

	return vmap_test_report_rounds(rounds, test->rounds, test->rounds_ptr,
				       &test->result);
}

/**
 * vmap_test_bad_pages() - record pages that are mapped wrong
 * @res: result to record them in
 * @page: index of the first
 * @n: how many, may be 0
 */
void vmap_test_bad_pages(struct dmabuf_vmap_result *res, u64 page, u64 n)
{
	if (!n)
		return;
	if (!res->bad_pages)
		res->first_bad_page = page;
	res->bad_pages += n;
}

/*
 * Every page of the dma-buf, in order: same page in both mappings? Of what is
 * bounced, the device has a copy, so the page of the table counts.
 */
static int vmap_test_verify(const void *vaddr, struct device *dev,
			    struct sg_table *sgt,
			    struct dmabuf_vmap_result *res)
{
	const u64 npages = res->bytes >> PAGE_SHIFT;
	struct vmap_test_dma_iter iter;
	u64 i = 0;

	res->first_bad_page = DMABUF_VMAP_TEST_NO_PAGE;
	for (vmap_test_dma_start(&iter, dev, sgt); iter.sg && i < npages;
	     vmap_test_dma_next(&iter)) {
		struct page *page = iter.bounces ? vmap_test_cpu_page(&iter) :
						   vmap_test_dma_page(&iter);
		int ret = vmap_test_resched();

		if (ret)
			return ret;
		if (!page || vmalloc_to_page(vaddr) != page)
			vmap_test_bad_pages(res, i, 1);
		vaddr += PAGE_SIZE;
		i++;
	}
	res->pages_checked = i;
	vmap_test_bad_pages(res, i, npages - i);
	return 0;
}

/*
 * The walk below counts what maps [addr, end). It takes no lock: the caller
 * holds the mapping, and tables that have entries of it stay.
 */
static void vmap_test_count_table(bool shared, size_t bytes,
				  struct dmabuf_vmap_result *res)
{
	if (shared)
		res->shared_table_bytes += bytes;
	else
		res->table_bytes += bytes;
}

static bool vmap_test_pte_table_shared(pmd_t *pmdp, unsigned long addr,
				       unsigned long end)
{
	pte_t *table = pte_offset_kernel(pmdp, addr & PMD_MASK);
	const unsigned long first = pte_index(addr), last = pte_index(end - 1);

	for (unsigned long i = 0; i < PTRS_PER_PTE; i++) {
		if ((i < first || i > last) && !pte_none(ptep_get(table + i)))
			return true;
	}
	return false;
}

static bool vmap_test_pmd_table_shared(pud_t *pudp, unsigned long addr,
				       unsigned long end)
{
	pmd_t *table = pmd_offset(pudp, addr & PUD_MASK);
	const unsigned long first = pmd_index(addr), last = pmd_index(end - 1);

	for (unsigned long i = 0; i < PTRS_PER_PMD; i++) {
		/* pmd_none() of some architectures takes its address */
		pmd_t pmd = pmdp_get(table + i);

		if ((i < first || i > last) && !pmd_none(pmd))
			return true;
	}
	return false;
}

static void vmap_test_count_ptes(pmd_t *pmdp, unsigned long addr,
				 unsigned long end,
				 struct dmabuf_vmap_result *res)
{
	while (addr < end) {
		const pte_t pte = ptep_get(pte_offset_kernel(pmdp, addr));
		unsigned long size = PAGE_SIZE;

		if (pte_present(pte))
			size = __pte_leaf_size(pmdp_get(pmdp), pte);
		if (size > PAGE_SIZE)
			res->cont_leaves++;
		else if (pte_present(pte))
			res->pte_leaves++;
		addr = ALIGN_DOWN(addr, size) + size;
	}
}

static void vmap_test_count_pmd(pmd_t *pmdp, unsigned long addr,
				unsigned long end,
				struct dmabuf_vmap_result *res)
{
	pmd_t pmd = pmdp_get(pmdp);

	if (pmd_none(pmd))
		return;
	if (pmd_leaf(pmd)) {
		res->pmd_leaves++;
		return;
	}
	vmap_test_count_table(vmap_test_pte_table_shared(pmdp, addr, end),
			      PTRS_PER_PTE * sizeof(pte_t), res);
	vmap_test_count_ptes(pmdp, addr, end, res);
}

static void vmap_test_count_pud(pud_t *pudp, unsigned long addr,
				unsigned long end,
				struct dmabuf_vmap_result *res)
{
	const pud_t pud = pudp_get(pudp);
	unsigned long next;

	if (pud_none(pud))
		return;
	if (pud_leaf(pud)) {
		res->pud_leaves++;
		return;
	}
	if (!mm_pmd_folded(&init_mm))
		vmap_test_count_table(vmap_test_pmd_table_shared(pudp, addr, end),
				      PTRS_PER_PMD * sizeof(pmd_t), res);
	for (; addr < end; addr = next) {
		next = pmd_addr_end(addr, end);
		vmap_test_count_pmd(pmd_offset(pudp, addr), addr, next, res);
	}
}

static pud_t *vmap_test_pud(unsigned long addr)
{
	pgd_t *pgdp = pgd_offset_k(addr);
	p4d_t *p4dp;

	if (pgd_none(*pgdp))
		return NULL;
	p4dp = p4d_offset(pgdp, addr);
	if (p4d_none(*p4dp))
		return NULL;
	return pud_offset(p4dp, addr);
}

/**
 * vmap_test_count_leaves() - count what maps @res->bytes at @vaddr
 * @vaddr: start of the mapping, which the caller holds
 * @res: the numbers of leaves and the bytes of tables are added to it
 */
void vmap_test_count_leaves(const void *vaddr, struct dmabuf_vmap_result *res)
{
	unsigned long addr = (unsigned long)vaddr, next;
	const unsigned long end = addr + res->bytes;

	for (; addr < end; addr = next) {
		pud_t *pudp = vmap_test_pud(addr);

		/* Not pud_addr_end(): where PUDs are folded, that is @end. */
		next = min(end - 1, addr | ~PUD_MASK) + 1;
		if (pudp)
			vmap_test_count_pud(pudp, addr, next, res);
	}
}

static u64 vmap_test_pmd_leaf_size(void)
{
	if (!IS_ENABLED(CONFIG_HAVE_ARCH_HUGE_VMALLOC))
		return 0;
	return arch_vmap_pmd_supported(PAGE_KERNEL) ? PMD_SIZE : 0;
}

/**
 * vmap_test_describe() - where a mapping is, and what it could have
 * @vaddr: start of the mapping
 * @res: result to write that to
 */
void vmap_test_describe(const void *vaddr, struct dmabuf_vmap_result *res)
{
	res->kva = (unsigned long)vaddr;
	res->kva_align = BIT_ULL(__ffs64(res->kva));
	res->pmd_leaf_size = vmap_test_pmd_leaf_size();
}

static int vmap_test_fill(u64 *words, u64 npages, u64 seed)
{
	for (u64 page = 0; page < npages; page++) {
		const u64 first = page * WORDS_PER_PAGE;
		int ret = vmap_test_resched();

		if (ret)
			return ret;
		for (u64 i = first; i < first + WORDS_PER_PAGE; i++)
			words[i] = dmabuf_vmap_test_pattern(seed, i);
	}
	return 0;
}

static int vmap_test_hash_kernel(const u64 *words, u64 npages, u64 *hash)
{
	*hash = DMABUF_VMAP_TEST_HASH_INIT;
	for (u64 page = 0; page < npages; page++) {
		int ret = vmap_test_resched();

		if (ret)
			return ret;
		*hash = dmabuf_vmap_test_hash(*hash, words, WORDS_PER_PAGE);
		words += WORDS_PER_PAGE;
	}
	return 0;
}

static int vmap_test_hash_device(struct device *dev, struct sg_table *sgt,
				 u64 npages, u64 *hash)
{
	struct vmap_test_dma_iter iter;

	*hash = DMABUF_VMAP_TEST_HASH_INIT;
	for (vmap_test_dma_start(&iter, dev, sgt); iter.sg && npages--;
	     vmap_test_dma_next(&iter)) {
		struct page *page = vmap_test_dma_page(&iter);
		int ret = vmap_test_resched();
		void *words;

		if (ret)
			return ret;
		if (!page)
			return -EOPNOTSUPP;
		words = kmap_local_page(page);
		*hash = dmabuf_vmap_test_hash(*hash, words, WORDS_PER_PAGE);
		kunmap_local(words);
	}
	return 0;
}

/* Write and read the contents, as a driver would: in CPU access brackets. */
static int vmap_test_contents(struct dma_buf *dmabuf, void *vaddr,
			      struct device *dev, struct sg_table *sgt,
			      struct dmabuf_vmap_test *test)
{
	struct dmabuf_vmap_result *res = &test->result;
	const u64 npages = res->bytes >> PAGE_SHIFT;
	int ret, err;

	ret = dma_buf_begin_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	if (ret)
		return ret;
	if (test->flags & DMABUF_VMAP_TEST_FILL)
		ret = vmap_test_fill(vaddr, npages, test->seed);
	if (!ret && (test->flags & DMABUF_VMAP_TEST_HASH))
		ret = vmap_test_hash_kernel(vaddr, npages, &res->kernel_hash);
	err = dma_buf_end_cpu_access(dmabuf, DMA_BIDIRECTIONAL);
	/* What the device has is complete now. */
	if (!ret && (test->flags & DMABUF_VMAP_TEST_HASH))
		ret = vmap_test_hash_device(dev, sgt, npages, &res->device_hash);
	return ret ?: err;
}

/* Look at the two mappings that the caller holds. */
static int vmap_test_compare(struct dma_buf *dmabuf, void *vaddr,
			     struct device *dev, struct sg_table *sgt,
			     struct dmabuf_vmap_test *test)
{
	struct dmabuf_vmap_result *res = &test->result;
	int ret = 0;

	vmap_test_describe(vaddr, res);
	res->nents = sgt->orig_nents;
	res->dma_segments = sgt->nents;

	if (test->flags & DMABUF_VMAP_TEST_LEAVES)
		vmap_test_count_leaves(vaddr, res);
	if (test->flags & DMABUF_VMAP_TEST_VERIFY)
		ret = vmap_test_verify(vaddr, dev, sgt, res);
	if (!ret && (test->flags & (DMABUF_VMAP_TEST_FILL | DMABUF_VMAP_TEST_HASH)))
		ret = vmap_test_contents(dmabuf, vaddr, dev, sgt, test);
	return ret;
}

/* Add the device mapping to the kernel mapping that the caller holds. */
static int vmap_test_compare_mappings(struct dma_buf *dmabuf, void *vaddr,
				      struct device *dev,
				      struct dmabuf_vmap_test *test)
{
	struct dma_buf_attachment *attach;
	struct sg_table *sgt;
	int ret;

	attach = dma_buf_attach(dmabuf, dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	ret = PTR_ERR_OR_ZERO(sgt);
	if (!ret) {
		ret = vmap_test_compare(dmabuf, vaddr, dev, sgt, test);
		dma_buf_unmap_attachment_unlocked(attach, sgt,
						  DMA_BIDIRECTIONAL);
	}
	dma_buf_detach(dmabuf, attach);
	return ret;
}

/**
 * vmap_test_inspect() - map a dma-buf for the kernel and for a device, and look
 * @dmabuf: dma-buf
 * @dev: the device
 * @test: its flags say what to look at, its result is written
 *
 * Return: 0 or an error.
 */
int vmap_test_inspect(struct dma_buf *dmabuf, struct device *dev,
		      struct dmabuf_vmap_test *test)
{
	struct iosys_map map;
	int ret;

	ret = vmap_test_map(dmabuf, &map);
	if (ret)
		return ret;
	ret = vmap_test_compare_mappings(dmabuf, map.vaddr, dev, test);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	return ret;
}

/**
 * vmap_test_copy() - copy_struct_from_user(), but what is short is refused
 * @arg: where to copy it
 * @size: size of @arg
 * @uarg: user address to copy from
 * @usize: size of the structure there
 *
 * Return: 0, -EINVAL if it is short, -E2BIG if more than zeros follow, -EFAULT.
 */
int vmap_test_copy(void *arg, size_t size, const void __user *uarg,
		   size_t usize)
{
	if (usize < size)
		return -EINVAL;
	return copy_struct_from_user(arg, size, uarg, usize);
}

static int vmap_test_check(const struct dmabuf_vmap_test *test)
{
	if (!test->rounds || test->rounds > DMABUF_VMAP_TEST_MAX_ROUNDS)
		return -EINVAL;
	if ((test->flags & ~DMABUF_VMAP_TEST_VALID_FLAGS) || test->reserved)
		return -EINVAL;
	return 0;
}

static long vmap_test_run(void __user *uarg, size_t usize)
{
	struct dmabuf_vmap_test test;
	int ret;

	ret = vmap_test_copy(&test, sizeof(test), uarg, usize) ?:
	      vmap_test_check(&test);
	if (ret)
		return ret;

	struct dma_buf *dmabuf __free(vmap_test_put) =
		dma_buf_get(test.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	test.result = (struct dmabuf_vmap_result){ .bytes = dmabuf->size };
	ret = vmap_test_measure(dmabuf, &test);
	if (!ret && test.flags)
		ret = vmap_test_inspect(dmabuf, vmap_test_dev, &test);
	if (ret)
		return ret;
	return copy_to_user(uarg, &test, sizeof(test)) ? -EFAULT : 0;
}

static long vmap_test_attach(void __user *uarg, size_t usize)
{
	struct dmabuf_vmap_attach arg;
	int ret;

	ret = vmap_test_copy(&arg, sizeof(arg), uarg, usize) ?:
	      vmap_test_check(&arg.test);
	if (ret)
		return ret;

	struct dma_buf *dmabuf __free(vmap_test_put) =
		dma_buf_get(arg.test.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	arg.test.result = (struct dmabuf_vmap_result){ .bytes = dmabuf->size };
	ret = vmap_test_attach_dmabuf(dmabuf, &arg);
	if (ret)
		return ret;
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}

static int vmap_test_set_memory(const void *vaddr, u64 bytes, u32 mode)
{
	const unsigned long addr = (unsigned long)vaddr;

	if (mode == DMABUF_VMAP_PROTECT_LOOK)
		return 0;
	/* Where there is none, a stub succeeds. */
	if (!IS_ENABLED(CONFIG_ARCH_HAS_SET_MEMORY))
		return -EOPNOTSUPP;
	if (mode == DMABUF_VMAP_PROTECT_RO)
		return set_memory_ro(addr, bytes >> PAGE_SHIFT);
	return set_memory_rw(addr, bytes >> PAGE_SHIFT);
}

static void vmap_test_drop_held(struct vmap_test_file *file)
{
	/* The direct mapping of its pages may be read-only as well. */
	if (file->protected)
		vmap_test_set_memory(file->map.vaddr, file->held->size,
				     DMABUF_VMAP_PROTECT_RW);
	file->protected = false;
	dma_buf_vunmap_unlocked(file->held, &file->map);
	dma_buf_put(file->held);
	file->held = NULL;
}

static long vmap_test_hold(struct vmap_test_file *file, void __user *uarg,
			   size_t usize)
{
	struct dmabuf_vmap_hold hold;
	int ret;

	ret = vmap_test_copy(&hold, sizeof(hold), uarg, usize);
	if (ret)
		return ret;
	if (hold.flags)
		return -EINVAL;

	guard(mutex)(&file->lock);
	if (file->held)
		return -EBUSY;

	struct dma_buf *dmabuf __free(vmap_test_put) =
		dma_buf_get(hold.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = vmap_test_map(dmabuf, &file->map);
	if (ret)
		return ret;
	/* From here on the reference and the mapping belong to the file. */
	file->held = no_free_ptr(dmabuf);

	hold.kva = (unsigned long)file->map.vaddr;
	hold.mapped = !!vmalloc_to_page(file->map.vaddr);
	if (!copy_to_user(uarg, &hold, sizeof(hold)))
		return 0;
	vmap_test_drop_held(file);
	return -EFAULT;
}

static long vmap_test_unhold(struct vmap_test_file *file, void __user *uarg,
			     size_t usize)
{
	struct dmabuf_vmap_hold hold;
	const void *vaddr;
	int ret;

	ret = vmap_test_copy(&hold, sizeof(hold), uarg, usize);
	if (ret)
		return ret;
	if (hold.flags)
		return -EINVAL;

	guard(mutex)(&file->lock);
	if (!file->held)
		return -ENOENT;
	vaddr = file->map.vaddr;
	vmap_test_drop_held(file);

	/* Never read, only looked up: it may be gone, which is the point. */
	hold.kva = (unsigned long)vaddr;
	hold.mapped = !!vmalloc_to_page(vaddr);
	return copy_to_user(uarg, &hold, sizeof(hold)) ? -EFAULT : 0;
}

/* Write what is there already, to the first byte of each page. */
static u64 vmap_test_count_writable(u8 *vaddr, u64 bytes)
{
	u64 n = 0;

	for (u64 i = 0; i < bytes; i += PAGE_SIZE)
		n += !copy_to_kernel_nofault(vaddr + i, vaddr + i, 1);
	return n;
}

static int vmap_test_check_protect(const struct dma_buf *dmabuf,
				   const struct dmabuf_vmap_protect *arg)
{
	if (arg->mode > DMABUF_VMAP_PROTECT_RW || arg->reserved || !arg->bytes)
		return -EINVAL;
	if (!IS_ALIGNED(arg->offset | arg->bytes, PAGE_SIZE))
		return -EINVAL;
	if (arg->offset > dmabuf->size ||
	    arg->bytes > dmabuf->size - arg->offset)
		return -EINVAL;
	return 0;
}

static long vmap_test_protect(struct vmap_test_file *file, void __user *uarg,
			      size_t usize)
{
	struct dmabuf_vmap_protect arg;
	void *vaddr;
	int ret;

	ret = vmap_test_copy(&arg, sizeof(arg), uarg, usize);
	if (ret)
		return ret;

	guard(mutex)(&file->lock);
	if (!file->held)
		return -ENOENT;
	ret = vmap_test_check_protect(file->held, &arg);
	if (ret)
		return ret;

	vaddr = file->map.vaddr + arg.offset;
	file->protected |= arg.mode == DMABUF_VMAP_PROTECT_RO;
	ret = vmap_test_set_memory(vaddr, arg.bytes, arg.mode);
	if (ret)
		return ret;
	arg.writable = vmap_test_count_writable(vaddr, arg.bytes);
	return copy_to_user(uarg, &arg, sizeof(arg)) ? -EFAULT : 0;
}

/* For LAYOUT and REPLACE, which take long. */
static long vmap_test_use_area(struct vmap_test_file *file,
			       long (*use)(struct vmap_test_area *area,
					   void __user *uarg, size_t usize),
			       void __user *uarg, size_t usize)
{
	long ret;

	if (mutex_lock_interruptible(&file->lock))
		return -EINTR;
	ret = use(&file->area, uarg, usize);
	mutex_unlock(&file->lock);
	return ret;
}

static long vmap_test_ioctl(struct file *filp, unsigned int cmd,
			    unsigned long arg)
{
	struct vmap_test_file *file = filp->private_data;
	void __user *uarg = (void __user *)arg;

	if (_IOC_TYPE(cmd) != DMABUF_VMAP_TEST_TYPE)
		return -ENOTTY;

	switch (_IOC_NR(cmd)) {
	case _IOC_NR(DMABUF_VMAP_TEST_RUN):
		return vmap_test_run(uarg, _IOC_SIZE(cmd));
	case _IOC_NR(DMABUF_VMAP_TEST_HOLD):
		return vmap_test_hold(file, uarg, _IOC_SIZE(cmd));
	case _IOC_NR(DMABUF_VMAP_TEST_UNHOLD):
		return vmap_test_unhold(file, uarg, _IOC_SIZE(cmd));
	case _IOC_NR(DMABUF_VMAP_TEST_LAYOUT):
		return vmap_test_use_area(file, vmap_test_layout, uarg,
					  _IOC_SIZE(cmd));
	case _IOC_NR(DMABUF_VMAP_TEST_PROTECT):
		return vmap_test_protect(file, uarg, _IOC_SIZE(cmd));
	case _IOC_NR(DMABUF_VMAP_TEST_REPLACE):
		return vmap_test_use_area(file, vmap_test_replace, uarg,
					  _IOC_SIZE(cmd));
	case _IOC_NR(DMABUF_VMAP_TEST_USER):
		return vmap_test_user(uarg, _IOC_SIZE(cmd));
	case _IOC_NR(DMABUF_VMAP_TEST_FOLLOW):
		return vmap_test_follow(uarg, _IOC_SIZE(cmd));
	case _IOC_NR(DMABUF_VMAP_TEST_ATTACH):
		return vmap_test_attach(uarg, _IOC_SIZE(cmd));
	}
	return -ENOTTY;
}

/* Other calls take the lock before that of mappings, so do not wait for it. */
static int vmap_test_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct vmap_test_file *file = filp->private_data;
	int ret = -ENXIO;

	if (!mutex_trylock(&file->lock))
		return -EBUSY;
	if (file->held)
		ret = vmap_test_import(file->held, vma);
	mutex_unlock(&file->lock);
	return ret;
}

static int vmap_test_open(struct inode *inode, struct file *filp)
{
	struct vmap_test_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int vmap_test_release(struct inode *inode, struct file *filp)
{
	struct vmap_test_file *file = filp->private_data;

	if (file->held)
		vmap_test_drop_held(file);
	vmap_test_area_free(&file->area);
	mutex_destroy(&file->lock);
	kfree(file);
	return 0;
}

static const struct file_operations vmap_test_fops = {
	.owner = THIS_MODULE,
	.open = vmap_test_open,
	.release = vmap_test_release,
	.mmap = vmap_test_mmap,
	.unlocked_ioctl = vmap_test_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static int __init vmap_test_init(void)
{
	/* It reaches all memory and takes segments of any length. */
	vmap_test_dev = vmap_test_new_device(UINT_MAX);
	if (IS_ERR(vmap_test_dev))
		return PTR_ERR(vmap_test_dev);
	/* unsafe: the file is never removed, and the proxy has no compat_ioctl. */
	debugfs_create_file_unsafe(DMABUF_VMAP_TEST_FILE, 0600, NULL, NULL,
				   &vmap_test_fops);
	return 0;
}
late_initcall(vmap_test_init);
