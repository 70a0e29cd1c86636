// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system heap when memory is in pieces: memory is filled, every other piece of a
 * page is pinned, so that no compaction moves it, and the rest is freed, of which
 * buffers are made, single pieces for the most part.
 *
 * KASAN and other checks add to each object, so that kmalloc() of up to a page takes
 * four that are contiguous, as the end of an sg_table may.  There, pieces are as large.
 *
 * It also prints times in ns, to compare kernels.  With -b it only measures, and with
 * -i it only maps buffers for a device behind an IOMMU.  -o sets the order of a piece:
 * 8 is 1 MiB.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "heap_util.h"
#include "../kselftest.h"

#define BUFFER_BYTES	(128 * MIB)
/* Left to others while memory is filled. */
#define OTHERS_BYTES	(96 * MIB)
/* What may be left in blocks of more than a piece. */
#define BLOCKS_BYTES	(4 * MIB)
#define MAX_BALLAST	256

#define ROUNDS		3
/* As many as it takes until what was in pieces is given back in pieces. */
#define BENCH_ROUNDS	9

/* What a pipe may hold. */
#define PIPE_PAGES	256

#define PFN_MASK	((1ULL << 55) - 1)

static __u64 ns[NR_OPS][BENCH_ROUNDS];
static __u64 reserve;	/* below that the kernel starts to reclaim */
static __u64 pieces;	/* so that a buffer finds room and the kernel has some as well */
static int piece_order = -1;	/* of each of them */
static int heap, test;

/* Ends the program; what it took goes with it. */
static void fail(const char *what)
{
	const char *why = strerror(errno);

	ksft_exit_fail_msg("%s: %s, with %llu KiB free\n", what, why, free_bytes() / KIB);
}

/* The kernel's reserves are larger where pages are. */
static void choose_sizes(void)
{
	reserve = read_numbers("/proc/zoneinfo", " high %lld") * page_size() + OTHERS_BYTES;
	pieces = 2 * BUFFER_BYTES + reserve;
	if (piece_order < 0)
		piece_order = kernel_has_kasan() ? 2 : 0;
}

static __u64 free_block_bytes(void)
{
	const __u64 blocks = free_in_blocks(piece_order + 1);
	const __u64 cma = meminfo_bytes("CmaFree: %lld");

	return blocks > cma ? blocks - cma : 0;
}

/* Buffers that are never closed: the quick way to fill. */
static void fill_with_buffers(__u64 leave)
{
	const __u64 now = free_bytes();

	if (now > leave && heap_alloc(heap, now - leave) < 0)
		fail("ballast");
}

static char *fill_with_pages(size_t *bytes)
{
	char *map;

	*bytes = meminfo_bytes("MemFree: %lld") - reserve;
	*bytes &= ~(page_size() - 1);
	map = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		fail("mmap");
	madvise(map, *bytes, MADV_NOHUGEPAGE);
	for (size_t at = 0; at < *bytes; at += page_size())
		map[at] = 1;
	return map;
}

/* A pipe that is not read holds a reference until this program ends. */
static void pin_page(char *page, size_t bytes)
{
	static int pipefd[2] = { -1, -1 };
	struct iovec iov = { page, bytes };

	if (vmsplice(pipefd[1], &iov, 1, SPLICE_F_NONBLOCK) == (ssize_t)bytes)
		return;
	if (pipe2(pipefd, O_CLOEXEC) || fcntl(pipefd[1], F_SETPIPE_SZ, PIPE_PAGES * bytes) < 0)
		fail("pipe");
	if (vmsplice(pipefd[1], &iov, 1, SPLICE_F_NONBLOCK) != (ssize_t)bytes)
		fail("vmsplice");
}

/* Those at an odd place in physical memory; the others stay where they are. */
static void free_every_other_piece(char *map, size_t bytes)
{
	const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	const size_t page = page_size();
	__u64 entries[512];

	if (pagemap < 0)
		fail("/proc/self/pagemap");
	for (size_t at = 0; at < bytes; at += page) {
		const size_t i = at / page % ARRAY_SIZE(entries);
		const off_t from = (uintptr_t)(map + at) / page * sizeof(*entries);

		if (!i && pread(pagemap, entries, sizeof(entries), from) <= 0)
			fail("/proc/self/pagemap");
		if ((entries[i] & PFN_MASK) >> piece_order & 1)
			madvise(map + at, page, MADV_DONTNEED);
		else
			pin_page(map + at, page);
	}
	close(pagemap);
}

