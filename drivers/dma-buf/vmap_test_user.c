// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mappings, for the dma_buf_vmap() test user: what they consist of, and those
 * that importers make of a dma-buf.
 */
#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagewalk.h>
#include <linux/uaccess.h>

#include "vmap_test_priv.h"

/* Mappings of the importer that counts them. */
static atomic_t user_counted = ATOMIC_INIT(0);

static int user_count_pmd(pmd_t *pmdp, unsigned long addr, unsigned long next,
			  struct mm_walk *walk)
{
	struct dmabuf_vmap_user *user = walk->private;
	const pmd_t pmd = pmdp_get_lockless(pmdp);

	if (pmd_none(pmd) || !pmd_leaf(pmd))
		return 0;
	user->pmd_leaves++;
	walk->action = ACTION_CONTINUE;		/* do not split it */
	return 0;
}

static int user_count_pte(pte_t *ptep, unsigned long addr, unsigned long next,
			  struct mm_walk *walk)
{
	struct dmabuf_vmap_user *user = walk->private;
	const pte_t pte = ptep_get(ptep);
	unsigned long size;

	if (!pte_present(pte))
		return 0;
	/* powerpc 8xx tells from the PMD as well */
	size = __pte_leaf_size(pmdp_get(pmd_off(walk->mm, addr)), pte);
	if (size == PAGE_SIZE)
		user->pte_leaves++;
	else if (IS_ALIGNED(addr, size))
		user->cont_leaves++;
	return 0;
}

/* Raw frames as well, which a walk leaves out by itself. */
static int user_count_all(unsigned long addr, unsigned long next,
			  struct mm_walk *walk)
{
	return 0;
}

static const struct mm_walk_ops user_count_ops = {
	.pmd_entry = user_count_pmd,
	.pte_entry = user_count_pte,
	.test_walk = user_count_all,
	.walk_lock = PGWALK_RDLOCK,
};

static bool user_range_ok(u64 addr, u64 bytes)
{
	return bytes && IS_ALIGNED(addr | bytes, PAGE_SIZE) &&
	       addr < TASK_SIZE && bytes <= TASK_SIZE - addr;
}

/**
 * vmap_test_user() - DMABUF_VMAP_TEST_USER
 * @uarg: user address of a struct dmabuf_vmap_user
 * @usize: the size that user space has for it
 *
 * Return: 0 or an error.
 */
long vmap_test_user(void __user *uarg, size_t usize)
{
	struct mm_struct *mm = current->mm;
	struct dmabuf_vmap_user user;
	int ret;

	ret = vmap_test_copy(&user, sizeof(user), uarg, usize);
	if (ret)
		return ret;
	if (!user_range_ok(user.addr, user.bytes))
		return -EINVAL;

	user.pmd_leaves = 0;
	user.cont_leaves = 0;
	user.pte_leaves = 0;
	mmap_read_lock(mm);
	ret = walk_page_range(mm, user.addr, user.addr + user.bytes,
			      &user_count_ops, &user);
	mmap_read_unlock(mm);
	if (ret)
		return ret;
	user.counted = atomic_read(&user_counted);
	return copy_to_user(uarg, &user, sizeof(user)) ? -EFAULT : 0;
}

/* Find a frame as KVM's hva_to_pfn_remapped() and VFIO's follow_fault_pfn() do. */
static int user_follow_start(struct follow_pfnmap_args *args, bool write,
			     u64 *faults)
{
	bool unlocked = false;
	int ret;

	ret = follow_pfnmap_start(args);
	if (ret) {
		ret = fixup_user_fault(args->vma->vm_mm, args->address,
				       write ? FAULT_FLAG_WRITE : 0, &unlocked);
		if (ret)
			return ret;
		if (unlocked)
			return -EAGAIN;
		(*faults)++;
		ret = follow_pfnmap_start(args);
		if (ret)
			return ret;
	}
	if (!write || args->writable)
		return 0;
	follow_pfnmap_end(args);
	return -EACCES;
}

