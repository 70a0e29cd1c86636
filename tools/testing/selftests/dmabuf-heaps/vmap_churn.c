// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel mappings that change while others look at them: pages in the middle of a
 * leaf that become read-only, and addresses that are mapped with PTEs, with large
 * leaves, and with PTEs again, on all CPUs.  Meanwhile others read the page tables,
 * /proc/kcore and /proc/vmallocinfo, as far as this kernel has them.
 *
 * The kernel side is DMABUF_VMAP_TEST.  Nothing here but a bound of flushes and the
 * leaves of a fresh buffer depends on vmap_sg().
 */
#include <elf.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

#include "trace_util.h"
#include "../kselftest_harness.h"

#define BUFFER_BYTES	(8 * MIB)
#define CHURN_BYTES	(8 * MIB)
#define CHURN_ROUNDS	48
/* Each replaces four page tables, if leaves are of 2 MiB. */
#define LOST_TABLES	(CHURN_ROUNDS * 2)
/* Of small and large mappings, one after the other, of each CPU. */
#define VMAP_ROUNDS	16
/* A page table that is lost in each of them is more than LOST_PAGES. */
#define LEAK_ROUNDS	512
#define LOST_PAGES	(LEAK_ROUNDS / 2)
/* A PTE table for 2 MiB each, where pages are of 4 KiB. */
#define REPLACED_TABLES	64

#define KCORE		"/proc/kcore"
#define READ_BYTES	(64 * KIB)
/* Of what is in a buffer. */
#define SEED		1
/* Between two readings, in us: while page tables are read, none is replaced. */
#define READ_PAUSE	20000
/* How often to map for leaves that have to replace tables. */
#define MAX_TRIES	500

/* What the test tells its readers, and they tell it. */
struct shared {
	bool stop;
	__u64 kva;			/* what is looked at, written before @bytes */
	size_t bytes;			/* its size, or 0 if there is nothing yet */
	unsigned long readings[];	/* how often each has read all that it reads */
};

/* Reads all of @file. */
static int read_all(const char *file)
{
	static char buf[READ_BYTES];
	const int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		;
	close(fd);
	return n;
}

static bool has_seed(const __u64 *words, size_t nr, size_t first)
{
	return first_not_pattern(words, nr, SEED, first) == nr;
}

/* Where in /proc/kcore @kva is, -1 if nowhere. */
static off_t kcore_offset(int fd, __u64 kva)
{
	Elf64_Ehdr header;

	if (pread(fd, &header, sizeof(header), 0) != sizeof(header))
		return -1;
	for (int i = 0; i < header.e_phnum; i++) {
		const off_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
		Elf64_Phdr part;

		if (pread(fd, &part, sizeof(part), at) != sizeof(part))
			return -1;
		if (part.p_type == PT_LOAD && kva >= part.p_vaddr &&
		    kva - part.p_vaddr < part.p_memsz)
			return part.p_offset + (kva - part.p_vaddr);
	}
	errno = ENXIO;
	return -1;
}

/* Reads [@kva, @kva + @bytes); with @check, it has to be the pattern of SEED. */
static int read_kcore_range(__u64 kva, __u64 bytes, bool check)
{
	static __u64 buf[READ_BYTES / sizeof(__u64)];
	const int fd = open(KCORE, O_RDONLY | O_CLOEXEC);
	off_t at;

	if (fd < 0)
		return -1;
	at = kcore_offset(fd, kva);
	for (__u64 done = 0; at >= 0 && done < bytes; done += sizeof(buf)) {
		if (pread(fd, buf, sizeof(buf), at + done) != sizeof(buf)) {
			at = -1;
		} else if (check && !has_seed(buf, ARRAY_SIZE(buf), done / sizeof(*buf))) {
			errno = EILSEQ;
			at = -1;
		}
	}
	close(fd);
	return at < 0 ? -1 : 0;
}

static int read_kcore(const struct shared *shared)
{
	const size_t bytes = __atomic_load_n(&shared->bytes, __ATOMIC_ACQUIRE);

	if (!bytes)
		return access(KCORE, R_OK);
	return read_kcore_range(shared->kva, bytes, false);
}

