// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything that is done with buffers of the system heap, by several threads at
 * once and in random order, for as long as is asked for: buffers are allocated,
 * mapped, synced, mapped by the kernel for different users, attached, passed on,
 * shared with a child and with other threads, and closed.
 *
 * A new buffer is zero, and each page of one that is in use has a number that no
 * other page has.  From time to time all of it is closed, and no page, slab or
 * mapping may be left.
 *
 * The seed alone decides what a thread does, so the same seed repeats it.
 */
#include <getopt.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "drm_util.h"
#include "v4l2_util.h"
#include "../kselftest.h"

#define MAX_THREADS	64
#define NR_SLOTS	8		/* buffers of a thread */
#define NR_SHARED	4		/* and of all of them */
#define VKMS_LINES	16		/* the smallest framebuffer that is tried */
#define WARM_UP_S	5

/* Rounds of each thread whose choices are told, to compare runs of one seed. */
#define TOLD_ROUNDS	100

/* Wrong contents that a thread tells of. */
#define MAX_TOLD	5

/* What others may take, and caches may keep, in a run of any length. */
#define LOST_PAGES	64
#define KEPT_BYTES	(8 * MIB)

/* Of a buffer in a slot: large enough for large leaves, and all kinds of rests. */
static const unsigned short sizes[] = { 1, 1, 2, 3, 16, 17, 64, 127, 256, 515, 1030 };

struct buffer {
	int fd;				/* -1 if the slot is empty */
	size_t bytes;
	__u64 id;			/* number of its first page */
};

struct worker {
	pthread_t thread;
	int nr;
	__u64 seed;			/* state of its random numbers */
	struct buffer slots[NR_SLOTS];
	__u64 made;			/* buffers so far */
	int test;			/* the test user, which may hold a mapping */
	int vgem;			/* an importer that attaches, -1 if there is none */
	struct v4l2 v4l2;		/* and one that maps */
	int counter;			/* of instructions, -1 if there is none */
	unsigned long rounds;
	__u64 choices;			/* a hash of what was done in the first TOLD_ROUNDS */
	__u64 busy_ns;
	unsigned long checked;		/* contents that it has compared */
	unsigned long wrong;		/* of these, not what they should be */
	const char *op;			/* the operation that it is at */
	size_t new_bytes;		/* of a buffer that this makes */
	struct buffer *other;		/* one of all threads, if this is about one */
};

static struct {
	int heap;
	int nr_workers;
	struct worker workers[MAX_THREADS];
	pthread_barrier_t turn;		/* of the threads, or of main() */
	__u64 until_ns;			/* all pause then */
	bool end;
	pthread_mutex_t lock;		/* of shared */
	struct buffer shared[NR_SHARED];
	bool has_vkms;
	pthread_mutex_t vkms_lock;	/* of vkms */
	struct vkms vkms;
} mix = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.vkms_lock = PTHREAD_MUTEX_INITIALIZER,
};

static __u64 first_seed;

/* Ends all of it. */
static void give_up(const struct worker *w, const char *what)
{
	const char *error = strerror(errno);

	ksft_exit_fail_msg("%s: %s: %s; thread %d, round %lu, seed %llu\n", w->op, what,
			   error, w->nr, w->rounds, first_seed);
}

/* Compares contents; the result of all comparisons is a test. */
static void check(struct worker *w, bool ok, const char *what)
{
	w->checked++;
	if (ok || w->wrong++ >= MAX_TOLD)
		return;
	ksft_print_msg("%s: %s; thread %d, round %lu, seed %llu\n", w->op, what, w->nr,
		       w->rounds, first_seed);
}

static char *map_buffer(const struct worker *w, const struct buffer *b)
{
	char *map = map_dmabuf(b->fd, b->bytes);

	if (!map)
		give_up(w, "mmap");
	return map;
}

static bool has_its_pages(const struct buffer *b, const char *map)
{
	return is_numbered(map, b->bytes, b->id);
}

static void close_buffer(struct buffer *b)
{
	if (b->fd >= 0)
		close(b->fd);
	b->fd = -1;
}

/* The operations.  @b has a buffer, but in do_alloc(). */

