// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long it takes to map memory of a given physical layout: with vmap_sg(),
 * or what heaps do where a kernel has none, and with vmap(). Both are called in
 * the kernel, by DMABUF_VMAP_TEST_LAYOUT; no heap has a part in it.  What ioremap()
 * and vmalloc_huge() do to map a block is measured as well.
 */
#include <getopt.h>

#include "heap_util.h"
#include "../kselftest.h"

#define DEFAULT_BYTES	134217728
#define DEFAULT_ROUNDS	3
#define MAX_SIZES	16
/* Of short runs, less what makes no whole one. */
#define RUNS_BYTES	8388608

struct layout {
	const char *name;
	__u32 order;			/* DMABUF_VMAP_LAYOUT_* */
	size_t block;			/* bytes in a block, 0 for a page */
	size_t bytes;			/* that are mapped, if not those asked for */
	unsigned int pages;		/* in a run, in place of @block, see RUNS_BYTES */
	unsigned int skip;		/* pages before the first block */
	bool one_block;			/* for the entries that map nothing else */
};

static const struct layout layouts[] = {
	{ "run", DMABUF_VMAP_LAYOUT_APART, DMABUF_VMAP_TEST_MAX_BYTES },
	{ "4m", DMABUF_VMAP_LAYOUT_APART, 4 << 20 },
	{ "1m", DMABUF_VMAP_LAYOUT_APART, 1 << 20 },
	{ "64k", DMABUF_VMAP_LAYOUT_APART, 64 << 10 },
	{ "4k-scattered", DMABUF_VMAP_LAYOUT_APART },
	{ "4k-ascending", DMABUF_VMAP_LAYOUT_ASCENDING },
	{ "4k-shuffled", DMABUF_VMAP_LAYOUT_SHUFFLED },
	/* As the blocks that a heap gets from the page allocator. */
	{ "order8", DMABUF_VMAP_LAYOUT_APART, 1 << 20, 100 << 20 },
	{ "page", DMABUF_VMAP_LAYOUT_APART, .bytes = 1 },
	{ "block", DMABUF_VMAP_LAYOUT_APART, 1 << 20, 1 << 20, .one_block = true },
};

/*
 * Runs that are apart, not measured unless they are asked for, all at once by "runs".
 * With an a, those of a power of two are aligned to their size.  Last, runs of all
 * these lengths, at random.
 */
static const struct layout runs[] = {
	{ "run1a", .pages = 1 },
	{ "run1", .pages = 1, .skip = 1 },
	{ "run2a", .pages = 2 },
	{ "run2", .pages = 2, .skip = 1 },
	{ "run3a", .pages = 3 },
	{ "run3", .pages = 3, .skip = 1 },
	{ "run4a", .pages = 4 },
	{ "run4", .pages = 4, .skip = 1 },
	{ "run8a", .pages = 8 },
	{ "run8", .pages = 8, .skip = 1 },
	{ "run15a", .pages = 15 },
	{ "run15", .pages = 15, .skip = 1 },
	{ "run16a", .pages = 16 },
	{ "run16", .pages = 16, .skip = 1 },
	{ "run17a", .pages = 17 },
	{ "run17", .pages = 17, .skip = 1 },
	{ "run100a", .pages = 100 },
	{ "run100", .pages = 100, .skip = 1 },
	{ "run511a", .pages = 511 },
	{ "run511", .pages = 511, .skip = 1 },
	{ "run512a", .pages = 512 },
	{ "run512", .pages = 512, .skip = 1 },
	{ "run513a", .pages = 513 },
	{ "run513", .pages = 513, .skip = 1 },
	{ "mixeda", DMABUF_VMAP_LAYOUT_MIXED, .pages = 1 },
	{ "mixed", DMABUF_VMAP_LAYOUT_MIXED, .pages = 1, .skip = 1 },
};

static const struct { const char *name; __u32 value; } entries[] = {
	{ "sg", DMABUF_VMAP_ENTRY_SG },
	{ "pages", DMABUF_VMAP_ENTRY_PAGES },
	{ "ioremap", DMABUF_VMAP_ENTRY_IOREMAP },
	{ "vmalloc", DMABUF_VMAP_ENTRY_VMALLOC },
};

