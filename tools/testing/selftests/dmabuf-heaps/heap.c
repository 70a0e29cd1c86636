// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system heap as its users see it: what its ioctl makes of bad input, and what is
 * left when memory is short.  For mappings of buffers see heap_mmap.c.
 *
 * After every request, good or bad, there are as many descriptors and as many
 * dma-bufs as before.
 */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>

#include "heap_util.h"
#include "../kselftest_harness.h"

/* Buffers that use up all memory, and their number. */
#define BUFFER_BYTES	(8ULL << 20)
#define MAX_BUFFERS	((int)(FILL_MEMORY_MAX / BUFFER_BYTES))
#define MAX_SMALL_BUFFERS	10000
/* The limit of a memory cgroup, in buffers. */
#define GROUP_BUFFERS	8

/* Fills the tail of a struct that is longer than the kernel's. */
#define TAIL_BYTE	0x5a

static long long count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	long long n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int alloc_errno(int heap, struct dma_heap_allocation_data *data)
{
	return ioctl_errno(heap, DMA_HEAP_IOCTL_ALLOC, data);
}

static int alloc_of_size_errno(int heap, void *data, size_t size)
{
	return ioctl_of_size_errno(heap, DMA_HEAP_IOCTL_ALLOC, size, data);
}

/* The ioctl.  data is right, each test spoils one thing. */
FIXTURE(request)
{
	int heap;
	struct dma_heap_allocation_data data;
	long long fds;
	long long dmabufs;
};

FIXTURE_SETUP(request)
{
	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	self->data = (struct dma_heap_allocation_data){
		.len = page_size(),
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	self->fds = count_fds();
	self->dmabufs = count_dmabufs();
	ASSERT_LT(0, self->fds);
	if (self->dmabufs < 0)
		SKIP(return, BUFINFO ": %s", strerror(errno));
}

FIXTURE_TEARDOWN(request)
{
	EXPECT_EQ(self->fds, count_fds());
	EXPECT_EQ(self->dmabufs, count_dmabufs());
	close(self->heap);
}

TEST_F(request, allocates_one_page)
{
	ASSERT_EQ(0, alloc_errno(self->heap, &self->data));
	EXPECT_EQ(self->fds + 1, count_fds());
	EXPECT_EQ(self->dmabufs + 1, count_dmabufs());
	ASSERT_EQ(0, close(self->data.fd));
}

TEST_F(request, rounds_len_up_to_pages)
{
	const off_t page = page_size();
	const __u64 lengths[] = { 1, page - 1, page + 1, 64 * KIB + 1, 2 * MIB + 1 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		const int dmabuf = heap_alloc(self->heap, lengths[i]);

		ASSERT_LE(0, dmabuf);
		EXPECT_EQ((off_t)page_align(lengths[i]), lseek(dmabuf, 0, SEEK_END))
			TH_LOG("length %llu", lengths[i]);
		ASSERT_EQ(0, close(dmabuf));
	}
}

/* UINT64_MAX, rounded up to whole pages, is 0. */
TEST_F(request, rejects_len_of_zero)
{
	const __u64 lengths[] = { 0, UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		self->data.len = lengths[i];
		EXPECT_EQ(EINVAL, alloc_errno(self->heap, &self->data))
			TH_LOG("length %llu", lengths[i]);
		EXPECT_EQ(0U, self->data.fd);
	}
}

/*
 * The bug: a length that no machine has was allocated page by page until the
 * OOM killer came.  The fix: refused up front.  A 32-bit kernel sees length 0.
 */
TEST_F(request, rejects_len_above_ram)
{
	if (!kernel_has_vmap_sg())
		SKIP(return, "the heap of this kernel allocates until out of memory");
	self->data.len = 1ULL << 63;
	EXPECT_EQ(sizeof(long) == 8 ? ENOMEM : EINVAL, alloc_errno(self->heap, &self->data));
	EXPECT_EQ(0U, self->data.fd);
}

TEST_F(request, rejects_fd_that_is_set)
{
	self->data.fd = self->heap;
	EXPECT_EQ(EINVAL, alloc_errno(self->heap, &self->data));
}

/* Any access mode and close-on-exec are valid, all other bits are not. */
TEST_F(request, rejects_unknown_fd_flags)
{
	const __u32 known = O_ACCMODE | O_CLOEXEC;

	for (int bit = 0; bit < 32; bit++) {
		const __u32 flag = 1U << bit;

		self->data.fd = 0;
		self->data.fd_flags = flag;
		if (!(flag & ~known)) {
			ASSERT_EQ(0, alloc_errno(self->heap, &self->data))
				TH_LOG("fd_flags %#x", flag);
			ASSERT_EQ(0, close(self->data.fd));
			continue;
		}
		EXPECT_EQ(EINVAL, alloc_errno(self->heap, &self->data))
			TH_LOG("fd_flags %#x", flag);
	}
}

TEST_F(request, rejects_heap_flags)
{
	for (int bit = 0; bit < 64; bit++) {
		self->data.heap_flags = 1ULL << bit;
		EXPECT_EQ(EINVAL, alloc_errno(self->heap, &self->data))
			TH_LOG("heap_flags %#llx", self->data.heap_flags);
	}
}

TEST_F(request, sets_access_mode)
{
	const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		self->data.fd = 0;
		self->data.fd_flags = modes[i] | O_CLOEXEC;
		ASSERT_EQ(0, alloc_errno(self->heap, &self->data));
		EXPECT_EQ(modes[i], fcntl(self->data.fd, F_GETFL) & O_ACCMODE);
		EXPECT_EQ(FD_CLOEXEC, fcntl(self->data.fd, F_GETFD));
		ASSERT_EQ(0, close(self->data.fd));
	}
}

