// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of the dma-buf system heap, seen from user space, through
 * dma_buf_vmap() and through a device mapping.
 *
 * The kernel side is DMABUF_VMAP_TEST. Tests of vmap_sg() are skipped on a kernel
 * without it, all others run on every kernel.
 */
#include <signal.h>

#include "heap_util.h"
#include "../kselftest_harness.h"

#define FRESH_BYTES	(128 * MIB)

static int run_errno(int test, struct dmabuf_vmap_test *arg)
{
	return ioctl_errno(test, DMABUF_VMAP_TEST_RUN, arg);
}

static int layout_errno(int test, struct dmabuf_vmap_layout *arg)
{
	return ioctl_errno(test, DMABUF_VMAP_TEST_LAYOUT, arg);
}

static int hold_errno(int test, int dmabuf)
{
	struct dmabuf_vmap_hold arg;

	return vmap_test_hold(test, dmabuf, &arg) ? errno : 0;
}

static int unhold_errno(int test)
{
	struct dmabuf_vmap_hold arg;

	return vmap_test_unhold(test, &arg) ? errno : 0;
}

#define NR_ROUNDS	8

/* The result is that of all rounds. */
static void expect_rounds(struct __test_metadata *_metadata,
			  const struct dmabuf_vmap_round *rounds,
			  const struct dmabuf_vmap_result *res)
{
	__u64 map = 0, unmap = 0, map_min = UINT64_MAX;

	for (int i = 0; i < NR_ROUNDS; i++) {
		EXPECT_LT(0U, rounds[i].map_ns);
		map += rounds[i].map_ns;
		unmap += rounds[i].unmap_ns;
		if (rounds[i].map_ns < map_min)
			map_min = rounds[i].map_ns;
	}
	EXPECT_EQ(map, res->map_total_ns);
	EXPECT_EQ(unmap, res->unmap_total_ns);
	EXPECT_EQ(map_min, res->map_min_ns);
}

/* What an ioctl that takes @arg makes of other sizes: a longer one may end with zeros. */
static void expect_sizes(struct __test_metadata *_metadata, int test, unsigned long cmd,
			 const void *arg)
{
	const size_t size = _IOC_SIZE(cmd);
	char longer[512] = {};

	EXPECT_EQ(EFAULT, ioctl_errno(test, cmd, NULL));
	ASSERT_GT(sizeof(longer), size + 32);
	memcpy(longer, arg, size);
	EXPECT_EQ(EINVAL, ioctl_of_size_errno(test, cmd, 0, longer));
	EXPECT_EQ(EINVAL, ioctl_of_size_errno(test, cmd, size - 8, longer));
	EXPECT_EQ(0, ioctl_of_size_errno(test, cmd, size + 32, longer));
	EXPECT_NE(0, memcmp(longer, arg, size));
	memcpy(longer, arg, size);
	longer[size + 31] = 1;
	EXPECT_EQ(E2BIG, ioctl_of_size_errno(test, cmd, size + 32, longer));
}

/*
 * A fresh 128 MiB buffer and what vmap_sg() makes of it. First in the file, so
 * that the memory is not yet in pieces.
 */
FIXTURE(fresh)
{
	int heap;
	int test;
	int dmabuf;
};

FIXTURE_SETUP(fresh)
{
	const char *missing;

	if (!kernel_has_vmap_sg())
		SKIP(return, "this kernel has no vmap_sg()");
	if (!memory_for(FRESH_BYTES))
		SKIP(return, "not enough memory");
	missing = open_both(&self->heap, &self->test);
	if (missing)
		SKIP(return, "%s: %s", missing, strerror(errno));
	self->dmabuf = heap_alloc(self->heap, FRESH_BYTES);
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
}

FIXTURE_TEARDOWN(fresh)
{
	close(self->dmabuf);
	close(self->test);
	close(self->heap);
}