static void do_alloc(struct worker *w, struct buffer *b)
{
	const size_t bytes = w->new_bytes;
	char *map;

	close_buffer(b);
	*b = (struct buffer){
		.fd = heap_alloc(mix.heap, bytes),
		.bytes = bytes,
		.id = (__u64)(w->nr + 1) << 56 | ++w->made << 24,
	};
	if (b->fd < 0)
		give_up(w, "alloc");
	map = map_buffer(w, b);
	check(w, is_zero((__u64 *)map, bytes / sizeof(__u64)), "a new buffer is not zero");
	number_pages(map, b->bytes, b->id);
	munmap(map, bytes);
}

static void do_close(struct worker *w, struct buffer *b)
{
	close_buffer(b);
}

static void do_mmap(struct worker *w, struct buffer *b)
{
	char *map = map_buffer(w, b);

	check(w, has_its_pages(b, map), "someone else wrote to it");
	munmap(map, b->bytes);
}

/* The mapping outlives its descriptor. */
static void do_mmap_and_close(struct worker *w, struct buffer *b)
{
	char *map = map_buffer(w, b);

	close_buffer(b);
	check(w, has_its_pages(b, map), "someone else wrote to it");
	munmap(map, b->bytes);
}

static void do_sync(struct worker *w, struct buffer *b)
{
	char *map = map_buffer(w, b);

	if (cpu_access(b->fd, DMA_BUF_SYNC_START))
		give_up(w, "sync start");
	check(w, has_its_pages(b, map), "someone else wrote to it");
	number_pages(map, b->bytes, b->id);
	if (cpu_access(b->fd, DMA_BUF_SYNC_END))
		give_up(w, "sync end");
	munmap(map, b->bytes);
}

/* Mapped by the kernel, and attached: each page is where the device has it. */
static void do_vmap(struct worker *w, struct buffer *b)
{
	struct dmabuf_vmap_result res;

	if (vmap_test_once(w->test, b->fd,
			   DMABUF_VMAP_TEST_VERIFY | DMABUF_VMAP_TEST_HASH, 0, &res))
		give_up(w, "vmap");
	check(w, !res.bad_pages, "wrong pages");
	check(w, res.kernel_hash == res.device_hash, "kernel and device see different contents");
}

/* Keeps the buffer mapped until the next call, even if it is closed. */
static void do_hold(struct worker *w, struct buffer *b)
{
	struct dmabuf_vmap_hold arg = { .fd = b->fd };

	if (ioctl(w->test, DMABUF_VMAP_TEST_UNHOLD, &arg) && errno != ENOENT)
		give_up(w, "unhold");
	if (ioctl(w->test, DMABUF_VMAP_TEST_HOLD, &arg))
		give_up(w, "hold");
}

static void do_prepare(struct worker *w, struct buffer *b)
{
	struct user *user = &w->v4l2.user;

	if (w->v4l2.fd < 0 || b->bytes < w->v4l2.used)
		return;
	w->v4l2.dmabuf = b->fd;
	w->v4l2.bytes = b->bytes;
	if (user->ready(user) || user->map(user) || user->unmap(user))
		give_up(w, "V4L2");
}

static void do_attach(struct worker *w, struct buffer *b)
{
	__u32 handle;

	if (w->vgem < 0)
		return;
	if (drm_ret(drmPrimeFDToHandle(w->vgem, b->fd, &handle)) ||
	    drm_ret(drmCloseBufferHandle(w->vgem, handle)))
		give_up(w, "vgem");
}

/* There is one vkms: skip this if another thread uses it. */
static void do_commit(struct worker *w, struct buffer *b)
{
	const __u32 lines = b->bytes / page_size();
	struct vkms *v = &mix.vkms;

	if (!mix.has_vkms || lines < VKMS_LINES || pthread_mutex_trylock(&mix.vkms_lock))
		return;
	if (vkms_show(v, b->fd, page_size() / sizeof(__u32), lines) ||
	    v->user.map(&v->user) || v->user.unmap(&v->user))
		give_up(w, "vkms");
	vkms_hide(v);
	pthread_mutex_unlock(&mix.vkms_lock);
}

