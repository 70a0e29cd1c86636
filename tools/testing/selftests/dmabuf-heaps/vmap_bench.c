// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long it takes to allocate, mmap, munmap, fork with, vmap, vunmap and free
 * buffers of the dma-buf system heap. Each round starts with a buffer that is newly
 * allocated, of memory that the heap has not kept: see heap_life.c.
 * vmap and vunmap are those of an in-kernel user, DMABUF_VMAP_TEST.
 */
#include <getopt.h>
#include <sched.h>

#include "heap_util.h"
#include "../kselftest.h"

#define DEFAULT_ROUNDS	16
#define MAX_ROUNDS	100000

static const char * const default_sizes[] = {
	"4096", "65536", "1048576", "8388608", "134217728",
};

/* What all rounds share. */
struct bench {
	int heap;
	int test;
	unsigned long rounds;		/* per size */
	__u64 *ns[NR_OPS];
};

static void print_usage(FILE *to)
{
	fprintf(to,
		"Usage: vmap_bench [-r ROUNDS] [BYTES]...\n"
		"Times alloc, mmap, fork, munmap, vmap, vunmap and free of buffers of the system heap.\n"
		"\n"
		"  -r, --rounds=ROUNDS  rounds per size, 1 to %d (default %d)\n"
		"  -h, --help           this text\n"
		"\n"
		"BYTES default to 4096 65536 1048576 8388608 134217728.\n"
		"Prints, separated by tabs, times in ns:\n"
		"  bench user layout op bytes rounds min median max\n"
		"  leaves bytes pud pmd cont pte table_bytes nents\n",
		MAX_ROUNDS, DEFAULT_ROUNDS);
}

/* One line on stderr. Returns -1, for callers to pass on. */
static int failed(const char *what)
{
	fprintf(stderr, "vmap_bench: %s: %s\n", what, strerror(errno));
	return -1;
}

/* Of a child that does not run before fork() has returned.  0 on error. */
static __u64 fork_ns(void)
{
	const struct sched_param first = { .sched_priority = 1 }, normal = {};
	__u64 start, ns;
	pid_t child;

	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
	start = now_ns();
	child = fork();
	ns = now_ns() - start;
	if (!child)
		_exit(0);
	sched_setscheduler(0, SCHED_OTHER, &normal);
	return child > 0 && waitpid(child, NULL, 0) == child ? ns : 0;
}

static __u64 read_ns(char *at)
{
	const __u64 start = now_ns();

	__atomic_load_n(at, __ATOMIC_RELAXED);
	return now_ns() - start;
}

/* A page is protected: what is left of the leaf that it is in comes back as PTEs. */
static __u64 refault_ptes_ns(char *map, size_t bytes)
{
	const size_t leaf = bytes < 2 * MIB ? bytes : 2 * MIB;

	mprotect(map + leaf - page_size(), page_size(), PROT_READ);
	return read_ns(map);
}

/*
 * All moves to where no leaf fits, which splits all of them, and to where they fit
 * again.  Returns the time of the first read there, 0 on error.
 */