/* The second name is that of other architectures. */
static const char * const readers[][2] = {
	{ "/sys/kernel/debug/page_tables/kernel", "/sys/kernel/debug/kernel_page_tables" },
	/* Walks all of the kernel's tables as well, for pages that can be written and run. */
	{ "/sys/kernel/debug/check_wx_pages" },
	{ KCORE },
	{ "/proc/vmallocinfo" },
};

#define NR_READERS	ARRAY_SIZE(readers)

static int read_once(size_t i, const struct shared *shared)
{
	if (!strcmp(readers[i][0], KCORE))
		return read_kcore(shared);
	if (!read_all(readers[i][0]))
		return 0;
	return readers[i][1] ? read_all(readers[i][1]) : -1;
}

/* Ends with 0, or with an errno: ENOENT if this kernel does not have it. */
static pid_t start_reader(struct shared *shared, size_t i)
{
	const pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		if (read_once(i, shared))
			_exit(errno ?: EIO);
		__atomic_fetch_add(&shared->readings[i], 1, __ATOMIC_RELAXED);
		usleep(READ_PAUSE);
	}
	_exit(0);
}

static bool is_alive(pid_t pid)
{
	siginfo_t info = {};

	return !waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid;
}

static unsigned long readings(const struct shared *shared, size_t i)
{
	return __atomic_load_n(&shared->readings[i], __ATOMIC_RELAXED);
}

/* Has each that is still there read everything once more? */
static void wait_for_readers(const struct shared *shared, const pid_t *pids)
{
	for (size_t i = 0; i < NR_READERS; i++) {
		const unsigned long before = readings(shared, i);

		/* The one that it is at may have begun before. */
		while (pids[i] > 0 && is_alive(pids[i]) && readings(shared, i) < before + 2)
			usleep(10000);
	}
}

static bool kernel_mapped_pages(const struct dmabuf_vmap_result *res)
{
	return !res->bad_pages && res->pages_checked;
}

/* Uncounted pages, and page tables: 7.3 counts those of the kernel. */
static long long uncounted_pages(struct memory *m)
{
	look(m);
	m->uncounted += meminfo_bytes("PageTables: %lld") / page_size();
	return m->uncounted;
}

static int replace(int test, __u64 bytes, __u32 rounds, struct dmabuf_vmap_replace *arg)
{
	*arg = (struct dmabuf_vmap_replace){ .bytes = bytes, .rounds = rounds };
	return ioctl(test, DMABUF_VMAP_TEST_REPLACE, arg);
}

static int say_failed(int cpu, const char *what, const struct dmabuf_vmap_result *res)
{
	printf("# CPU %d: %s: %s, %llu of %llu pages are wrong, first is %llu\n", cpu, what,
	       errno ? strerror(errno) : "no error", res->bad_pages, res->pages_checked,
	       res->first_bad_page);
	fflush(stdout);
	return 1;
}

static int replace_on(int cpu, void *data)
{
	const int test = open_vmap_test();
	struct dmabuf_vmap_replace arg = {};

	if (replace(test, CHURN_BYTES, CHURN_ROUNDS, &arg))
		return say_failed(cpu, "REPLACE", &arg.large);
	errno = 0;
	if (!kernel_mapped_pages(&arg.small))
		return say_failed(cpu, "by pages", &arg.small);
	if (!kernel_mapped_pages(&arg.large))
		return say_failed(cpu, "by leaves", &arg.large);
	close(test);
	return 0;
}

/* Addresses come from vmap() itself: mostly those that another CPU has just left. */
static int vmap_on(int cpu, void *data)
{
	const int test = open_vmap_test();

	for (int i = 0; i < 3 * VMAP_ROUNDS; i++) {
		struct dmabuf_vmap_layout arg = {
			.layout = DMABUF_VMAP_LAYOUT_APART,
			.entry = i & 1 ? DMABUF_VMAP_ENTRY_SG : DMABUF_VMAP_ENTRY_PAGES,
			.bytes = CHURN_BYTES,
			.block = i % 3 == 1 ? CHURN_BYTES : page_size(),
			.rounds = 1,
		};

		if (ioctl(test, DMABUF_VMAP_TEST_LAYOUT, &arg))
			return say_failed(cpu, "LAYOUT", &arg.result);
		errno = 0;
		if (!kernel_mapped_pages(&arg.result))
			return say_failed(cpu, "vmap", &arg.result);
	}
	close(test);
	return 0;
}

