// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of the system heap: it hands out nothing but zeroes, has no more than
 * it may, and is missed by nobody.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "heap_util.h"
#include "../kselftest_harness.h"

#define DROP_CACHES	"/proc/sys/vm/drop_caches"
#define PM_TEST		"/sys/power/pm_test"
#define PM_STATE	"/sys/power/state"
/* A buffer of traces of its own. */
#define TRACES		"/sys/kernel/tracing/instances/heap_pool/"

#define LARGE_BYTES	(128 * MIB)
/* The smallest that is one block: with larger pages, that is more than 64 KiB. */
#define SMALL_BYTES	(16 * page_size())
/* Enough for several buffers of a test, and less than the guests' memory. */
#define MAX_BYTES	(2 * LARGE_BYTES)

/* Seconds until unused memory is back: ten, a look every five, and a busy machine. */
#define AGE_SECONDS	30

#define NR_THREADS	4
#define THREAD_ROUNDS	2500
/* Buffers that a thread has at a time. */
#define NR_HELD		3

#define MIXED_ROUNDS	1000
#define MIXED_BUFFERS	16

/* Of one block, the largest that most kernels have. */
#define PIECE_BYTES	(4 * MIB)
#define NR_PIECES	(MAX_BYTES / PIECE_BYTES)

/* How long the CPUs are kept busy, and the buffers that are released meanwhile at once. */
#define HOG_SECONDS	5
#define NR_RELEASED	6

/* A buffer of all ones, which is gone. */
static int use_and_free(int heap, size_t bytes)
{
	const int dmabuf = heap_alloc(heap, bytes);
	void *map;

	if (dmabuf < 0)
		return -1;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	if (map == MAP_FAILED) {
		close(dmabuf);
		return -1;
	}
	memset(map, 0xff, bytes);
	munmap(map, bytes);
	return close(dmabuf);
}

/* Nothing is kept for some seconds after memory was short. */
static bool wait_until_used(int heap)
{
	for (int i = 0; i < MAX_SECONDS * 10; i++) {
		const __u64 kept = read_pool().kept;

		if (use_and_free(heap, SMALL_BYTES))
			return false;
		if (read_pool().kept > kept)
			return true;
		usleep(100000);
	}
	return false;
}

/* The thread may have a block still. */
static bool wait_for_pool(__u64 bytes)
{
	for (int i = 0; i < MAX_SECONDS * 10 && read_pool().total > bytes; i++)
		usleep(100000);
	return read_pool().total <= bytes;
}

/* Each node has a pool, so whoever looks for a buffer of before stays on one CPU. */
static int stay_on_cpu(cpu_set_t *before)
{
	cpu_set_t one;

	if (sched_getaffinity(0, sizeof(*before), before))
		return -1;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

FIXTURE(pool)
{
	int heap;
	cpu_set_t cpus;
	struct pool before;
};

/* A pool that is empty, and may have MAX_BYTES. */
FIXTURE_SETUP(pool)
{
	self->heap = -1;
	if (!pool_is_used())
		SKIP(return, "there is no pool, or it is off, or all is charged");
	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	ASSERT_EQ(0, stay_on_cpu(&self->cpus));
	set_pool_max(MAX_BYTES);
	ASSERT_TRUE(wait_until_used(self->heap));
	empty_pool();
	ASSERT_TRUE(wait_for_pool(0));
	self->before = read_pool();
}

FIXTURE_TEARDOWN(pool)
{
	if (self->heap < 0)
		return;
	restore_pool_max();
	close(self->heap);
}

/* Whether @dmabuf is zero.  Fills it. */
static bool was_zero(int dmabuf, size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	bool zero;

	if (map == MAP_FAILED)
		return false;
	zero = is_zero(map, bytes / sizeof(__u64));
	memset(map, 0xff, bytes);
	munmap(map, bytes);
	return zero;
}

/* Each page that was put into it was taken, went back, or is there. */
static bool adds_up(const struct pool *pool)
{
	return pool->kept == pool->took_clean + pool->took_dirty + pool->gave_back +
			     pool->total;
}

TEST_F_TIMEOUT(pool, zeroes_released_memory, TIME_LIMIT)
{
	struct pool pool;

	ASSERT_EQ(0, use_and_free(self->heap, MIB));
	pool = read_pool();
	EXPECT_EQ(MIB, pool.total);
	EXPECT_EQ(MIB, pool.kept - self->before.kept);
	EXPECT_TRUE(wait_for_clean_pool());
	pool = read_pool();
	EXPECT_EQ(0U, pool.dirty);
	EXPECT_EQ(MIB, pool.clean);
	EXPECT_EQ(MIB, pool.zeroed - self->before.zeroed);
}

TEST_F_TIMEOUT(pool, reuses_clean_block, TIME_LIMIT)
{
	struct pool pool;
	int dmabuf;

	ASSERT_EQ(0, use_and_free(self->heap, MIB));
	ASSERT_TRUE(wait_for_clean_pool());
	dmabuf = heap_alloc(self->heap, MIB);
	ASSERT_LE(0, dmabuf);
	pool = read_pool();
	EXPECT_EQ(0U, pool.total);
	EXPECT_EQ(MIB, pool.took_clean - self->before.took_clean);
	EXPECT_TRUE(was_zero(dmabuf, MIB));
	ASSERT_EQ(0, close(dmabuf));
}

/* The thread waits for a moment, so the second is mostly faster. */
TEST_F_TIMEOUT(pool, zeroes_dirty_block_on_alloc, TIME_LIMIT)
{
	struct pool pool;
	int dmabuf;

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, use_and_free(self->heap, MIB));
		dmabuf = heap_alloc(self->heap, MIB);
		ASSERT_LE(0, dmabuf);
		ASSERT_TRUE(was_zero(dmabuf, MIB));
		ASSERT_EQ(0, close(dmabuf));
	}
	ASSERT_TRUE(wait_for_clean_pool());
	pool = read_pool();
	EXPECT_LT(self->before.took_dirty, pool.took_dirty);
	EXPECT_TRUE(adds_up(&pool));
}

