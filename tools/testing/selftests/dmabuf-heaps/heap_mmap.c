// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of buffers of the system heap: that they have PMD leaves where these fit,
 * and that everything that splits, moves or drops a leaf leaves the data where it was.
 *
 * The pages of a buffer are numbered.  All but what is said of leaves holds for every
 * heap, so the tests run in kernels without vmap_sg() as well.
 */
#include <linux/io_uring.h>
#include <linux/mman.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "heap_util.h"
#include "../kselftest_harness.h"

#define HUGEPAGE	"/sys/kernel/mm/transparent_hugepage/"
/* Leaves in a buffer, which has some pages beside them. */
#define LEAVES		4
#define MORE_PAGES	5
/* Pages that a leaf has where none fits into memory, or where there are none. */
#define LEAF_PAGES	512
/* Of a buffer in pieces of many sizes. */
#define PIECES_PAGES	600
/* Page tables that other mappings may come to meanwhile. */
#define OTHER_TABLES	8
/* Of a thread that changes what others use. */
#define CHANGES		200
#define NOBODY		65534

FIXTURE(mapping)
{
	int heap;
	int test;	/* in-kernel test user, -1 if there is none */
	int dmabuf;
	bool leaves;	/* are expected */
	size_t page;
	size_t leaf;
	size_t bytes;
	long long tables;
	char *map;
};

static __u64 *first_word(char *map, size_t i)
{
	return (__u64 *)(map + i * page_size());
}

static void read_at(const char *at)
{
	__atomic_load_n(at, __ATOMIC_RELAXED);
}

