// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the life of a buffer takes if there was one of its size before, whose memory
 * the heap may have kept: to allocate, mmap, vmap, vunmap, munmap and free it.  Each
 * page is written to, which is not timed.
 *
 *	empty	nothing was kept
 *	warm	what was kept is zero already
 *	dirty	the buffer before was released a moment ago
 *
 * A heap that keeps nothing has the same rows.  What its thread takes to zero the
 * memory of a buffer is a row as well.
 */
#include <dirent.h>
#include <time.h>

#include "heap_util.h"
#include "../kselftest.h"

#define DEFAULT_ROUNDS	5
#define MAX_ROUNDS	1000
#define POOL_THREAD	"dma_heap_pool"

static const size_t sizes[] = { 4 * KIB, 64 * KIB, 8 * MIB, 128 * MIB };

enum row {
	EMPTY_ALLOC,
	EMPTY_LIFE,
	WARM_ALLOC,
	WARM_FREE,
	WARM_LIFE,
	WORKER,
	DIRTY_ALLOC,
	NR_ROWS,
};

static const struct {
	const char *layout;
	const char *op;
} rows[NR_ROWS] = {
	[EMPTY_ALLOC] = { "empty", "alloc" },
	[EMPTY_LIFE] = { "empty", "life" },
	[WARM_ALLOC] = { "warm", "alloc" },
	[WARM_FREE] = { "warm", "free" },
	[WARM_LIFE] = { "warm", "life" },
	[WORKER] = { "warm", "worker" },
	[DIRTY_ALLOC] = { "dirty", "alloc" },
};

static __u64 ns[NR_ROWS][MAX_ROUNDS];
static int heap, test;
static clockid_t worker = -1;

/* One line on stderr. */
static void fail(const char *what)
{
	fprintf(stderr, "heap_life: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Leaves worker alone if there is no such thread. */
static void find_worker(void)
{
	char path[300], name[32];
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (!proc)
		fail("/proc");
	while (worker == -1 && (entry = readdir(proc))) {
		char *end;
		const pid_t pid = strtol(entry->d_name, &end, 10);
		FILE *f;

		if (*end)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fgets(name, sizeof(name), f) && !strcmp(name, POOL_THREAD "\n"))
			clock_getcpuclockid(pid, &worker);
		fclose(f);
	}
	closedir(proc);
}

static __u64 worker_ns(void)
{
	struct timespec ts = {};

	if (worker != -1 && clock_gettime(worker, &ts))
		fail("the clock of " POOL_THREAD);
	return (__u64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int alloc_buffer(size_t bytes)
{
	const int dmabuf = heap_alloc(heap, bytes);

	if (dmabuf < 0)
		fail("alloc");
	return dmabuf;
}

static void write_pages(char *map, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += page_size())
		map[at] = 1;
}

/* Mapped by a process, written to, and mapped by the kernel.  Returns what mapping took. */
static __u64 use_buffer(int dmabuf, size_t bytes)
{
	struct dmabuf_vmap_result res;
	__u64 start = now_ns(), took;
	char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);

	took = now_ns() - start;
	if (map == MAP_FAILED)
		fail("mmap");
	write_pages(map, bytes);
	if (vmap_test_once(test, dmabuf, 0, 0, &res))
		fail("vmap");
	took += res.map_total_ns + res.unmap_total_ns;
	start = now_ns();
	munmap(map, bytes);
	return took + now_ns() - start;
}

/* A whole life.  Returns what it took in all. */
static __u64 live(size_t bytes, __u64 *alloc, __u64 *free)
{
	__u64 start = now_ns(), used;
	const int dmabuf = alloc_buffer(bytes);

	*alloc = now_ns() - start;
	used = use_buffer(dmabuf, bytes);
	start = now_ns();
	close(dmabuf);
	*free = now_ns() - start;
	return *alloc + used + *free;
}

static void wait_until_clean(void)
{
	if (!wait_for_clean_pool())
		fail("the pool is still dirty");
}

static void time_round(size_t bytes, unsigned long round)
{
	__u64 start, unused;
	int dmabuf;

	empty_pool();
	ns[EMPTY_LIFE][round] = live(bytes, &ns[EMPTY_ALLOC][round], &unused);
	wait_until_clean();
	start = worker_ns();
	ns[WARM_LIFE][round] = live(bytes, &ns[WARM_ALLOC][round], &ns[WARM_FREE][round]);
	wait_until_clean();
	ns[WORKER][round] = worker_ns() - start;

	close(alloc_buffer(bytes));
	start = now_ns();
	dmabuf = alloc_buffer(bytes);
	ns[DIRTY_ALLOC][round] = now_ns() - start;
	close(dmabuf);
	wait_until_clean();
}

static void print_rows(size_t bytes, unsigned long rounds)
{
	for (int i = 0; i < NR_ROWS; i++)
		print_times("kernel", rows[i].layout, rows[i].op, bytes, ns[i], rounds);
}

int main(int argc, char **argv)
{
	const unsigned long rounds = parse_rounds(argc, argv, DEFAULT_ROUNDS, MAX_ROUNDS);

	heap = open_heap();
	if (heap < 0)
		fail(SYSTEM_HEAP);
	test = open_vmap_test();
	if (test < 0)
		fail(VMAP_TEST_FILE);
	if (check_clock("heap_life"))
		return EXIT_FAILURE;
	find_worker();
	set_pool_max(2 * sizes[ARRAY_SIZE(sizes) - 1]);
	memset(ns, 0xff, sizeof(ns));	/* so that no fault is timed */
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const size_t bytes = page_align(sizes[i]);

		for (unsigned long round = 0; round < rounds; round++)
			time_round(bytes, round);
		print_rows(bytes, rounds);
	}
	return EXIT_SUCCESS;
}