TEST_F(pool, keeps_no_buffer_of_single_pages)
{
	ASSERT_EQ(0, use_and_free(self->heap, page_size()));
	ASSERT_EQ(0, use_and_free(self->heap, SMALL_BYTES - page_size()));
	EXPECT_EQ(self->before.kept, read_pool().kept);
}

/**
 * struct mixer - a thread that has buffers and releases them
 * @thread: the thread
 * @seed: of its random numbers
 * @heap: the system heap
 * @not_zero: buffers that were not zero
 * @failed: buffers that it could not have
 */
struct mixer {
	pthread_t thread;
	unsigned int seed;
	int heap;
	unsigned long not_zero;
	unsigned long failed;
};

/* Small ones more often than large ones, and what is in between. */
static size_t mixed_bytes(unsigned int *seed)
{
	static const unsigned short sizes[] = { 1, 1, 1, 1, 1, 2, 2, 3, 4, 5, 7, 17 };
	const size_t bytes = sizes[rand_r(seed) / 16 % ARRAY_SIZE(sizes)] * SMALL_BYTES;

	return rand_r(seed) / 16 % 4 ? bytes : bytes + page_size();
}

static void *mix(void *data)
{
	struct mixer *m = data;
	int held[NR_HELD], i;

	memset(held, -1, sizeof(held));
	for (int round = 0; round < THREAD_ROUNDS; round++) {
		const size_t bytes = mixed_bytes(&m->seed);

		i = rand_r(&m->seed) / 16 % NR_HELD;
		if (held[i] >= 0)
			close(held[i]);
		/* Right behind the release, or while it is being zeroed. */
		if (rand_r(&m->seed) / 16 % 4 == 0)
			usleep(rand_r(&m->seed) / 16 % 20000);
		held[i] = heap_alloc(m->heap, bytes);
		if (held[i] < 0)
			m->failed++;
		else
			m->not_zero += !was_zero(held[i], bytes);
	}
	for (i = 0; i < NR_HELD; i++)
		close(held[i]);
	return NULL;
}