/* At most 64 leaves, and no tables but the one that holds the PMD leaves. */
TEST_F_TIMEOUT(fresh, maps_with_few_leaves, TIME_LIMIT)
{
	struct dmabuf_vmap_result res;

	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf,
				    DMABUF_VMAP_TEST_LEAVES, 0, &res));
	if (!res.pmd_leaf_size)
		SKIP(return, "vmalloc of this kernel has no PMD leaves");
	if (res.pmd_leaf_size > FRESH_BYTES)
		SKIP(return, "a PMD leaf is larger");
	if (booted_with("nohugevmap"))
		SKIP(return, "booted with nohugevmap");

	EXPECT_GE(64U, leaf_count(&res))
		TH_LOG("pud %llu pmd %llu cont %llu pte %llu",
		       res.pud_leaves, res.pmd_leaves, res.cont_leaves,
		       res.pte_leaves);
	EXPECT_GE(page_size(), res.table_bytes);
	EXPECT_EQ(0U, res.pte_leaves);
	EXPECT_EQ(0U, res.kva_align % res.pmd_leaf_size)
		TH_LOG("mapped at 0x%llx", res.kva);
}

TEST_F_TIMEOUT(fresh, has_few_dma_segments, TIME_LIMIT)
{
	struct dmabuf_vmap_attach arg;
	struct dmabuf_vmap_result res;

	ASSERT_EQ(0, attach_new_device(self->test, self->dmabuf, UINT32_MAX, 0, &arg));
	if (arg.max_mapping < FRESH_BYTES)
		SKIP(return, "bounced, in entries of %llu bytes", arg.max_mapping);
	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf,
				    DMABUF_VMAP_TEST_LEAVES, 0, &res));
	EXPECT_GE(32U, res.nents);
	EXPECT_GE(res.nents, res.dma_segments);
}

/*
 * The array of page pointers that vmap() wants is large enough to be seen in
 * the counters of the page allocator: it comes and goes with each round.
 */
TEST_F_TIMEOUT(fresh, maps_without_a_page_array, TIME_LIMIT)
{
	const long long array_pages = FRESH_BYTES / page_size() *
				      sizeof(void *) / page_size();
	struct dmabuf_vmap_test arg = { .fd = self->dmabuf, .rounds = 64 };
	long long before, pages;

	if (!array_pages)
		SKIP(return, "the array is smaller than a page");
	if (kernel_has("kasan_populate_vmalloc\n"))
		SKIP(return, "KASAN allocates shadow pages for each vmap");
	/* The first round may set up page tables. */
	ASSERT_EQ(0, ioctl(self->test, DMABUF_VMAP_TEST_RUN, &arg));
	before = pages_allocated();
	if (before < 0)
		SKIP(return, "no pgalloc counters in /proc/vmstat");
	ASSERT_EQ(0, ioctl(self->test, DMABUF_VMAP_TEST_RUN, &arg));
	pages = pages_allocated() - before;
	EXPECT_GT(array_pages * arg.rounds / 4, pages)
		TH_LOG("%lld pages in %u rounds, an array is %lld",
		       pages, arg.rounds, array_pages);
}

/* One body over all sizes; nothing here depends on how the kernel maps. */
FIXTURE(buffer)
{
	int heap;
	int test;
	int dmabuf;
	size_t bytes;
	size_t words;
	__u64 *map;
};

FIXTURE_VARIANT(buffer)
{
	size_t bytes;
	size_t extra_pages;
};

FIXTURE_VARIANT_ADD(buffer, 4_KiB) { .bytes = 4 * KIB };
FIXTURE_VARIANT_ADD(buffer, 64_KiB) { .bytes = 64 * KIB };
FIXTURE_VARIANT_ADD(buffer, 1_MiB) { .bytes = MIB };
FIXTURE_VARIANT_ADD(buffer, 2_MiB_and_a_page) { .bytes = 2 * MIB, .extra_pages = 1 };
FIXTURE_VARIANT_ADD(buffer, 8_MiB) { .bytes = 8 * MIB };
FIXTURE_VARIANT_ADD(buffer, 128_MiB) { .bytes = 128 * MIB };

FIXTURE_SETUP(buffer)
{
	const char *missing;

	self->bytes = page_align(variant->bytes) +
		      variant->extra_pages * page_size();
	self->words = self->bytes / sizeof(__u64);
	if (!memory_for(self->bytes))
		SKIP(return, "not enough memory");
	missing = open_both(&self->heap, &self->test);
	if (missing)
		SKIP(return, "%s: %s", missing, strerror(errno));
	self->dmabuf = heap_alloc(self->heap, self->bytes);
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
	self->map = map_dmabuf(self->dmabuf, self->bytes);
	ASSERT_NE(NULL, self->map)
		TH_LOG("mmap: %s", strerror(errno));
}