/* The page of the stack that the kernel fills in is written before, not to be counted. */
static long minor_faults(void)
{
	struct rusage usage = {};

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* A multiple of @align, with nothing mapped for @bytes from there on and before. */
static char *find_hole(size_t bytes, size_t align)
{
	char *map = mmap(NULL, bytes + 2 * align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	munmap(map, bytes + 2 * align);
	return (char *)(((uintptr_t)map + align) & ~(align - 1));
}

/* Returns the signal that kills a process that writes there, 0 if it may. */
static int signal_of_write(char *at)
{
	const pid_t child = fork();
	int status;

	if (!child) {
		prctl(PR_SET_DUMPABLE, 0);
		__atomic_fetch_or(at, 0, __ATOMIC_RELAXED);
		_exit(0);
	}
	status = wait_child(child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : status;
}

FIXTURE_SETUP(mapping)
{
	long long size = read_numbers(HUGEPAGE "hpage_pmd_size", "%lld");

	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	self->test = open_vmap_test();
	self->page = page_size();
	self->leaf = size;
	self->leaves = size > 0 && kernel_has(" T vmf_map_leaf\n");
	if (size <= 0 || !memory_for(LEAVES * self->leaf)) {
		self->leaf = LEAF_PAGES * self->page;
		self->leaves = false;
	}
	self->bytes = LEAVES * self->leaf + MORE_PAGES * self->page;
	self->dmabuf = heap_alloc(self->heap, self->bytes);
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
	self->tables = table_kib();
	self->map = map_dmabuf(self->dmabuf, self->bytes);
	ASSERT_NE(NULL, self->map);
	number_pages(self->map, self->bytes, 0);
}

FIXTURE_TEARDOWN(mapping)
{
	if (self->map)
		munmap(self->map, self->bytes);
	close(self->dmabuf);
	close(self->test);
	close(self->heap);
}

#define expect_all_there() \
	EXPECT_TRUE(is_numbered(self->map, self->bytes, 0))

/* All of the buffer is where it belongs, seen through another mapping. */
static bool buffer_is_numbered(int dmabuf, size_t bytes)
{
	char *map = map_dmabuf(dmabuf, bytes);
	const bool ok = map && is_numbered(map, bytes, 0);

	munmap(map, bytes);
	return ok;
}

/* Where nothing else is mapped.  MAP_FAILED on error. */
static char *map_at(char *at, size_t bytes, int fd, off_t offset)
{
	return mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, fd,
		    offset);
}

/* @past a multiple of @leaf, with nothing near it.  MAP_FAILED on error. */
static char *map_past(size_t leaf, size_t past, size_t bytes, int fd, off_t offset)
{
	return map_at(find_hole(bytes + leaf, leaf) + past, bytes, fd, offset);
}

/* All of @from moves.  MAP_FAILED on error. */
static char *move_to(char *to, char *from, size_t bytes)
{
	return mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

/* What page tables map, from @map on. */
static int count_leaves(int test, char *map, size_t bytes, struct dmabuf_vmap_user *user)
{
	*user = (struct dmabuf_vmap_user){ .addr = (uintptr_t)map, .bytes = bytes };
	return ioctl(test, DMABUF_VMAP_TEST_USER, user);
}

#define EXPECT_LEAVES(pmds, ptes, map, size) do { \
	struct dmabuf_vmap_user _user; \
	ASSERT_EQ(0, count_leaves(self->test, map, size, &_user)); \
	EXPECT_EQ((__u64)(pmds), _user.pmd_leaves); \
	EXPECT_EQ((__u64)(ptes), _user.pte_leaves); \
	EXPECT_EQ(0U, _user.cont_leaves); \
} while (0)

TEST_F(mapping, has_leaves)
{
	const long long kib = LEAVES * self->leaf / self->page * sizeof(void *) / KIB;

	if (!self->leaves)
		SKIP(return, "no leaves in this kernel");
	EXPECT_EQ(0UL, (uintptr_t)self->map % self->leaf);
	EXPECT_LT(table_kib(), self->tables + kib);
	if (self->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	EXPECT_LEAVES(LEAVES, MORE_PAGES, self->map, self->bytes);
}

TEST_F(mapping, has_ptes_where_no_leaf_fits)
{
	char *at;

	if (!self->leaves || self->test < 0)
		SKIP(return, "no leaves in this kernel, or none to count them");
	at = map_past(self->leaf, self->page, self->bytes, self->dmabuf, 0);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_LEAVES(0, self->bytes / self->page, at, self->bytes);
	ASSERT_EQ(0, munmap(at, self->bytes));

	/* Where the offset agrees with the address again, there are leaves again. */
	ASSERT_EQ(at, map_at(at, self->bytes - self->page, self->dmabuf, self->page));
	EXPECT_LEAVES(LEAVES - 1, self->leaf / self->page - 1 + MORE_PAGES, at,
		      self->bytes - self->page);
	EXPECT_TRUE(is_numbered(at, self->bytes - self->page, 1));
	ASSERT_EQ(0, munmap(at, self->bytes - self->page));
}

/* The one that is split is a hole, then a table's worth of PTEs after one fault. */
TEST_F(mapping, refaults_whole_table)
{
	const size_t ptes = self->leaf / self->page;
	char *leaf = self->map + self->leaf;
	long faults;

	if (!self->leaves || self->test < 0)
		SKIP(return, "no leaves in this kernel, or none to count them");
	ASSERT_EQ(0, mprotect(leaf + self->leaf - self->page, self->page, PROT_READ));
	EXPECT_LEAVES(LEAVES - 1, MORE_PAGES, self->map, self->bytes);
	faults = minor_faults();
	read_at(leaf + 7 * self->page);
	EXPECT_LEAVES(0, ptes - 1, leaf, self->leaf);
	number_pages(leaf, self->leaf - self->page, ptes);
	EXPECT_GT(16, minor_faults() - faults);
	read_at(leaf + self->leaf - 1);
	EXPECT_LEAVES(LEAVES - 1, ptes + MORE_PAGES, self->map, self->bytes);
	expect_all_there();
}

/* All of a leaf moves to where another one fits. */
TEST_F(mapping, keeps_leaf_on_mremap)
{
	char *to = find_hole(2 * self->leaf, self->leaf);
	const size_t half = self->leaf / 2;

	if (!self->leaves || self->test < 0)
		SKIP(return, "no leaves in this kernel, or none to count them");
	/* Split, and moved as a hole, which one fault fills. */
	ASSERT_EQ(to + half, move_to(to + half, self->map + half, self->leaf + half));
	EXPECT_LEAVES(1, 0, to, 2 * self->leaf);
	EXPECT_TRUE(is_numbered(to + half, self->leaf + half, half / self->page));
	EXPECT_LEAVES(1, half / self->page, to, 2 * self->leaf);
	EXPECT_TRUE(is_numbered(self->map, half, 0));
	ASSERT_EQ(0, munmap(to + half, self->leaf + half));
	ASSERT_EQ(0, munmap(self->map, half));
	ASSERT_EQ(0, munmap(self->map + 2 * self->leaf, self->bytes - 2 * self->leaf));
	self->map = NULL;
}

#define EXPECT_COUNTED(n) do { \
	struct dmabuf_vmap_user _user; \
	ASSERT_EQ(0, count_leaves(self->test, self->map, self->page, &_user)); \
	EXPECT_EQ((__u64)(n), _user.counted); \
} while (0)

/*
 * One that takes its operations away before it asks the exporter to map, and has
 * private data of its own; and one that counts its mappings.
 */
TEST_F(mapping, maps_for_importers)
{
	const off_t offsets[] = { 0, DMABUF_VMAP_TEST_COUNTED };
	struct dmabuf_vmap_hold hold = { .fd = self->dmabuf };

	if (self->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	ASSERT_EQ(0, ioctl(self->test, DMABUF_VMAP_TEST_HOLD, &hold));
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		char *map = map_past(self->leaf, 0, self->bytes, self->test, offsets[i]);
		struct dmabuf_vmap_user user;

		ASSERT_NE(MAP_FAILED, map);
		ASSERT_EQ(0, count_leaves(self->test, map, self->bytes, &user));
		EXPECT_EQ(self->leaves && !i ? (__u64)LEAVES : 0, user.pmd_leaves);
		EXPECT_EQ((__u64)i, user.counted);
		ASSERT_TRUE(is_numbered(map, self->bytes, 0));
		ASSERT_EQ(0, mprotect(map + 3 * self->page, self->page, PROT_READ));
		ASSERT_TRUE(is_numbered(map, self->bytes, 0));
		number_pages(map + 4 * self->page, 600 * self->page, 4);
		EXPECT_COUNTED(3 * i);
		ASSERT_EQ(0, munmap(map, self->bytes));
		EXPECT_COUNTED(0);
	}
	ASSERT_EQ(0, ioctl(self->test, DMABUF_VMAP_TEST_UNHOLD, &hold));
	expect_all_there();
}

/* As KVM and VFIO do, who take no references. */
static int follow(int test, char *map, size_t bytes, size_t first, bool write,
		  struct dmabuf_vmap_follow *found)
{
	*found = (struct dmabuf_vmap_follow){
		.addr = (uintptr_t)map, .bytes = bytes, .first = first, .write = write,
	};
	return ioctl(test, DMABUF_VMAP_TEST_FOLLOW, found);
}

#define EXPECT_FOLLOWED(map, size, number, most_faults) do { \
	struct dmabuf_vmap_follow _found; \
	ASSERT_EQ(0, follow(self->test, map, size, number, false, &_found)) \
		TH_LOG("follow: %s", strerror(errno)); \
	EXPECT_EQ(0U, _found.bad_pages); \
	EXPECT_GE((__u64)(most_faults), _found.faults); \
} while (0)

TEST_F(mapping, follows_pfn_as_kvm_and_vfio)
{
	const size_t from = self->leaf + self->leaf / 2, rest = self->bytes - from;
	char *page = self->map + self->leaf + 9 * self->page;
	struct dmabuf_vmap_follow found;
	char *to;

	if (self->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	EXPECT_FOLLOWED(self->map, self->bytes, 0, 0);
	ASSERT_EQ(0, follow(self->test, self->map, self->bytes, 0, true, &found));

	/* Three parts of a leaf, each of which one fault brings back. */
	ASSERT_EQ(0, mprotect(page, self->page, PROT_READ));
	EXPECT_FOLLOWED(self->map, self->bytes, 0, 3);
	ASSERT_EQ(0, follow(self->test, self->map, page - self->map, 0, true, &found));
	EXPECT_EQ(-1, follow(self->test, page, self->page, 9, true, &found));
	EXPECT_EQ(EACCES, errno);
	ASSERT_EQ(0, mprotect(page, self->page, PROT_READ | PROT_WRITE));

	/* What moves to where no leaf fits is faulted in by tables, with an odd start. */
	to = find_hole(self->bytes + self->leaf, self->leaf) + self->page;
	ASSERT_EQ(to, move_to(to, self->map + from, rest));
	EXPECT_FOLLOWED(to, rest, from / self->page, 2 * LEAVES);
	EXPECT_FOLLOWED(self->map, from, 0, 3);
	ASSERT_EQ(0, munmap(to, rest));
}

/* Leaves, and what comes back of one, have the protection that was asked for. */
TEST_F(mapping, keeps_the_protection_of_an_importer)
{
	struct dmabuf_vmap_hold hold = { .fd = self->dmabuf };
	struct dmabuf_vmap_follow found;
	char *map;

	if (self->test < 0 || !self->leaves)
		SKIP(return, "no test user, or the kernel overrides the memory type");
	ASSERT_EQ(0, ioctl(self->test, DMABUF_VMAP_TEST_HOLD, &hold));
	map = map_past(self->leaf, 0, self->bytes, self->test, DMABUF_VMAP_TEST_COMBINED);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, follow(self->test, self->map, self->bytes, 0, true, &found));
	EXPECT_EQ(0U, found.combined);
	ASSERT_EQ(0, follow(self->test, map, self->bytes, 0, true, &found));
	EXPECT_EQ(self->bytes / self->page, found.combined);
	ASSERT_EQ(0, mprotect(map + self->page, self->page, PROT_READ));
	ASSERT_EQ(0, follow(self->test, map, self->bytes, 0, false, &found));
	EXPECT_EQ(self->bytes / self->page, found.combined);
	EXPECT_EQ(3U, found.faults);
	ASSERT_EQ(0, munmap(map, self->bytes));
	ASSERT_EQ(0, ioctl(self->test, DMABUF_VMAP_TEST_UNHOLD, &hold));
}

/* A leaf would reach out of it, when it is made and when it comes back. */
TEST_F(mapping, maps_nothing_past_vma)
{
	const size_t bytes = 2 * self->leaf - self->page;
	char *map = map_past(self->leaf, 0, bytes, self->dmabuf, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_EQ(SIGSEGV, signal_of_write(map + bytes));
	EXPECT_EQ(0, signal_of_write(map + bytes - 1));

	/* One page less at the start, then again at the end. */
	ASSERT_EQ(0, munmap(map, self->page));
	EXPECT_EQ(0, signal_of_write(map + self->page));
	EXPECT_EQ(1U, *first_word(map, 1));
	EXPECT_EQ(SIGSEGV, signal_of_write(map));
	ASSERT_EQ(0, munmap(map + self->leaf - self->page, self->leaf));
	EXPECT_EQ(2U, *first_word(map, 2));
	EXPECT_EQ(SIGSEGV, signal_of_write(map + self->leaf - self->page));
	EXPECT_TRUE(is_numbered(map + self->page, self->leaf - 2 * self->page, 1));
	ASSERT_EQ(0, munmap(map, bytes));
}

TEST_F(mapping, populates_without_faults)
{
	char *map = map_dmabuf(self->dmabuf, self->bytes);
	long faults;

	ASSERT_NE(NULL, map);
	faults = minor_faults();
	number_pages(map, self->bytes, 0);
	EXPECT_EQ(0, minor_faults() - faults);
	ASSERT_EQ(0, munmap(map, self->bytes));
}

TEST_F(mapping, frees_page_tables)
{
	ASSERT_EQ(0, munmap(self->map, self->bytes));
	EXPECT_GE(self->tables + OTHER_TABLES * self->page / KIB, table_kib());
	self->map = NULL;
}

/* Offsets and lengths around those of leaves, at addresses that agree or do not. */
TEST_F(mapping, maps_any_part)
{
	const ssize_t leaf = self->leaf / self->page, all = self->bytes / self->page;
	const ssize_t firsts[] = { 0, 1, leaf - 1, leaf, leaf + 1, 2 * leaf, all - 1 };
	const ssize_t lengths[] = { 1, 2, leaf - 1, leaf, leaf + 1, 2 * leaf - 1, 2 * leaf,
				    2 * leaf + 1, 3 * leaf, all };

	for (size_t i = 0; i < ARRAY_SIZE(firsts); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(lengths); j++) {
			const size_t bytes = lengths[j] * self->page;
			char *map;

			if (firsts[i] + lengths[j] > all)
				continue;
			map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
				   self->dmabuf, firsts[i] * self->page);
			ASSERT_NE(MAP_FAILED, map);
			ASSERT_TRUE(is_numbered(map, bytes, firsts[i]));
			number_pages(map, bytes, firsts[i]);
			ASSERT_EQ(0, munmap(map, bytes));
		}
	}
	expect_all_there();
}