/* A buffer that is kept mapped, and who looks at that. */
FIXTURE(mapping)
{
	struct shared *shared;
	pid_t readers[NR_READERS];
	int heap;
	int test;
	int dmabuf;
	__u64 *map;
};

FIXTURE_VARIANT(mapping)
{
	bool with_readers;
};

FIXTURE_VARIANT_ADD(mapping, alone) { .with_readers = false };
FIXTURE_VARIANT_ADD(mapping, with_readers) { .with_readers = true };

FIXTURE_SETUP(mapping)
{
	const char *missing = open_both(&self->heap, &self->test);

	if (missing)
		SKIP(return, "%s: %s", missing, strerror(errno));
	self->shared = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->shared);
	self->dmabuf = heap_alloc(self->heap, BUFFER_BYTES);
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
	self->map = map_dmabuf(self->dmabuf, BUFFER_BYTES);
	ASSERT_NE(NULL, self->map);
	for (size_t i = 0; variant->with_readers && i < NR_READERS; i++) {
		self->readers[i] = start_reader(self->shared, i);
		ASSERT_LT(0, self->readers[i]);
	}
}

FIXTURE_TEARDOWN(mapping)
{
	if (!self->shared)
		return;
	wait_for_readers(self->shared, self->readers);
	__atomic_store_n(&self->shared->stop, true, __ATOMIC_RELAXED);
	for (size_t i = 0; i < NR_READERS; i++) {
		int status;

		if (self->readers[i] <= 0)
			continue;
		status = wait_child(self->readers[i]);
		if (WIFEXITED(status) && WEXITSTATUS(status) == ENOENT) {
			TH_LOG("this kernel has no %s", readers[i][0]);
			continue;
		}
		EXPECT_EQ(0, status)
			TH_LOG("%s: %s", readers[i][0], strerror(WEXITSTATUS(status)));
		TH_LOG("%s: read %lu times", readers[i][0], readings(self->shared, i));
	}
	munmap(self->map, BUFFER_BYTES);
	close(self->dmabuf);
	close(self->test);
	close(self->heap);
}

static int hold_mapping(int test, int dmabuf, struct shared *shared)
{
	struct dmabuf_vmap_hold arg;

	if (vmap_test_hold(test, dmabuf, &arg))
		return -1;
	shared->kva = arg.kva;
	__atomic_store_n(&shared->bytes, BUFFER_BYTES, __ATOMIC_RELEASE);
	return 0;
}

/* Returns whether anything is still mapped there. */
static int unhold_mapping(int test)
{
	struct dmabuf_vmap_hold arg;

	return vmap_test_unhold(test, &arg) ? -1 : !!arg.mapped;
}

/* Returns how many of the pages can be written to, or -1. */
static long long protect(int test, __u32 mode, __u64 page, __u64 pages)
{
	struct dmabuf_vmap_protect arg = {
		.offset = page * page_size(),
		.bytes = pages * page_size(),
		.mode = mode,
	};

	return ioctl(test, DMABUF_VMAP_TEST_PROTECT, &arg) ? -1 : (long long)arg.writable;
}

/* In blocks of two leaves or more, a buffer has nothing else with vmap_sg(). */
static bool should_be_leaves(const struct dmabuf_vmap_result *res)
{
	return kernel_has_vmap_sg() && !booted_with("nohugevmap") && res->pmd_leaf_size &&
	       res->bytes / res->nents >= 2 * res->pmd_leaf_size;
}

/* Where leaves replace page tables that are being read, they do not, so try again. */
static int hold_with_leaves(int test, int dmabuf, struct shared *shared)
{
	struct dmabuf_vmap_result res;

	for (int i = 0; i < MAX_TRIES; i++) {
		if (hold_mapping(test, dmabuf, shared) ||
		    vmap_test_once(test, dmabuf, DMABUF_VMAP_TEST_LEAVES, 0, &res))
			return -1;
		if (!should_be_leaves(&res) || !res.pte_leaves)
			return 0;
		if (unhold_mapping(test))
			return -1;
		usleep(READ_PAUSE / 10);
	}
	errno = EBUSY;
	return -1;
}

