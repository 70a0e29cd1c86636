/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long single kernel functions take, from the function_graph tracer, and how long
 * a user of dma_buf_vmap() takes to map a buffer. All functions return -1 and set errno
 * on error, unless they say otherwise.
 */
#ifndef TRACE_UTIL_H
#define TRACE_UTIL_H

#include "heap_util.h"

#define TRACEFS		"/sys/kernel/tracing/"
#define ROUNDS		8

int fgraph_set(const char *path, const char *text);
int fgraph_set_cpus(const char *online);
int fgraph_start(const char *functions);
void fgraph_stop(void);
int fgraph_read(const char *function, __u64 *ns, int max);
void fgraph_end(void);

/**
 * struct user - a driver that has the kernel map a dma-buf
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

int time_user(struct user *user, __u64 *map, __u64 *unmap, int rounds);
int measure_user(struct user *user, struct user_times *t);
void print_user(const struct user *user, size_t bytes, struct user_times *t);

#endif /* TRACE_UTIL_H */
