/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the system heap ask the kernel about its memory.
 */
#ifndef HEAP_USER_H
#define HEAP_USER_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/types.h>

#include "vmap_user.h"
#include "../kselftest.h"

#define LINE_BYTES	512
/* How long to wait for what comes in seconds. */
#define MAX_SECONDS	60
#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"

/* Who uses up all memory does so where that is soon done, in a guest mostly. */
#define LITTLE_MEMORY	(8ULL << 30)

typedef void use_line(char *line, void *data);

/* Calls @use with each line of @file.  Returns -1 if there is no such file. */
static inline int read_lines(const char *file, use_line *use, void *data)
{
	char line[LINE_BYTES];
	FILE *f = fopen(file, "re");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		use(line, data);
	fclose(f);
	return 0;
}

/**
 * struct wanted - a number in a file
 * @format: of the line it is in, with one %lld
 * @sum: sum of all that were found
 * @found: how many
 */
struct wanted {
	const char *format;
	long long sum;
	int found;
};

static inline void use_wanted(char *line, void *data)
{
	struct wanted *wanted = data;
	long long n;

	if (sscanf(line, wanted->format, &n) != 1)
		return;
	wanted->sum += n;
	wanted->found++;
}

/* The sum of the numbers that @format finds in @file, -1 if there are none. */
static inline long long read_numbers(const char *file, const char *format)
{
	struct wanted wanted = { .format = format };

	if (read_lines(file, use_wanted, &wanted) || !wanted.found)
		return -1;
	return wanted.sum;
}

/* @format is that of a line of /proc/meminfo, in KiB.  0 if there is none. */
static inline __u64 meminfo_bytes(const char *format)
{
	const long long kib = read_numbers("/proc/meminfo", format);

	return kib < 0 ? 0 : kib * KIB;
}

/* Memory of the CMA is for movable pages and for its own users. */
static inline __u64 free_bytes(void)
{
	return meminfo_bytes("MemFree: %lld") - meminfo_bytes("CmaFree: %lld");
}

/* What is free, reserves of the kernel as well, and what can be had of its caches. */
static inline __u64 free_or_cached_bytes(void)
{
	return free_bytes() + meminfo_bytes("Cached: %lld") - meminfo_bytes("Shmem: %lld") +
	       meminfo_bytes("SReclaimable: %lld");
}

/*
 * CPUs keep what they have freed, up to an eighth of memory.  What lies among movable
 * pages is then of no use to a buffer, and nobody takes it back where there is nothing
 * to reclaim.  But each second they let some of it go.
 *
 * Returns whether @bytes are free at last.
 */
static inline bool wait_for_free(__u64 bytes)
{
	for (int i = 0; i < MAX_SECONDS && free_bytes() < bytes; i++)
		sleep(1);
	return free_bytes() >= bytes;
}

/* All dma-bufs there are, whoever holds them. */
static inline long long count_dmabufs(void)
{
	return read_numbers(BUFINFO, "Total %lld objects");
}

struct symbol {
	const char *line_end;
	bool found;
};

static inline void use_symbol(char *line, void *data)
{
	struct symbol *symbol = data;

	if (strstr(line, symbol->line_end))
		symbol->found = true;
}

/* Has the kernel itself a global function of that name? */
static inline bool kernel_has(const char *line_end)
{
	struct symbol symbol = { .line_end = line_end };

	read_lines("/proc/kallsyms", use_symbol, &symbol);
	return symbol.found;
}

static inline bool kernel_has_our_heap(void)
{
	return kernel_has(" T vmap_sg\n");
}

static inline bool kernel_has_kasan(void)
{
	return kernel_has(" T kasan_report\n");
}

/* Returns -1 and sets errno if @file cannot be written. */
static inline int write_file(const char *file, const char *text)
{
	const int fd = open(file, O_WRONLY | O_CLOEXEC);
	const ssize_t size = strlen(text);
	int ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, size) == size ? 0 : -1;
	close(fd);
	return ret;
}

/*
 * How many more errors DMA debugging may show, if the kernel has it.  It takes a buffer
 * that is mapped for two devices for one: 6.12 always, 7.3 where devices are not
 * coherent.
 */
static inline void set_dma_errors(const char *nr)
{
	write_file("/sys/kernel/debug/dma-api/num_errors", nr);
}

/* Bytes that are free in blocks of @min_order pages and more. */
struct buddies {
	int min_order;
	unsigned long long bytes;
};

/* What follows @n words, each of them after any number of blanks. */
static inline char *skip_words(char *text, int n)
{
	while (n--) {
		text += strspn(text, " ,");
		text += strcspn(text, " ,");
	}
	return text;
}

static inline void use_buddies(char *line, void *data)
{
	struct buddies *buddies = data;
	char *next = strstr(line, "zone");
	unsigned long long blocks;
	int order, read;

	if (!next)
		return;
	next = skip_words(next, 2);
	for (order = 0; sscanf(next, "%llu%n", &blocks, &read) == 1; order++) {
		next += read;
		if (order >= buddies->min_order)
			buddies->bytes += (blocks << order) * sysconf(_SC_PAGESIZE);
	}
}

static inline unsigned long long free_in_blocks(int min_order)
{
	struct buddies buddies = { .min_order = min_order };

	read_lines("/proc/buddyinfo", use_buddies, &buddies);
	return buddies.bytes;
}

/* For a program that is one test: where it cannot run, it ends here. */
static inline void open_or_skip(int *heap, int *test)
{
	*heap = open_heap();
	if (*heap < 0)
		ksft_exit_skip(SYSTEM_HEAP ": %s\n", strerror(errno));
	*test = open_vmap_test();
	if (*test < 0)
		ksft_exit_skip(VMAP_TEST_FILE ": %s\n", strerror(errno));
}

#endif /* HEAP_USER_H */