/* What all measurements share. */
struct bench {
	int test;
	size_t sizes[MAX_SIZES];	/* how much is mapped, one after the other */
	size_t nr_sizes;
	size_t bytes;			/* the one that is measured */
	unsigned long rounds;
	const char *entry;		/* the only one to measure, NULL for all */
	struct dmabuf_vmap_round *times; /* as the kernel writes them */
	__u64 *ns;			/* room to sort them */
};

static void print_usage(FILE *to)
{
	fprintf(to,
		"Usage: vmap_layouts [-b BYTES,...] [-r ROUNDS] [-e ENTRY] [LAYOUT]...\n"
		"Times vmap_sg(), vmap() and vunmap() of memory in physical layouts.\n"
		"\n"
		"  -b, --bytes=BYTES,...  how much to map, 1 to %u (default %d)\n"
		"  -r, --rounds=ROUNDS    rounds of each, 1 to %u (default %d)\n"
		"  -e, --entry=ENTRY      sg, pages, ioremap or vmalloc only\n"
		"  -h, --help             this text\n"
		"\n"
		"LAYOUT, all by default:",
		DMABUF_VMAP_TEST_MAX_BYTES, DEFAULT_BYTES,
		DMABUF_VMAP_TEST_MAX_ROUNDS, DEFAULT_ROUNDS);
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		fprintf(to, " %s", layouts[i].name);
	fprintf(to,
		"\n"
		"or runs, of few pages each, or one of these: run2, or run2a for aligned ones\n"
		"Prints, separated by tabs, times in ns; user is the entry:\n"
		"  bench user layout op bytes rounds min median max\n"
		"  layout user layout bytes pud pmd cont pte table_bytes nents\n");
}

static void print_rounds(struct bench *b, const char *entry, const char *layout, __u64 bytes)
{
	for (unsigned long i = 0; i < b->rounds; i++)
		b->ns[i] = b->times[i].map_ns;
	print_times(entry, layout, "vmap", bytes, b->ns, b->rounds);
	for (unsigned long i = 0; i < b->rounds; i++)
		b->ns[i] = b->times[i].unmap_ns;
	print_times(entry, layout, "vunmap", bytes, b->ns, b->rounds);
}

/* The block and the bytes to map: whole pages, and whole blocks. */
static void layout_size(const struct bench *b, const struct layout *l,
			__u64 *bytes, __u64 *block)
{
	if (l->pages) {
		*block = l->pages * page_size();
		*bytes = (RUNS_BYTES - l->skip * page_size()) / *block * *block;
		return;
	}
	*bytes = page_align(l->bytes ?: b->bytes);
	*block = page_align(l->block ?: 1);
	if (*block > *bytes)
		*block = *bytes;
	*bytes = (*bytes + *block - 1) / *block * *block;
}

static int bench_entry(struct bench *b, const struct layout *l, int entry)
{
	struct dmabuf_vmap_layout arg = {
		.layout = l->order,
		.entry = entries[entry].value,
		.rounds_ptr = (uintptr_t)b->times,
		.rounds = b->rounds,
		.skip = l->skip * page_size(),
	};

	layout_size(b, l, &arg.bytes, &arg.block);
	if (ioctl(b->test, DMABUF_VMAP_TEST_LAYOUT, &arg)) {
		fprintf(stderr, "vmap_layouts: %s %s, %llu bytes: %s\n",
			entries[entry].name, l->name, arg.bytes, strerror(errno));
		return -1;
	}
	if (arg.result.bad_pages) {
		fprintf(stderr, "vmap_layouts: %s %s: %llu pages mapped wrong, first is %llu\n",
			entries[entry].name, l->name, arg.result.bad_pages,
			arg.result.first_bad_page);
		return -1;
	}
	print_rounds(b, entries[entry].name, l->name, arg.bytes);
	printf("layout\t%s\t%s\t", entries[entry].name, l->name);
	print_leaves(&arg.result);
	return 0;
}

static bool is_any_layout(__u32 entry)
{
	return entry <= DMABUF_VMAP_ENTRY_PAGES;
}

