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

/* A driver that has the kernel map a dma-buf. */
struct user {
	const char *name;			/* for the figures */
	int (*ready)(struct user *user);	/* all that comes before, untimed; may be NULL */
	int (*map)(struct user *user);
	int (*unmap)(struct user *user);
};

int time_user(struct user *user, __u64 *map, __u64 *unmap, int rounds);
int measure_user(struct user *user, size_t bytes);

#endif /* TRACE_UTIL_H */