/* Permission is checked when the heap is opened, so any mode may allocate. */
TEST_F(request, allocates_from_heap_opened_in_any_mode)
{
	const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		const int heap = open(SYSTEM_HEAP, modes[i] | O_CLOEXEC);

		ASSERT_LE(0, heap);
		self->data.fd = 0;
		EXPECT_EQ(0, alloc_errno(heap, &self->data));
		ASSERT_EQ(0, close(self->data.fd));
		ASSERT_EQ(0, close(heap));
	}
}

TEST_F(request, rejects_closed_heap)
{
	const int path = open(SYSTEM_HEAP, O_PATH | O_CLOEXEC);
	const int closed = dup(self->heap);

	ASSERT_LE(0, path);
	EXPECT_EQ(EBADF, alloc_errno(path, &self->data));
	ASSERT_EQ(0, close(path));
	ASSERT_EQ(0, close(closed));
	EXPECT_EQ(EBADF, alloc_errno(closed, &self->data));
	EXPECT_EQ(EBADF, alloc_errno(-1, &self->data));
}

TEST_F(request, rejects_alloc_on_dmabuf)
{
	struct dma_heap_allocation_data again = self->data;

	ASSERT_EQ(0, alloc_errno(self->heap, &self->data));
	EXPECT_EQ(ENOTTY, alloc_errno(self->data.fd, &again));
	ASSERT_EQ(0, close(self->data.fd));
}

/* heap_flags, which is missing, is 0. */
TEST_F(request, accepts_struct_without_heap_flags)
{
	const size_t size = offsetof(struct dma_heap_allocation_data, heap_flags);

	self->data.heap_flags = UINT64_MAX;
	ASSERT_EQ(0, alloc_of_size_errno(self->heap, &self->data, size));
	EXPECT_EQ(UINT64_MAX, self->data.heap_flags);
	ASSERT_EQ(0, close(self->data.fd));
}

TEST_F(request, rejects_struct_without_len)
{
	EXPECT_EQ(EINVAL, alloc_of_size_errno(self->heap, &self->data, 0));
	/* The lower half of a length that is a multiple of 4 GiB. */
	self->data.len = 0;
	EXPECT_EQ(EINVAL, alloc_of_size_errno(self->heap, &self->data, 4));
}

/* Up to what the number of an ioctl can say; the kernel's buffer holds 128. */
TEST_F(request, accepts_longer_struct)
{
	const size_t sizes[] = { sizeof(self->data) + 8, 128, 129, (1 << _IOC_SIZEBITS) - 1 };
	union {
		struct dma_heap_allocation_data data;
		unsigned char bytes[1 << _IOC_SIZEBITS];
	} *longer = malloc(sizeof(*longer));

	ASSERT_NE(NULL, longer);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t at = sizeof(self->data);

		memset(longer, TAIL_BYTE, sizeof(*longer));
		longer->data = self->data;
		ASSERT_EQ(0, alloc_of_size_errno(self->heap, longer, sizes[i]))
			TH_LOG("%zu bytes", sizes[i]);
		while (at < sizeof(*longer) && longer->bytes[at] == TAIL_BYTE)
			at++;
		EXPECT_EQ(sizeof(*longer), at);
		ASSERT_EQ(0, close(longer->data.fd));
	}
	free(longer);
}