FIXTURE_TEARDOWN(buffer)
{
	/* Not at NULL: a static program may lie within @bytes of that. */
	if (self->map)
		munmap(self->map, self->bytes);
	close(self->dmabuf);
	close(self->test);
	close(self->heap);
}

TEST_F_TIMEOUT(buffer, shows_user_data_to_kernel_and_device, TIME_LIMIT)
{
	const __u64 seed = 1, expected = pattern_hash(self->words, seed);
	struct dmabuf_vmap_result res;

	ASSERT_EQ(0, cpu_access(self->dmabuf, DMA_BUF_SYNC_START));
	fill_words(self->map, self->words, seed);
	ASSERT_EQ(0, cpu_access(self->dmabuf, DMA_BUF_SYNC_END));

	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf,
				    DMABUF_VMAP_TEST_HASH, 0, &res));
	EXPECT_EQ(self->bytes, res.bytes);
	EXPECT_EQ(expected, res.kernel_hash);
	EXPECT_EQ(expected, res.device_hash);
}

TEST_F_TIMEOUT(buffer, shows_kernel_data_to_user, TIME_LIMIT)
{
	const __u64 seed = 1ULL << 40;
	struct dmabuf_vmap_result res;

	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf,
				    DMABUF_VMAP_TEST_FILL, seed, &res));
	ASSERT_EQ(0, cpu_access(self->dmabuf, DMA_BUF_SYNC_START));
	EXPECT_EQ(self->words,
		  first_not_pattern(self->map, self->words, seed, 0));
	ASSERT_EQ(0, cpu_access(self->dmabuf, DMA_BUF_SYNC_END));
}

#define expect_new_buffer_is_zero() do { \
	self->dmabuf = heap_alloc(self->heap, self->bytes); \
	ASSERT_LE(0, self->dmabuf); \
	self->map = map_dmabuf(self->dmabuf, self->bytes); \
	ASSERT_NE(NULL, self->map); \
	EXPECT_TRUE(is_zero(self->map, self->words)); \
} while (0)

/* The second buffer is likely to get the pages that the first has dirtied. */
TEST_F_TIMEOUT(buffer, is_zero_after_reuse, TIME_LIMIT)
{
	EXPECT_TRUE(is_zero(self->map, self->words));
	memset(self->map, 0xa5, self->bytes);
	ASSERT_EQ(0, munmap(self->map, self->bytes));
	ASSERT_EQ(0, close(self->dmabuf));
	expect_new_buffer_is_zero();
}

/* The same if the pages come from a process that has ended. */
TEST_F_TIMEOUT(buffer, is_zero_after_use_by_another_process, TIME_LIMIT)
{
	const pid_t child = fork();

	if (!child) {
		close(self->dmabuf);
		memset(self->map, 0xa5, self->bytes);
		_exit(0);
	}
	/* The child's is the last mapping of it. */
	ASSERT_EQ(0, munmap(self->map, self->bytes));
	ASSERT_EQ(0, close(self->dmabuf));
	ASSERT_EQ(0, wait_child(child));
	expect_new_buffer_is_zero();
}

TEST_F_TIMEOUT(buffer, maps_each_page_once, TIME_LIMIT)
{
	const __u32 flags = DMABUF_VMAP_TEST_VERIFY | DMABUF_VMAP_TEST_LEAVES;
	struct dmabuf_vmap_result res;

	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, flags, 0, &res));
	EXPECT_EQ(self->bytes / page_size(), res.pages_checked);
	EXPECT_EQ(0U, res.bad_pages);
	EXPECT_EQ(DMABUF_VMAP_TEST_NO_PAGE, res.first_bad_page);
	EXPECT_LT(0U, leaf_count(&res));
	EXPECT_GE(self->bytes / page_size(), leaf_count(&res));
	EXPECT_LT(0U, res.nents);
	EXPECT_LE(page_size(), res.kva_align);
}