/* Pieces of at least three sizes: the heap has always had 1 MiB, 64 KiB and a page. */
TEST_F(mapping, maps_any_part_of_fragmented_buffer)
{
	const size_t steps[] = { 1, 3, 16, 17, 511, 512, 513, PIECES_PAGES };
	const int dmabuf = heap_alloc(self->heap, PIECES_PAGES * self->page);
	char *all = map_dmabuf(dmabuf, PIECES_PAGES * self->page);

	ASSERT_NE(NULL, all);
	number_pages(all, PIECES_PAGES * self->page, 0);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		const size_t bytes = steps[i] * self->page;

		for (size_t first = 0; first + steps[i] <= PIECES_PAGES;
		     first += 1 + steps[i] / 2) {
			char *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, dmabuf,
					 first * self->page);

			ASSERT_NE(MAP_FAILED, map);
			ASSERT_TRUE(is_numbered(map, bytes, first));
			ASSERT_EQ(0, munmap(map, bytes));
		}
	}
	munmap(all, PIECES_PAGES * self->page);
	close(dmabuf);
}

TEST_F(mapping, maps_at_any_address)
{
	for (size_t shift = 0; shift < 3; shift++) {
		char *map = map_past(self->leaf, shift * self->page, self->bytes, self->dmabuf,
				     0);

		ASSERT_NE(MAP_FAILED, map);
		ASSERT_TRUE(is_numbered(map, self->bytes, 0));
		number_pages(map, self->bytes, 0);
		ASSERT_EQ(0, munmap(map, self->bytes));
	}
	expect_all_there();
}

