// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random and wrong calls of the ioctls of the system heap, of its
 * dma-bufs and of the in-kernel test user: fields and sizes at random, bad and
 * torn structures, which other threads write to and unmap meanwhile, and
 * descriptors that they close.  The kernel survives, answers each with an error
 * that user space may see, and everything is gone in the end.
 */
#include <getopt.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "heap_util.h"
#include "../kselftest.h"

#define NR_THREADS	4
#define NR_KINDS	16
#define DEFAULT_CALLS	20000UL

/* So many are made twice, to see that a seed repeats them. */
#define REPEATED_CALLS	1000

/* The descriptors that all threads use, and replace. */
#define FIRST_FD	100
#define NR_FDS		24

/* No more than may be open. */
#define MAX_FDS		1024

/* Room for each structure at any place, also across the end of what is mapped. */
#define ARG_PAGES	4

/*
 * What a closed buffer may leave with CPUs, in caches and for later.  Page tables for
 * areas stay as well, and not every kernel counts them: as far as areas have reached,
 * which is far if what purges them once was late.  So what is lost is to be lost again.
 */
#define LOST_PAGES	64
#define MAX_RUNS	3

/* Seconds between two reports of a thread that does not end. */
#define LONG_TIME	60

static char *args;			/* ARG_PAGES, the last is never mapped */
static int own_memory;			/* /proc/self/mem */
static unsigned long calls = DEFAULT_CALLS;
static __u64 first_seed;

struct fuzzer {
	pthread_t thread;
	pid_t tid;
	__u64 seed;
	__u64 choices;			/* a hash of them */
	unsigned long calls;
	unsigned long done;
	unsigned long met[NR_KINDS];	/* calls without an error */
	int strange;			/* an errno that is none, 0 if there was none */
};

/* Numbers at which something changes. */
static __u64 number(struct fuzzer *f)
{
	const __u64 near = below(&f->seed, 3) - 1;

	switch (below(&f->seed, 6)) {
	case 0:
		return 0;
	case 1:
		return below(&f->seed, 8);
	case 2:
		return (1ULL << below(&f->seed, 20)) + near;
	case 3:
		return page_size() * below(&f->seed, 2000) + near;
	case 4:
		return (1ULL << (40 + below(&f->seed, 24))) + near;
	default:
		return random_number(&f->seed) | 1ULL << 50;
	}
}

static int some_fd(struct fuzzer *f)
{
	return below(&f->seed, 20) ? FIRST_FD + (int)below(&f->seed, NR_FDS) :
				     (int)number(f);
}

static void *some_arg(struct fuzzer *f, size_t size)
{
	switch (below(&f->seed, 24)) {
	case 0:
		return NULL;
	case 1:
		return (void *)random_number(&f->seed);
	case 2:
		return (void *)(0xffff800000000000ULL | random_number(&f->seed));
	case 3:
		/* Ends behind what is mapped. */
		return args + (ARG_PAGES - 1) * page_size() - below(&f->seed, size);
	default:
		return args + below(&f->seed, 2) * page_size() + below(&f->seed, 64) * 8;
	}
}

/*
 * Another thread may have unmapped or protected what is written to, so the kernel
 * writes it, at a bad address nothing.
 */
static ssize_t put(struct fuzzer *f, void *arg, const void *data, size_t size)
{
	return below(&f->seed, 16) ? pwrite(own_memory, data, size, (off_t)arg) : 0;
}

static size_t some_size(struct fuzzer *f, size_t size)
{
	return below(&f->seed, 8) ? size : below(&f->seed, 1 << _IOC_SIZEBITS);
}

/* Most calls are of what knows them: else few come as far as to fail late. */
static int fd_for(struct fuzzer *f, unsigned long cmd)
{
	if (!below(&f->seed, 4))
		return some_fd(f);
	switch (_IOC_TYPE(cmd)) {
	case DMA_HEAP_IOC_MAGIC:
		return FIRST_FD;
	case DMABUF_VMAP_TEST_TYPE:
		return FIRST_FD + 1;
	default:
		return FIRST_FD + 3 + below(&f->seed, NR_FDS - 3);
	}
}