/* The same through the kernel mapping, the device mapping, and /proc/kcore? */
static bool all_see_seed(int test, int dmabuf, const struct shared *shared,
			 const __u64 *map, struct dmabuf_vmap_result *res)
{
	const __u64 hash = dmabuf_vmap_test_hash(DMABUF_VMAP_TEST_HASH_INIT, map,
						 shared->bytes / sizeof(*map));

	if (vmap_test_once(test, dmabuf, DMABUF_VMAP_TEST_VERIFY | DMABUF_VMAP_TEST_LEAVES |
			   DMABUF_VMAP_TEST_HASH, 0, res))
		return false;
	if (read_kcore_range(shared->kva, shared->bytes, true) && errno != ENOENT) {
		printf("# " KCORE ": %s\n", strerror(errno));
		return false;
	}
	return has_seed(map, shared->bytes / sizeof(*map), 0) && !res->bad_pages &&
	       res->kernel_hash == hash && res->device_hash == hash;
}

/*
 * One page in the middle of a leaf, where there are leaves, and of a run of PTEs where
 * there are none.  x86 splits the leaf and leaves it so; arm64 refuses to touch what
 * vmap() and its like have mapped.
 */
TEST_F_TIMEOUT(mapping, changes_one_page_and_back, TIME_LIMIT)
{
	const size_t page = BUFFER_BYTES / page_size() / 2 + 100;
	const size_t pages = BUFFER_BYTES / page_size();
	struct dmabuf_vmap_result before, after;

	fill_words(self->map, BUFFER_BYTES / sizeof(__u64), SEED);
	ASSERT_EQ(0, hold_with_leaves(self->test, self->dmabuf, self->shared));
	EXPECT_TRUE(all_see_seed(self->test, self->dmabuf, self->shared, self->map, &before));
	TH_LOG("%llu leaves, %llu PTEs", before.pmd_leaves, before.pte_leaves);
	EXPECT_EQ(pages, protect(self->test, DMABUF_VMAP_PROTECT_LOOK, 0, pages));

	if (protect(self->test, DMABUF_VMAP_PROTECT_RO, page, 1) < 0) {
		TH_LOG("set_memory_ro(): %s", strerror(errno));
		EXPECT_TRUE(errno == EINVAL || errno == EOPNOTSUPP);
		EXPECT_EQ(pages, protect(self->test, DMABUF_VMAP_PROTECT_LOOK, 0, pages));
		EXPECT_TRUE(all_see_seed(self->test, self->dmabuf, self->shared, self->map,
					 &after));
		EXPECT_EQ(before.pmd_leaves, after.pmd_leaves);
		EXPECT_EQ(before.pte_leaves, after.pte_leaves);
		EXPECT_EQ(0, unhold_mapping(self->test));
		return;
	}
	EXPECT_EQ(pages - 1, protect(self->test, DMABUF_VMAP_PROTECT_LOOK, 0, pages));
	EXPECT_EQ(0, protect(self->test, DMABUF_VMAP_PROTECT_LOOK, page, 1));
	EXPECT_TRUE(all_see_seed(self->test, self->dmabuf, self->shared, self->map, &after));
	if (before.pmd_leaves) {
		EXPECT_EQ(before.pmd_leaves - 1, after.pmd_leaves);
		EXPECT_EQ(before.pte_leaves + before.pmd_leaf_size / page_size(),
			  after.pte_leaves);
	}

	EXPECT_EQ(1, protect(self->test, DMABUF_VMAP_PROTECT_RW, page, 1));
	EXPECT_EQ(pages, protect(self->test, DMABUF_VMAP_PROTECT_LOOK, 0, pages));
	EXPECT_TRUE(all_see_seed(self->test, self->dmabuf, self->shared, self->map, &after));
	/* The kernel writes through the split leaf, the user sees it. */
	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, DMABUF_VMAP_TEST_FILL, 2, &after));
	EXPECT_EQ(dmabuf_vmap_test_pattern(2, 0), self->map[0]);
	EXPECT_EQ(dmabuf_vmap_test_pattern(2, page * page_size() / sizeof(__u64)),
		  self->map[page * page_size() / sizeof(__u64)]);
	EXPECT_EQ(0, unhold_mapping(self->test));
}