/* Over anonymous memory that has page tables, and leaves, of its own. */
TEST_F(mapping, replaces_anonymous_memory)
{
	char *hole = find_hole(self->bytes, self->leaf);
	char *map = mmap(hole, self->bytes, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ASSERT_EQ(hole, map);
	madvise(map, self->bytes / 2 & ~(self->leaf - 1), MADV_HUGEPAGE);
	memset(map, 1, self->bytes);
	ASSERT_EQ(map, mmap(map, self->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			    self->dmabuf, 0));
	EXPECT_TRUE(is_numbered(map, self->bytes, 0));
	ASSERT_EQ(0, munmap(map, self->bytes));
}

TEST_F(mapping, shows_same_content_to_processes)
{
	const pid_t child = fork();

	if (!child) {
		if (!is_numbered(self->map, self->bytes, 0))
			_exit(1);
		*first_word(self->map, 7) = 1007;
		_exit(munmap(self->map, self->bytes));
	}
	EXPECT_EQ(0, wait_child(child));
	EXPECT_EQ(1007U, *first_word(self->map, 7));
	*first_word(self->map, 7) = 7;
	expect_all_there();
}

TEST_F(mapping, stays_shared_after_fork)
{
	const pid_t child = fork();
	int status;

	if (!child) {
		raise(SIGSTOP);
		_exit(*first_word(self->map, 600) != 1600);
	}
	ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
	*first_word(self->map, 600) = 1600;
	kill(child, SIGCONT);
	EXPECT_EQ(0, wait_child(child));
	*first_word(self->map, 600) = 600;
}

TEST_F(mapping, outlives_its_descriptor)
{
	ASSERT_EQ(0, close(self->dmabuf));
	self->dmabuf = -1;
	expect_all_there();
}

/* A child that shares the table of descriptors makes a buffer, and ends. */
TEST_F(mapping, outlives_the_allocating_process)
{
	const pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	int dmabuf, status;
	char *map;

	if (!child) {
		dmabuf = heap_alloc(self->heap, self->bytes);
		map = map_dmabuf(dmabuf, self->bytes);
		if (!map)
			_exit(0);
		number_pages(map, self->bytes, 1);
		_exit(dmabuf);
	}
	status = wait_child(child);
	ASSERT_TRUE(WIFEXITED(status));
	dmabuf = WEXITSTATUS(status);
	ASSERT_LT(0, dmabuf);
	map = map_dmabuf(dmabuf, self->bytes);
	EXPECT_EQ(0, close(dmabuf));
	ASSERT_NE(NULL, map);
	EXPECT_TRUE(is_numbered(map, self->bytes, 1));
	EXPECT_EQ(0, munmap(map, self->bytes));
}

/* Copied on write, the buffer stays as it is. */
TEST_F(mapping, allows_private_if_contiguous)
{
	const struct {
		size_t first;
		size_t pages;
		int error;	/* that it may be refused with, 0 if it may not */
	} parts[] = {
		{ 123, 1, 0 },
		/* The largest pieces come first.  Without vmap_sg(), it depends on the kernel. */
		{ 0, 2, kernel_has_vmap_sg() ? 0 : EINVAL },
		{ 0, self->bytes / self->page, EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		const size_t bytes = parts[i].pages * self->page;
		char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, self->dmabuf,
				 parts[i].first * self->page);

		if (map == MAP_FAILED) {
			EXPECT_EQ(parts[i].error, errno)
				TH_LOG("%zu pages", parts[i].pages);
			continue;
		}
		EXPECT_TRUE(is_numbered(map, bytes, parts[i].first));
		memset(map, 0, bytes);
		EXPECT_EQ(0U, *first_word(map, 0));
		ASSERT_EQ(0, munmap(map, bytes));
	}
	expect_all_there();
}

TEST_F(mapping, keeps_its_data_when_a_page_is_protected)
{
	char *page = self->map + self->leaf + 9 * self->page;

	ASSERT_EQ(0, mprotect(page, self->page, PROT_READ));
	expect_all_there();
	EXPECT_EQ(SIGSEGV, signal_of_write(page));
	EXPECT_EQ(0, signal_of_write(page - self->page));
	EXPECT_EQ(0, signal_of_write(page + self->page));
	ASSERT_EQ(0, mprotect(page, self->page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, signal_of_write(page));
	number_pages(self->map, self->bytes, 0);
	EXPECT_TRUE(buffer_is_numbered(self->dmabuf, self->bytes));
}

TEST_F(mapping, keeps_its_data_when_all_is_protected)
{
	ASSERT_EQ(0, mprotect(self->map, self->bytes, PROT_NONE));
	EXPECT_EQ(SIGSEGV, signal_of_write(self->map));
	ASSERT_EQ(0, mprotect(self->map, self->bytes, PROT_READ));
	expect_all_there();
	EXPECT_EQ(SIGSEGV, signal_of_write(self->map + self->leaf));
	ASSERT_EQ(0, mprotect(self->map, self->bytes, PROT_READ | PROT_WRITE));
	number_pages(self->map, self->bytes, 0);
	EXPECT_TRUE(buffer_is_numbered(self->dmabuf, self->bytes));
}

TEST_F(mapping, rejects_write_to_read_only_mapping)
{
	char *map = mmap(NULL, self->bytes, PROT_READ, MAP_SHARED, self->dmabuf, 0);

	ASSERT_NE(MAP_FAILED, map);
	EXPECT_TRUE(is_numbered(map, self->bytes, 0));
	EXPECT_EQ(SIGSEGV, signal_of_write(map));
	EXPECT_EQ(SIGSEGV, signal_of_write(map + self->bytes - 1));
	ASSERT_EQ(0, mprotect(map, self->bytes, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, signal_of_write(map));
	ASSERT_EQ(0, munmap(map, self->bytes));
}

/* A leaf without its first page, one with a hole, and one without its end. */
TEST_F(mapping, keeps_rest_around_hole)
{
	const size_t rests[][2] = {
		{ self->page, self->leaf + 3 * self->page },
		{ self->leaf + 5 * self->page, 3 * self->leaf - self->page },
		{ 3 * self->leaf, self->bytes - self->page },
	};
	size_t end = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
		ASSERT_EQ(0, munmap(self->map + end, rests[i][0] - end));
		end = rests[i][1];
	}
	ASSERT_EQ(0, munmap(self->map + end, self->bytes - end));
	for (size_t i = 0; i < ARRAY_SIZE(rests); i++)
		EXPECT_TRUE(is_numbered(self->map + rests[i][0], rests[i][1] - rests[i][0],
					rests[i][0] / self->page));
	EXPECT_EQ(SIGSEGV, signal_of_write(self->map));
	EXPECT_TRUE(buffer_is_numbered(self->dmabuf, self->bytes));
}

/* To an address that leaves fit, or not, all of it or from a page within a leaf on. */
TEST_F(mapping, keeps_its_data_when_it_moves)
{
	const size_t from[] = { 0, self->leaf, self->leaf / 2, self->leaf + self->page };

	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		for (size_t shift = 0; shift < 2; shift++) {
			const size_t bytes = self->bytes - from[i];
			char *map = map_dmabuf(self->dmabuf, self->bytes);
			char *to = find_hole(self->bytes + self->leaf, self->leaf) +
				   shift * self->page;

			ASSERT_NE(NULL, map);
			ASSERT_EQ(to, move_to(to, map + from[i], bytes));
			ASSERT_TRUE(is_numbered(to, bytes, from[i] / self->page));
			ASSERT_TRUE(is_numbered(map, from[i], 0));
			number_pages(to, bytes, from[i] / self->page);
			ASSERT_EQ(0, munmap(to, bytes));
			munmap(map, from[i]);
		}
	}
	expect_all_there();
}

/* Both halves of a leaf move into one table, one after the other. */
TEST_F(mapping, keeps_data_when_halves_join)
{
	const size_t half = self->leaf / 2;
	char *map = map_dmabuf(self->dmabuf, self->bytes);
	char *to = find_hole(self->leaf, self->leaf);

	ASSERT_NE(NULL, map);
	ASSERT_EQ(to + half, move_to(to + half, map, half));
	EXPECT_EQ(0U, *first_word(to + half, 0));
	ASSERT_EQ(to, move_to(to, map + half, half));
	EXPECT_TRUE(is_numbered(to, half, half / self->page));
	EXPECT_TRUE(is_numbered(to + half, half, 0));
	ASSERT_EQ(0, munmap(to, self->leaf));
	ASSERT_EQ(0, munmap(map, self->bytes));
}

TEST_F(mapping, shrinks_but_rejects_growing)
{
	const size_t less = 2 * self->leaf - self->page;

	EXPECT_EQ(MAP_FAILED, mremap(self->map, self->bytes, self->bytes + self->page,
				     MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->map, 0, self->bytes, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(self->map, self->bytes, self->bytes,
				     MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(self->map, mremap(self->map, self->bytes, less, 0));
	EXPECT_TRUE(is_numbered(self->map, less, 0));
	EXPECT_EQ(SIGSEGV, signal_of_write(self->map + less));
	EXPECT_TRUE(buffer_is_numbered(self->dmabuf, self->bytes));
}

/* Advice that would drop pages is refused, the rest changes nothing. */
TEST_F(mapping, rejects_madvise_dropping_pages)
{
	const struct {
		int advice;
		int error;
	} cases[] = {
		{ MADV_DONTNEED, EINVAL },
		{ MADV_FREE, EINVAL },
		{ MADV_COLD, EINVAL },
		{ MADV_PAGEOUT, EINVAL },
		{ MADV_REMOVE, -1 },
		{ MADV_POPULATE_READ, -1 },
		{ MADV_POPULATE_WRITE, -1 },
		{ MADV_COLLAPSE, -1 },
		{ MADV_DOFORK, EINVAL },
		{ MADV_DODUMP, -1 },
		{ MADV_DONTFORK, 0 },
		{ MADV_DONTDUMP, 0 },
		{ MADV_RANDOM, 0 },
		{ MADV_NORMAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const int ret = madvise(self->map + self->page, self->leaf, cases[i].advice);

		EXPECT_EQ(-!!cases[i].error, ret)
			TH_LOG("advice %d", cases[i].advice);
		if (cases[i].error > 0) {
			EXPECT_EQ(cases[i].error, errno)
				TH_LOG("advice %d", cases[i].advice);
		}
		expect_all_there();
	}
}

TEST_F(mapping, survives_any_thp_madvise)
{
	madvise(self->map, self->bytes, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, mprotect(self->map + self->page, self->page, PROT_READ));
	expect_all_there();
	madvise(self->map, self->bytes, MADV_HUGEPAGE);
	ASSERT_EQ(0, mprotect(self->map + self->page, self->page, PROT_READ | PROT_WRITE));
	expect_all_there();
}

TEST_F(mapping, survives_any_thp_setting)
{
	const char * const modes[] = { "never", "madvise", "always" };
	char mode[64];

	if (read_choice(HUGEPAGE "enabled", mode, sizeof(mode)))
		SKIP(return, HUGEPAGE "enabled: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		char *map;

		ASSERT_EQ(0, write_file(HUGEPAGE "enabled", modes[i]));
		map = map_dmabuf(self->dmabuf, self->bytes);
		EXPECT_NE(NULL, map);
		EXPECT_TRUE(is_numbered(map, self->bytes, 0));
		EXPECT_EQ(0, mprotect(map + self->page, self->page, PROT_READ));
		EXPECT_TRUE(is_numbered(map, self->bytes, 0));
		EXPECT_EQ(0, munmap(map, self->bytes));
		expect_all_there();
	}
	ASSERT_EQ(0, write_file(HUGEPAGE "enabled", mode));
}

TEST_F(mapping, obeys_pr_set_thp_disable)
{
	const long long kib = LEAVES * self->leaf / self->page * sizeof(void *) / KIB;
	long long tables;
	char *map;

	if (!self->leaves)
		SKIP(return, "no leaves in this kernel");
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
	tables = table_kib();
	map = map_dmabuf(self->dmabuf, self->bytes);
	ASSERT_EQ(0, prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	ASSERT_NE(NULL, map);
	EXPECT_LE(tables + kib, table_kib());
	EXPECT_TRUE(is_numbered(map, self->bytes, 0));
	ASSERT_EQ(0, munmap(map, self->bytes));
}

TEST_F(mapping, accepts_mlock)
{
	ASSERT_EQ(0, mlock(self->map, self->bytes));
	expect_all_there();
	ASSERT_EQ(0, munlock(self->map + self->page, self->leaf));
	expect_all_there();
	ASSERT_EQ(0, mlockall(MCL_CURRENT));
	expect_all_there();
	ASSERT_EQ(0, munlockall());
}

/* Not populated: its pages are there, and are not those of the process. */
TEST_F(mapping, accepts_map_locked_and_populate)
{
	const int flags[] = { MAP_LOCKED, MAP_POPULATE, MAP_POPULATE | MAP_NONBLOCK };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		char *map = mmap(NULL, self->bytes, PROT_READ | PROT_WRITE,
				 MAP_SHARED | flags[i], self->dmabuf, 0);

		ASSERT_NE(MAP_FAILED, map);
		EXPECT_TRUE(is_numbered(map, self->bytes, 0));
		ASSERT_EQ(0, munmap(map, self->bytes));
	}
}

TEST_F(mapping, counts_for_rlimit_memlock)
{
	const struct rlimit limit = { 64 * KIB, 64 * KIB };
	const pid_t child = fork();

	if (!child) {
		if (setrlimit(RLIMIT_MEMLOCK, &limit) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(1);
		_exit(mlock(self->map, self->bytes) != -1 || errno != ENOMEM ||
		      mlock(self->map, self->page));
	}
	EXPECT_EQ(0, wait_child(child));
}

/* Many at once, at all offsets by pages: each is right, also while others go. */
TEST_F(mapping, maps_many_at_once)
{
	char *maps[40];

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		maps[i] = mmap(NULL, self->bytes - i * self->page, PROT_READ | PROT_WRITE,
			       MAP_SHARED, self->dmabuf, i * self->page);
		ASSERT_NE(MAP_FAILED, maps[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		const size_t j = (i * 7) % ARRAY_SIZE(maps);

		EXPECT_TRUE(is_numbered(maps[j], self->bytes - j * self->page, j));
		ASSERT_EQ(0, munmap(maps[j], self->bytes - j * self->page));
	}
	expect_all_there();
}

TEST_F(mapping, counts_for_rlimit_as)
{
	const long long now = read_numbers("/proc/self/status", "VmSize: %lld");
	struct rlimit limit, old;
	char *map;

	ASSERT_EQ(0, getrlimit(RLIMIT_AS, &old));
	limit = old;
	limit.rlim_cur = now * KIB + self->bytes - self->page;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, self->bytes, PROT_READ, MAP_SHARED, self->dmabuf, 0));
	EXPECT_EQ(ENOMEM, errno);
	limit.rlim_cur = now * KIB + self->bytes + 64 * KIB;
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	map = mmap(NULL, self->bytes, PROT_READ, MAP_SHARED, self->dmabuf, 0);
	EXPECT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &old));
	if (map != MAP_FAILED)
		munmap(map, self->bytes);
}

/* Whoever takes references of pages, or reads the memory of others, gets nothing. */
TEST_F(mapping, rejects_get_user_pages)
{
	const struct iovec remote = { self->map + self->page, 64 };
	char bytes[64];
	const struct iovec local = { bytes, sizeof(bytes) };
	int ends[2], mem;

	if (kernel_has(" process_vm_rw")) {
		EXPECT_EQ(-1, process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
		EXPECT_EQ(EFAULT, errno);
	}
	ASSERT_EQ(0, pipe(ends));
	EXPECT_EQ(-1, vmsplice(ends[1], &remote, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(64, write(ends[1], remote.iov_base, 64));	/* copied */
	close(ends[0]);
	close(ends[1]);
	mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, mem);
	EXPECT_EQ(-1, pread(mem, bytes, sizeof(bytes), (off_t)self->map));
	EXPECT_EQ(EIO, errno);
	close(mem);
}

/* Neither for its buffers nor for its rings. */
TEST_F(mapping, rejects_io_uring_registration)
{
	struct iovec part = { self->map, 64 * KIB };
	struct io_uring_params params = {};
	const int fd = syscall(SYS_io_uring_setup, 8, &params);

	if (access("/proc/sys/kernel/io_uring_disabled", F_OK))
		SKIP(return, "no io_uring");
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, syscall(SYS_io_uring_register, fd, IORING_REGISTER_BUFFERS, &part, 1));
	EXPECT_EQ(EFAULT, errno);
	close(fd);
	params = (struct io_uring_params){
		.flags = IORING_SETUP_NO_MMAP,
		.sq_off.user_addr = (uintptr_t)self->map,
		.cq_off.user_addr = (uintptr_t)self->map + self->leaf,
	};
	EXPECT_EQ(-1, syscall(SYS_io_uring_setup, LEAF_PAGES, &params));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(mapping, hides_pfns_from_pagemap)
{
	const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry;

	if (pagemap < 0)
		SKIP(return, "/proc/self/pagemap: %s", strerror(errno));
	ASSERT_EQ((ssize_t)sizeof(entry),
		  pread(pagemap, &entry, sizeof(entry),
			(uintptr_t)self->map / self->page * sizeof(entry)));
	EXPECT_EQ(0U, entry);
	close(pagemap);
}

TEST_F(mapping, rejects_ptrace_access)
{
	const pid_t child = fork();
	int status;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	errno = 0;
	EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, child, self->map, NULL));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, ptrace(PTRACE_CONT, child, NULL, NULL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
}

TEST_F(mapping, rejects_userfaultfd)
{
	const __u64 modes[][2] = {
		{ UFFDIO_REGISTER_MODE_MISSING, 0 },
		{ UFFDIO_REGISTER_MODE_WP, UFFD_FEATURE_WP_ASYNC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct uffdio_register reg = {
			.range = { (uintptr_t)self->map, self->leaf },
			.mode = modes[i][0],
		};
		struct uffdio_api api = { .api = UFFD_API, .features = modes[i][1] };
		const int uffd = syscall(__NR_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

		if (uffd < 0)
			SKIP(return, "userfaultfd: %s", strerror(errno));
		if (!ioctl(uffd, UFFDIO_API, &api)) {
			EXPECT_EQ(-1, ioctl(uffd, UFFDIO_REGISTER, &reg));
			EXPECT_EQ(EINVAL, errno);
		}
		close(uffd);
	}
}

struct smaps {
	char *map;
	bool inside;
	long long rss;
	bool is_raw;
};

static void use_smaps(char *line, void *data)
{
	struct smaps *smaps = data;
	unsigned long start, end;

	if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
		smaps->inside = start == (uintptr_t)smaps->map;
		if (smaps->inside && !strstr(line, "/dmabuf:"))
			smaps->inside = false;
	}
	if (!smaps->inside)
		return;
	if (sscanf(line, "Rss: %lld", &smaps->rss) == 1)
		return;
	if (!strncmp(line, "VmFlags:", 8))
		smaps->is_raw = strstr(line, " pf ") && strstr(line, " io ") &&
				strstr(line, " de ") && strstr(line, " dd ") &&
				strstr(line, " sh ");
}

/* Raw frames of the dma-buf, which are not of the process. */
TEST_F(mapping, adds_nothing_to_rss)
{
	struct smaps smaps = { .map = self->map, .rss = -1 };

	if (read_lines("/proc/self/smaps", use_smaps, &smaps))
		SKIP(return, "/proc/self/smaps: %s", strerror(errno));
	EXPECT_EQ(0, smaps.rss);
	EXPECT_TRUE(smaps.is_raw);
	expect_all_there();
}

#define CORE		"/tmp/heap_mmap.core"
#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

TEST_F(mapping, stays_out_of_core_dump)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	char pattern[256] = "";
	struct stat core = {};
	pid_t child;
	int status;

	if (read_text(CORE_PATTERN, pattern, sizeof(pattern)) ||
	    write_file(CORE_PATTERN, CORE))
		SKIP(return, CORE_PATTERN ": %s", strerror(errno));
	write_file("/proc/sys/kernel/core_uses_pid", "0");
	unlink(CORE);
	child = fork();
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &limit);
		abort();
	}
	status = wait_child(child);
	write_file(CORE_PATTERN, pattern);
	EXPECT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status));
	EXPECT_EQ(0, stat(CORE, &core));
	unlink(CORE);
	EXPECT_LT(0, core.st_size);
	EXPECT_GT((off_t)self->leaf, core.st_size);
	expect_all_there();
}