TEST_F_TIMEOUT(pool, hands_out_zeroes_to_all_threads, TIME_LIMIT)
{
	struct mixer mixers[NR_THREADS] = {};
	struct pool pool;

	ASSERT_EQ(0, sched_setaffinity(0, sizeof(self->cpus), &self->cpus));
	for (int i = 0; i < NR_THREADS; i++) {
		mixers[i].heap = self->heap;
		mixers[i].seed = i + 1;
		ASSERT_EQ(0, pthread_create(&mixers[i].thread, NULL, mix, &mixers[i]));
	}
	for (int i = 0; i < NR_THREADS; i++) {
		ASSERT_EQ(0, pthread_join(mixers[i].thread, NULL));
		EXPECT_EQ(0U, mixers[i].not_zero);
		EXPECT_EQ(0U, mixers[i].failed);
	}
	ASSERT_TRUE(wait_for_clean_pool());
	pool = read_pool();
	EXPECT_LT(self->before.took_clean, pool.took_clean);
	EXPECT_LT(self->before.took_dirty, pool.took_dirty);
	EXPECT_TRUE(adds_up(&pool));
	TH_LOG("%llu MiB taken clean, %llu MiB dirty, %llu MiB from elsewhere",
	       (pool.took_clean - self->before.took_clean) / MIB,
	       (pool.took_dirty - self->before.took_dirty) / MIB,
	       (pool.missed - self->before.missed) / MIB);
}