/*
 * Close the descriptor that the kernel has written to @arg, if that is still there;
 * what is missed is closed in the end.
 */
static void close_new(const void *arg)
{
	struct dma_heap_allocation_data data;

	if (pread(own_memory, &data, sizeof(data), (off_t)arg) == sizeof(data) &&
	    data.fd > STDERR_FILENO && data.fd < FIRST_FD && data.fd != own_memory)
		close(data.fd);
}

static void protect(void *arg, int prot)
{
	const size_t page = ((char *)arg - args) / page_size();

	if (page < ARG_PAGES - 1)
		mprotect(args + page * page_size(), page_size(), prot);
}

/*
 * An ioctl as @cmd, sometimes of another size, number or type, or with a structure
 * that can be read, and not written to.
 */
static int call(struct fuzzer *f, unsigned long cmd, const void *data)
{
	const size_t size = _IOC_SIZE(cmd);
	void *arg = some_arg(f, size ?: 1);
	const int fd = fd_for(f, cmd);
	const bool read_only = !below(&f->seed, 16);
	int ret, error;

	put(f, arg, data, size);
	if (!below(&f->seed, 100))
		cmd = random_number(&f->seed);
	cmd = _IOC(_IOC_DIR(cmd), _IOC_TYPE(cmd), _IOC_NR(cmd), some_size(f, size));
	if (read_only)
		protect(arg, PROT_READ);
	ret = ioctl(fd, cmd, arg);
	error = errno;
	if (read_only)
		protect(arg, PROT_READ | PROT_WRITE);
	if (!ret && _IOC_TYPE(cmd) == DMA_HEAP_IOC_MAGIC)
		close_new(arg);
	errno = error;
	return ret;
}

/* The new descriptor, if there is one, becomes one of all. */
static int fuzz_alloc(struct fuzzer *f)
{
	struct dma_heap_allocation_data data = {
		.len = number(f),
		.fd_flags = below(&f->seed, 4) ? O_RDWR : number(f),
		.heap_flags = below(&f->seed, 8) ? 0 : number(f),
	};
	const int heap = FIRST_FD, to = FIRST_FD + 3 + below(&f->seed, NR_FDS - 3);

	if (below(&f->seed, 2))
		return call(f, DMA_HEAP_IOCTL_ALLOC, &data);
	if (data.len > MIB)
		data.len = MIB;
	data.fd_flags = O_RDWR | O_CLOEXEC;
	data.heap_flags = 0;
	if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data))
		return -1;
	dup3(data.fd, to, O_CLOEXEC);
	return close(data.fd);
}

static int fuzz_sync(struct fuzzer *f)
{
	struct dma_buf_sync sync = { .flags = below(&f->seed, 4) ? below(&f->seed, 8) : number(f) };

	return call(f, DMA_BUF_IOCTL_SYNC, &sync);
}

static int fuzz_name(struct fuzzer *f)
{
	char name[DMA_BUF_NAME_LEN * 2];

	memset(name, below(&f->seed, 2) ? 'x' : 0, sizeof(name));
	name[below(&f->seed, sizeof(name))] = 0;
	put(f, args, name, sizeof(name));
	return ioctl(some_fd(f), below(&f->seed, 2) ? DMA_BUF_SET_NAME_A : DMA_BUF_SET_NAME_B,
		     some_arg(f, DMA_BUF_NAME_LEN));
}

static int fuzz_sync_file(struct fuzzer *f)
{
	struct dma_buf_export_sync_file data = { .flags = number(f), .fd = some_fd(f) };
	int fd;

	if (below(&f->seed, 2))
		return call(f, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &data);
	data.flags = DMA_BUF_SYNC_RW;
	fd = ioctl(some_fd(f), DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &data);
	return fd ? -1 : close(data.fd);
}