/*
 * Buffers that are never closed take the larger blocks that are left, and those that
 * other tasks free later.
 */
static void use_up_blocks(void)
{
	for (int i = 0; i < MAX_BALLAST; i++) {
		const __u64 left = free_block_bytes();

		if (left <= BLOCKS_BYTES)
			return;
		if (heap_alloc(heap, page_align(left / 2)) < 0)
			fail("ballast");
	}
}

static void fragment_memory(void)
{
	size_t bytes;
	char *map;

	/* CPUs keep pages of earlier tests. */
	drain_cpu_lists();
	fill_with_buffers(2 * pieces + reserve);
	map = fill_with_pages(&bytes);
	free_every_other_piece(map, bytes);
	drain_cpu_lists();
	wait_for_free(pieces);
	use_up_blocks();
}

/* A buffer, mapped.  Its times are those of @round. */
static __u64 *make_buffer(int round, int *dmabuf)
{
	__u64 start;
	void *map;

	use_up_blocks();
	wait_for_free(BUFFER_BYTES + reserve);
	start = now_ns();
	*dmabuf = heap_alloc(heap, BUFFER_BYTES);
	ns[ALLOC][round] = now_ns() - start;
	if (*dmabuf < 0)
		fail("alloc");

	start = now_ns();
	map = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *dmabuf, 0);
	ns[MMAP][round] = now_ns() - start;
	if (map == MAP_FAILED)
		fail("mmap of a buffer");
	return map;
}

static void drop_buffer(int round, int dmabuf, void *map)
{
	__u64 start;

	start = now_ns();
	munmap(map, BUFFER_BYTES);
	ns[MUNMAP][round] = now_ns() - start;
	start = now_ns();
	close(dmabuf);
	ns[FREE][round] = now_ns() - start;
}

/* From the middle of the buffer to its end, an odd number of pages. */
static bool part_is_filled(int dmabuf, __u64 seed)
{
	const size_t skip = BUFFER_BYTES / 2 + page_size();
	const size_t bytes = BUFFER_BYTES - skip, words = bytes / sizeof(__u64);
	__u64 *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, dmabuf, skip);
	bool ok;

	if (map == MAP_FAILED)
		return false;
	ok = first_not_pattern(map, words, seed, skip / sizeof(*map)) == words;
	munmap(map, bytes);
	return ok;
}

/* Only what is contiguous can be copied on write. */
static bool may_be_private(int dmabuf)
{
	void *map = mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE, dmabuf, 0);

	if (map == MAP_FAILED)
		return errno != EINVAL;
	munmap(map, BUFFER_BYTES);
	return true;
}

static void test_views(int dmabuf, __u64 *map)
{
	const __u64 user_seed = 11, kernel_seed = 1ULL << 33;
	const size_t words = BUFFER_BYTES / sizeof(*map);
	const __u64 hash = pattern_hash(words, user_seed);
	struct dmabuf_vmap_result res;
	int ret;

	fill_words(map, words, user_seed);
	ret = vmap_test_once(test, dmabuf, DMABUF_VMAP_TEST_VERIFY | DMABUF_VMAP_TEST_HASH,
			     0, &res);
	ksft_test_result(!ret && res.kernel_hash == hash,
			 "kernel sees what user wrote\n");
	ksft_test_result(!ret && res.device_hash == hash,
			 "device sees what user wrote\n");
	ksft_test_result(!ret && res.pages_checked == BUFFER_BYTES / page_size() &&
			 !res.bad_pages,
			 "every page is where the device has it\n");
	ksft_print_msg("%u entries, %u DMA segments\n", res.nents, res.dma_segments);
	ksft_test_result(!ret && res.nents > (BUFFER_BYTES / page_size() / 2) >> piece_order,
			 "most entries are single pieces\n");

	ret = vmap_test_once(test, dmabuf, DMABUF_VMAP_TEST_FILL, kernel_seed, &res);
	ksft_test_result(!ret && first_not_pattern(map, words, kernel_seed, 0) == words,
			 "user sees what kernel wrote\n");
	ksft_test_result(part_is_filled(dmabuf, kernel_seed),
			 "a part is mapped where it belongs\n");
	ksft_test_result(!may_be_private(dmabuf), "a mapping of many pieces is not private\n");
}