TEST_F_TIMEOUT(buffer, shares_one_kernel_mapping, TIME_LIMIT)
{
	struct dmabuf_vmap_hold first, second;
	struct dmabuf_vmap_result res;
	int other = open_vmap_test();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, vmap_test_hold(self->test, self->dmabuf, &first));
	ASSERT_EQ(0, vmap_test_hold(other, self->dmabuf, &second));
	EXPECT_EQ(1U, first.mapped);
	EXPECT_EQ(first.kva, second.kva);

	ASSERT_EQ(0, vmap_test_unhold(self->test, &first));
	EXPECT_EQ(1U, first.mapped);
	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf,
				    DMABUF_VMAP_TEST_VERIFY, 0, &res));
	EXPECT_EQ(second.kva, res.kva);
	EXPECT_EQ(0U, res.bad_pages);

	ASSERT_EQ(0, vmap_test_unhold(other, &second));
	EXPECT_EQ(0U, second.mapped);
	close(other);
}

/* A holder that exits releases its own reference to the mapping only. */
TEST_F_TIMEOUT(buffer, unmaps_on_close_of_the_test_file, TIME_LIMIT)
{
	struct dmabuf_vmap_hold first, second;
	int other = open_vmap_test();

	ASSERT_LE(0, other);
	ASSERT_EQ(0, vmap_test_hold(other, self->dmabuf, &first));
	ASSERT_EQ(0, vmap_test_hold(self->test, self->dmabuf, &second));
	ASSERT_EQ(0, close(other));
	ASSERT_EQ(0, vmap_test_unhold(self->test, &second));
	EXPECT_EQ(first.kva, second.kva);
	EXPECT_EQ(0U, second.mapped);
}

TEST_F_TIMEOUT(buffer, keeps_kernel_mapping_after_close, TIME_LIMIT)
{
	struct dmabuf_vmap_hold held;

	ASSERT_EQ(0, vmap_test_hold(self->test, self->dmabuf, &held));
	ASSERT_EQ(0, munmap(self->map, self->bytes));
	ASSERT_EQ(0, close(self->dmabuf));
	self->map = NULL;
	self->dmabuf = -1;
	ASSERT_EQ(0, vmap_test_unhold(self->test, &held));
	EXPECT_EQ(0U, held.mapped);
}

TEST_F_TIMEOUT(buffer, rejects_mmap_past_the_end, TIME_LIMIT)
{
	const size_t page = page_size();
	const size_t wrong[][2] = {
		{ page, self->bytes }, { self->bytes + page, 0 }, { self->bytes, page },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(MAP_FAILED, mmap(NULL, wrong[i][0], PROT_READ, MAP_SHARED, self->dmabuf,
					   wrong[i][1]));
		EXPECT_EQ(EINVAL, errno);
	}
}

/* The test user itself. arg is right, each test spoils one thing. */
FIXTURE(test_user)
{
	int heap;
	int test;
	int dmabuf;
	struct dmabuf_vmap_test arg;
};

FIXTURE_SETUP(test_user)
{
	const char *missing = open_both(&self->heap, &self->test);

	if (missing)
		SKIP(return, "%s: %s", missing, strerror(errno));
	self->dmabuf = heap_alloc(self->heap, page_size());
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
	self->arg = (struct dmabuf_vmap_test){
		.fd = self->dmabuf,
		.rounds = 1,
	};
}

FIXTURE_TEARDOWN(test_user)
{
	close(self->dmabuf);
	close(self->test);
	close(self->heap);
}

TEST_F(test_user, accepts_right_arguments)
{
	EXPECT_EQ(0, run_errno(self->test, &self->arg));
	EXPECT_EQ(page_size(), self->arg.result.bytes);
	EXPECT_LT(0U, self->arg.result.map_min_ns);
}

TEST_F(test_user, reports_each_round)
{
	struct dmabuf_vmap_round rounds[NR_ROUNDS] = {};

	self->arg.rounds = NR_ROUNDS;
	self->arg.rounds_ptr = (uintptr_t)rounds;
	ASSERT_EQ(0, run_errno(self->test, &self->arg));
	expect_rounds(_metadata, rounds, &self->arg.result);
}