static int fuzz_run(struct fuzzer *f)
{
	struct dmabuf_vmap_test test = {
		.fd = some_fd(f),
		.rounds = below(&f->seed, 4),
		.flags = below(&f->seed, 4) ? below(&f->seed, 16) : number(f),
		.reserved = below(&f->seed, 16) ? 0 : number(f),
		.seed = number(f),
		.rounds_ptr = below(&f->seed, 2) ? 0 : (__u64)some_arg(f, 64),
	};

	return call(f, DMABUF_VMAP_TEST_RUN, &test);
}

static int fuzz_hold(struct fuzzer *f)
{
	struct dmabuf_vmap_hold hold = {
		.fd = some_fd(f),
		.flags = below(&f->seed, 8) ? 0 : number(f),
	};

	return call(f, below(&f->seed, 2) ? DMABUF_VMAP_TEST_HOLD : DMABUF_VMAP_TEST_UNHOLD, &hold);
}

static int fuzz_layout(struct fuzzer *f)
{
	struct dmabuf_vmap_layout arg = {
		.layout = below(&f->seed, 6),
		.entry = below(&f->seed, 5),
		.bytes = below(&f->seed, 4) ? page_size() * below(&f->seed, 600) : number(f),
		.block = below(&f->seed, 4) ? page_size() << below(&f->seed, 4) : number(f),
		.rounds = below(&f->seed, 4),
		.rounds_ptr = below(&f->seed, 2) ? 0 : (__u64)some_arg(f, 64),
		.skip = below(&f->seed, 4) ? page_size() * below(&f->seed, 4) : number(f),
	};

	return call(f, DMABUF_VMAP_TEST_LAYOUT, &arg);
}

/* Not PROTECT: the kernel would fault when it fills read-only pages. */
static int fuzz_replace(struct fuzzer *f)
{
	struct dmabuf_vmap_replace arg = {
		.bytes = below(&f->seed, 4) ? page_size() * below(&f->seed, 600) : number(f),
		.rounds = below(&f->seed, 3),
		.reserved = below(&f->seed, 16) ? 0 : number(f),
	};

	return call(f, DMABUF_VMAP_TEST_REPLACE, &arg);
}

/* Under the feet of the others; the first three come back, see fill_fd(). */
static int fuzz_close(struct fuzzer *f)
{
	const int fd = FIRST_FD + below(&f->seed, NR_FDS);

	if (below(&f->seed, 4))
		return dup3(FIRST_FD + below(&f->seed, NR_FDS), fd, O_CLOEXEC);
	return close(fd);
}

static int fuzz_mmap(struct fuzzer *f)
{
	const size_t bytes = page_size() * (1 + below(&f->seed, 64));
	void *map = mmap(NULL, bytes, below(&f->seed, 8), below(&f->seed, 4), some_fd(f),
			 page_size() * below(&f->seed, 64));

	return map == MAP_FAILED ? -1 : munmap(map, bytes);
}

/* A part of a mapping, of any protection, at any place there. */
static void change_part(struct fuzzer *f, char *map, size_t bytes)
{
	const size_t at = page_size() * below(&f->seed, bytes / page_size());
	const size_t part = page_size() * (1 + below(&f->seed, (bytes - at) / page_size()));
	const int number = below(&f->seed, 30);

	switch (below(&f->seed, 4)) {
	case 0:
		mprotect(map + at, part, PROT_READ | (number & PROT_WRITE));
		break;
	case 1:
		madvise(map + at, part, number);
		break;
	case 2:
		mremap(map + at, part, part, MREMAP_MAYMOVE | MREMAP_FIXED, map + at + part);
		break;
	default:
		munmap(map + at, part);
	}
}

/*
 * System calls read and write the memory: to them a bad address is only an error.
 */
static void touch(char *map, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += 16 * page_size()) {
		access(map + at, F_OK);
		syscall(SYS_clock_getres, CLOCK_MONOTONIC, map + at);
	}
}

/* A buffer with large leaves, changed in parts, within twice as much room. */
static int map_and_change(struct fuzzer *f)
{
	const size_t bytes = MIB * (1 + below(&f->seed, 8));
	char *map, *room = mmap(NULL, 2 * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
				-1, 0);
	const int dmabuf = heap_alloc(FIRST_FD, bytes);

	map = mmap(room, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dmabuf, 0);
	if (map == MAP_FAILED)
		return -1;
	for (unsigned int i = below(&f->seed, 8); i; i--) {
		change_part(f, room, 2 * bytes);
		touch(room, 2 * bytes);
	}
	return 0;
}