/* Whether an entry, of a table or a leaf, is for write-combined memory. */
static bool combines(pgprot_t prot)
{
#ifdef CONFIG_X86
	/* Not the bit that is a part of this in a PTE, and the size in a leaf. */
	const u64 mask = _PAGE_PWT | _PAGE_PCD;
#else
	const u64 mask = U64_MAX;
#endif

	return !((pgprot_val(pgprot_writecombine(prot)) ^ pgprot_val(prot)) & mask);
}

/* Look at the page at @addr, which has to be page @i of those asked for. */
static int user_follow(struct mm_struct *mm, struct dmabuf_vmap_follow *follow,
		       unsigned long addr, u64 i)
{
	struct follow_pfnmap_args args = { .address = addr };
	unsigned long *word;
	int ret;

	args.vma = vma_lookup(mm, addr);
	if (!args.vma)
		return -EFAULT;
	ret = user_follow_start(&args, follow->write, &follow->faults);
	if (ret)
		return ret;
	word = kmap_local_page(pfn_to_page(args.pfn));
	if (READ_ONCE(*word) != (unsigned long)(follow->first + i))
		follow->bad_pages++;
	kunmap_local(word);
	follow->combined += combines(args.pgprot);
	follow_pfnmap_end(&args);
	return 0;
}

/**
 * vmap_test_follow() - DMABUF_VMAP_TEST_FOLLOW
 * @uarg: user address of a struct dmabuf_vmap_follow
 * @usize: the size that user space has for it
 *
 * Return: 0 or an error.
 */
long vmap_test_follow(void __user *uarg, size_t usize)
{
	struct mm_struct *mm = current->mm;
	struct dmabuf_vmap_follow follow;
	u64 i;
	int ret;

	ret = vmap_test_copy(&follow, sizeof(follow), uarg, usize);
	if (ret)
		return ret;
	if (follow.write > 1 || follow.reserved ||
	    !user_range_ok(follow.addr, follow.bytes))
		return -EINVAL;

	follow.faults = 0;
	follow.bad_pages = 0;
	follow.combined = 0;
	for (i = 0; i < follow.bytes >> PAGE_SHIFT; i++) {
		ret = vmap_test_resched();
		if (ret)
			return ret;
		mmap_read_lock(mm);
		ret = user_follow(mm, &follow, follow.addr + (i << PAGE_SHIFT), i);
		mmap_read_unlock(mm);
		if (ret)
			return ret;
	}
	return copy_to_user(uarg, &follow, sizeof(follow)) ? -EFAULT : 0;
}

static void user_vma_open(struct vm_area_struct *vma)
{
	atomic_inc(&user_counted);
}

static void user_vma_close(struct vm_area_struct *vma)
{
	atomic_dec(&user_counted);
}

static const struct vm_operations_struct user_vm_ops = {
	.open = user_vma_open,
	.close = user_vma_close,
};

/**
 * vmap_test_import() - map a dma-buf as an importer does
 * @dmabuf: the dma-buf
 * @vma: mapping of the test file, with DMABUF_VMAP_TEST_COUNTED in its offset for an
 *	 importer that counts its mappings, and DMABUF_VMAP_TEST_COMBINED for one that
 *	 has another protection
 *
 * As those of DRM, which have operations, or take away those they had, before the
 * exporter maps, and have private data of theirs in the mapping.
 *
 * Return: 0, or what the exporter returns.
 */
int vmap_test_import(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	const unsigned long counted = DMABUF_VMAP_TEST_COUNTED >> PAGE_SHIFT;
	const unsigned long combined = DMABUF_VMAP_TEST_COMBINED >> PAGE_SHIFT;
	const bool counts = vma->vm_pgoff & counted;
	int ret;

	vma->vm_ops = counts ? &user_vm_ops : NULL;
	if (vma->vm_pgoff & combined)
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
	ret = dma_buf_mmap(dmabuf, vma, vma->vm_pgoff & ~(counted | combined));
	if (ret)
		return ret;
	vma->vm_private_data = &user_counted;
	if (counts)
		atomic_inc(&user_counted);
	return 0;
}
