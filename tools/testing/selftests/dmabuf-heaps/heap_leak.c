// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of the system heap, made, used and released by four threads, many
 * times: each is zero, none shares a page with another, and no page is lost.
 */
#include <pthread.h>
#include <sched.h>

#include "heap_util.h"
#include "../kselftest.h"

#define NR_THREADS	4
#define DEFAULT_ROUNDS	10000
#define MAX_ROUNDS	100000000

/* One round of so many also maps the buffer for the kernel. */
#define VMAP_EVERY	8
/* And of so many splits what a large leaf of user space maps, so that it is dropped. */
#define SPLIT_EVERY	4
/* So many rounds of each thread before the first look, for what is kept. */
#define WARM_UP_ROUNDS	250

/* Pages that others may take meanwhile.  A page a round is 10,000. */
#define LOST_PAGES	64
/* How often to look for pages that are not where they should be. */
#define LOOKS		5
/* Of memory in blocks of the top orders, what other pieces may cost. */
#define TOP_SHARE	16

/* Pages of a buffer, small ones more often than large ones. */
static const unsigned short sizes[] = {
	1, 1, 1, 1, 2, 2, 3, 5, 15, 16, 17, 40, 64, 127, 300, 515,
};

struct worker {
	pthread_t thread;
	unsigned int id;		/* from 1 on */
	unsigned long rounds;
	unsigned long not_zero;		/* buffers that were not zero */
	unsigned long not_ours;		/* that someone else wrote to */
	unsigned long misplaced;	/* whose kernel mapping had wrong pages */
	const char *failed;		/* what could not be done, or NULL */
	int error;
};

static int heap, test;

static int give_up(struct worker *w, const char *what)
{
	w->failed = what;
	w->error = errno;
	return -1;
}

static int use_buffer(struct worker *w, int dmabuf, size_t bytes, unsigned long round)
{
	/* Pages of each thread and round have numbers of their own. */
	const __u64 first = (__u64)w->id << 56 | (__u64)round << 24;
	char *map = map_dmabuf(dmabuf, bytes);
	struct dmabuf_vmap_result res;
	int ret = 0;

	if (!map)
		return give_up(w, "mmap");
	w->not_zero += !is_zero((__u64 *)map, bytes / sizeof(__u64));
	memset(map, 0xa5, bytes);
	number_pages(map, bytes, first);
	if (round % VMAP_EVERY == 0) {
		if (vmap_test_once(test, dmabuf, DMABUF_VMAP_TEST_VERIFY, 0, &res))
			ret = give_up(w, "vmap");
		else
			w->misplaced += !!res.bad_pages;
	} else {
		sched_yield();
	}
	if (round % SPLIT_EVERY == 0 && mprotect(map, page_size(), PROT_READ))
		ret = give_up(w, "mprotect");
	w->not_ours += !is_numbered(map, bytes, first);
	munmap(map, bytes);
	return ret;
}

/* Makes two buffers and releases them in the order in which they were made. */
static int do_round(struct worker *w, unsigned long round, unsigned int *seed, int *before)
{
	const size_t bytes = sizes[rand_r(seed) / 16 % ARRAY_SIZE(sizes)] * page_size();
	const int dmabuf = heap_alloc(heap, bytes);
	int ret;

	if (dmabuf < 0)
		return give_up(w, "alloc");
	ret = use_buffer(w, dmabuf, bytes, round);
	if (*before >= 0)
		close(*before);
	*before = dmabuf;
	return ret;
}

static void *work(void *data)
{
	struct worker *w = data;
	unsigned int seed = w->id;
	int before = -1;

	for (unsigned long i = 0; i < w->rounds; i++) {
		if (do_round(w, i, &seed, &before))
			break;
	}
	if (before >= 0)
		close(before);
	return NULL;
}

static void run(struct worker *workers, unsigned long rounds)
{
	for (int i = 0; i < NR_THREADS; i++) {
		workers[i].id = i + 1;
		workers[i].rounds = rounds;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			ksft_exit_fail_msg("no thread\n");
	}
	for (int i = 0; i < NR_THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].failed)
			ksft_exit_fail_msg("%s: %s\n", workers[i].failed,
					   strerror(workers[i].error));
	}
}

static void print_memory(const char *when, const struct memory *m)
{
	ksft_print_msg("%s: %lld pages free, %lld counted, %lld not\n",
		       when, m->free, m->counted, m->uncounted);
	ksft_print_msg("  buddyinfo %lld, %lld of them in blocks of %u; pagetypeinfo %lld\n",
		       m->by_size, m->top, 1 << TOP_ORDER, m->by_type);
}

/* The free pages of the lists, which are those that are not with a CPU. */
static bool is_in_lists(long long before, long long after, long long drift)
{
	return before - after <= drift + LOST_PAGES;
}

/*
 * A CPU that takes pages after the lists were drained has them where only some
 * of the files count them. It does not each time; what is lost is lost again.
 */
static void look_again(const struct memory *before, struct memory *after)
{
	for (int tries = 0; tries < LOOKS; tries++) {
		look(after);
		if (is_in_lists(before->by_size, after->by_size,
				before->free - after->free) &&
		    is_in_lists(before->by_type, after->by_type,
				before->free - after->free))
			return;
	}
}

static void compare(const struct memory *before, const struct memory *after)
{
	const long long lost = lost_pages(before, after);
	const long long drift = before->free - after->free;

	ksft_print_msg("%lld pages fewer are free, %lld more are counted, %lld are lost\n",
		       drift, after->counted - before->counted, lost);
	ksft_test_result(lost <= LOST_PAGES, "no page is lost\n");
	ksft_test_result(is_in_lists(before->by_size, after->by_size, drift),
			 "free pages are in the lists of free blocks\n");
	if (after->by_type)
		ksft_test_result(is_in_lists(before->by_type, after->by_type, drift),
				 "free pages are in the lists of their types\n");
	else
		ksft_test_result_skip("no /proc/pagetypeinfo\n");
	ksft_test_result(after->top >= before->top - before->top / TOP_SHARE,
			 "free pages are in large blocks again\n");
}

int main(int argc, char **argv)
{
	const unsigned long rounds = parse_rounds(argc, argv, DEFAULT_ROUNDS, MAX_ROUNDS);
	struct worker workers[NR_THREADS] = {}, sum = {};
	struct memory before, after;
	long long dmabufs;
	__u64 start;

	ksft_print_header();
	open_or_skip(&heap, &test);
	ksft_set_plan(8);

	run(workers, WARM_UP_ROUNDS);
	dmabufs = count_dmabufs();
	look(&before);
	start = now_ns();
	run(workers, (rounds + NR_THREADS - 1) / NR_THREADS);
	ksft_print_msg("%lu rounds in %llu ms\n", rounds, (now_ns() - start) / 1000000);
	look_again(&before, &after);
	for (int i = 0; i < NR_THREADS; i++) {
		sum.not_zero += workers[i].not_zero;
		sum.not_ours += workers[i].not_ours;
		sum.misplaced += workers[i].misplaced;
	}
	ksft_print_msg("%lu buffers not zero, %lu written to by others, %lu misplaced\n",
		       sum.not_zero, sum.not_ours, sum.misplaced);
	ksft_test_result(!sum.not_zero, "every buffer is zero\n");
	ksft_test_result(!sum.not_ours, "no page is in two buffers\n");
	ksft_test_result(!sum.misplaced, "every page is where the device has it\n");
	ksft_test_result(count_dmabufs() == dmabufs, "no buffer is left\n");
	print_memory("before", &before);
	print_memory("after", &after);
	compare(&before, &after);
	ksft_finished();
}
