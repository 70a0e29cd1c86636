/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of real users of dma_buf_vmap() share: buffers of every
 * exporter that can be mapped, and how long a user takes to map one. All
 * functions return -1 and set errno on error, unless they say otherwise.
 */
#ifndef USERS_H
#define USERS_H

#include <stdlib.h>
#include <sys/mman.h>

#include <linux/udmabuf.h>

#include "fgraph.h"
#include "vmap_user.h"

#define ROUNDS		8

/* Who exports a buffer. */
enum exporter { SYSTEM, CMA, UDMABUF };

/* Of a heap that is open, which is closed. */
static inline int alloc_and_close(int heap, size_t bytes)
{
	int dmabuf;

	if (heap < 0)
		return -1;
	dmabuf = heap_alloc(heap, bytes);
	close(heap);
	return dmabuf;
}

static inline int cma_alloc(size_t bytes)
{
	/* The name in 6.12, and the one since. */
	static const char * const names[] = {
		"/dev/dma_heap/reserved", "/dev/dma_heap/default_cma_region",
	};
	int heap = -1;

	for (size_t i = 0; heap < 0 && i < sizeof(names) / sizeof(*names); i++) {
		heap = open(names[i], O_RDONLY | O_CLOEXEC);
		if (heap < 0 && errno != ENOENT)
			return -1;
	}
	return alloc_and_close(heap, bytes);
}

static inline int udmabuf_alloc(size_t bytes)
{
	const int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	const int memfd = memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	struct udmabuf_create create = {
		.memfd = memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = bytes,
	};
	int dmabuf = -1;

	if (dev >= 0 && memfd >= 0 && !ftruncate(memfd, bytes) &&
	    !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		dmabuf = ioctl(dev, UDMABUF_CREATE, &create);
	close(memfd);
	close(dev);
	return dmabuf;
}

/* Returns a new dma-buf, which the caller closes. */
static inline int exporter_alloc(enum exporter exporter, size_t bytes)
{
	switch (exporter) {
	case CMA:
		return cma_alloc(bytes);
	case UDMABUF:
		return udmabuf_alloc(bytes);
	default:
		return alloc_and_close(open_heap(), bytes);
	}
}

/* NULL on error. */
static inline void *map_dmabuf(int dmabuf, size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);

	return map == MAP_FAILED ? NULL : map;
}

/**
 * struct user - somebody who has the kernel map a dma-buf
 * @name: for the figures
 * @ready: all that comes before, untimed; may be NULL
 * @map: after this the dma-buf is mapped
 * @unmap: and after this it is not
 */
struct user {
	const char *name;
	int (*ready)(struct user *user);
	int (*map)(struct user *user);
	int (*unmap)(struct user *user);
};

/**
 * struct user_times - how long a user took, in ns
 * @map: the calls of user->map
 * @unmap: and of user->unmap
 * @traced_map: of user->map, while the heap was traced
 * @heap_map: of it, system_heap_vmap()
 * @heap_unmap: of user->unmap, system_heap_vunmap()
 * @heap_maps: number of entries in @heap_map, one more than there should be at
 *	       most
 * @heap_unmaps: number of entries in @heap_unmap
 */
struct user_times {
	__u64 map[ROUNDS];
	__u64 unmap[ROUNDS];
	__u64 traced_map[ROUNDS];
	__u64 heap_map[ROUNDS + 1];
	__u64 heap_unmap[ROUNDS + 1];
	int heap_maps;
	int heap_unmaps;
};

static inline int time_user(struct user *user, __u64 *map, __u64 *unmap, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		__u64 start;

		if (user->ready && user->ready(user))
			return -1;
		start = now_ns();
		if (user->map(user))
			return -1;
		map[i] = now_ns() - start;
		start = now_ns();
		if (user->unmap(user))
			return -1;
		unmap[i] = now_ns() - start;
	}
	return 0;
}

/* Times first, since the tracer costs time, and once before that to warm up. */
static inline int measure_user(struct user *user, struct user_times *t)
{
	__u64 unused[ROUNDS];
	int ret;

	if (time_user(user, t->map, t->unmap, 1) ||
	    time_user(user, t->map, t->unmap, ROUNDS) ||
	    fgraph_start("system_heap_vmap system_heap_vunmap"))
		return -1;
	ret = time_user(user, t->traced_map, unused, ROUNDS);
	fgraph_stop();
	t->heap_maps = fgraph_read("system_heap_vmap", t->heap_map, ROUNDS + 1);
	t->heap_unmaps = fgraph_read("system_heap_vunmap", t->heap_unmap, ROUNDS + 1);
	fgraph_end();
	return ret;
}

/* A line as that of vmap_bench; sorts @ns. */
static inline void print_times(const char *user, const char *op, size_t bytes,
			       __u64 *ns, int n)
{
	qsort(ns, n, sizeof(*ns), compare_ns);
	printf("bench\t%s\tfresh\t%s\t%zu\t%d\t%llu\t%llu\t%llu\n", user, op,
	       bytes, n, ns[0], sorted_median(ns, n), ns[n - 1]);
}

/* Sorts the times. Flushed, for a test ends with _exit(). */
static inline void print_user(const struct user *user, size_t bytes,
			      struct user_times *t)
{
	print_times(user->name, "map", bytes, t->map, ROUNDS);
	print_times(user->name, "unmap", bytes, t->unmap, ROUNDS);
	print_times(user->name, "heap-vmap", bytes, t->heap_map, ROUNDS);
	print_times(user->name, "heap-vunmap", bytes, t->heap_unmap, ROUNDS);
	qsort(t->traced_map, ROUNDS, sizeof(*t->traced_map), compare_ns);
	printf("share\t%s\t%zu\t%.1f\n", user->name, bytes,
	       100.0 * sorted_median(t->heap_map, ROUNDS) /
	       sorted_median(t->traced_map, ROUNDS));
	fflush(stdout);
}

#endif /* USERS_H */