static int bench_layout(struct bench *b, const struct layout *l)
{
	int ret = 0;

	/* Layouts with a size of their own are measured once. */
	if ((l->bytes || l->pages) && b->bytes != b->sizes[0])
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		if (l->one_block == is_any_layout(entries[i].value))
			continue;
		if (!b->entry || !strcmp(b->entry, entries[i].name))
			ret |= bench_entry(b, l, i);
	}
	if (!fflush(stdout))
		return ret;
	fprintf(stderr, "vmap_layouts: stdout: %s\n", strerror(errno));
	return -1;
}

static const struct layout *find_layout(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		if (!strcmp(layouts[i].name, name))
			return &layouts[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		if (!strcmp(runs[i].name, name))
			return &runs[i];
	}
	return NULL;
}

static bool is_all_runs(const char *name)
{
	return !strcmp(name, "runs");
}

static int bench_all(struct bench *b, const struct layout *all, size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n; i++)
		ret |= bench_layout(b, &all[i]);
	return ret;
}

/* Those named, or all; one that fails does not keep the others from running. */
static int bench_layouts(struct bench *b, char **names, int n)
{
	int ret = 0;

	if (!n)
		return bench_all(b, layouts, ARRAY_SIZE(layouts));
	for (int i = 0; i < n; i++) {
		if (is_all_runs(names[i]))
			ret |= bench_all(b, runs, ARRAY_SIZE(runs));
		else
			ret |= bench_layout(b, find_layout(names[i]));
	}
	return ret;
}

/* Layouts of one size after each other: they share their memory. */
static int bench_sizes(struct bench *b, char **names, int n)
{
	int ret = 0;

	for (size_t i = 0; i < b->nr_sizes; i++) {
		b->bytes = b->sizes[i];
		ret |= bench_layouts(b, names, n);
	}
	return ret;
}

/* As many as there are, separated by commas. */
static int parse_sizes(struct bench *b, char *list)
{
	char *text;

	for (b->nr_sizes = 0; (text = strsep(&list, ",")); b->nr_sizes++) {
		if (b->nr_sizes == MAX_SIZES) {
			fprintf(stderr, "vmap_layouts: more than %d sizes\n", MAX_SIZES);
			return -1;
		}
		b->sizes[b->nr_sizes] = parse_number("BYTES", text, 1, DMABUF_VMAP_TEST_MAX_BYTES);
	}
	return 0;
}

/* NULL and a message if there is no such entry. */
static const char *parse_entry(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		if (!strcmp(entries[i].name, name))
			return entries[i].name;
	}
	fprintf(stderr, "vmap_layouts: no such entry: %s\n", name);
	return NULL;
}

static int parse_options(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		{ "bytes", required_argument, NULL, 'b' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "entry", required_argument, NULL, 'e' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "b:r:e:h", options, NULL)) != -1) {
		switch (opt) {
		case 'h':
			print_usage(stdout);
			exit(EXIT_SUCCESS);
		case 'b':
			if (parse_sizes(b, optarg))
				return -1;
			break;
		case 'r':
			b->rounds = parse_number("ROUNDS", optarg, 1, DMABUF_VMAP_TEST_MAX_ROUNDS);
			break;
		case 'e':
			b->entry = parse_entry(optarg);
			if (!b->entry)
				return -1;
			break;
		default:
			return -1;
		}
	}
	for (int i = optind; i < argc; i++) {
		if (!find_layout(argv[i]) && !is_all_runs(argv[i])) {
			fprintf(stderr, "vmap_layouts: no such layout: %s\n", argv[i]);
			return -1;
		}
	}
	return 0;
}

static int open_bench(struct bench *b)
{
	b->test = open_vmap_test();
	if (b->test < 0) {
		fprintf(stderr, "vmap_layouts: %s: %s\n", VMAP_TEST_FILE, strerror(errno));
		return -1;
	}
	b->times = calloc(b->rounds, sizeof(*b->times));
	b->ns = calloc(b->rounds, sizeof(*b->ns));
	if (b->times && b->ns)
		return 0;
	fprintf(stderr, "vmap_layouts: %s\n", strerror(errno));
	return -1;
}

int main(int argc, char **argv)
{
	struct bench b = {
		.sizes = { DEFAULT_BYTES },
		.nr_sizes = 1,
		.rounds = DEFAULT_ROUNDS,
	};

	if (parse_options(&b, argc, argv))
		return 2;
	if (check_clock("vmap_layouts") || open_bench(&b) ||
	    bench_sizes(&b, argv + optind, argc - optind))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}