TEST_F(request, rejects_unknown_ioctls)
{
	const unsigned long cmd = DMA_HEAP_IOCTL_ALLOC;

	for (unsigned int nr = 1; nr < 1 << _IOC_NRBITS; nr++) {
		EXPECT_NE(0, ioctl(self->heap, _IOC(_IOC_DIR(cmd), _IOC_TYPE(cmd), nr,
						    _IOC_SIZE(cmd)), &self->data));
		EXPECT_EQ(EINVAL, errno)
			TH_LOG("number %u", nr);
	}
}

TEST_F(request, faults_on_bad_address)
{
	EXPECT_EQ(EFAULT, alloc_errno(self->heap, NULL));
	EXPECT_EQ(EFAULT, alloc_errno(self->heap, (void *)-8L));
}

/* The buffer is there already when its descriptor cannot be told. */
TEST_F(request, faults_on_read_only_memory)
{
	struct dma_heap_allocation_data *data = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
						     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, data);
	*data = self->data;
	ASSERT_EQ(0, mprotect(data, page_size(), PROT_READ));
	for (int i = 0; i < 16; i++) {
		EXPECT_EQ(EFAULT, alloc_errno(self->heap, data));
		EXPECT_EQ(self->fds, count_fds());
		EXPECT_EQ(self->dmabufs, count_dmabufs());
	}
	EXPECT_EQ(0U, data->fd);
	ASSERT_EQ(0, munmap(data, page_size()));
}

/* The same if half of the struct can be written. */
TEST_F(request, faults_on_half_writable_struct)
{
	const size_t page = page_size();
	struct dma_heap_allocation_data *data;
	char *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, map);
	data = (void *)(map + page - offsetof(struct dma_heap_allocation_data, heap_flags));
	*data = self->data;
	ASSERT_EQ(0, mprotect(map + page, page, PROT_READ));
	EXPECT_EQ(EFAULT, alloc_errno(self->heap, data));
	ASSERT_EQ(0, munmap(map + page, page));
	data->fd = 0;
	EXPECT_EQ(EFAULT, alloc_errno(self->heap, data));
	ASSERT_EQ(0, munmap(map, page));
}

/* The heap notices that only after it has made the buffer. */
TEST_F(request, fails_without_free_descriptor)
{
	struct rlimit limit, none;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = self->heap + 1;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(EMFILE, alloc_errno(self->heap, &self->data));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(0U, self->data.fd);
}

/* Memory that is short: requests that cannot be met, and a bystander. */
FIXTURE(shortage)
{
	int heap;
	__u64 total;
	pid_t bystander;
	long long kills;
	long long dmabufs;
};

static __u64 available_bytes(void)
{
	return meminfo_bytes("MemAvailable: %lld") + meminfo_bytes("SwapFree: %lld");
}

static long long oom_kills(void)
{
	return read_numbers("/proc/vmstat", "oom_kill %lld");
}

/* A child that does nothing, and that the OOM killer takes first. */
static pid_t start_bystander(void)
{
	const pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!write_number("/proc/self/oom_score_adj", 1000))
		pause();
	_exit(1);
}

FIXTURE_SETUP(shortage)
{
	if (!kernel_has_vmap_sg())
		SKIP(return, "the heap of this kernel allocates until the OOM killer comes");
	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	if (!may_fill_memory())
		SKIP(return, NEEDS_FILL_MEMORY);
	self->total = meminfo_bytes("MemTotal: %lld");
	self->kills = oom_kills();
	self->dmabufs = count_dmabufs();
	ASSERT_NE(0U, self->total);
	ASSERT_LE(0, self->kills);
	self->bystander = start_bystander();
	ASSERT_LT(0, self->bystander);
}

FIXTURE_TEARDOWN(shortage)
{
	EXPECT_EQ(self->kills, oom_kills());
	EXPECT_EQ(self->dmabufs, count_dmabufs());
	EXPECT_EQ(0, waitpid(self->bystander, NULL, WNOHANG));
	kill(self->bystander, SIGKILL);
	waitpid(self->bystander, NULL, 0);
	close(self->heap);
}