/* By a process of its own, or others might have mapped something there meanwhile. */
static int fuzz_mapping(struct fuzzer *f)
{
	struct fuzzer own = { .seed = random_number(&f->seed) };
	const pid_t child = fork();
	int status;

	if (!child)
		_exit(map_and_change(&own) ? 1 : 0);
	status = wait_child(child);
	if (status < 0)
		return -1;
	errno = WIFEXITED(status) ? ENOMEM : ENOTRECOVERABLE;
	return status ? -1 : 0;
}

static int fuzz_memory(struct fuzzer *f)
{
	return mprotect(args + below(&f->seed, 2) * page_size(), page_size(),
			below(&f->seed, 4) ? PROT_READ | PROT_WRITE : below(&f->seed, 2));
}

/* Others may have replaced it: there is a heap and a test user again. */
static int fill_fd(struct fuzzer *f)
{
	const int which = below(&f->seed, 3);
	const int fd = which == 0 ? open_heap() : which == 1 ? open_vmap_test() :
				    open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	dup3(fd, FIRST_FD + which, O_CLOEXEC);
	return close(fd);
}

static int (* const kinds[NR_KINDS])(struct fuzzer *f) = {
	fuzz_alloc, fuzz_alloc, fuzz_alloc, fuzz_sync, fuzz_name, fuzz_sync_file,
	fuzz_run, fuzz_run, fuzz_hold, fuzz_layout, fuzz_close, fuzz_mmap,
	fuzz_memory, fill_fd, fuzz_replace, fuzz_mapping,
};

/* Those from 512 on are between parts of the kernel. */
static bool is_strange(int error)
{
	return error <= 0 || error >= 512;
}

static void *work(void *data)
{
	struct fuzzer *f = data;

	f->tid = gettid();
	for (; f->done < f->calls; f->done++) {
		const unsigned int kind = below(&f->seed, NR_KINDS);

		if (!kinds[kind](f))
			f->met[kind]++;
		else if (is_strange(errno))
			f->strange = errno;
		/* The state tells how many random numbers a call has taken. */
		f->choices = f->choices * 31 + f->seed;
	}
	return NULL;
}

static void print_line(char *line, void *data)
{
	(void)data;
	line[strcspn(line, "\n")] = 0;
	ksft_print_msg("  %s\n", line);
}

/* Where in the kernel it is: a call that never comes back would say nothing else. */
static void print_fuzzer(const struct fuzzer *f)
{
	char path[LINE_BYTES];

	if (f->done == f->calls)
		return;
	ksft_print_msg("thread %d: %lu of %lu calls\n", f->tid, f->done, f->calls);
	snprintf(path, sizeof(path), "/proc/self/task/%d/stack", f->tid);
	read_lines(path, print_line, NULL);
}

static void wait_for(const struct fuzzer *fuzzers, int i)
{
	struct timespec until;
	int error;

	do {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += LONG_TIME;
		error = pthread_timedjoin_np(fuzzers[i].thread, NULL, &until);
		for (int other = i; error && other < NR_THREADS; other++)
			print_fuzzer(&fuzzers[other]);
	} while (error);
}

/* Returns a hash of all choices.  Nothing is open after it but memory. */
static __u64 run(struct fuzzer *fuzzers, unsigned long nr)
{
	__u64 choices = 0;

	for (int i = 0; i < NR_THREADS; i++) {
		fuzzers[i] = (struct fuzzer){
			.seed = first_seed + i,
			.calls = nr / NR_THREADS,
			.strange = fuzzers[i].strange,
		};
		if (pthread_create(&fuzzers[i].thread, NULL, work, &fuzzers[i]))
			ksft_exit_fail_msg("no thread\n");
	}
	for (int i = 0; i < NR_THREADS; i++) {
		wait_for(fuzzers, i);
		choices = choices * 31 + fuzzers[i].choices;
	}
	for (int fd = STDERR_FILENO + 1; fd < MAX_FDS; fd++) {
		if (fd != own_memory)
			close(fd);
	}
	return choices;
}