/* One buffer: x86 splits its leaves of the direct mapping as well, once. */
static int protect_in_part(int test, int dmabuf, struct shared *shared, int first, int rounds)
{
	for (int i = first; i < first + rounds; i++) {
		const size_t page = i * 37 % (BUFFER_BYTES / page_size());

		if (hold_mapping(test, dmabuf, shared))
			return -1;
		if (protect(test, DMABUF_VMAP_PROTECT_RO, page, 1) >= 0 &&
		    protect(test, DMABUF_VMAP_PROTECT_RW, page, 1) != 1)
			return -1;
		if (unhold_mapping(test))
			return -1;
	}
	return 0;
}

TEST_F_TIMEOUT(mapping, frees_tables_of_split_leaves, TIME_LIMIT)
{
	struct memory before, after;
	long long lost;

	ASSERT_EQ(0, protect_in_part(self->test, self->dmabuf, self->shared, 0, LEAK_ROUNDS / 4));
	uncounted_pages(&before);
	ASSERT_EQ(0, protect_in_part(self->test, self->dmabuf, self->shared, 0, LEAK_ROUNDS));
	uncounted_pages(&after);
	lost = lost_pages(&before, &after);
	EXPECT_GE(LOST_PAGES, lost);
	TH_LOG("%lld pages fewer are free, %lld are lost", before.free - after.free, lost);
}

/* Leaves are split, on one CPU, while all of them map and unmap others nearby. */
TEST_F_TIMEOUT(mapping, protects_pages_while_others_map, TIME_LIMIT)
{
	const pid_t others = fork();
	int rounds = 0;

	if (!others) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(on_all_cpus(1, vmap_on, NULL));
	}
	ASSERT_LT(0, others);
	do {
		ASSERT_EQ(0, protect_in_part(self->test, self->dmabuf, self->shared, rounds, 1))
			TH_LOG("round %d: %s", rounds, strerror(errno));
		rounds++;
	} while (is_alive(others));
	EXPECT_EQ(0, wait_child(others));
	TH_LOG("%d rounds", rounds);
}

/*
 * Leaves replace page tables, and others may be walking these.  A table that is lost is
 * lost each time; what readers have just then, and nobody counts, is not.
 */
TEST_F_TIMEOUT(mapping, replaces_tables_on_all_cpus, TIME_LIMIT)
{
	struct memory before, after;
	long long lost = LLONG_MAX;

	/* Also what the readers of /proc/kcore look at. */
	ASSERT_EQ(0, hold_mapping(self->test, self->dmabuf, self->shared));
	EXPECT_EQ(0, on_all_cpus(1, replace_on, NULL));
	for (int tries = 0; tries < 3 && lost > LOST_TABLES; tries++) {
		uncounted_pages(&before);
		EXPECT_EQ(0, on_all_cpus(1, replace_on, NULL));
		uncounted_pages(&after);
		lost = lost_pages(&before, &after);
	}
	EXPECT_GE(LOST_TABLES, lost)
		TH_LOG("%lld pages are lost", lost);
	EXPECT_EQ(0, unhold_mapping(self->test));
}

TEST_F_TIMEOUT(mapping, vmaps_small_and_large_on_all_cpus, TIME_LIMIT)
{
	/* The addresses are free soon, and are read while others map them. */
	ASSERT_EQ(0, hold_mapping(self->test, self->dmabuf, self->shared));
	EXPECT_EQ(0, unhold_mapping(self->test));
	EXPECT_EQ(0, on_all_cpus(1, vmap_on, NULL));
}

/*
 * Mappings, and flushes that reach every CPU, because CPUs may cache an entry that was
 * a page table.  On arm64 pmd_free_pte_page() flushes.
 */
#define MAPS_A_RANGE	"vmap_page_range"
#define MAX_CALLS	1024

static const char * const traced[] = {
	MAPS_A_RANGE, "flush_tlb_kernel_range", "flush_tlb_all", "pmd_free_pte_page",
};

#define NR_TRACED	ARRAY_SIZE(traced)

static void use_traceable(char *line, void *data)
{
	char *functions = data;

	line[strcspn(line, "\n ")] = 0;
	for (size_t i = 0; i < NR_TRACED; i++) {
		if (!strcmp(line, traced[i]) && !strstr(functions, line))
			strcat(strcat(functions, line), " ");
	}
}

