// SPDX-License-Identifier: GPL-2.0-only
/*
 * Device mappings of a dma-buf, for devices of any kind.
 *
 * Either the caller names a device of this machine, which is behind an IOMMU or
 * has bounce buffers, or there is a new one for the call, which takes segments of
 * a given length. Neither does any DMA, and its driver, if it has one, is not involved:
 * memory is only mapped for the device.
 */
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/swiotlb.h>
#include <linux/vmstat.h>

#include "vmap_test_priv.h"

/* Such queues are flushed every 10 ms. */
#define FLUSH_JIFFIES	(HZ / 10)

/**
 * vmap_test_new_device() - make a device that reaches all memory
 * @max_seg: the longest segment that it can take, in bytes; 0 if it does not say
 *
 * Return: a platform device, for platform_device_unregister(), or an ERR_PTR().
 */
struct device *vmap_test_new_device(unsigned int max_seg)
{
	struct platform_device *pdev;
	int ret;

	pdev = platform_device_register_simple(DMABUF_VMAP_TEST_FILE,
					       PLATFORM_DEVID_AUTO, NULL, 0);
	if (IS_ERR(pdev))
		return ERR_CAST(pdev);

	ret = dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret) {
		platform_device_unregister(pdev);
		return ERR_PTR(ret);
	}
	if (max_seg)
		dma_set_max_seg_size(&pdev->dev, max_seg);
	dma_set_seg_boundary(&pdev->dev, ULONG_MAX);
	return &pdev->dev;
}

static struct device *attach_find_device(const char *bus, const char *name)
{
#ifdef CONFIG_PCI
	if (!strcmp(bus, "pci"))
		return bus_find_device_by_name(&pci_bus_type, NULL, name);
#endif
	if (!strcmp(bus, "platform"))
		return bus_find_device_by_name(&platform_bus_type, NULL, name);
	return NULL;
}

/* Returns a device that is for attach_put_device(). */
static struct device *attach_get_device(const struct dmabuf_vmap_attach *arg)
{
	struct device *dev;

	if (!arg->bus[0])
		return vmap_test_new_device(0);

	dev = attach_find_device(arg->bus, arg->device);
	if (dev && dev->driver && dev->dma_mask)
		return dev;
	put_device(dev);
	return ERR_PTR(-ENODEV);
}

static void attach_put_device(const struct dmabuf_vmap_attach *arg,
			      struct device *dev)
{
	if (arg->bus[0])
		put_device(dev);
	else
		platform_device_unregister(to_platform_device(dev));
}

/* The IOMMU that translates what @dev says, or NULL. */
static struct iommu_domain *attach_domain(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

#ifdef CONFIG_IOMMU_API
	if (domain && !(domain->type & __IOMMU_DOMAIN_PAGING))
		return NULL;
#endif
	return domain;
}

static u64 attach_iommu_sizes(struct device *dev)
{
#ifdef CONFIG_IOMMU_API
	struct iommu_domain *domain = attach_domain(dev);

	if (domain)
		return domain->pgsize_bitmap;
#endif
	return 0;
}

/* Per-CPU counts that are not yet folded into the total. */
static long __maybe_unused attach_node_diff(struct pglist_data *pgdat,
					    enum node_stat_item item)
{
	long sum = 0;
#ifdef CONFIG_SMP
	int cpu;

	for_each_online_cpu(cpu)
		sum += per_cpu_ptr(pgdat->per_cpu_nodestats, cpu)->vm_node_stat_diff[item];
#endif
	return sum;
}

/* Pages in tables of all IOMMUs. */
static long attach_iommu_pages(void)
{
	long pages = 0;
#ifdef CONFIG_IOMMU_SUPPORT
	struct pglist_data *pgdat;

	pages = global_node_page_state(NR_IOMMU_PAGES);
	for_each_online_pgdat(pgdat)
		pages += attach_node_diff(pgdat, NR_IOMMU_PAGES);
#endif
	return pages;
}

static phys_addr_t attach_to_phys(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = attach_domain(dev);

	return domain ? iommu_iova_to_phys(domain, addr) : dma_to_phys(dev, addr);
}

/**
 * vmap_test_dma_start() - begin with the first page of a device mapping
 * @iter: to be set up
 * @dev: device that it is for
 * @sgt: what is mapped
 */
void vmap_test_dma_start(struct vmap_test_dma_iter *iter, struct device *dev,
			 const struct sg_table *sgt)
{
	const phys_addr_t phys = attach_to_phys(dev, sg_dma_address(sgt->sgl));

	*iter = (struct vmap_test_dma_iter){
		.dev = dev,
		.sg = sgt->nents ? sgt->sgl : NULL,
		.left = sgt->nents,
		.bounces = swiotlb_find_pool(dev, phys),
	};
}

/**
 * vmap_test_dma_next() - go on with the next page
 * @iter: at a page
 */
void vmap_test_dma_next(struct vmap_test_dma_iter *iter)
{
	iter->offset += PAGE_SIZE;
	if (iter->offset < sg_dma_len(iter->sg))
		return;
	iter->offset = 0;
	iter->sg = --iter->left ? sg_next(iter->sg) : NULL;
}

/**
 * vmap_test_dma_page() - find the page behind the DMA address
 * @iter: at a page
 *
 * Return: the page, NULL if the address has no struct page.
 */
