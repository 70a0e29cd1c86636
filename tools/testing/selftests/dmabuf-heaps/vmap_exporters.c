// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other exporters whose buffers are mapped with vmap_sg(): the CMA heap, and udmabuf
 * of a memfd of small pages, of huge pages, and of hugetlb.
 *
 * Prints times as vmap_bench does.  128 MiB of CMA take cma=256M on the command line.
 */
#include "heap_util.h"
#include "../kselftest_harness.h"

#define BYTES		(128 * MIB)
#define MAX_BYTES	(1024 * MIB)
#define HUGE_BYTES	(2 * MIB)
#define SHMEM_ENABLED	"/sys/kernel/mm/transparent_hugepage/shmem_enabled"
#define NR_HUGEPAGES	"/proc/sys/vm/nr_hugepages"
#define SIZE_LIMIT	"/sys/module/udmabuf/parameters/size_limit_mb"
#define ROUNDS		8
#define SETTLE_US	20000
#define LOOK		(DMABUF_VMAP_TEST_VERIFY | DMABUF_VMAP_TEST_LEAVES | \
			 DMABUF_VMAP_TEST_FILL | DMABUF_VMAP_TEST_HASH)

/*
 * Of @memfd, all of whose pages are there; closes it.  Returns -1 with errno 0 if less
 * than @huge bytes of it are in huge pages.
 */
static int udmabuf_of_pages(int memfd, size_t bytes, size_t huge)
{
	const __u64 before = meminfo_bytes("ShmemHugePages: %lld");
	void *map = ftruncate(memfd, bytes) ? NULL : map_dmabuf(memfd, bytes);
	int dmabuf = -1;

	if (map) {
		memset(map, 0xa5, bytes);
		munmap(map, bytes);
		errno = 0;
		if (meminfo_bytes("ShmemHugePages: %lld") - before >= huge)
			dmabuf = udmabuf_of(memfd, bytes);
	}
	close(memfd);
	return dmabuf;
}

static int alloc_small(size_t bytes)
{
	return udmabuf_of_pages(memfd_create("small", MFD_ALLOW_SEALING | MFD_CLOEXEC), bytes, 0);
}

static int alloc_huge(size_t bytes)
{
	char choice[32];
	int dmabuf;

	if (read_choice(SHMEM_ENABLED, choice, sizeof(choice)) ||
	    write_file(SHMEM_ENABLED, "force"))
		return -1;
	/* Not all of it may have been counted yet. */
	dmabuf = udmabuf_of_pages(memfd_create("huge", MFD_ALLOW_SEALING | MFD_CLOEXEC), bytes,
				  bytes - HUGE_BYTES);
	write_file(SHMEM_ENABLED, choice);
	return dmabuf;
}

static int alloc_hugetlb(size_t bytes)
{
	const long long before = read_numbers(NR_HUGEPAGES, "%lld");
	int dmabuf;

	if (meminfo_bytes("Hugepagesize: %lld") != HUGE_BYTES) {
		errno = EOPNOTSUPP;
		return -1;
	}
	if (write_number(NR_HUGEPAGES, before + bytes / HUGE_BYTES))
		return -1;
	dmabuf = udmabuf_of_pages(memfd_create("hugetlb", MFD_ALLOW_SEALING | MFD_CLOEXEC |
							  MFD_HUGETLB), bytes, 0);
	/* What is in use stays, and goes with the buffer. */
	write_number(NR_HUGEPAGES, before);
	return dmabuf;
}

FIXTURE(exporter)
{
	int test;
	int dmabuf;
	size_t bytes;
};

FIXTURE_VARIANT(exporter)
{
	const char *name;
	int (*alloc)(size_t bytes);
	bool is_huge;
};

FIXTURE_VARIANT_ADD(exporter, cma) { "cma", cma_alloc, true };
FIXTURE_VARIANT_ADD(exporter, udmabuf) { "udmabuf", alloc_small, false };
FIXTURE_VARIANT_ADD(exporter, udmabuf_of_huge_pages) { "udmabuf-huge", alloc_huge, true };
FIXTURE_VARIANT_ADD(exporter, udmabuf_of_hugetlb) { "udmabuf-hugetlb", alloc_hugetlb, true };