/* Calls of @functions within MAPS_A_RANGE, of one round: small, large, small. */
static int trace_replace(int test, const char *functions, struct dmabuf_vmap_replace *arg,
			 int *calls)
{
	__u64 ns[MAX_CALLS];
	int ret;

	if (fgraph_set(TRACEFS "set_graph_function", MAPS_A_RANGE) || fgraph_start(functions))
		return -1;
	ret = replace(test, arg->bytes, 1, arg);
	fgraph_stop();
	for (size_t i = 0; i < NR_TRACED; i++)
		calls[i] = fgraph_read(traced[i], ns, MAX_CALLS);
	fgraph_end();
	fgraph_set(TRACEFS "set_graph_function", "");
	return ret;
}

/*
 * The bound: one for each table of PMDs, which is what one flush can be of.  Without
 * vmap_sg(), there is one for each table that is replaced.
 */
static __u64 flushes_allowed(const struct dmabuf_vmap_result *res)
{
	if (!kernel_has_vmap_sg())
		return res->pmd_leaves;

	const __u64 reach = res->pmd_leaf_size * (page_size() / sizeof(__u64));

	return (res->kva + res->bytes - 1) / reach - res->kva / reach + 1;
}

/* PROTECT and REPLACE, one request at a time. */
FIXTURE(request)
{
	int heap;
	int test;
	int dmabuf;
	struct dmabuf_vmap_protect protect;
};

FIXTURE_SETUP(request)
{
	const char *missing = open_both(&self->heap, &self->test);

	if (missing)
		SKIP(return, "%s: %s", missing, strerror(errno));
	self->dmabuf = heap_alloc(self->heap, 4 * page_size());
	ASSERT_LE(0, self->dmabuf);
	self->protect = (struct dmabuf_vmap_protect){
		.offset = page_size(),
		.bytes = 3 * page_size(),
	};
}

FIXTURE_TEARDOWN(request)
{
	close(self->dmabuf);
	close(self->heap);
	close(self->test);
}

TEST_F_TIMEOUT(request, replaces_tables_with_few_flushes, TIME_LIMIT)
{
	struct dmabuf_vmap_replace arg;
	char functions[256] = "";
	int calls[NR_TRACED];

	/* Not each architecture has all of them. */
	if (read_lines(TRACEFS "available_filter_functions", use_traceable, functions) ||
	    !strstr(functions, MAPS_A_RANGE))
		SKIP(return, "no function tracer");
	/* Of 2 MiB; the first call says what a leaf is here. */
	ASSERT_EQ(0, replace(self->test, 2 * MIB, 1, &arg));
	if (!arg.large.pmd_leaf_size)
		SKIP(return, "vmalloc of this kernel has no PMD leaves");
	arg.bytes = REPLACED_TABLES * arg.large.pmd_leaf_size;
	if (arg.bytes > (__u64)sysconf(_SC_PHYS_PAGES) * page_size() / 4)
		SKIP(return, "not enough memory");
	ASSERT_EQ(0, trace_replace(self->test, functions, &arg, calls))
		TH_LOG("%s", strerror(errno));
	EXPECT_EQ(REPLACED_TABLES, arg.large.pmd_leaves);
	EXPECT_EQ(0U, arg.large.bad_pages);
	TH_LOG("%d CPUs, %llu tables replaced", (int)sysconf(_SC_NPROCESSORS_ONLN),
	       arg.large.pmd_leaves);
	for (size_t i = 0; i < NR_TRACED; i++)
		TH_LOG("%s(): %d calls", traced[i], calls[i]);
	EXPECT_EQ(3, calls[0]);
	EXPECT_GE(flushes_allowed(&arg.large), (__u64)calls[1] + calls[2]);
}

TEST_F(request, rejects_protect_without_hold)
{
	struct dmabuf_vmap_hold hold = { .fd = self->dmabuf };

	EXPECT_EQ(ENOENT, ioctl_errno(self->test, DMABUF_VMAP_TEST_PROTECT, &self->protect));
	ASSERT_EQ(0, ioctl_errno(self->test, DMABUF_VMAP_TEST_HOLD, &hold));
	EXPECT_EQ(3, protect(self->test, DMABUF_VMAP_PROTECT_LOOK, 1, 3));
	EXPECT_EQ(0, unhold_mapping(self->test));
	EXPECT_EQ(ENOENT, ioctl_errno(self->test, DMABUF_VMAP_TEST_PROTECT, &self->protect));
}

