// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system heap where memory is short: what can be had is given, whoever can give
 * memory back is asked, and small buffers are made as they have always been.
 *
 * A kernel without vmap_sg() is tested as well, unless its heap would have the OOM killer
 * called.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "trace_util.h"
#include "../kselftest_harness.h"

#define LENDER		"/sys/kernel/debug/dma_buf_lender/"
#define BOOST_FACTOR	"/proc/sys/vm/watermark_boost_factor"
#define CGROUPS		"/sys/fs/cgroup"
#define GROUP		CGROUPS "/heap_pressure"
#define ACCOUNTING	"/sys/module/dma_heap/parameters/mem_accounting"
#define ALLOC_EVENT	TRACEFS "events/kmem/mm_page_alloc/"

/* From so many pages on, the heap has always had chunks of more than one. */
#define CHUNK_PAGES	16

#define MAX_BUFFERS	16384

static long long oom_kills(void)
{
	return read_numbers("/proc/vmstat", "oom_kill %lld");
}

/* For a buffer: memory of the CMA is for movable pages and for its own users. */
static __u64 available_bytes(void)
{
	const __u64 all = meminfo_bytes("MemAvailable: %lld");
	const __u64 cma = meminfo_bytes("CmaFree: %lld");

	return all > cma ? all - cma : 0;
}

/* The sum of a watermark of all zones: min, low or high. */
static __u64 watermark_bytes(const char *format)
{
	return read_numbers("/proc/zoneinfo", format) * page_size();
}

static int lend(const char *file, __u64 bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", bytes / page_size());
	return write_file(file, text);
}

/* Buffers that are closed at the end of a test. */
struct buffers {
	int heap;
	int nr;
	int dmabufs[MAX_BUFFERS];
};

static int keep_alloc(struct buffers *b, __u64 bytes)
{
	const int dmabuf = b->nr < MAX_BUFFERS ? heap_alloc(b->heap, bytes) : -1;

	if (dmabuf < 0)
		return -1;
	b->dmabufs[b->nr++] = dmabuf;
	return 0;
}

/*
 * kswapd that has found nothing to reclaim too often works again: in 6.12 as soon as
 * somebody has reclaimed anything, in 7.3 if all watermarks are met by that.
 */
static int revive_kswapd(int heap)
{
	const __u64 lent = meminfo_bytes("MemTotal: %lld") / 8;
	int dmabuf;

	if (lend(LENDER "shrinker", lent))
		return -1;
	dmabuf = heap_alloc(heap, page_align(free_bytes() + lent / 4));
	close(dmabuf);
	if (lend(LENDER "shrinker", 0) || dmabuf < 0)
		return -1;
	return read_numbers("/proc/zoneinfo", " node_unreclaimable: %lld") > 0 ? -1 : 0;
}

/*
 * Watermarks are boosted where memory gets in pieces, until kswapd has run: by half of
 * what a test here leaves free.
 */
static void end_boost(int heap)
{
	write_file(BOOST_FACTOR, "0");
	for (int i = 0; i < MAX_SECONDS && watermark_bytes(" boost %lld"); i++) {
		if (revive_kswapd(heap))
			return;
		sleep(1);
	}
}

/* A machine whose memory can be used up, and on which nobody is to be killed. */
FIXTURE(pressure)
{
	struct buffers *buffers;
	pid_t locker;
	long long kills;
};

/*
 * A child that locks memory until @left bytes are available, for each of @steps, and
 * says so.
 */
static void lock_memory(const __u64 *left, int steps, int go, int done)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < steps; i++) {
		if (read(go, &c, 1) != 1)
			_exit(1);
		while (available_bytes() > left[i]) {
			__u64 bytes = page_align((available_bytes() - left[i]) / 2 + 1);
			char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (map == MAP_FAILED || mlock(map, bytes))
				_exit(1);
		}
		if (write(done, &c, 1) != 1)
			_exit(1);
	}
	pause();
	_exit(0);
}

