/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the dma_buf_vmap() test and the benches share: buffers of the system heap
 * and calls of the in-kernel test user. All functions return -1 and set errno
 * on error, unless they say otherwise.
 */
#ifndef VMAP_USER_H
#define VMAP_USER_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/types.h>

#include <drivers/dma-buf/vmap_test.h>

#define KIB		1024UL
#define MIB		(1024 * KIB)

/* Seconds for one test, enough for an emulated guest with KASAN on a busy machine. */
#define TIME_LIMIT	900

/* What is timed of a buffer. */
enum op { ALLOC, MMAP, FORK, REFAULT, REFAULT_PTES, MUNMAP, VMAP, VUNMAP, FREE, NR_OPS };

static const char * const op_names[NR_OPS] = {
	[ALLOC] = "alloc",
	[MMAP] = "mmap",
	[FORK] = "fork",	/* what it takes more with the buffer mapped */
	[REFAULT] = "refault",	/* a read of what was split, where a leaf fits again */
	[REFAULT_PTES] = "refault-ptes",	/* or where it does not */
	[MUNMAP] = "munmap",
	[VMAP] = "vmap",
	[VUNMAP] = "vunmap",
	[FREE] = "free",
};

#define SYSTEM_HEAP	"/dev/dma_heap/system"
#define CLOCK_TRIES	10
#define MAX_CLOCK_NS	100000
#define VMAP_TEST_FILE	"/sys/kernel/debug/" DMABUF_VMAP_TEST_FILE

static inline size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static inline size_t page_align(size_t bytes)
{
	return (bytes + page_size() - 1) & ~(page_size() - 1);
}

static inline int open_heap(void)
{
	return open(SYSTEM_HEAP, O_RDONLY | O_CLOEXEC);
}

static inline int open_vmap_test(void)
{
	return open(VMAP_TEST_FILE, O_RDWR | O_CLOEXEC);
}

/* Returns a new dma-buf, which the caller closes. */
static inline int heap_alloc(int heap, __u64 bytes)
{
	struct dma_heap_allocation_data data = {
		.len = bytes,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) ? -1 : (int)data.fd;
}

static inline int cpu_access(int dmabuf, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_RW };

	return ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

/* Times one round, then does what @flags ask for. */
static inline int vmap_test_once(int test, int dmabuf, __u32 flags,
				 __u64 seed, struct dmabuf_vmap_result *res)
{
	struct dmabuf_vmap_test arg = {
		.fd = dmabuf,
		.rounds = 1,
		.flags = flags,
		.seed = seed,
	};
	int ret = ioctl(test, DMABUF_VMAP_TEST_RUN, &arg);

	*res = arg.result;
	return ret;
}

static inline __u64 leaf_count(const struct dmabuf_vmap_result *res)
{
	return res->pud_leaves + res->pmd_leaves + res->cont_leaves +
	       res->pte_leaves;
}

static inline __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * A clock of ticks, the guest's last resort, measures nothing here.  What
 * clock_getres() says is the resolution of timers, so try.  One line on stderr
 * if it is such a clock.
 */
static inline int check_clock(const char *program)
{
	__u64 start, step = 0;

	/* On a busy machine, a CPU may have been away in between: try again */
	for (int i = 0; i < CLOCK_TRIES; i++) {
		start = now_ns();
		while (!(step = now_ns() - start))
			;
		if (step <= MAX_CLOCK_NS)
			return 0;
	}
	fprintf(stderr, "%s: the clock is too coarse: %llu ns\n", program, step);
	return -1;
}

/* For qsort(). */
static inline int compare_ns(const void *a, const void *b)
{
	const __u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return (x > y) - (x < y);
}

/* The mean of the two in the middle if their number is even. */
static inline __u64 sorted_median(const __u64 *ns, unsigned long n)
{
	return ns[(n - 1) / 2] + (ns[n / 2] - ns[(n - 1) / 2]) / 2;
}

#endif /* VMAP_USER_H */
