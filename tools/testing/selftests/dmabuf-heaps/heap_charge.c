// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory cgroups: with dma_heap.mem_accounting=1 the cgroup of the allocating task is
 * charged for a buffer.  Without it no cgroup is charged.
 */
#include <sys/stat.h>

#include "heap_util.h"
#include "../kselftest_harness.h"

#define CGROUPS		"/sys/fs/cgroup"
#define GROUP		CGROUPS "/heap_charge"

/* Far more than anything else that is charged in the meantime. */
#define BUFFER_BYTES	(16 * MIB)

/*
 * What the group pays for, give or take what its CPUs hold in stock for it: that goes
 * back whenever another group is charged there.
 */
static long long charged_bytes(void)
{
	return read_numbers(GROUP "/memory.current", "%lld");
}

static bool holds_a_buffer(long long bytes)
{
	return bytes > (long long)BUFFER_BYTES / 2;
}

/* A group that the test is in. */
FIXTURE(group)
{
	int heap;
	bool accounting;
};

FIXTURE_SETUP(group)
{
	self->accounting = count_lines(ACCOUNTING, "Y");
	if (access(ACCOUNTING, R_OK))
		SKIP(return, ACCOUNTING ": %s", strerror(errno));
	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	if (write_file(CGROUPS "/cgroup.subtree_control", "+memory"))
		SKIP(return, CGROUPS ": no memory cgroups: %s", strerror(errno));
	/* So that the pool of the heap might keep all of a buffer, with its charge. */
	set_pool_max(2 * BUFFER_BYTES);
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	ASSERT_EQ(0, write_file(GROUP "/cgroup.procs", "0"));
}

FIXTURE_TEARDOWN(group)
{
	restore_pool_max();
	close(self->heap);
	EXPECT_EQ(0, write_file(CGROUPS "/cgroup.procs", "0"));
	EXPECT_EQ(0, rmdir(GROUP));
}

TEST_F(group, is_charged_while_buffer_exists)
{
	const long long before = charged_bytes();
	long long bytes;
	int dmabuf;

	ASSERT_LE(0, before);
	dmabuf = heap_alloc(self->heap, BUFFER_BYTES);
	ASSERT_LE(0, dmabuf);
	bytes = charged_bytes() - before;
	EXPECT_EQ(self->accounting, holds_a_buffer(bytes))
		TH_LOG("%lld bytes", bytes);
	ASSERT_EQ(0, close(dmabuf));
	EXPECT_FALSE(holds_a_buffer(charged_bytes() - before));
}

/* The charge stays with the cgroup in which the buffer was allocated. */
TEST_F(group, stays_charged_after_process_moves)
{
	const long long before = charged_bytes();
	const int dmabuf = heap_alloc(self->heap, BUFFER_BYTES);
	long long bytes;

	ASSERT_LE(0, dmabuf);
	ASSERT_EQ(0, write_file(CGROUPS "/cgroup.procs", "0"));
	bytes = charged_bytes() - before;
	EXPECT_EQ(self->accounting, holds_a_buffer(bytes))
		TH_LOG("%lld bytes", bytes);
	ASSERT_EQ(0, close(dmabuf));
	EXPECT_FALSE(holds_a_buffer(charged_bytes() - before));
}

/* The charge keeps what is left of the group, and the buffer is as good as before. */
TEST_F(group, leaves_buffer_usable_when_removed)
{
	const int dmabuf = heap_alloc(self->heap, BUFFER_BYTES);
	struct dmabuf_vmap_result res = {};
	const int test = open_vmap_test();
	char *map;

	ASSERT_LE(0, dmabuf);
	ASSERT_EQ(0, write_file(CGROUPS "/cgroup.procs", "0"));
	ASSERT_EQ(0, rmdir(GROUP));
	map = map_dmabuf(dmabuf, BUFFER_BYTES);
	ASSERT_NE(NULL, map);
	memset(map, 1, BUFFER_BYTES);
	if (test >= 0)
		EXPECT_EQ(0, vmap_test_once(test, dmabuf, DMABUF_VMAP_TEST_HASH, 0, &res));
	EXPECT_EQ(res.device_hash, res.kernel_hash);
	EXPECT_EQ(0, munmap(map, BUFFER_BYTES));
	close(test);
	ASSERT_EQ(0, close(dmabuf));
	/* For the end of the test. */
	ASSERT_EQ(0, mkdir(GROUP, 0755));
	EXPECT_FALSE(holds_a_buffer(charged_bytes()));
}

/* The request fails, and no task is killed. */
TEST_F(group, rejects_buffer_above_limit)
{
	if (!self->accounting)
		SKIP(return, "dma_heap.mem_accounting is off");
	if (!kernel_has_vmap_sg())
		SKIP(return, "the heap of this kernel allocates until the OOM killer comes");
	ASSERT_EQ(0, write_file(GROUP "/memory.max", "8M"));
	EXPECT_EQ(-1, heap_alloc(self->heap, BUFFER_BYTES));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(0, read_numbers(GROUP "/memory.events", "oom_kill %lld"));
	EXPECT_GT((long long)BUFFER_BYTES / 4, charged_bytes());
}

TEST_HARNESS_MAIN