FIXTURE_SETUP(pressure)
{
	const struct rlimit files = { MAX_BUFFERS + 64, MAX_BUFFERS + 64 };
	const int heap = open_heap();

	if (heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	if (!may_fill_memory())
		SKIP(return, NEEDS_FILL_MEMORY);
	if (setrlimit(RLIMIT_NOFILE, &files))
		SKIP(return, "RLIMIT_NOFILE is below %d", MAX_BUFFERS);
	self->buffers = calloc(1, sizeof(*self->buffers));
	ASSERT_NE(NULL, self->buffers);
	self->buffers->heap = heap;
	self->kills = oom_kills();
	end_boost(heap);
}

FIXTURE_TEARDOWN(pressure)
{
	EXPECT_EQ(self->kills, oom_kills());
	if (self->locker > 0) {
		kill(self->locker, SIGKILL);
		waitpid(self->locker, NULL, 0);
	}
	lend(LENDER "shrinker", 0);
	write_file(BOOST_FACTOR, "15000");
	while (self->buffers->nr)
		close(self->buffers->dmabufs[--self->buffers->nr]);
	close(self->buffers->heap);
	free(self->buffers);
}

/*
 * The bug: the heap kept a part of all memory free, so that a machine with most of its
 * memory locked had no buffer at all.  The fix: the page allocator decides.
 */
TEST_F_TIMEOUT(pressure, allocates_with_memory_locked, TIME_LIMIT)
{
	const __u64 left[] = { 89 * MIB, 41 * MIB, 18 * MIB };
	int go[2], done[2];
	char c = 0;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(done));
	self->locker = fork();
	ASSERT_LE(0, self->locker);
	if (!self->locker) {
		close(go[1]);
		close(done[0]);
		lock_memory(left, ARRAY_SIZE(left), go[0], done[1]);
	}
	close(go[0]);
	close(done[1]);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		const __u64 sizes[] = { page_size(), MIB };

		ASSERT_EQ(1, write(go[1], &c, 1));
		ASSERT_EQ(1, read(done[0], &c, 1));
		for (size_t j = 0; j < ARRAY_SIZE(sizes); j++) {
			EXPECT_EQ(0, keep_alloc(self->buffers, sizes[j]))
				TH_LOG("%llu bytes, of %llu KiB available: %s", sizes[j],
				       available_bytes() / KIB, strerror(errno));
		}
	}
	close(go[1]);
	close(done[0]);
}

FIXTURE(lender)
{
	int heap;
	__u64 total;
	long long kills;
};

FIXTURE_VARIANT(lender)
{
	const char *file;
};

FIXTURE_VARIANT_ADD(lender, shrinker) { LENDER "shrinker" };
FIXTURE_VARIANT_ADD(lender, oom_notifier) { LENDER "oom" };

