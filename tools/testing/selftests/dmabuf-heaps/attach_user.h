/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Device mappings of a dma-buf, through DMABUF_VMAP_TEST_ATTACH. All functions
 * return -1 and set errno on error, unless they say otherwise.
 */
#ifndef ATTACH_USER_H
#define ATTACH_USER_H

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>

#include "vmap_user.h"

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define ATTACH_ROUNDS	9

/* Maps @dmabuf for a new device that takes segments of @max_seg, see ATTACH. */
static inline int attach_new_device(int test, int dmabuf, __u32 max_seg, __u32 flags,
				    struct dmabuf_vmap_attach *arg)
{
	*arg = (struct dmabuf_vmap_attach){
		.test = { .fd = dmabuf, .rounds = 1, .flags = flags, .seed = max_seg },
		.max_seg = max_seg,
	};
	return ioctl(test, DMABUF_VMAP_TEST_ATTACH, arg);
}

/* Maps @dmabuf for the device of that name, @nr times. */
static inline int attach_pci_device(int test, int dmabuf, const char *name, __u32 max_seg,
				    __u32 flags, struct dmabuf_vmap_round *rounds, __u32 nr,
				    struct dmabuf_vmap_attach *arg)
{
	*arg = (struct dmabuf_vmap_attach){
		.test = {
			.fd = dmabuf, .rounds = nr, .flags = flags, .seed = 7,
			.rounds_ptr = (uintptr_t)rounds,
		},
		.bus = "pci",
		.max_seg = max_seg,
	};
	snprintf(arg->device, sizeof(arg->device), "%s", name);
	return ioctl(test, DMABUF_VMAP_TEST_ATTACH, arg);
}

/*
 * A PCI device behind an IOMMU, of the name of those that have a driver.  Returns
 * false if there is none.
 */
static inline bool find_iommu_device(int test, int dmabuf, char *name, size_t size)
{
	struct dmabuf_vmap_attach arg;
	const struct dirent *e;
	bool found = false;
	DIR *dir = opendir(PCI_DEVICES);

	while (dir && !found && (e = readdir(dir))) {
		if (*e->d_name == '.' || strlen(e->d_name) >= size)
			continue;
		memcpy(name, e->d_name, strlen(e->d_name) + 1);
		found = !attach_pci_device(test, dmabuf, name, 0, 0, NULL, 1, &arg) &&
			arg.iommu_sizes;
	}
	if (dir)
		closedir(dir);
	return found;
}

static inline void print_attach(const char *layout, const char *op,
				const struct dmabuf_vmap_attach *arg, __u64 *ns)
{
	qsort(ns, ATTACH_ROUNDS, sizeof(*ns), compare_ns);
	printf("bench\tiommu\t%s\t%s\t%llu\t%d\t%llu\t%llu\t%llu\n", layout, op,
	       arg->test.result.bytes, ATTACH_ROUNDS, ns[0],
	       sorted_median(ns, ATTACH_ROUNDS), ns[ATTACH_ROUNDS - 1]);
}

/*
 * Prints what it takes to map @dmabuf for a device behind an IOMMU, which takes
 * segments of @max_seg, as vmap_bench does, and what the IOMMU has for that; nothing
 * where there is none.
 */
static inline int print_iommu(int test, int dmabuf, const char *layout, __u32 max_seg)
{
	struct dmabuf_vmap_round rounds[ATTACH_ROUNDS];
	__u64 map[ATTACH_ROUNDS], unmap[ATTACH_ROUNDS];
	char name[DMABUF_VMAP_TEST_DEVICE_MAX];
	struct dmabuf_vmap_attach arg;

	if (!find_iommu_device(test, dmabuf, name, sizeof(name)))
		return 0;
	if (attach_pci_device(test, dmabuf, name, max_seg, 0, rounds, ATTACH_ROUNDS, &arg))
		return -1;
	for (int i = 0; i < ATTACH_ROUNDS; i++) {
		map[i] = rounds[i].map_ns;
		unmap[i] = rounds[i].unmap_ns;
	}
	print_attach(layout, "map", &arg, map);
	print_attach(layout, "unmap", &arg, unmap);
	printf("iommu\t%s\t%s\t%llu\t0x%llx\t%llu\t%u\t%u\n", name, layout,
	       arg.test.result.bytes, arg.iommu_sizes, arg.iommu_pages * page_size(),
	       arg.test.result.nents, arg.test.result.dma_segments);
	return fflush(stdout);
}

#endif /* ATTACH_USER_H */