static void time_vmap(int round, int dmabuf)
{
	struct dmabuf_vmap_result res;

	if (vmap_test_once(test, dmabuf, 0, 0, &res))
		fail("vmap");
	ns[VMAP][round] = res.map_total_ns;
	ns[VUNMAP][round] = res.unmap_total_ns;
}

static void time_buffers(int rounds)
{
	for (int round = 0; round < rounds; round++) {
		int dmabuf;
		void *map = make_buffer(round, &dmabuf);

		time_vmap(round, dmabuf);
		drop_buffer(round, dmabuf, map);
	}
}

static void test_buffers(void)
{
	bool zero = true;

	for (int round = 0; round < ROUNDS; round++) {
		int dmabuf;
		__u64 *map = make_buffer(round, &dmabuf);

		zero = is_zero(map, BUFFER_BYTES / sizeof(*map)) && zero;
		if (!round)
			test_views(dmabuf, map);
		memset(map, 0xa5, BUFFER_BYTES);
		drop_buffer(round, dmabuf, map);
	}
	ksft_test_result(zero, "every buffer is zero\n");
}

static void print_all_times(int rounds)
{
	for (int op = 0; op < NR_OPS; op++) {
		if (op == FORK || op == REFAULT || op == REFAULT_PTES)
			continue;
		printf("# ");
		print_times("kernel", "fragmented", op_names[op], BUFFER_BYTES, ns[op], rounds);
	}
}

/* For a device, whose driver is somebody else's. */
static void time_device_mapping(void)
{
	const size_t piece = page_size() << piece_order;
	char layout[16] = "fragmented";
	int dmabuf;
	void *map;

	if (piece >= MIB)
		snprintf(layout, sizeof(layout), "%zum", piece / MIB);
	else if (piece_order)
		snprintf(layout, sizeof(layout), "%zuk", piece / KIB);
	map = make_buffer(0, &dmabuf);
	if (print_iommu(test, dmabuf, layout, UINT32_MAX))
		fail("map for a device");
	drop_buffer(0, dmabuf, map);
}

enum what { TEST, TIME, TIME_DEVICE };

static bool parse_options(int argc, char **argv, enum what *what)
{
	int opt;

	while ((opt = getopt(argc, argv, "bio:")) != -1) {
		if (opt == 'b')
			*what = TIME;
		else if (opt == 'i')
			*what = TIME_DEVICE;
		else if (opt == 'o')
			piece_order = parse_number("ORDER", optarg, 0, 9);
		else
			return false;
	}
	return optind == argc;
}

int main(int argc, char **argv)
{
	enum what what = TEST;
	__u64 blocks;
	int rounds;

	if (!parse_options(argc, argv, &what)) {
		fprintf(stderr, "Usage: heap_frag [-b | -i] [-o ORDER]\n");
		return 2;
	}
	rounds = what == TEST ? ROUNDS : BENCH_ROUNDS;
	ksft_print_header();
	open_or_skip(&heap, &test);
	if (!may_fill_memory())
		ksft_exit_skip(NEEDS_FILL_MEMORY "\n");
	choose_sizes();
	if (free_bytes() < 2 * pieces + 2 * reserve)
		ksft_exit_skip("not enough memory\n");
	ksft_set_plan(what == TEST ? 9 : 1);

	/* What it gave back would be in no piece. */
	set_pool_max(0);
	fragment_memory();
	blocks = free_block_bytes();
	ksft_print_msg("%llu KiB free, %llu KiB of them in blocks of %u pages and more\n",
		       free_bytes() / KIB, blocks / KIB, 2 << piece_order);
	ksft_test_result(blocks <= 2 * BLOCKS_BYTES, "memory is in pieces\n");
	if (what == TIME_DEVICE) {
		time_device_mapping();
		ksft_finished();
	}
	time_buffers(rounds);
	print_all_times(rounds);
	if (what == TEST)
		test_buffers();
	ksft_finished();
}