/* Returns how many pages are lost, each time it is run. */
static long long lost_by_run(struct fuzzer *fuzzers, unsigned long nr, __u64 *choices)
{
	struct memory before, after;
	long long lost = 0;

	for (int i = 0; i < MAX_RUNS; i++) {
		look(&before);
		*choices = run(fuzzers, nr);
		look(&after);
		lost = lost_pages(&before, &after);
		ksft_print_msg("%lld pages lost\n", lost);
		if (lost <= LOST_PAGES)
			break;
	}
	return lost;
}

static bool can_still_be_used(void)
{
	const int heap = open_heap(), test = open_vmap_test(), dmabuf = heap_alloc(heap, MIB);
	struct dmabuf_vmap_result res;
	const bool ok = dmabuf >= 0 &&
			!vmap_test_once(test, dmabuf, DMABUF_VMAP_TEST_VERIFY, 0, &res) &&
			!res.bad_pages;

	close(dmabuf);
	close(test);
	close(heap);
	return ok;
}

static void make_args(void)
{
	args = mmap(NULL, ARG_PAGES * page_size(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (args == MAP_FAILED || munmap(args + (ARG_PAGES - 1) * page_size(), page_size()))
		ksft_exit_fail_msg("no memory\n");
	own_memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (pwrite(own_memory, "", 1, (off_t)args) != 1)
		ksft_exit_fail_msg("/proc/self/mem: %s\n", strerror(errno));
}

int main(int argc, char **argv)
{
	struct fuzzer fuzzers[NR_THREADS] = {};
	unsigned long done = 0, met[NR_KINDS] = {}, all_met = 0, never_met = 0;
	int opt, heap, test, strange = 0;
	long long dmabufs, lost;
	__u64 choices;

	first_seed = now_ns();
	while ((opt = getopt(argc, argv, "n:r:")) != -1) {
		if (opt == 'n')
			calls = parse_number("CALLS", optarg, 0, 1000000000);
		else if (opt == 'r')
			first_seed = parse_number("SEED", optarg, 0, ~0ULL);
		else
			break;
	}
	if (opt != -1 || optind != argc) {
		fprintf(stderr, "Usage: heap_fuzz [-n CALLS] [-r SEED]\n");
		return 2;
	}

	ksft_print_header();
	open_or_skip(&heap, &test);
	if (!kernel_has_vmap_sg())
		ksft_exit_skip("the heap of this kernel allocates until the OOM killer comes\n");
	ksft_set_plan(6);
	ksft_print_msg("seed %llu\n", first_seed);
	make_args();

	set_dma_errors("0");
	dmabufs = count_dmabufs();
	choices = run(fuzzers, REPEATED_CALLS);
	ksft_test_result(run(fuzzers, REPEATED_CALLS) == choices, "a seed repeats all choices\n");
	lost = lost_by_run(fuzzers, calls, &choices);
	set_dma_errors("1");
	for (int i = 0; i < NR_THREADS; i++) {
		done += fuzzers[i].done;
		for (int kind = 0; kind < NR_KINDS; kind++)
			met[kind] += fuzzers[i].met[kind];
		strange = fuzzers[i].strange ?: strange;
	}
	for (int kind = 0; kind < NR_KINDS; kind++) {
		all_met += met[kind];
		never_met += !met[kind];
	}
	ksft_print_msg("%lu calls, %lu of them met, choices %llx\n", done, all_met, choices);
	ksft_test_result(!never_met, "each kind of call succeeds at least once: %lu do not\n",
			 never_met);
	ksft_test_result(!strange, "only errors of errno.h: %d\n", strange);
	dmabufs = count_dmabufs() - dmabufs;
	ksft_test_result(!dmabufs, "no buffer is left: %lld\n", dmabufs);
	ksft_test_result(lost <= LOST_PAGES, "no page is lost\n");
	ksft_test_result(can_still_be_used(), "all can still be used\n");
	ksft_finished();
}
