// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers around 4 GiB and more, where lengths do not fit into 32 bits, nor into an
 * entry of an sg_table: contents, and all mappings.
 *
 * A buffer is alone in memory, and takes what half the memory of the machine can be.
 */
#include "heap_util.h"
#include "../kselftest_harness.h"

#define GIB		(1024ULL * MIB)
#define LOOK		(DMABUF_VMAP_TEST_VERIFY | DMABUF_VMAP_TEST_LEAVES)

FIXTURE(large)
{
	int heap;
	int test;
	int dmabuf;
	__u64 bytes;
};

FIXTURE_VARIANT(large)
{
	__u64 bytes;
	int extra_pages;
};

FIXTURE_VARIANT_ADD(large, 4_GiB_less_a_page) { 4 * GIB, -1 };
FIXTURE_VARIANT_ADD(large, 4_GiB) { 4 * GIB, 0 };
FIXTURE_VARIANT_ADD(large, 8_GiB_and_a_page) { 8 * GIB, 1 };

FIXTURE_SETUP(large)
{
	const char *missing;

	self->bytes = variant->bytes + variant->extra_pages * (long long)page_size();
	if (sizeof(long) < 8 || meminfo_bytes("MemAvailable: %lld") < self->bytes + GIB)
		SKIP(return, "not enough memory");
	missing = open_both(&self->heap, &self->test);
	if (missing)
		SKIP(return, "%s: %s", missing, strerror(errno));
	self->dmabuf = heap_alloc(self->heap, self->bytes);
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
	ASSERT_EQ((off_t)self->bytes, lseek(self->dmabuf, 0, SEEK_END));
}

FIXTURE_TEARDOWN(large)
{
	close(self->dmabuf);
	close(self->test);
	close(self->heap);
}

/* Zero at first, then what user space writes is where kernel and device have it. */
TEST_F_TIMEOUT(large, shows_same_memory_to_all, TIME_LIMIT)
{
	const size_t tail = 16 * page_size();
	struct dmabuf_vmap_attach arg;
	struct dmabuf_vmap_result res;
	void *map = map_dmabuf(self->dmabuf, self->bytes);

	ASSERT_NE(NULL, map)
		TH_LOG("mmap: %s", strerror(errno));
	EXPECT_TRUE(is_zero(map, self->bytes / sizeof(__u64)));
	number_pages(map, self->bytes, 1);
	EXPECT_TRUE(is_numbered(map, self->bytes, 1));
	ASSERT_EQ(0, munmap(map, self->bytes));

	/* Of a part that ends with the buffer, the offset has more than 32 bits. */
	map = mmap(NULL, tail, PROT_READ, MAP_SHARED, self->dmabuf, self->bytes - tail);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(is_numbered(map, tail, 1 + (self->bytes - tail) / page_size()));
	ASSERT_EQ(0, munmap(map, tail));

	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, LOOK, 0, &res))
		TH_LOG("vmap: %s", strerror(errno));
	EXPECT_EQ(self->bytes, res.bytes);
	EXPECT_EQ(self->bytes / page_size(), res.pages_checked);
	EXPECT_EQ(0U, res.bad_pages);
	TH_LOG("%u entries, %llu and %llu and %llu leaves", res.nents, res.pud_leaves,
	       res.pmd_leaves, res.pte_leaves);

	ASSERT_EQ(0, attach_new_device(self->test, self->dmabuf, 16 * MIB, LOOK, &arg))
		TH_LOG("attach: %s", strerror(errno));
	EXPECT_EQ(0U, arg.test.result.bad_pages);
	EXPECT_GE(16 * MIB, arg.max_entry);
}

TEST_HARNESS_MAIN