TEST_F(test_user, rejects_wrong_arguments)
{
	const int memfd = memfd_create("not a dma-buf", MFD_CLOEXEC), fd = self->dmabuf;
	const struct {
		struct dmabuf_vmap_test arg;
		int error;
	} wrong[] = {
		{ { .fd = -1, .rounds = 1 }, EBADF },
		{ { .fd = memfd, .rounds = 1 }, EINVAL },
		{ { .fd = fd, .rounds = 0 }, EINVAL },
		{ { .fd = fd, .rounds = DMABUF_VMAP_TEST_MAX_ROUNDS + 1 }, EINVAL },
		{ { .fd = fd, .rounds = UINT32_MAX }, EINVAL },
		{ { .fd = fd, .rounds = 1, .reserved = 1 }, EINVAL },
		{ { .fd = fd, .rounds = 1, .rounds_ptr = 8 }, EFAULT },
		{ { .fd = fd, .rounds = 1, .rounds_ptr = UINT64_MAX - 7 }, EFAULT },
	};

	ASSERT_LE(0, memfd);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		self->arg = wrong[i].arg;
		EXPECT_EQ(wrong[i].error, run_errno(self->test, &self->arg))
			TH_LOG("case %zu", i);
	}
	close(memfd);
}

TEST_F(test_user, rejects_unknown_flags)
{
	for (int bit = 0; bit < 32; bit++) {
		self->arg.flags = 1U << bit;
		if (self->arg.flags & DMABUF_VMAP_TEST_VALID_FLAGS)
			continue;
		EXPECT_EQ(EINVAL, run_errno(self->test, &self->arg))
			TH_LOG("flag 0x%x", self->arg.flags);
	}
}

TEST_F(test_user, checks_size_of_struct)
{
	expect_sizes(_metadata, self->test, DMABUF_VMAP_TEST_RUN, &self->arg);
}

TEST_F(test_user, rejects_unknown_ioctls)
{
	const unsigned long nr = _IOWR(DMABUF_VMAP_TEST_TYPE, 99, struct dmabuf_vmap_test);
	const unsigned long type = _IOWR('V', 1, struct dmabuf_vmap_test);

	EXPECT_EQ(ENOTTY, ioctl_errno(self->test, nr, &self->arg));
	EXPECT_EQ(ENOTTY, ioctl_errno(self->test, type, &self->arg));
}

TEST_F(test_user, holds_one_mapping_per_file)
{
	EXPECT_EQ(ENOENT, unhold_errno(self->test));
	ASSERT_EQ(0, hold_errno(self->test, self->dmabuf));
	EXPECT_EQ(EBUSY, hold_errno(self->test, self->dmabuf));
	ASSERT_EQ(0, unhold_errno(self->test));
	EXPECT_EQ(ENOENT, unhold_errno(self->test));
}

TEST_F(test_user, rejects_wrong_hold)
{
	struct dmabuf_vmap_hold arg = { .fd = self->dmabuf, .flags = 1 };

	EXPECT_EQ(EINVAL, ioctl_errno(self->test, DMABUF_VMAP_TEST_HOLD, &arg));
	EXPECT_EQ(EBADF, hold_errno(self->test, -1));
	EXPECT_EQ(EINVAL, hold_errno(self->test, self->heap));
	EXPECT_EQ(EFAULT, ioctl_errno(self->test, DMABUF_VMAP_TEST_HOLD, NULL));
	EXPECT_EQ(ENOENT, unhold_errno(self->test));
}

/* Memory in a given layout, by default APART, mapped by vmap_sg(). */
#define ONE_PAGE	.bytes = page_size(), .block = page_size(), .rounds = 1

FIXTURE(layout)
{
	int test;
	struct dmabuf_vmap_layout arg;
};