/* A child for each CPU that only keeps it busy. */
static int hog_cpus(pid_t *children, int max)
{
	const int n = get_nprocs() < max ? get_nprocs() : max;

	for (int i = 0; i < n; i++) {
		children[i] = fork();
		if (children[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (1)
			;
	}
	return n;
}

static void kill_children(const pid_t *children, int n)
{
	for (int i = 0; i < n; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
}

/* Buffers that are all there before the first of them goes: none has memory of another. */
static int release_many(int heap, size_t bytes, __u64 *most)
{
	int held[NR_RELEASED], ret = 0;

	for (int i = 0; i < NR_RELEASED; i++) {
		held[i] = heap_alloc(heap, bytes);
		if (held[i] < 0)
			ret = -1;
	}
	for (int i = 0; i < NR_RELEASED; i++) {
		__u64 total;

		close(held[i]);
		total = read_pool().total;
		if (total > *most)
			*most = total;
	}
	return ret;
}

/* More than that is released at once, and the thread gets little of the CPUs. */
TEST_F_TIMEOUT(pool, stays_within_limit, TIME_LIMIT)
{
	const __u64 max = 16 * MIB;
	const __u64 end = now_ns() + HOG_SECONDS * 1000000000ULL;
	pid_t children[64];
	__u64 most = 0;
	int n, ret;

	ASSERT_EQ(0, sched_setaffinity(0, sizeof(self->cpus), &self->cpus));
	set_pool_max(max);
	n = hog_cpus(children, ARRAY_SIZE(children));
	do {
		ret = release_many(self->heap, 3 * MIB, &most) ||
		      release_many(self->heap, 8 * MIB, &most);
	} while (!ret && now_ns() < end);
	kill_children(children, n);
	EXPECT_EQ(0, ret);
	EXPECT_GE(max, most);
	EXPECT_LT(max / 2, most);
}

TEST_F_TIMEOUT(pool, shrinks_with_limit, TIME_LIMIT)
{
	ASSERT_EQ(0, use_and_free(self->heap, 32 * MIB));
	ASSERT_TRUE(wait_for_clean_pool());
	ASSERT_LT(16 * MIB, read_pool().total);
	set_pool_max(8 * MIB);
	EXPECT_GE(8 * MIB, read_pool().total);
	EXPECT_LT(0U, read_pool().total);
}

TEST_F_TIMEOUT(pool, switches_off_at_zero, TIME_LIMIT)
{
	struct pool before, after;

	ASSERT_EQ(0, use_and_free(self->heap, 32 * MIB));
	ASSERT_TRUE(wait_for_clean_pool());
	set_pool_max(0);
	EXPECT_TRUE(wait_for_pool(0));
	before = read_pool();
	for (int i = 0; i < 10; i++)
		ASSERT_EQ(0, use_and_free(self->heap, 8 * MIB));
	after = read_pool();
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));
}

TEST_F_TIMEOUT(pool, frees_unused_memory, TIME_LIMIT)
{
	struct pool pool;

	ASSERT_EQ(0, use_and_free(self->heap, 32 * MIB));
	ASSERT_TRUE(wait_for_clean_pool());
	sleep(5);
	EXPECT_LT(16 * MIB, read_pool().total);
	for (int i = 5; i < AGE_SECONDS && read_pool().total; i++)
		sleep(1);
	pool = read_pool();
	EXPECT_EQ(0U, pool.total);
	EXPECT_EQ(pool.kept - self->before.kept, pool.gave_back - self->before.gave_back);
}

TEST_F_TIMEOUT(pool, counts_as_reclaimable, TIME_LIMIT)
{
	const __u64 before = meminfo_bytes("KReclaimable: %lld"), slack = LARGE_BYTES / 8;
	__u64 with, without;

	ASSERT_EQ(0, use_and_free(self->heap, LARGE_BYTES));
	ASSERT_LT(LARGE_BYTES / 2, read_pool().total);
	with = meminfo_bytes("KReclaimable: %lld");
	EXPECT_LT(before + read_pool().total, with + slack);
	empty_pool();
	ASSERT_TRUE(wait_for_pool(0));
	without = meminfo_bytes("KReclaimable: %lld");
	EXPECT_LT(without + LARGE_BYTES / 4, with);
}

TEST_F_TIMEOUT(pool, shrinks_on_drop_caches, TIME_LIMIT)
{
	ASSERT_EQ(0, use_and_free(self->heap, LARGE_BYTES));
	ASSERT_LT(LARGE_BYTES / 2, read_pool().total);
	ASSERT_EQ(0, write_file(DROP_CACHES, "2"));
	EXPECT_GE(LARGE_BYTES / 16, read_pool().total);
}

/* A child that touches @bytes, the first to be killed.  Returns what it ended with. */
static int touch_memory(size_t bytes)
{
	const pid_t child = fork();
	int status;
	char *map;

	if (!child) {
		if (write_file("/proc/self/oom_score_adj", "1000"))
			_exit(1);
		map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (map == MAP_FAILED)
			_exit(1);
		for (size_t at = 0; at < bytes; at += page_size())
			map[at] = 1;
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return status;
}

/*
 * The bug, of another pool: freed memory waited for a thread, and the kernel killed
 * for want of it.  Here a process takes nearly all memory, first without a pool, then
 * while the pool has an eighth of it.
 */
TEST_F_TIMEOUT(pool, yields_to_memory_hog, TIME_LIMIT)
{
	const long long kills = read_numbers("/proc/vmstat", "oom_kill %lld");
	const __u64 total = meminfo_bytes("MemTotal: %lld");
	__u64 wanted;

	if (!may_fill_memory())
		SKIP(return, NEEDS_FILL_MEMORY);
	wanted = (meminfo_bytes("MemAvailable: %lld") - total / 32) & ~(page_size() - 1);
	set_pool_max(0);
	ASSERT_EQ(0, touch_memory(wanted));
	set_pool_max(total / 4);
	ASSERT_TRUE(wait_until_used(self->heap));
	ASSERT_EQ(0, use_and_free(self->heap, page_align(total / 8)));
	ASSERT_LT(total / 16, read_pool().total);
	EXPECT_EQ(0, touch_memory(wanted));
	EXPECT_EQ(kills, read_numbers("/proc/vmstat", "oom_kill %lld"));
	TH_LOG("%llu KiB are left in the pool", read_pool().total / KIB);
}

/* The hog wants more than there is, and nothing is in the pool when it is killed. */
TEST_F_TIMEOUT(pool, empties_before_oom_kill, TIME_LIMIT)
{
	const __u64 total = meminfo_bytes("MemTotal: %lld");
	int status;

	if (!may_fill_memory())
		SKIP(return, NEEDS_FILL_MEMORY);
	set_pool_max(total / 4);
	ASSERT_EQ(0, use_and_free(self->heap, page_align(total / 8)));
	ASSERT_TRUE(wait_for_clean_pool());
	ASSERT_LT(total / 16, read_pool().total);
	/* Who is killed may not have what it is about to touch, and the kernel says so. */
	write_file("/dev/kmsg", "<6>guest: @@ allow page allocation failure: order:0\n");
	status = touch_memory(total + meminfo_bytes("SwapTotal: %lld"));
	write_file("/dev/kmsg", "<6>guest: @@ expected\n");
	EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	EXPECT_EQ(0U, read_pool().total);
}

/* Rounds of buffers of all sizes, some of which are held for a while. */
static int mix_sizes(int heap, unsigned int seed)
{
	const size_t sizes[] = {
		SMALL_BYTES, 2 * SMALL_BYTES, MIB, 2 * MIB, 3 * MIB, 5 * MIB, 8 * MIB,
	};
	int held[MIXED_BUFFERS], ret = 0;

	memset(held, -1, sizeof(held));
	for (int round = 0; round < MIXED_ROUNDS && !ret; round++) {
		const int i = rand_r(&seed) / 16 % MIXED_BUFFERS;

		if (held[i] >= 0)
			close(held[i]);
		held[i] = heap_alloc(heap, sizes[rand_r(&seed) / 16 % ARRAY_SIZE(sizes)]);
		if (held[i] < 0)
			ret = -1;
		/* The thread needs its time as well. */
		if (round % 8 == 0)
			usleep(1000);
	}
	for (int i = 0; i < MIXED_BUFFERS; i++)
		close(held[i]);
	return ret;
}

/* Returns a new buffer, of which @res says how many leaves and entries it has. */
static int alloc_counted(int heap, int test, struct dmabuf_vmap_result *res)
{
	const int dmabuf = heap_alloc(heap, LARGE_BYTES);

	if (dmabuf >= 0 && vmap_test_once(test, dmabuf, DMABUF_VMAP_TEST_LEAVES, 0, res)) {
		close(dmabuf);
		return -1;
	}
	return dmabuf;
}

static int count_leaves(int heap, int test, struct dmabuf_vmap_result *res)
{
	return close(alloc_counted(heap, test, res));
}

TEST_F_TIMEOUT(pool, keeps_buffers_contiguous, TIME_LIMIT)
{
	struct dmabuf_vmap_result fresh, mixed;
	const int test = open_vmap_test();

	if (test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	set_pool_max(0);
	ASSERT_EQ(0, count_leaves(self->heap, test, &fresh));
	set_pool_max(MAX_BYTES);
	ASSERT_EQ(0, count_leaves(self->heap, test, &mixed));
	ASSERT_EQ(0, mix_sizes(self->heap, 1));
	ASSERT_EQ(0, count_leaves(self->heap, test, &mixed));
	TH_LOG("fresh: %llu leaves, %u entries; then: %llu leaves, %u entries",
	       leaf_count(&fresh), fresh.nents, leaf_count(&mixed), mixed.nents);
	EXPECT_EQ(leaf_count(&fresh), leaf_count(&mixed));
	close(test);
}

/* Takes all of the pool in pieces, and releases these in random order. */
static int shuffle_pool(int heap, unsigned int seed)
{
	int pieces[NR_PIECES], ret = 0;

	for (unsigned int i = 0; i < NR_PIECES; i++) {
		pieces[i] = heap_alloc(heap, PIECE_BYTES);
		if (pieces[i] < 0)
			ret = -1;
	}
	for (unsigned int left = NR_PIECES; left; left--) {
		const unsigned int i = rand_r(&seed) / 16 % left;

		close(pieces[i]);
		pieces[i] = pieces[left - 1];
	}
	return ret;
}

/*
 * The memory of two buffers comes back in pieces, in no order.  The next buffer gets
 * those with the lowest addresses.  So it is in no more places than the two were
 * together.
 */
TEST_F_TIMEOUT(pool, reuses_neighbours, TIME_LIMIT)
{
	const int test = open_vmap_test();
	struct dmabuf_vmap_result fresh[2], next;
	int held[ARRAY_SIZE(fresh)];
	struct pool before, pool;

	if (test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	set_pool_max(0);
	for (size_t i = 0; i < ARRAY_SIZE(fresh); i++) {
		held[i] = alloc_counted(self->heap, test, &fresh[i]);
		ASSERT_LE(0, held[i]);
	}
	set_pool_max(MAX_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(fresh); i++)
		ASSERT_EQ(0, close(held[i]));
	before = read_pool();
	ASSERT_EQ(MAX_BYTES, before.total);

	ASSERT_EQ(0, shuffle_pool(self->heap, 1));
	pool = read_pool();
	if (pool.missed > before.missed)
		SKIP(return, "the pool has blocks of other sizes");
	ASSERT_EQ(MAX_BYTES, pool.total);
	ASSERT_TRUE(wait_for_clean_pool());

	ASSERT_EQ(0, count_leaves(self->heap, test, &next));
	EXPECT_EQ(LARGE_BYTES, read_pool().took_clean - pool.took_clean);
	TH_LOG("fresh: %u and %u entries; from the pool: %llu leaves, %u entries",
	       fresh[0].nents, fresh[1].nents, leaf_count(&next), next.nents);
	EXPECT_EQ(leaf_count(&fresh[0]), leaf_count(&next));
	EXPECT_GE(fresh[0].nents + fresh[1].nents, next.nents);
	close(test);
}

/* Bytes of the blocks that each tracepoint has named, in those fields that have a count. */
static void use_event(char *line, void *data)
{
	struct pool *traced = data;
	const struct {
		const char *name;
		__u64 *bytes;
	} events[] = {
		{ "keep", &traced->kept },
		{ "zero", &traced->zeroed },
		{ "take_clean", &traced->took_clean },
		{ "take_dirty", &traced->took_dirty },
		{ "give_back", &traced->gave_back },
	};
	const char *event = strstr(line, ": dma_heap_pool_");
	unsigned long long pfn;
	unsigned int order;
	char name[16];

	if (!event || sscanf(event, ": dma_heap_pool_%15[a-z_]: pfn=0x%llx order=%u nid=%*d",
			     name, &pfn, &order) != 3)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (!strcmp(name, events[i].name) && !(pfn & ((1ULL << order) - 1)))
			*events[i].bytes += page_size() << order;
}

/* Takes buffers until one is zeroed for its user; mostly, the first is. */
static int take_dirty(int heap)
{
	const __u64 before = read_pool().took_dirty;

	for (int i = 0; i < 100; i++) {
		if (use_and_free(heap, MIB) || use_and_free(heap, MIB))
			return -1;
		if (read_pool().took_dirty > before)
			return 0;
	}
	return -1;
}

/* Each block is in a trace for each time that it is in a count. */
TEST_F_TIMEOUT(pool, matches_tracepoints_with_counts, TIME_LIMIT)
{
	struct pool traced = {}, pool;

	/* Of a run that has failed. */
	rmdir(TRACES);
	if (mkdir(TRACES, 0755))
		SKIP(return, TRACES ": %s", strerror(errno));
	self->before = read_pool();
	ASSERT_EQ(0, write_file(TRACES "events/dma_heap_pool/enable", "1"));
	ASSERT_EQ(0, take_dirty(self->heap));
	ASSERT_TRUE(wait_for_clean_pool());
	ASSERT_EQ(0, use_and_free(self->heap, MIB));
	ASSERT_TRUE(wait_for_clean_pool());
	empty_pool();
	ASSERT_EQ(0, write_file(TRACES "events/dma_heap_pool/enable", "0"));
	pool = read_pool();
	ASSERT_EQ(0, read_lines(TRACES "trace", use_event, &traced));
	ASSERT_EQ(0, rmdir(TRACES));
	EXPECT_LT(0U, traced.took_clean);
	EXPECT_LT(0U, traced.took_dirty);
	EXPECT_LT(0U, traced.gave_back);
	EXPECT_EQ(pool.kept - self->before.kept, traced.kept);
	EXPECT_EQ(pool.zeroed - self->before.zeroed, traced.zeroed);
	EXPECT_EQ(pool.took_clean - self->before.took_clean, traced.took_clean);
	EXPECT_EQ(pool.took_dirty - self->before.took_dirty, traced.took_dirty);
	EXPECT_EQ(pool.gave_back - self->before.gave_back, traced.gave_back);
}

/*
 * As far as the freezer goes, whose test takes seconds: enough for all of the memory, if
 * the thread alone was not frozen.  It goes on when all others do.
 */
TEST_F_TIMEOUT(pool, survives_a_suspend, TIME_LIMIT)
{
	pid_t children[64];
	__u64 dirty;
	int n, ret;

	if (access(PM_TEST, W_OK))
		SKIP(return, PM_TEST ": %s", strerror(errno));
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(self->cpus), &self->cpus));
	n = hog_cpus(children, ARRAY_SIZE(children));
	ret = use_and_free(self->heap, LARGE_BYTES) ||
	      write_file(PM_TEST, "freezer") || write_file(PM_STATE, "mem");
	dirty = read_pool().dirty;
	kill_children(children, n);
	EXPECT_EQ(0, ret);
	EXPECT_EQ(0, write_file(PM_TEST, "none"));
	EXPECT_LT(0U, dirty);
	EXPECT_EQ(0, use_and_free(self->heap, 32 * MIB));
	EXPECT_TRUE(wait_for_clean_pool());
}

TEST_HARNESS_MAIN
