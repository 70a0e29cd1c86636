// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mappings, for the dma_buf_vmap() test user: what they consist of, and those
 * that importers make of a dma-buf.
 */
#include <linux/atomic.h>
#include <linux/dma-buf.h>
#include <linux/fs.h>
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

	if (!pte_present(pte))
		return 0;
	if (pte_leaf_size(pte) == PAGE_SIZE)
		user->pte_leaves++;
	else if (IS_ALIGNED(addr, pte_leaf_size(pte)))
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
	if (!user.bytes || !IS_ALIGNED(user.addr | user.bytes, PAGE_SIZE) ||
	    user.addr >= TASK_SIZE || user.bytes > TASK_SIZE - user.addr)
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
 *	 importer that counts its mappings
 *
 * As those of DRM, which have operations, or take away those they had, before the
 * exporter maps, and have private data of theirs in the mapping.
 *
 * Return: 0, or what the exporter returns.
 */
int vmap_test_import(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	const unsigned long counted = DMABUF_VMAP_TEST_COUNTED >> PAGE_SHIFT;
	const bool counts = vma->vm_pgoff & counted;
	int ret;

	vma->vm_ops = counts ? &user_vm_ops : NULL;
	ret = dma_buf_mmap(dmabuf, vma, vma->vm_pgoff & ~counted);
	if (ret)
		return ret;
	vma->vm_private_data = &user_counted;
	if (counts)
		atomic_inc(&user_counted);
	return 0;
}