FIXTURE_SETUP(layout)
{
	self->test = open_vmap_test();
	if (self->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	self->arg = (struct dmabuf_vmap_layout){ ONE_PAGE };
	/* Contiguous memory comes from page blocks that can be emptied, of 512 MiB there. */
	if (page_size() >= 64 * KIB && layout_errno(self->test, &self->arg) == ENOMEM)
		SKIP(return, "no contiguous memory");
	self->arg = (struct dmabuf_vmap_layout){ ONE_PAGE };
}

FIXTURE_TEARDOWN(layout)
{
	close(self->test);
}

TEST_F(layout, accepts_right_arguments)
{
	EXPECT_EQ(0, layout_errno(self->test, &self->arg));
	EXPECT_EQ(page_size(), self->arg.result.bytes);
	EXPECT_LT(0U, self->arg.result.map_min_ns);
	EXPECT_EQ(1U, self->arg.result.nents);
	EXPECT_EQ(1U, self->arg.result.pte_leaves);
}

TEST_F_TIMEOUT(layout, maps_each_page_once, TIME_LIMIT)
{
	const size_t blocks[] = { page_size(), 64 * KIB, MIB, 4 * MIB, 8 * MIB };
	struct dmabuf_vmap_layout arg = self->arg;

	arg.bytes = 8 * MIB;
	for (arg.layout = 0; arg.layout <= DMABUF_VMAP_LAYOUT_MIXED; arg.layout++) {
		for (size_t i = 0; i < 2 * ARRAY_SIZE(blocks); i++) {
			arg.entry = i % 2;
			arg.block = blocks[i / 2];
			ASSERT_EQ(0, layout_errno(self->test, &arg));
			EXPECT_EQ(0U, arg.result.bad_pages)
				TH_LOG("layout %u entry %u block %llu, first is %llu",
				       arg.layout, arg.entry, arg.block,
				       arg.result.first_bad_page);
			EXPECT_EQ(arg.bytes / page_size(), arg.result.pages_checked);
			if (arg.layout != DMABUF_VMAP_LAYOUT_MIXED)
				EXPECT_EQ(arg.bytes / arg.block, arg.result.nents);
		}
	}
}

/* One block, as ioremap() and vmalloc_huge() map it too; from its second page on. */
TEST_F_TIMEOUT(layout, maps_one_block, TIME_LIMIT)
{
	const size_t sizes[] = { page_size(), 64 * KIB, MIB, 8 * MIB };
	struct dmabuf_vmap_layout arg = self->arg;

	for (arg.entry = 0; arg.entry <= DMABUF_VMAP_ENTRY_VMALLOC; arg.entry++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			arg.bytes = sizes[i];
			arg.block = sizes[i];
			/* vmalloc_huge() takes blocks that are aligned. */
			arg.skip = arg.entry == DMABUF_VMAP_ENTRY_VMALLOC ? 0 : page_size();
			ASSERT_EQ(0, layout_errno(self->test, &arg));
			EXPECT_EQ(0U, arg.result.bad_pages)
				TH_LOG("entry %u, %llu bytes", arg.entry, arg.bytes);
			EXPECT_EQ(arg.bytes / page_size(), arg.result.pages_checked);
		}
	}
}

/* Blocks of two leaves each; single pages, adjacent, make up leaves as well. */
TEST_F_TIMEOUT(layout, maps_with_leaves_where_they_fit, TIME_LIMIT)
{
	const __u32 orders[] = { DMABUF_VMAP_LAYOUT_APART, DMABUF_VMAP_LAYOUT_ASCENDING };
	struct dmabuf_vmap_layout arg = self->arg;

	if (!kernel_has_vmap_sg())
		SKIP(return, "this kernel has no vmap_sg()");
	if (booted_with("nohugevmap"))
		SKIP(return, "booted with nohugevmap");
	for (int i = 0; i < 4; i++) {
		arg.entry = i % 2;
		arg.layout = orders[i / 2];
		/* Of the first call; all others are of 4 or 8 leaves. */
		arg.bytes = 8 * (arg.result.pmd_leaf_size ?: 2 * MIB);
		arg.block = i / 2 ? page_size() : arg.bytes / 4;
		ASSERT_EQ(0, layout_errno(self->test, &arg));
		if (!arg.result.pmd_leaf_size)
			SKIP(return, "vmalloc of this kernel has no PMD leaves");
		EXPECT_EQ(arg.bytes / arg.result.pmd_leaf_size, arg.result.pmd_leaves)
			TH_LOG("layout %u entry %u", arg.layout, arg.entry);
		EXPECT_EQ(0U, arg.result.pte_leaves);
	}
}

TEST_F(layout, reports_each_round)
{
	struct dmabuf_vmap_round rounds[NR_ROUNDS] = {};

	self->arg.rounds = NR_ROUNDS;
	self->arg.rounds_ptr = (uintptr_t)rounds;
	ASSERT_EQ(0, layout_errno(self->test, &self->arg));
	expect_rounds(_metadata, rounds, &self->arg.result);
}