#define ZRAM		"/dev/zram0"

/* A device has no way to get at it but by the dma-buf. */
TEST_F(mapping, rejects_direct_io)
{
	int disk;

	if (system("modprobe -q zram") ||
	    write_file("/sys/block/zram0/disksize", "1048576"))
		SKIP(return, ZRAM ": %s", strerror(errno));
	disk = open(ZRAM, O_RDWR | O_DIRECT | O_CLOEXEC);
	EXPECT_LE(0, disk)
		TH_LOG(ZRAM ": %s", strerror(errno));
	if (disk >= 0) {
		EXPECT_EQ(-1, pwrite(disk, self->map, self->page, 0));
		EXPECT_EQ(EFAULT, errno);
		EXPECT_EQ(-1, pread(disk, self->map + self->leaf, self->page, 0));
		EXPECT_EQ(EFAULT, errno);
		close(disk);
	}
	write_file("/sys/block/zram0/reset", "1");
	expect_all_there();
}

/* Soft-dirty bits write-protect what is written later. */
TEST_F(mapping, accepts_write_after_clear_refs)
{
	if (write_file("/proc/self/clear_refs", "4"))
		SKIP(return, "/proc/self/clear_refs: %s", strerror(errno));
	ASSERT_EQ(0, mprotect(self->map, self->bytes, PROT_READ));
	ASSERT_EQ(0, mprotect(self->map, self->bytes, PROT_READ | PROT_WRITE));
	number_pages(self->map, self->bytes, 0);
	ASSERT_EQ(0, mprotect(self->map + self->page, self->page, PROT_READ));
	ASSERT_EQ(0, mprotect(self->map + self->page, self->page, PROT_READ | PROT_WRITE));
	number_pages(self->map, self->bytes, 0);
	EXPECT_TRUE(buffer_is_numbered(self->dmabuf, self->bytes));
}