FIXTURE_SETUP(exporter)
{
	self->dmabuf = -1;
	self->test = open_vmap_test();
	if (self->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	write_number(SIZE_LIMIT, MAX_BYTES / MIB);
	/* A small CMA has less. */
	for (self->bytes = BYTES; self->dmabuf < 0 && self->bytes >= 8 * MIB; self->bytes /= 2)
		self->dmabuf = variant->alloc(self->bytes);
	self->bytes *= 2;
	if (self->dmabuf < 0)
		SKIP(return, "no memory of that kind: %s", strerror(errno));
}

FIXTURE_TEARDOWN(exporter)
{
	close(self->dmabuf);
	close(self->test);
}

/*
 * The bug, in udmabuf of 6.12: the first page of a large folio was mapped in place of all
 * of its pages.
 */
static bool may_map_one_page(int (*alloc)(size_t bytes))
{
	return !kernel_has_vmap_sg() && (alloc == alloc_huge || alloc == alloc_hugetlb);
}

/* The device and the user see what the kernel writes. */
TEST_F_TIMEOUT(exporter, shows_same_content_to_all, TIME_LIMIT)
{
	const __u64 seed = 5, words = self->bytes / sizeof(__u64);
	struct dmabuf_vmap_result res;
	__u64 *map;

	if (may_map_one_page(variant->alloc))
		SKIP(return, "this kernel may map one page in place of all of a folio");
	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, LOOK, seed, &res))
		TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0U, res.bad_pages);
	EXPECT_EQ(self->bytes / page_size(), res.pages_checked);
	EXPECT_EQ(res.kernel_hash, res.device_hash);
	map = map_dmabuf(self->dmabuf, self->bytes);
	ASSERT_NE(NULL, map);
	EXPECT_EQ(words, first_not_pattern(map, words, seed, 0));
	munmap(map, self->bytes);
}

/* Leaves wherever memory is contiguous; at both ends there may be PTEs. */
TEST_F_TIMEOUT(exporter, maps_with_large_leaves, TIME_LIMIT)
{
	struct dmabuf_vmap_result res;

	if (!kernel_has_vmap_sg())
		SKIP(return, "this kernel has no vmap_sg()");
	if (!variant->is_huge)
		SKIP(return, "memory may be in pieces");
	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, LOOK, 0, &res));
	if (!res.pmd_leaf_size || res.pmd_leaf_size > self->bytes / 4)
		SKIP(return, "vmalloc of this kernel has no PMD leaves");
	EXPECT_LE(self->bytes / res.pmd_leaf_size - 1, res.pmd_leaves);
	EXPECT_GE(res.pmd_leaf_size / page_size(), res.pte_leaves);
	TH_LOG("%llu PMD leaves, %llu PTEs, %u entries", res.pmd_leaves, res.pte_leaves, res.nents);
}

/*
 * All pages are there after the last round.  How long a round takes is printed, for a
 * comparison of kernels.  What vunmap leaves to a worker is done between rounds, or it is
 * the next round that pays.
 */
TEST_F_TIMEOUT(exporter, maps_repeatedly, TIME_LIMIT)
{
	__u64 map[ROUNDS], unmap[ROUNDS];
	struct dmabuf_vmap_result res;

	/* The first may set up page tables. */
	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, 0, 0, &res));
	for (int i = 0; i < ROUNDS; i++) {
		usleep(SETTLE_US);
		ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, 0, 0, &res));
		map[i] = res.map_total_ns;
		unmap[i] = res.unmap_total_ns;
	}
	print_times(variant->name, "fresh", "vmap", self->bytes, map, ROUNDS);
	print_times(variant->name, "fresh", "vunmap", self->bytes, unmap, ROUNDS);
	fflush(stdout);
	if (may_map_one_page(variant->alloc))
		return;
	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, DMABUF_VMAP_TEST_VERIFY, 0, &res));
	EXPECT_EQ(0U, res.bad_pages);
	EXPECT_EQ(self->bytes / page_size(), res.pages_checked);
}

TEST_HARNESS_MAIN