static void do_dup(struct worker *w, struct buffer *b)
{
	const int fd = fcntl(b->fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		give_up(w, "dup");
	close(b->fd);
	b->fd = fd;
}

/* For a moment only a message holds the buffer. */
static void do_pass(struct worker *w, struct buffer *b)
{
	union {
		struct cmsghdr header;
		char data[CMSG_SPACE(sizeof(int))];
	} control = {
		.header = {
			.cmsg_len = CMSG_LEN(sizeof(int)),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
		},
	};
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends))
		give_up(w, "socketpair");
	memcpy(CMSG_DATA(&control.header), &b->fd, sizeof(b->fd));
	if (sendmsg(ends[0], &msg, 0) != 1)
		give_up(w, "sendmsg");
	close_buffer(b);
	if (recvmsg(ends[1], &msg, MSG_CMSG_CLOEXEC) != 1)
		give_up(w, "recvmsg");
	memcpy(&b->fd, CMSG_DATA(&control.header), sizeof(b->fd));
	close(ends[0]);
	close(ends[1]);
}

/* A child has the mapping, and the descriptors of all threads. */
static void do_fork(struct worker *w, struct buffer *b)
{
	char *map = map_buffer(w, b);
	const pid_t child = fork();

	if (!child)
		_exit(!has_its_pages(b, map) || munmap(map, b->bytes));
	if (child < 0)
		give_up(w, "fork");
	check(w, !wait_child(child), "a child does not see what its parent wrote");
	munmap(map, b->bytes);
}

/* Splitting a large leaf drops it.  The next access maps its pages again. */
static void do_split(struct worker *w, struct buffer *b)
{
	char *map = map_buffer(w, b), *last = map + b->bytes - page_size();

	if (mprotect(last, page_size(), PROT_READ))
		give_up(w, "mprotect");
	check(w, has_its_pages(b, map), "a page is not what it was");
	if (munmap(map, page_size()))
		give_up(w, "munmap");
	if (last == map)
		return;
	check(w, is_numbered(last, page_size(), b->id + (last - map) / page_size()),
	      "the last page is not what it was");
	munmap(map + page_size(), b->bytes - page_size());	/* not what is in the hole */
}

