/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the pages of this machine are, to see whether some are lost.
 *
 * Free memory is not the same after a test: pages went to slabs, page tables and
 * the like, and are counted there; blocks are in other pieces.  Pages that are
 * neither free nor counted anywhere are what is compared.
 */
#ifndef HEAP_MEMORY_H
#define HEAP_MEMORY_H

#include <limits.h>
#include "heap_user.h"

#define TOP_ORDER	9
#define PAGE_OWNERS	"/sys/kernel/debug/page_owner_stacks/show_stacks"

/**
 * struct memory - where the pages of this machine are
 * @free: free, in the lists of CPUs as well
 * @counted: taken, by someone who is counted in /proc/meminfo
 * @uncounted: all others
 * @by_size: free, as /proc/buddyinfo has it, or with a CPU
 * @by_type: free, as /proc/pagetypeinfo has it, or with a CPU
 * @top: free, in blocks of TOP_ORDER and more
 * @buffers: taken by the system heap for buffers, where page_owner is on; else -1
 */
struct memory {
	long long free;
	long long counted;
	long long uncounted;
	long long by_size;
	long long by_type;
	long long top;
	long long buffers;
};

/* Contiguous memory is taken, for which they are emptied, and given back. */
static inline void drain_cpu_lists(void)
{
	struct dmabuf_vmap_layout arg = {
		.bytes = page_size(),
		.block = page_size(),
		.rounds = 1,
	};
	const int fd = open_vmap_test();

	if (ioctl(fd, DMABUF_VMAP_TEST_LAYOUT, &arg))
		printf("# lists of CPUs are not empty: %s\n", strerror(errno));
	close(fd);
}

static inline long long counted_pages(void)
{
	static const char * const users[] = {
		"Buffers: %lld", "Cached: %lld", "AnonPages: %lld", "Slab: %lld",
		"KernelStack: %lld", "PageTables: %lld", "VmallocUsed: %lld",
		"Percpu: %lld",
	};
	__u64 bytes = 0;

	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++)
		bytes += meminfo_bytes(users[i]);
	return bytes / page_size();
}

static inline void use_types(char *line, void *data)
{
	long long *pages = data, blocks;
	char *next = strstr(line, "type ");
	int read;

	/* The table below it has no page orders, but "Number of blocks". */
	if (!next)
		return;
	next = skip_words(next, 2);
	for (int order = 0; sscanf(next, "%lld%n", &blocks, &read) == 1; order++) {
		next += read;
		*pages += blocks << order;
	}
}

/**
 * struct owner - who took pages, a function a line, and then how many there are
 * @allocated: the last line was of the page allocator
 * @is_heap: it was the heap that called it, not a slab or an array of the heap
 * @pages: of the heap, in all
 */
struct owner {
	bool allocated;
	bool is_heap;
	long long pages;
};

static inline void use_owner(char *line, void *data)
{
	struct owner *owner = data;
	long long pages;

	if (owner->allocated &&
	    (strstr(line, " system_heap_") || strstr(line, " heap_")))
		owner->is_heap = true;
	owner->allocated = strstr(line, "alloc_pages");
	if (sscanf(line, "nr_base_pages: %lld", &pages) != 1)
		return;
	if (owner->is_heap)
		owner->pages += pages;
	owner->is_heap = false;
}

static inline long long buffer_pages(void)
{
	struct owner owner = {};

	return read_lines(PAGE_OWNERS, use_owner, &owner) ? -1 : owner.pages;
}

/*
 * Takes two seconds: what was freed may be given back later, and each CPU keeps some
 * of the counts to itself for a second.
 */
static inline void look(struct memory *m)
{
	long long with_cpus;

	sleep(2);
	drain_cpu_lists();
	/* Who reads all this takes some again. */
	with_cpus = read_numbers("/proc/zoneinfo", " count: %lld");
	m->free = read_numbers("/proc/zoneinfo", " nr_free_pages %lld") + with_cpus;
	m->counted = counted_pages();
	m->uncounted = meminfo_bytes("MemTotal: %lld") / page_size() - m->free - m->counted;
	m->by_size = free_in_blocks(0) / page_size() + with_cpus;
	m->top = free_in_blocks(TOP_ORDER) / page_size();
	m->by_type = 0;
	read_lines("/proc/pagetypeinfo", use_types, &m->by_type);
	if (m->by_type)
		m->by_type += with_cpus;
	m->buffers = buffer_pages();
}

/*
 * KASAN keeps what was freed for some time, and has pages that nobody counts: for
 * the shadow of areas that are still to be unmapped, and for traces of calls.  What
 * can be told there is what page_owner knows of buffers.
 */
static inline long long lost_pages(const struct memory *before, const struct memory *after)
{
	if (!kernel_has_kasan())
		return after->uncounted - before->uncounted;
	if (after->buffers >= 0)
		return after->buffers - before->buffers;
	printf("# all may be lost: boot with page_owner=on\n");
	return LLONG_MAX;
}

static inline bool is_zero(const __u64 *words, size_t nr)
{
	__u64 any = 0;

	for (size_t i = 0; i < nr; i++)
		any |= words[i];
	return !any;
}

#endif /* HEAP_MEMORY_H */
