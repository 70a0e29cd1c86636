// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers around 4 GiB and more, where lengths do not fit into 32 bits, nor into an
 * entry of an sg_table: contents, and all mappings.
 *
 * A buffer is alone in memory, and takes what half the memory of the machine can be.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/mman.h>

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

/* First and last word of each page. */
static void number_pages(__u64 *map, __u64 words)
{
	const size_t step = page_size() / sizeof(*map);

	for (__u64 i = 0; i < words; i += step) {
		map[i] = i + 1;
		map[i + step - 1] = ~i;
	}
}

/* The first page that is not as it was numbered from @first on, or all of @words. */
static __u64 first_misplaced(const __u64 *map, __u64 words, __u64 first)
{
	const size_t step = page_size() / sizeof(*map);
	__u64 i;

	for (i = 0; i < words; i += step) {
		if (map[i] != first + i + 1 || map[i + step - 1] != ~(first + i))
			break;
	}
	return i;
}

/* Zero at first, then what user space writes is where kernel and device have it. */
TEST_F_TIMEOUT(large, shows_same_memory_to_all, TIME_LIMIT)
{
	const __u64 words = self->bytes / sizeof(__u64), tail = 16 * page_size();
	struct dmabuf_vmap_attach arg;
	struct dmabuf_vmap_result res;
	__u64 *map, any = 0;

	map = mmap(NULL, self->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, self->dmabuf, 0);
	ASSERT_NE(MAP_FAILED, map)
		TH_LOG("mmap: %s", strerror(errno));
	for (__u64 i = 0; i < words; i++)
		any |= map[i];
	EXPECT_EQ(0U, any);
	number_pages(map, words);
	EXPECT_EQ(words, first_misplaced(map, words, 0));
	ASSERT_EQ(0, munmap(map, self->bytes));

	/* Of a part that ends with the buffer, the offset has more than 32 bits. */
	map = mmap(NULL, tail, PROT_READ, MAP_SHARED, self->dmabuf, self->bytes - tail);
	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(tail / sizeof(__u64), first_misplaced(map, tail / sizeof(__u64),
							words - tail / sizeof(__u64)));
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
