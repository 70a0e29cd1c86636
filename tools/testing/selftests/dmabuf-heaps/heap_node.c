// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system heap on a machine with several nodes: buffers are in the memory that the
 * task is bound to.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "heap_util.h"
#include "../kselftest_harness.h"

#define MAX_NODES	8
#define SLACK		(8 * MIB)

#define MPOL_DEFAULT	0
#define MPOL_PREFERRED	1
#define MPOL_BIND	2

static int set_policy(int mode, int node)
{
	unsigned long mask = 1UL << node;

	return syscall(SYS_set_mempolicy, mode, mode == MPOL_DEFAULT ? NULL : &mask,
		       8 * sizeof(mask));
}

/* What of @node is free, -1 if there is no such node. */
static long long node_free(int node)
{
	char file[64];
	long long kib;

	snprintf(file, sizeof(file), "/sys/devices/system/node/node%d/meminfo", node);
	kib = read_numbers(file, "Node %*d MemFree: %lld");
	return kib < 0 ? -1 : kib * (long long)KIB;
}

FIXTURE(bound)
{
	int heap;
	long long free[MAX_NODES];
};

FIXTURE_VARIANT(bound)
{
	__u64 bytes;
	int nr;
};

FIXTURE_VARIANT_ADD(bound, large) { 64 * MIB, 1 };
FIXTURE_VARIANT_ADD(bound, of_1_MiB) { MIB, 64 };
FIXTURE_VARIANT_ADD(bound, of_64_KiB) { 64 * KIB, 512 };
/* Single pages, which may be taken in bulk by who has no policy. */
FIXTURE_VARIANT_ADD(bound, of_60_KiB) { 60 * KIB, 512 };

FIXTURE_SETUP(bound)
{
	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	if (node_free(1) < 0)
		SKIP(return, "only one node");
	for (int node = 0; node < MAX_NODES; node++)
		self->free[node] = node_free(node);
}

FIXTURE_TEARDOWN(bound)
{
	set_policy(MPOL_DEFAULT, 0);
	close(self->heap);
}

TEST_F_TIMEOUT(bound, allocates_from_bound_node, TIME_LIMIT)
{
	const long long bytes = variant->bytes * variant->nr;
	long long taken;
	int dmabufs[512];

	for (int node = 0; node < MAX_NODES; node++) {
		if (self->free[node] < 2 * bytes)
			continue;
		ASSERT_EQ(0, set_policy(MPOL_BIND, node));
		for (int other = 0; other < MAX_NODES; other++)
			self->free[other] = node_free(other);
		for (int i = 0; i < variant->nr; i++) {
			dmabufs[i] = heap_alloc(self->heap, variant->bytes);
			ASSERT_LE(0, dmabufs[i])
				TH_LOG("node %d: %s", node, strerror(errno));
		}
		for (int other = 0; other < MAX_NODES; other++) {
			if (self->free[other] < 0)
				continue;
			taken = self->free[other] - node_free(other);
			EXPECT_TRUE(other == node ? taken > bytes - (long long)SLACK :
				    taken < (long long)SLACK)
				TH_LOG("bound to node %d: %lld KiB of node %d", node,
				       taken / (long long)KIB, other);
		}
		for (int i = 0; i < variant->nr; i++)
			close(dmabufs[i]);
	}
}

/* A node that is full, or has no memory, is one that others help out. */
TEST(falls_back_from_full_node)
{
	const int heap = open_heap();

	if (heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	if (node_free(1) < 0)
		SKIP(return, "only one node");
	for (int node = 0; node < MAX_NODES && node_free(node) >= 0; node++) {
		const __u64 bytes = node_free(node) + 32 * MIB;
		int dmabuf;

		if (bytes > free_bytes() - free_bytes() / 4)
			continue;
		/* A node without memory cannot be asked for in 6.12. */
		if (set_policy(MPOL_PREFERRED, node))
			continue;
		dmabuf = heap_alloc(heap, page_align(bytes));
		EXPECT_LE(0, dmabuf)
			TH_LOG("node %d: %s", node, strerror(errno));
		close(dmabuf);
	}
	set_policy(MPOL_DEFAULT, 0);
	close(heap);
}

TEST_HARNESS_MAIN