/* The heap takes no memory for a request that is larger than what is available. */
TEST_F(shortage, fails_before_taking_memory)
{
	const __u64 sizes[] = {
		available_bytes() + self->total / 6, 2 * self->total,
	};
	const int half = heap_alloc(self->heap, page_align(free_bytes() / 2));
	const long long before = pages_allocated();

	ASSERT_LE(0, half);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		EXPECT_EQ(-1, heap_alloc(self->heap, sizes[i]));
		EXPECT_EQ(ENOMEM, errno)
			TH_LOG("%llu bytes", sizes[i]);
	}
	EXPECT_EQ(-1, heap_alloc(self->heap, available_bytes() + self->total / 6));
	EXPECT_GT((long long)(self->total / 64 / page_size()), pages_allocated() - before);
	close(half);
	EXPECT_EQ(-1, heap_alloc(self->heap, sizes[0]));
	EXPECT_GT((long long)(self->total / 64 / page_size()), pages_allocated() - before);
}

/*
 * All that is free, with CPUs as well, of which the kernel keeps some: too little to be
 * refused at once.
 */
TEST_F_TIMEOUT(shortage, fails_one_request_only, TIME_LIMIT)
{
	const __u64 with_cpus = read_numbers("/proc/zoneinfo", " count: %lld") * page_size();
	const __u64 bytes = free_or_cached_bytes() + with_cpus;
	const long long before = pages_allocated();
	const __u64 free = free_bytes();

	EXPECT_EQ(-1, heap_alloc(self->heap, bytes));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_LT((long long)(bytes / 2 / page_size()), pages_allocated() - before);
	EXPECT_TRUE(wait_for_free(free - self->total / 32));
}

/* Buffers of @bytes until there are no more, at most @max.  Returns how many. */
static int alloc_until_full(int heap, __u64 bytes, int *dmabufs, int max)
{
	int n = 0;

	while (n < max && (dmabufs[n] = heap_alloc(heap, bytes)) >= 0)
		n++;
	return n;
}

static void close_buffers(const int *dmabufs, int n)
{
	while (n--)
		close(dmabufs[n]);
}

/* Buffer by buffer, and all of it is back when they are closed. */
TEST_F_TIMEOUT(shortage, returns_enomem_when_full, TIME_LIMIT)
{
	const __u64 before = free_bytes();
	int dmabufs[MAX_BUFFERS], n;

	n = alloc_until_full(self->heap, BUFFER_BYTES, dmabufs, MAX_BUFFERS);
	ASSERT_GT(MAX_BUFFERS, n);
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_LT(before / 2, n * BUFFER_BYTES);
	/* Some of that others take at once: to swap takes memory as well. */
	close_buffers(dmabufs + n - n / 8, n / 8);
	n -= n / 8;
	dmabufs[n] = heap_alloc(self->heap, page_size());
	EXPECT_LE(0, dmabufs[n])
		TH_LOG("%s", strerror(errno));
	close_buffers(dmabufs, n + 1);
	EXPECT_TRUE(wait_for_free(before - self->total / 32));
}

/*
 * Whatever their size, buffers leave enough for small allocations, be it for the
 * files of theirs: before those fail, the kernel kills.  Enough is single pages.
 */
TEST_F_TIMEOUT(shortage, leaves_memory_for_small_allocations, TIME_LIMIT)
{
	const __u64 sizes[] = { BUFFER_BYTES, 16 * page_size(), page_size() };
	const struct rlimit files = { 2 * MAX_SMALL_BUFFERS, 2 * MAX_SMALL_BUFFERS };
	const __u64 before = free_bytes();
	int *dmabufs, n = 0, got;

	if (kernel_has_kasan())
		SKIP(return, "with KASAN, small allocations take more than one page");
	dmabufs = calloc(2 * MAX_SMALL_BUFFERS, sizeof(*dmabufs));
	ASSERT_NE(NULL, dmabufs);
	if (setrlimit(RLIMIT_NOFILE, &files))
		SKIP(return, "RLIMIT_NOFILE is below %d", 2 * MAX_SMALL_BUFFERS);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		got = alloc_until_full(self->heap, sizes[i], dmabufs + n, MAX_SMALL_BUFFERS - n);
		EXPECT_EQ(ENOMEM, errno)
			TH_LOG("%d buffers of %llu bytes: %s", got, sizes[i], strerror(errno));
		n += got;
	}
	ASSERT_GT(MAX_SMALL_BUFFERS, n);
	for (got = 0; got < 1000; got++) {
		dmabufs[n] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, dmabufs[n++]);
	}
	close_buffers(dmabufs, n);
	free(dmabufs);
	EXPECT_TRUE(wait_for_free(before - self->total / 32));
}

/* A child that has written to @bytes of anonymous memory; when it goes on, it checks them. */
static pid_t start_user_of_memory(size_t bytes)
{
	const pid_t pid = fork();
	int status;
	char *map;

	if (pid)
		return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) ? pid : -1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		_exit(1);
	number_pages(map, bytes, 1);
	raise(SIGSTOP);
	_exit(!is_numbered(map, bytes, 1));
}