struct page *vmap_test_dma_page(const struct vmap_test_dma_iter *iter)
{
	const dma_addr_t addr = sg_dma_address(iter->sg) + iter->offset;
	const unsigned long pfn = PHYS_PFN(attach_to_phys(iter->dev, addr));

	return pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;
}

/**
 * vmap_test_cpu_page() - find the page that was mapped
 * @iter: at a page, of a mapping in which no entries were joined
 *
 * Return: the page.
 */
struct page *vmap_test_cpu_page(const struct vmap_test_dma_iter *iter)
{
	return sg_page(iter->sg) + ((iter->sg->offset + iter->offset) >> PAGE_SHIFT);
}

/* Nothing but the call is between two readings of the clock. */
static int attach_time_round(struct dma_buf_attachment *attach,
			     struct dmabuf_vmap_round *round)
{
	struct sg_table *sgt;
	u64 start, end;

	start = ktime_get_ns();
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	end = ktime_get_ns();
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	round->map_ns = end - start;

	start = ktime_get_ns();
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	end = ktime_get_ns();
	round->unmap_ns = end - start;
	return 0;
}

static int attach_measure(struct dma_buf_attachment *attach,
			  struct dmabuf_vmap_test *test)
{
	struct dmabuf_vmap_round *rounds __free(kvfree) =
		kvcalloc(test->rounds, sizeof(*rounds), GFP_KERNEL);
	int ret = 0;

	if (!rounds)
		return -ENOMEM;
	for (u32 i = 0; !ret && i < test->rounds; i++)
		ret = attach_time_round(attach, &rounds[i]) ?:
		      vmap_test_resched();
	if (ret)
		return ret;
	return vmap_test_report_rounds(rounds, test->rounds, test->rounds_ptr,
				       &test->result);
}

static u32 attach_max_entry(const struct sg_table *sgt)
{
	struct scatterlist *sg;
	u32 max_entry = 0;
	int i;

	for_each_sgtable_sg(sgt, sg, i)
		max_entry = max(max_entry, sg->length);
	return max_entry;
}

/*
 * What is mapped for the device, and what its IOMMU has for that.  Tables of what was
 * unmapped may be freed only when a queue of addresses is flushed.
 */
static int attach_describe(struct dma_buf_attachment *attach,
			   struct dmabuf_vmap_attach *arg)
{
	struct dmabuf_vmap_result *res = &arg->test.result;
	struct sg_table *sgt;
	long before;

	schedule_timeout_killable(FLUSH_JIFFIES);
	before = attach_iommu_pages();
	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	arg->iommu_pages = max(0L, attach_iommu_pages() - before);
	arg->iommu_sizes = attach_iommu_sizes(attach->dev);
	arg->max_entry = attach_max_entry(sgt);
	arg->max_mapping = dma_max_mapping_size(attach->dev);
	res->nents = sgt->orig_nents;
	res->dma_segments = sgt->nents;
	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	return 0;
}

static int attach_device(struct dma_buf *dmabuf, struct device *dev,
			 struct dmabuf_vmap_attach *arg)
{
	struct dma_buf_attachment *attach;
	int ret;

	attach = dma_buf_attach(dmabuf, dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);
	ret = attach_measure(attach, &arg->test) ?:
	      attach_describe(attach, arg);
	dma_buf_detach(dmabuf, attach);
	if (!ret && arg->test.flags)
		ret = vmap_test_inspect(dmabuf, dev, &arg->test);
	return ret;
}

/*
 * As a device that takes segments of @arg->max_seg, if that is said: its own driver
 * may not have set what it takes, and does not map anything meanwhile.
 */
static int attach_limited_device(struct dma_buf *dmabuf, struct device *dev,
				 struct dmabuf_vmap_attach *arg)
{
	static DEFINE_MUTEX(limit_lock);
	struct device_dma_parameters *parms = dev->dma_parms;
	unsigned int before;
	int ret;

	if (!arg->max_seg)
		return attach_device(dmabuf, dev, arg);
	if (!parms)
		return -EOPNOTSUPP;

	mutex_lock(&limit_lock);
	before = parms->max_segment_size;
	parms->max_segment_size = arg->max_seg;
	ret = attach_device(dmabuf, dev, arg);
	parms->max_segment_size = before;
	mutex_unlock(&limit_lock);
	return ret;
}

/**
 * vmap_test_attach_dmabuf() - DMABUF_VMAP_TEST_ATTACH
 * @dmabuf: dma-buf to attach
 * @arg: the request, whose test is checked; the results are written to it
 *
 * Context: May sleep, for as long as the rounds take.
 * Return: 0 or an error.
 */
int vmap_test_attach_dmabuf(struct dma_buf *dmabuf,
			    struct dmabuf_vmap_attach *arg)
{
	struct device *dev;
	int ret;

	if (strnlen(arg->bus, sizeof(arg->bus)) == sizeof(arg->bus) ||
	    strnlen(arg->device, sizeof(arg->device)) == sizeof(arg->device))
		return -EINVAL;

	dev = attach_get_device(arg);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	ret = attach_limited_device(dmabuf, dev, arg);
	attach_put_device(arg, dev);
	return ret;
}