FIXTURE_SETUP(lender)
{
	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	self->total = meminfo_bytes("MemTotal: %lld");
	if (!may_fill_memory())
		SKIP(return, NEEDS_FILL_MEMORY);
	if (access(variant->file, F_OK))
		SKIP(return, "%s: %s", variant->file, strerror(errno));
	self->kills = oom_kills();
	ASSERT_EQ(0, lend(variant->file, self->total / 8 * 3))
		TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(lender)
{
	lend(variant->file, 0);
	EXPECT_EQ(self->kills, oom_kills());
	close(self->heap);
}

/*
 * The bug: a request was compared with an estimate that knows of no shrinker, and the
 * OOM notifiers were not asked.  The fix: what is counted nowhere may be had, and they
 * are.
 */
TEST_F_TIMEOUT(lender, gives_memory_to_heap, TIME_LIMIT)
{
	const long long lent = read_numbers(variant->file, "%lld");
	const __u64 bytes = page_align(free_bytes() + self->total / 4);
	int dmabuf;

	dmabuf = heap_alloc(self->heap, bytes);
	EXPECT_LE(0, dmabuf)
		TH_LOG("%llu MiB, with %llu free and %lld lent: %s", bytes / MIB,
		       free_bytes() / MIB, lent * (long long)page_size() / (long long)MIB,
		       strerror(errno));
	EXPECT_GT(lent, read_numbers(variant->file, "%lld"));
	close(dmabuf);
}

/* What the page allocator is asked for, by its trace event. */
FIXTURE(traced)
{
	int heap;
};

FIXTURE_VARIANT(traced)
{
	const char *limit;	/* of a group that is charged, NULL for none */
	__u64 bytes;		/* 0: all that is free, and some is kept by the kernel */
};

FIXTURE_VARIANT_ADD(traced, no_memory) { NULL, 0 };
FIXTURE_VARIANT_ADD(traced, full_group) { "8M", 64 * MIB };

static bool is_charged(void)
{
	const int fd = open(ACCOUNTING, O_RDONLY | O_CLOEXEC);
	char value = 0;

	if (fd < 0 || read(fd, &value, 1) != 1)
		value = 0;
	close(fd);
	return value == 'Y';
}

static int join_group(const char *limit)
{
	return write_file(CGROUPS "/cgroup.subtree_control", "+memory") ||
	       mkdir(GROUP, 0755) || write_file(GROUP "/memory.max", limit) ||
	       write_file(GROUP "/cgroup.procs", "0") ? -1 : 0;
}

static void leave_group(void)
{
	write_file(CGROUPS "/cgroup.procs", "0");
	rmdir(GROUP);
}

/* The kernel changes its code for that, see fgraph_set_tracer(). */
static int trace_allocs(bool on)
{
	const bool alone = getenv("TRACE_ALONE");
	char filter[32];
	int ret;

	snprintf(filter, sizeof(filter), "common_pid==%d", getpid());
	if (fgraph_set(ALLOC_EVENT "filter", on ? filter : "0"))
		return -1;
	if (alone && fgraph_set_cpus("0"))
		return -1;
	ret = fgraph_set(ALLOC_EVENT "enable", on ? "1" : "0");
	return alone && fgraph_set_cpus("1") ? -1 : ret;
}

FIXTURE_SETUP(traced)
{
	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	if (variant->limit && !is_charged())
		SKIP(return, "dma_heap.mem_accounting is off");
	empty_pool();
	if (fgraph_set(TRACEFS "trace", "") || trace_allocs(true))
		SKIP(return, ALLOC_EVENT ": %s", strerror(errno));
	if (!variant->limit)
		return;
	ASSERT_EQ(0, join_group(variant->limit))
		TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(traced)
{
	if (variant->limit)
		leave_group();
	EXPECT_EQ(0, trace_allocs(false));
	fgraph_set(TRACEFS "trace", "");
	close(self->heap);
}

/**
 * struct allocs - allocations for buffers, which may be in high memory
 * @single: of one page
 * @sleeping: of @single, those that let kswapd sleep, however little memory is left
 * @few: of less than CHUNK_PAGES
 * @many: of more
 * @zeroed: of @many, those that the page allocator was to zero
 * @last: the last line of @sleeping, @few or @zeroed
 */
struct allocs {
	int single;
	int sleeping;
	int few;
	int many;
	int zeroed;
	char last[LINE_BYTES];
};

static void use_alloc(char *line, void *data)
{
	struct allocs *allocs = data;
	const char *text = strstr(line, " order=");
	int order;

	if (!text || sscanf(text, " order=%d", &order) != 1)
		return;
	if (order < 0 || !strstr(line, "mm_page_alloc:") || !strstr(line, "HIGH"))
		return;
	/* Printed like that if it has __GFP_KSWAPD_RECLAIM, else flag by flag. */
	if (!order && !strstr(line, "GFP_HIGHUSER")) {
		allocs->sleeping++;
		snprintf(allocs->last, sizeof(allocs->last), "%s", line);
	}
	allocs->single += !order;
	if (order && 1 << order < CHUNK_PAGES) {
		allocs->few++;
		snprintf(allocs->last, sizeof(allocs->last), "%s", line);
	}
	if (1 << order < CHUNK_PAGES)
		return;
	allocs->many++;
	if (strstr(line, "__GFP_ZERO")) {
		allocs->zeroed++;
		snprintf(allocs->last, sizeof(allocs->last), "%s", line);
	}
}

/*
 * The bug: a request that failed, for want of memory or because its group had no more,
 * had zeroed most of what it asked for.  The fix: pages are zeroed when all are there.
 */
TEST_F_TIMEOUT(traced, fails_without_zeroing, TIME_LIMIT)
{
	const __u64 bytes = variant->bytes ?: free_or_cached_bytes();
	struct allocs allocs = {};

	if (!kernel_has_vmap_sg())
		SKIP(return, "the heap of this kernel allocates until the OOM killer comes");
	if (!variant->bytes && !may_fill_memory())
		SKIP(return, NEEDS_FILL_MEMORY);
	EXPECT_EQ(-1, heap_alloc(self->heap, bytes));
	EXPECT_EQ(ENOMEM, errno);
	ASSERT_EQ(0, read_lines(TRACEFS "trace", use_alloc, &allocs));
	EXPECT_LT(0, allocs.many);
	EXPECT_EQ(0, allocs.zeroed)
		TH_LOG("of %d: %s", allocs.many, allocs.last);
}

/*
 * The bug: a small buffer was a compound page, whose tail pages 6.12's KVM does not map
 * for a guest, and kswapd was not woken for it.  The fix: it is single pages, as it
 * always was, and for these kswapd is.
 */
TEST_F(traced, takes_single_pages_for_small_buffers)
{
	const int sizes[] = { 1, 2, 8, CHUNK_PAGES - 1, CHUNK_PAGES + 8, 100 };
	struct allocs allocs = {};

	if (variant->limit)
		SKIP(return, "same in all variants, run in one");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const int dmabuf = heap_alloc(self->heap, sizes[i] * page_size());

		ASSERT_LE(0, dmabuf);
		close(dmabuf);
	}
	ASSERT_EQ(0, read_lines(TRACEFS "trace", use_alloc, &allocs));
	EXPECT_LT(0, allocs.many);
	EXPECT_LT(0, allocs.single);
	EXPECT_EQ(0, allocs.few)
		TH_LOG("%s", allocs.last);
	EXPECT_EQ(0, allocs.sleeping)
		TH_LOG("of %d: %s", allocs.single, allocs.last);
}

TEST_HARNESS_MAIN