/* Swap space in compressed memory.  Returns -1 if there can be none. */
static int swap_on(__u64 bytes)
{
	const size_t page = page_size();
	char *header = calloc(1, page);
	__u32 *info = (__u32 *)(header + 1024);
	int ret = -1, fd;

	if (system("modprobe -q zram") || write_number("/sys/block/zram0/disksize", bytes))
		goto free;
	info[0] = 1;
	info[1] = bytes / page - 1;
	memcpy(header + page - 10, "SWAPSPACE2", 10);
	fd = open("/dev/zram0", O_RDWR | O_CLOEXEC);
	if (fd >= 0 && write(fd, header, page) == (ssize_t)page && !fsync(fd))
		ret = swapon("/dev/zram0", 0);
	close(fd);
free:
	free(header);
	return ret;
}

static int swap_off(void)
{
	return swapoff("/dev/zram0") ?: write_file("/sys/block/zram0/reset", "1");
}

/* Somebody else's anonymous memory is swapped out, and is what it was. */
TEST_F_TIMEOUT(shortage, swaps_others_out_without_loss, TIME_LIMIT)
{
	const size_t bytes = self->total / 8 / page_size() * page_size();
	int dmabufs[MAX_BUFFERS], n;
	long long swapped;
	pid_t child;

	if (swap_on(self->total / 4))
		SKIP(return, "no swap space: %s", strerror(errno));
	child = start_user_of_memory(bytes);
	ASSERT_LT(0, child);
	swapped = read_numbers("/proc/vmstat", "pswpout %lld");
	n = alloc_until_full(self->heap, BUFFER_BYTES, dmabufs, MAX_BUFFERS);
	swapped = read_numbers("/proc/vmstat", "pswpout %lld") - swapped;
	close_buffers(dmabufs, n);
	EXPECT_LT(0, swapped)
		TH_LOG("%d buffers, and nothing was swapped out", n);
	kill(child, SIGCONT);
	EXPECT_EQ(0, wait_child(child));
	EXPECT_EQ(0, swap_off())
		TH_LOG("%s", strerror(errno));
}

#define GROUP		"/sys/fs/cgroup/dmabuf-heaps"

/* Returns what the child ends with: how many buffers it could have. */
static int alloc_in_group(int heap)
{
	int dmabufs[2 * GROUP_BUFFERS], n;

	if (write_file(GROUP "/cgroup.procs", "0"))
		return 0;
	n = alloc_until_full(heap, BUFFER_BYTES, dmabufs, 2 * GROUP_BUFFERS);
	close_buffers(dmabufs, n);
	return n;
}

/* Unless it is charged for them, see heap_charge.c. */
TEST_F_TIMEOUT(shortage, memcg_limit_ignores_unaccounted_buffers, TIME_LIMIT)
{
	pid_t child;
	int status;

	if (!access(ACCOUNTING, F_OK))
		SKIP(return, "a group may be charged");
	if (free_bytes() < 3 * GROUP_BUFFERS * BUFFER_BYTES)
		SKIP(return, "not enough memory");
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(GROUP, 0755) || write_number(GROUP "/memory.max", GROUP_BUFFERS * BUFFER_BYTES))
		SKIP(return, GROUP ": %s", strerror(errno));
	child = fork();
	if (!child)
		_exit(alloc_in_group(self->heap));
	status = wait_child(child);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(2 * GROUP_BUFFERS, WEXITSTATUS(status));
	EXPECT_EQ(0, read_numbers(GROUP "/memory.events", "oom_kill %lld"));
	EXPECT_EQ(0, rmdir(GROUP));
}

/* A task that is killed while it allocates frees what it has so far. */
TEST_F_TIMEOUT(shortage, stops_when_the_task_is_killed, TIME_LIMIT)
{
	const __u64 before = meminfo_bytes("MemFree: %lld");
	const __u64 bytes = available_bytes() / 2;
	pid_t child;
	__u64 start;

	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (1)
			close(heap_alloc(self->heap, bytes));
	}
	/* In the middle of it, or of the next. */
	while (meminfo_bytes("MemFree: %lld") > before - bytes / 4)
		sched_yield();
	start = now_ns();
	ASSERT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(SIGKILL, wait_child(child));
	EXPECT_GT(5000000000ULL, now_ns() - start);
}

TEST_HARNESS_MAIN