/* A thread that uses a part of a mapping. */
struct worker {
	pthread_t thread;
	char *map;		/* its part */
	size_t first;		/* number of the first page there */
	size_t pages;
	bool stop;
	bool ok;		/* all pages were its own */
};

static void check_pages(struct worker *w)
{
	for (size_t i = 0; i < w->pages; i++)
		w->ok &= *first_word(w->map, i) == w->first + i;
}

/* Once, so that all threads fault at the same time. */
static void *read_pages(void *data)
{
	check_pages(data);
	return NULL;
}

static void *use_pages(void *data)
{
	struct worker *w = data;

	while (w->ok && !__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		check_pages(w);
		number_pages(w->map, w->pages * page_size(), w->first);
	}
	return NULL;
}

/* Parts of @pages each, one after the other. */
static int start_workers(struct worker *workers, int nr, void *(*work)(void *data), char *map,
			 size_t pages)
{
	int ret = 0;

	for (int i = 0; i < nr; i++) {
		workers[i] = (struct worker) {
			.map = map + i * pages * page_size(),
			.first = i * pages,
			.pages = pages,
			.ok = true,
		};
		ret |= pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	return ret;
}

/* Returns whether all of them found their pages. */
static bool stop_workers(struct worker *workers, int nr)
{
	bool ok = true;

	for (int i = 0; i < nr; i++)
		__atomic_store_n(&workers[i].stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < nr; i++)
		ok &= !pthread_join(workers[i].thread, NULL) && workers[i].ok;
	return ok;
}

TEST_F(mapping, stays_usable_while_split)
{
	const size_t part = self->leaf / self->page / 2;
	struct worker workers[3];

	ASSERT_EQ(0, start_workers(workers, 3, use_pages, self->map, part));
	for (int i = 0; i < CHANGES; i++) {
		/* beside what they use, in the leaf that they use */
		char *page = self->map + (3 * part + 1 + i % (part - 1)) * self->page;

		EXPECT_EQ(0, mprotect(page, self->page, i % 2 ? PROT_NONE : PROT_READ));
		EXPECT_EQ(0, mprotect(self->map, self->bytes, PROT_READ | PROT_WRITE));
	}
	EXPECT_TRUE(stop_workers(workers, 3));
	expect_all_there();
}

/* Others use one leaf while its neighbours are unmapped, moved away and mapped again. */
TEST_F(mapping, stays_usable_while_neighbours_change)
{
	const size_t part = self->leaf / self->page, rest = self->bytes - self->leaf;
	char *next = self->map + self->leaf, *to;
	struct worker workers[2];

	ASSERT_EQ(0, start_workers(workers, 2, use_pages, self->map, part / 2));
	to = find_hole(self->bytes, self->leaf);	/* which no stack of theirs fills */
	for (int i = 0; i < CHANGES / 4; i++) {
		char *moved = to + i % 3 * self->page;

		ASSERT_EQ(moved, move_to(moved, next, rest));
		EXPECT_EQ(part, *first_word(moved, 0));
		ASSERT_EQ(0, munmap(moved, rest));
		ASSERT_EQ(next, map_at(next, rest, self->dmabuf, self->leaf));
	}
	EXPECT_TRUE(stop_workers(workers, 2));
	expect_all_there();
}

/* All threads fault on the same leaf, which is missing. */
TEST_F(mapping, refaults_for_all_threads_at_once)
{
	char *last = self->map + self->leaf - self->page;
	struct worker workers[4];

	for (int round = 0; round < CHANGES / 4; round++) {
		ASSERT_EQ(0, munmap(self->map, self->bytes));
		ASSERT_EQ(self->map, map_at(self->map, self->bytes, self->dmabuf, 0));
		ASSERT_EQ(0, mprotect(last, self->page, PROT_READ));
		ASSERT_EQ(0, start_workers(workers, 4, read_pages, self->map,
					   self->leaf / self->page / 4));
		EXPECT_TRUE(stop_workers(workers, 4));
	}
	expect_all_there();
}

TEST_HARNESS_MAIN