TEST_F(request, rejects_wrong_protect)
{
	struct dmabuf_vmap_hold hold = { .fd = self->dmabuf };
	const __u64 page = page_size();
	struct dmabuf_vmap_protect wrong[] = {
		{ .bytes = 0 },
		{ .bytes = page + 1 },
		{ .bytes = 5 * page },
		{ .bytes = -page },
		{ .bytes = page, .offset = 1 },
		{ .bytes = page, .offset = 4 * page },
		{ .bytes = page, .offset = -page },
		{ .bytes = page, .mode = DMABUF_VMAP_PROTECT_RW + 1 },
		{ .bytes = page, .reserved = 1 },
	};

	ASSERT_EQ(0, ioctl_errno(self->test, DMABUF_VMAP_TEST_HOLD, &hold));
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(EINVAL, ioctl_errno(self->test, DMABUF_VMAP_TEST_PROTECT, &wrong[i]))
			TH_LOG("case %zu", i);
	}
	EXPECT_EQ(EFAULT, ioctl_errno(self->test, DMABUF_VMAP_TEST_PROTECT, NULL));
	EXPECT_EQ(0, unhold_mapping(self->test));
}

/* Or it is the next user of these pages that cannot write. */
TEST_F(request, restores_write_access_on_unhold)
{
	struct dmabuf_vmap_hold hold = { .fd = self->dmabuf };
	struct dmabuf_vmap_result res;

	ASSERT_EQ(0, ioctl_errno(self->test, DMABUF_VMAP_TEST_HOLD, &hold));
	if (protect(self->test, DMABUF_VMAP_PROTECT_RO, 1, 2) < 0)
		SKIP(return, "set_memory_ro(): %s", strerror(errno));
	EXPECT_EQ(2, protect(self->test, DMABUF_VMAP_PROTECT_LOOK, 0, 4));
	EXPECT_EQ(0, unhold_mapping(self->test));
	EXPECT_EQ(0, vmap_test_once(self->test, self->dmabuf, DMABUF_VMAP_TEST_FILL |
				    DMABUF_VMAP_TEST_HASH, 1, &res));
	EXPECT_EQ(res.kernel_hash, res.device_hash);
}

TEST_F(request, replaces_two_pages)
{
	struct dmabuf_vmap_replace arg;

	ASSERT_EQ(0, replace(self->test, 2 * page_size(), 3, &arg));
	EXPECT_EQ(1U, arg.small.pte_leaves);
	EXPECT_EQ(6U, arg.small.pages_checked);
	EXPECT_EQ(6U, arg.large.pages_checked);
	EXPECT_EQ(0U, arg.small.bad_pages + arg.large.bad_pages);
	EXPECT_EQ(DMABUF_VMAP_TEST_NO_PAGE, arg.large.first_bad_page);
}

TEST_F(request, rejects_wrong_replace)
{
	const __u64 page = page_size();
	struct dmabuf_vmap_replace wrong[] = {
		{ .bytes = 0, .rounds = 1 },
		{ .bytes = page, .rounds = 1 },
		{ .bytes = 2 * page + 1, .rounds = 1 },
		{ .bytes = DMABUF_VMAP_TEST_MAX_BYTES + page, .rounds = 1 },
		{ .bytes = -2 * page, .rounds = 1 },
		{ .bytes = 2 * page, .rounds = 0 },
		{ .bytes = 2 * page, .rounds = DMABUF_VMAP_TEST_MAX_ROUNDS + 1 },
		{ .bytes = 2 * page, .rounds = 1, .reserved = 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(EINVAL, ioctl_errno(self->test, DMABUF_VMAP_TEST_REPLACE, &wrong[i]))
			TH_LOG("case %zu", i);
	}
	EXPECT_EQ(EFAULT, ioctl_errno(self->test, DMABUF_VMAP_TEST_REPLACE, NULL));
}

TEST_F(request, rejects_short_struct)
{
	struct dmabuf_vmap_replace arg = { .bytes = 2 * page_size(), .rounds = 1 };

	EXPECT_EQ(EINVAL, ioctl_of_size_errno(self->test, DMABUF_VMAP_TEST_PROTECT,
					      sizeof(self->protect) - 1, &self->protect));
	EXPECT_EQ(EINVAL, ioctl_of_size_errno(self->test, DMABUF_VMAP_TEST_REPLACE,
					      sizeof(arg) - 1, &arg));
}

TEST_HARNESS_MAIN