/* A size of contiguous memory that a small machine has, too. */
static size_t area_bytes(void)
{
	size_t bytes = 64 * MIB;

	while (!memory_for(4 * bytes))
		bytes /= 2;
	return bytes;
}

/* More than the machine has, in turns that succeed and that fail at the end. */
TEST_F_TIMEOUT(layout, frees_its_memory, TIME_LIMIT)
{
	const __u64 all = (__u64)sysconf(_SC_PHYS_PAGES) * page_size();

	self->arg.bytes = area_bytes();
	self->arg.block = MIB;
	for (__u64 taken = 0; taken < 2 * all; taken += self->arg.bytes) {
		const bool fails = taken & self->arg.bytes;

		self->arg.rounds_ptr = fails ? 8 : 0;
		ASSERT_EQ(fails ? EFAULT : 0, layout_errno(self->test, &self->arg))
			TH_LOG("after %llu bytes", taken);
	}
}

TEST_F_TIMEOUT(layout, stops_on_sigkill, TIME_LIMIT)
{
	pid_t child;

	self->arg.bytes = area_bytes();
	self->arg.rounds = DMABUF_VMAP_TEST_MAX_ROUNDS;
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		_exit(layout_errno(self->test, &self->arg));
	usleep(100000);
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(SIGKILL, wait_child(child));
}

TEST_F(layout, rejects_wrong_arguments)
{
	const __u64 page = page_size(), low = (1ULL << 32) + page;
	const __u64 max = DMABUF_VMAP_TEST_MAX_BYTES;
	const struct dmabuf_vmap_layout wrong[] = {
		{ ONE_PAGE, .layout = DMABUF_VMAP_LAYOUT_MIXED + 1 },
		{ ONE_PAGE, .layout = UINT32_MAX },
		{ ONE_PAGE, .entry = DMABUF_VMAP_ENTRY_VMALLOC + 1 },
		{ ONE_PAGE, .entry = UINT32_MAX },
		{ .rounds = 1, .bytes = 0, .block = page },
		{ .rounds = 1, .bytes = 0, .block = 0 },
		{ .rounds = 1, .bytes = max + page, .block = page },
		/* One page, if the upper half of the number is lost. */
		{ .rounds = 1, .bytes = low, .block = page },
		{ .rounds = 1, .bytes = -page, .block = page },
		/* Not whole blocks, or blocks that are not whole pages. */
		{ .rounds = 1, .bytes = page + 1, .block = page },
		{ .rounds = 1, .bytes = 3 * page, .block = 2 * page },
		{ .rounds = 1, .bytes = page, .block = 0 },
		{ .rounds = 1, .bytes = page, .block = page / 2 },
		{ .rounds = 1, .bytes = page, .block = 2 * page },
		{ .rounds = 1, .bytes = page, .block = low },
		{ .rounds = 0, .bytes = page, .block = page },
		{ .rounds = DMABUF_VMAP_TEST_MAX_ROUNDS + 1, .bytes = page, .block = page },
		{ .rounds = UINT32_MAX, .bytes = page, .block = page },
		{ ONE_PAGE, .skip = page + 1 },
		{ ONE_PAGE, .skip = max },
		{ ONE_PAGE, .skip = -page },
		/* More than a block, of what maps one only. */
		{ .rounds = 1, .bytes = 2 * page, .block = page,
		  .entry = DMABUF_VMAP_ENTRY_IOREMAP },
		{ .rounds = 1, .bytes = 2 * page, .block = page,
		  .entry = DMABUF_VMAP_ENTRY_VMALLOC },
	};
	const __u64 pointers[] = { 8, UINT64_MAX - 7 };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		self->arg = wrong[i];
		EXPECT_EQ(EINVAL, layout_errno(self->test, &self->arg))
			TH_LOG("case %zu", i);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pointers); i++) {
		self->arg = (struct dmabuf_vmap_layout){ ONE_PAGE, .rounds_ptr = pointers[i] };
		EXPECT_EQ(EFAULT, layout_errno(self->test, &self->arg));
	}
}

TEST_F(layout, checks_size_of_struct)
{
	expect_sizes(_metadata, self->test, DMABUF_VMAP_TEST_LAYOUT, &self->arg);
}

TEST_HARNESS_MAIN