static __u64 refault_ns(char *map, size_t bytes)
{
	char *room = mmap(NULL, bytes + 4 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *fits = (char *)(((uintptr_t)room + 2 * MIB) & -(2 * MIB));
	char *odd = fits + page_size();
	__u64 ns = 0;

	if (room == MAP_FAILED)
		return 0;
	if (mremap(map, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, odd) == odd &&
	    mremap(odd, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, map) == map)
		ns = read_ns(map);
	munmap(room, bytes + 4 * MIB);
	return ns;
}

static int time_mmap(struct bench *b, int dmabuf, size_t bytes,
		     unsigned long round)
{
	const __u64 without = fork_ns();
	__u64 start, with;
	void *map;

	start = now_ns();
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	b->ns[MMAP][round] = now_ns() - start;
	if (map == MAP_FAILED)
		return failed("mmap");

	with = fork_ns();
	if (!with || !without)
		return failed("fork");
	b->ns[FORK][round] = with > without ? with - without : 1;

	b->ns[REFAULT][round] = refault_ns(map, bytes);
	if (!b->ns[REFAULT][round])
		return failed("mremap");
	b->ns[REFAULT_PTES][round] = refault_ptes_ns(map, bytes);
	munmap(map, bytes);

	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	if (map == MAP_FAILED)
		return failed("mmap");
	start = now_ns();
	munmap(map, bytes);
	b->ns[MUNMAP][round] = now_ns() - start;
	return 0;
}

static int time_vmap(struct bench *b, int dmabuf, unsigned long round)
{
	struct dmabuf_vmap_result res;

	if (vmap_test_once(b->test, dmabuf, 0, 0, &res))
		return failed("vmap");
	b->ns[VMAP][round] = res.map_total_ns;
	b->ns[VUNMAP][round] = res.unmap_total_ns;
	return 0;
}

/* All operations on one buffer, which goes with the round. */
static int time_round(struct bench *b, size_t bytes, unsigned long round)
{
	__u64 start = now_ns();
	const int dmabuf = heap_alloc(b->heap, bytes);
	int ret;

	b->ns[ALLOC][round] = now_ns() - start;
	if (dmabuf < 0)
		return failed("alloc");

	ret = time_mmap(b, dmabuf, bytes, round);
	if (!ret)
		ret = time_vmap(b, dmabuf, round);

	start = now_ns();
	close(dmabuf);
	b->ns[FREE][round] = now_ns() - start;
	return ret;
}

/* Verified as well: numbers of a mapping that is wrong are worth nothing. */
static int bench_leaves(struct bench *b, size_t bytes)
{
	const __u32 flags = DMABUF_VMAP_TEST_LEAVES | DMABUF_VMAP_TEST_VERIFY;
	const int dmabuf = heap_alloc(b->heap, bytes);
	struct dmabuf_vmap_result res;
	int ret;

	if (dmabuf < 0)
		return failed("alloc");
	ret = vmap_test_once(b->test, dmabuf, flags, 0, &res);
	close(dmabuf);
	if (ret)
		return failed("leaves");
	if (res.bad_pages) {
		fprintf(stderr, "vmap_bench: %zu bytes: %llu pages mapped wrong, first is %llu\n",
			bytes, res.bad_pages, res.first_bad_page);
		return -1;
	}
	printf("leaves\t");
	print_leaves(&res);
	return 0;
}

static int bench_size(struct bench *b, size_t bytes)
{
	for (unsigned long i = 0; i < b->rounds; i++) {
		if (time_round(b, bytes, i))
			return -1;
	}
	for (int op = 0; op < NR_OPS; op++)
		print_times("kernel", "fresh", op_names[op], bytes, b->ns[op], b->rounds);
	if (bench_leaves(b, bytes))
		return -1;
	return fflush(stdout) ? failed("stdout") : 0;
}

static int bench_sizes(struct bench *b, const char * const *sizes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const size_t bytes = parse_number("BYTES", sizes[i], 1, SIZE_MAX / 2);

		if (bench_size(b, page_align(bytes)))
			return -1;
	}
	return 0;
}

static int parse_options(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "r:h", options, NULL)) != -1) {
		if (opt == 'h') {
			print_usage(stdout);
			exit(EXIT_SUCCESS);
		}
		if (opt != 'r')
			return -1;
		b->rounds = parse_number("ROUNDS", optarg, 1, MAX_ROUNDS);
	}
	return 0;
}

static int open_bench(struct bench *b)
{
	b->heap = open_heap();
	if (b->heap < 0)
		return failed(SYSTEM_HEAP);
	b->test = open_vmap_test();
	if (b->test < 0)
		return failed(VMAP_TEST_FILE);
	set_pool_max(0);
	/* Not calloc(): touched now, so that no fault is timed. */
	for (int op = 0; op < NR_OPS; op++) {
		const size_t bytes = b->rounds * sizeof(__u64);

		b->ns[op] = malloc(bytes);
		if (!b->ns[op])
			return failed("malloc");
		memset(b->ns[op], 0xff, bytes);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = { .rounds = DEFAULT_ROUNDS };
	const char * const *sizes = default_sizes;
	size_t nr_sizes = ARRAY_SIZE(default_sizes);

	if (parse_options(&b, argc, argv))
		return 2;
	if (optind < argc) {
		sizes = (const char * const *)argv + optind;
		nr_sizes = argc - optind;
	}
	if (check_clock("vmap_bench") || open_bench(&b) || bench_sizes(&b, sizes, nr_sizes))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