/* To any page, so that large leaves fit there or do not. */
static void do_move(struct worker *w, struct buffer *b)
{
	char *map = map_buffer(w, b);
	char *to = mmap(NULL, b->bytes + page_size(), PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (to == MAP_FAILED)
		give_up(w, "mmap");
	if (mremap(map, b->bytes, b->bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		give_up(w, "mremap");
	check(w, has_its_pages(b, to), "what was moved is not what it was");
	munmap(to, b->bytes + page_size());
}

static void do_share(struct worker *w, struct buffer *b)
{
	struct buffer *shared = w->other;

	pthread_mutex_lock(&mix.lock);
	close_buffer(shared);
	*shared = *b;
	pthread_mutex_unlock(&mix.lock);
	b->fd = -1;
}

/* Takes the buffer that another thread has shared, if there is one. */
static void do_fetch(struct worker *w, struct buffer *b)
{
	const struct buffer *shared = w->other;

	pthread_mutex_lock(&mix.lock);
	if (shared->fd >= 0) {
		close_buffer(b);
		*b = *shared;
		b->fd = fcntl(shared->fd, F_DUPFD_CLOEXEC, 0);
	}
	pthread_mutex_unlock(&mix.lock);
	do_mmap(w, b);
}

static const struct {
	const char *name;
	void (*run)(struct worker *w, struct buffer *b);
} ops[] = {
	{ "alloc", do_alloc },
	{ "close", do_close },
	{ "mmap", do_mmap },
	{ "mmap and close", do_mmap_and_close },
	{ "sync", do_sync },
	{ "vmap", do_vmap },
	{ "hold", do_hold },
	{ "prepare", do_prepare },
	{ "attach", do_attach },
	{ "commit", do_commit },
	{ "dup", do_dup },
	{ "pass", do_pass },
	{ "fork", do_fork },
	{ "split", do_split },
	{ "move", do_move },
	{ "share", do_share },
	{ "fetch", do_fetch },
};

/* Each round takes the same number of random numbers. */
static void do_round(struct worker *w)
{
	const unsigned int slot = below(&w->seed, NR_SLOTS);
	const unsigned int op = below(&w->seed, ARRAY_SIZE(ops));
	const unsigned int size = below(&w->seed, ARRAY_SIZE(sizes));
	const unsigned int other = below(&w->seed, NR_SHARED);
	struct buffer *b = &w->slots[slot];

	if (w->rounds < TOLD_ROUNDS)
		w->choices = w->choices * 31 + (slot << 24 | op << 16 | size << 8 | other);
	w->new_bytes = sizes[size] * page_size();
	w->other = &mix.shared[other];
	w->op = ops[0].name;
	if (b->fd < 0)
		do_alloc(w, b);
	w->op = ops[op].name;
	ops[op].run(w, b);
	w->rounds++;
}

static void close_all(struct worker *w)
{
	struct dmabuf_vmap_hold arg = {};

	for (int i = 0; i < NR_SLOTS; i++)
		close_buffer(&w->slots[i]);
	ioctl(w->test, DMABUF_VMAP_TEST_UNHOLD, &arg);
}

/* Instructions of this thread, where the CPU has a counter of them. */
static int open_counter(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static void open_users(struct worker *w)
{
	w->op = "open";
	w->test = open_vmap_test();
	if (w->test < 0)
		give_up(w, VMAP_TEST_FILE);
	w->vgem = drm_open("vgem");
	w->v4l2.fd = -1;
	/* The other queue decides how large frames are, see v4l2_user(). */
	if (!load_v4l2_drivers() &&
	    v4l2_user(&w->v4l2, "encoder", &encoder, OUTPUT, -1, 0))
		give_up(w, "V4L2");
}

static void *work(void *data)
{
	struct worker *w = data;
	__u64 start;

	w->counter = open_counter();
	while (1) {
		pthread_barrier_wait(&mix.turn);
		if (mix.end)
			return NULL;
		start = now_ns();
		while (now_ns() < mix.until_ns)
			do_round(w);
		w->busy_ns += now_ns() - start;
		close_all(w);
		pthread_barrier_wait(&mix.turn);
	}
}

/* All threads work for so long, and close everything. */
static void run_for(unsigned int seconds)
{
	mix.until_ns = now_ns() + seconds * 1000000000ULL;
	pthread_barrier_wait(&mix.turn);
	pthread_barrier_wait(&mix.turn);
	for (int i = 0; i < NR_SHARED; i++)
		close_buffer(&mix.shared[i]);
}

static void start_workers(int nr)
{
	mix.nr_workers = nr;
	for (int i = 0; i < NR_SHARED; i++)
		mix.shared[i].fd = -1;
	pthread_barrier_init(&mix.turn, NULL, nr + 1);
	for (int i = 0; i < nr; i++) {
		struct worker *w = &mix.workers[i];

		w->nr = i;
		w->seed = first_seed + i;
		for (int j = 0; j < NR_SLOTS; j++)
			w->slots[j].fd = -1;
		open_users(w);
		if (pthread_create(&w->thread, NULL, work, w))
			ksft_exit_fail_msg("no thread\n");
	}
}

/* Returns a hash of the first choices of all threads. */
static __u64 end_workers(void)
{
	__u64 choices = 0;

	mix.end = true;
	pthread_barrier_wait(&mix.turn);
	for (int i = 0; i < mix.nr_workers; i++) {
		pthread_join(mix.workers[i].thread, NULL);
		choices = choices * 31 + mix.workers[i].choices;
	}
	return choices;
}

/* How things are at the end of a minute; numbers are of all threads since the start. */
struct report {
	struct memory memory;
	__u64 slab;
	__u64 vmalloc;
	long long dmabufs;
	unsigned long rounds;
	__u64 busy_ns;
	__u64 instructions;		/* 0 without a counter */
	unsigned long checked;
	unsigned long wrong;
};

static void take_report(struct report *r)
{
	*r = (struct report){
		.slab = meminfo_bytes("Slab: %lld"),
		.vmalloc = meminfo_bytes("VmallocUsed: %lld"),
		.dmabufs = count_dmabufs(),
	};
	look(&r->memory);
	for (int i = 0; i < mix.nr_workers; i++) {
		const struct worker *w = &mix.workers[i];
		__u64 n;

		r->rounds += w->rounds;
		r->busy_ns += w->busy_ns;
		r->checked += w->checked;
		r->wrong += w->wrong;
		if (w->counter >= 0 && read(w->counter, &n, sizeof(n)) == sizeof(n))
			r->instructions += n;
	}
}

static void print_report(int minute, const struct report *before, const struct report *r)
{
	const unsigned long rounds = (r->rounds - before->rounds) ?: 1;
	const __u64 instructions = (r->instructions - before->instructions) / rounds;
	char counted[32] = "no count of";

	if (instructions)
		snprintf(counted, sizeof(counted), "%llu", instructions);
	ksft_print_msg("minute %d: %lu rounds of %llu ns, %s instructions; ", minute, rounds,
		       (r->busy_ns - before->busy_ns) / rounds, counted);
	printf("KiB: %llu free, %llu slab, %llu vmalloc\n", meminfo_bytes("MemFree: %lld") / KIB,
	       r->slab / KIB, r->vmalloc / KIB);
	fflush(stdout);
}

static bool has_grown(__u64 before, __u64 after)
{
	return after > before + KEPT_BYTES +
	       (kernel_has_kasan() ? meminfo_bytes("MemTotal: %lld") / 8 : 0);
}

/* Compares with the state before the first minute. */
static bool has_drifted(const struct report *first, const struct report *r)
{
	return lost_pages(&first->memory, &r->memory) > LOST_PAGES ||
	       r->dmabufs != first->dmabufs || has_grown(first->slab, r->slab) ||
	       has_grown(first->vmalloc, r->vmalloc);
}

static void run_minutes(unsigned int seconds, struct report *first, struct report *last)
{
	struct report before;

	run_for(WARM_UP_S);
	take_report(first);
	*last = *first;
	for (int minute = 1; seconds && !has_drifted(first, last); minute++) {
		const unsigned int step = seconds < 60 ? seconds : 60;

		before = *last;
		run_for(step);
		seconds -= step;
		take_report(last);
		print_report(minute, &before, last);
	}
}

int main(int argc, char **argv)
{
	unsigned int seconds = 60, threads = 4;
	struct report first, last;
	int opt;

	first_seed = now_ns();
	while ((opt = getopt(argc, argv, "s:t:r:")) != -1) {
		if (opt == 's')
			seconds = parse_number("SECONDS", optarg, 1, 1000000);
		else if (opt == 't')
			threads = parse_number("THREADS", optarg, 1, MAX_THREADS);
		else if (opt == 'r')
			first_seed = parse_number("SEED", optarg, 0, ~0ULL);
		else
			break;
	}
	if (opt != -1 || optind != argc) {
		fprintf(stderr, "Usage: heap_mix [-s SECONDS] [-t THREADS] [-r SEED]\n");
		return 2;
	}

	ksft_print_header();
	mix.heap = open_heap();
	if (mix.heap < 0)
		ksft_exit_skip(SYSTEM_HEAP ": %s\n", strerror(errno));
	if (access(VMAP_TEST_FILE, R_OK | W_OK))
		ksft_exit_skip(VMAP_TEST_FILE ": %s\n", strerror(errno));
	ksft_set_plan(5);
	ksft_print_msg("seed %llu\n", first_seed);
	mix.has_vkms = !vkms_open(&mix.vkms);
	set_dma_errors("0");
	start_workers(threads);
	run_minutes(seconds, &first, &last);
	ksft_print_msg("choices of the first %d rounds: %llx\n", TOLD_ROUNDS, end_workers());
	set_dma_errors("1");
	ksft_print_msg("%lld pages lost, %lld buffers left\n",
		       lost_pages(&first.memory, &last.memory),
		       last.dmabufs - first.dmabufs);
	ksft_test_result(last.checked > first.checked && !last.wrong,
			 "buffers have the right contents: %lu wrong of %lu\n",
			 last.wrong, last.checked);
	ksft_test_result(lost_pages(&first.memory, &last.memory) <= LOST_PAGES,
			 "no page is lost\n");
	ksft_test_result(last.dmabufs == first.dmabufs, "no buffer is left\n");
	ksft_test_result(!has_grown(first.slab, last.slab), "slabs do not grow\n");
	ksft_test_result(!has_grown(first.vmalloc, last.vmalloc),
			 "the vmalloc area does not fill up\n");
	ksft_finished();
}
