// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "heap_util.h"
#include "../kselftest.h"

#define CLOCK_TRIES	10
#define MAX_CLOCK_NS	100000
#define MAX_CPUS	64
#define MAX_TOLD	5
/* How long to wait for what comes in seconds. */
#define SETTLE_MS	10000
#define PAGE_OWNERS	"/sys/kernel/debug/page_owner_stacks/show_stacks"
#define POOL_STATS	"/sys/kernel/debug/dma_heap_pool"
#define POOL_MAX	"/sys/module/system_heap/parameters/pool_max_kbytes"
#define PCI_DEVICES	"/sys/bus/pci/devices"

const char * const op_names[NR_OPS] = {
	[ALLOC] = "alloc",
	[MMAP] = "mmap",
	[FORK] = "fork",
	[REFAULT] = "refault",
	[REFAULT_PTES] = "refault-ptes",
	[MUNMAP] = "munmap",
	[VMAP] = "vmap",
	[VUNMAP] = "vunmap",
	[FREE] = "free",
};

/* Files. */

/* Calls @use with each line of @file.  Returns -1 if there is no such file. */
int read_lines(const char *file, use_line *use, void *data)
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

struct wanted {
	const char *format;
	long long sum;
	int found;
};

static void use_wanted(char *line, void *data)
{
	struct wanted *wanted = data;
	long long n;

	if (sscanf(line, wanted->format, &n) != 1)
		return;
	wanted->sum += n;
	wanted->found++;
}

/* The sum of the numbers that @format finds in @file, -1 if there are none. */
long long read_numbers(const char *file, const char *format)
{
	struct wanted wanted = { .format = format };

	if (read_lines(file, use_wanted, &wanted) || !wanted.found)
		return -1;
	return wanted.sum;
}

/* @format is that of a line of /proc/meminfo, in KiB.  0 if there is none. */
__u64 meminfo_bytes(const char *format)
{
	const long long kib = read_numbers("/proc/meminfo", format);

	return kib < 0 ? 0 : kib * KIB;
}

struct counter {
	const char *text;
	int lines;
};

static void use_counter(char *line, void *data)
{
	struct counter *counter = data;

	counter->lines += !!strstr(line, counter->text);
}

/* Lines of @file that contain @text, 0 if there is no such file. */
int count_lines(const char *file, const char *text)
{
	struct counter counter = { .text = text };

	read_lines(file, use_counter, &counter);
	return counter.lines;
}

/* The first line of @file, or its first @size - 1 bytes.  Returns -1 if there are none. */
int read_text(const char *file, char *text, size_t size)
{
	FILE *f = fopen(file, "re");
	int ret = -1;

	if (!f)
		return -1;
	if (fgets(text, size, f)) {
		text[strcspn(text, "\n")] = 0;
		ret = 0;
	}
	fclose(f);
	return ret;
}

/* The word in brackets, of those that @file offers.  Returns -1 if there is none. */
int read_choice(const char *file, char *choice, size_t size)
{
	char line[LINE_BYTES], *start;

	if (read_text(file, line, sizeof(line)))
		return -1;
	start = strchr(line, '[');
	if (!start)
		return -1;
	start[strcspn(start, "]")] = 0;
	snprintf(choice, size, "%s", start + 1);
	return 0;
}

/* Returns -1 and sets errno if @file cannot be written. */
int write_file(const char *file, const char *text)
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

int write_number(const char *file, long long n)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", n);
	return write_file(file, text);
}

/* Does a line of /proc/kallsyms end so? */
bool kernel_has(const char *line_end)
{
	return count_lines("/proc/kallsyms", line_end);
}

bool kernel_has_vmap_sg(void)
{
	return kernel_has(" T vmap_sg\n");
}

bool kernel_has_kasan(void)
{
	return kernel_has(" T kasan_report\n");
}

bool booted_with(const char *option)
{
	return count_lines("/proc/cmdline", option);
}

/* Pages that the page allocator has handed out since boot, of all zones. */
long long pages_allocated(void)
{
	return read_numbers("/proc/vmstat", "pgalloc_%*s %lld");
}

/* Page tables of this process, in KiB. */
long long table_kib(void)
{
	return read_numbers("/proc/self/status", "VmPTE: %lld");
}

/*
 * How many more errors DMA debugging may show, if the kernel has it.  It takes a buffer
 * that is mapped for two devices for one: 6.12 always, 7.3 where devices are not
 * coherent.
 */
void set_dma_errors(const char *nr)
{
	write_file("/sys/kernel/debug/dma-api/num_errors", nr);
}

/* Buffers. */

size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

size_t page_align(size_t bytes)
{
	return (bytes + page_size() - 1) & ~(page_size() - 1);
}

int open_heap(void)
{
	return open(SYSTEM_HEAP, O_RDONLY | O_CLOEXEC);
}

int open_vmap_test(void)
{
	return open(VMAP_TEST_FILE, O_RDWR | O_CLOEXEC);
}

/* Returns the file that cannot be opened, NULL if both are. */
const char *open_both(int *heap, int *test)
{
	*heap = open_heap();
	if (*heap < 0)
		return SYSTEM_HEAP;
	*test = open_vmap_test();
	return *test < 0 ? VMAP_TEST_FILE : NULL;
}

/* For a program that is one test: where it cannot run, it ends here. */
void open_or_skip(int *heap, int *test)
{
	const char *missing = open_both(heap, test);

	if (missing)
		ksft_exit_skip("%s: %s\n", missing, strerror(errno));
}

/* Returns a new dma-buf, which the caller closes. */
int heap_alloc(int heap, __u64 bytes)
{
	struct dma_heap_allocation_data data = {
		.len = bytes,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	return ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) ? -1 : (int)data.fd;
}

/* Of a heap that is open, which is closed. */
static int alloc_and_close(int heap, size_t bytes)
{
	int dmabuf;

	if (heap < 0)
		return -1;
	dmabuf = heap_alloc(heap, bytes);
	close(heap);
	return dmabuf;
}

int cma_alloc(size_t bytes)
{
	/* The name in 6.12, and the one since. */
	static const char * const names[] = {
		"/dev/dma_heap/reserved", "/dev/dma_heap/default_cma_region",
	};
	int heap = -1;

	for (size_t i = 0; heap < 0 && i < ARRAY_SIZE(names); i++) {
		heap = open(names[i], O_RDONLY | O_CLOEXEC);
		if (heap < 0 && errno != ENOENT)
			return -1;
	}
	return alloc_and_close(heap, bytes);
}

/* Of all of @memfd, which is of that size. */
int udmabuf_of(int memfd, size_t bytes)
{
	const int dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	struct udmabuf_create create = {
		.memfd = memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = bytes,
	};
	int dmabuf = -1;

	if (dev >= 0 && !fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK))
		dmabuf = ioctl(dev, UDMABUF_CREATE, &create);
	close(dev);
	return dmabuf;
}

static int udmabuf_alloc(size_t bytes)
{
	const int memfd = memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	const int dmabuf = ftruncate(memfd, bytes) ? -1 : udmabuf_of(memfd, bytes);

	close(memfd);
	return dmabuf;
}

/* Returns a new dma-buf, which the caller closes. */
int exporter_alloc(enum exporter exporter, size_t bytes)
{
	switch (exporter) {
	case CMA:
		return cma_alloc(bytes);
	case UDMABUF:
		return udmabuf_alloc(bytes);
	default:
		return alloc_and_close(open_heap(), bytes);
	}
}

/* NULL on error. */
void *map_dmabuf(int dmabuf, size_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);

	return map == MAP_FAILED ? NULL : map;
}

int cpu_access(int dmabuf, __u64 flags)
{
	struct dma_buf_sync sync = { .flags = flags | DMA_BUF_SYNC_RW };

	return ioctl(dmabuf, DMA_BUF_IOCTL_SYNC, &sync);
}

/* The in-kernel test user. */

/* Times one round, then does what @flags ask for. */
int vmap_test_once(int test, int dmabuf, __u32 flags, __u64 seed,
		   struct dmabuf_vmap_result *res)
{
	struct dmabuf_vmap_test arg = {
		.fd = dmabuf,
		.rounds = 1,
		.flags = flags,
		.seed = seed,
	};
	int ret = ioctl(test, DMABUF_VMAP_TEST_RUN, &arg);

	*res = arg.result;
	return ret;
}

int vmap_test_hold(int test, int dmabuf, struct dmabuf_vmap_hold *arg)
{
	*arg = (struct dmabuf_vmap_hold){ .fd = dmabuf };
	return ioctl(test, DMABUF_VMAP_TEST_HOLD, arg);
}

int vmap_test_unhold(int test, struct dmabuf_vmap_hold *arg)
{
	*arg = (struct dmabuf_vmap_hold){ .fd = -1 };
	return ioctl(test, DMABUF_VMAP_TEST_UNHOLD, arg);
}

/* The errno of an ioctl that must fail, 0 if it did not. */
int ioctl_errno(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) ? errno : 0;
}

/* The same, called by a program that knows another size of the structure. */
int ioctl_of_size_errno(int fd, unsigned long cmd, size_t size, void *arg)
{
	return ioctl_errno(fd, _IOC(_IOC_DIR(cmd), _IOC_TYPE(cmd), _IOC_NR(cmd), size), arg);
}

__u64 leaf_count(const struct dmabuf_vmap_result *res)
{
	return res->pud_leaves + res->pmd_leaves + res->cont_leaves +
	       res->pte_leaves;
}

/* Maps @dmabuf for a new device that takes segments of @max_seg, see ATTACH. */
int attach_new_device(int test, int dmabuf, __u32 max_seg, __u32 flags,
		      struct dmabuf_vmap_attach *arg)
{
	*arg = (struct dmabuf_vmap_attach){
		.test = { .fd = dmabuf, .rounds = 1, .flags = flags, .seed = max_seg },
		.max_seg = max_seg,
	};
	return ioctl(test, DMABUF_VMAP_TEST_ATTACH, arg);
}

/* Maps @dmabuf for the device of that name, @nr times. */
int attach_pci_device(int test, int dmabuf, const char *name, __u32 max_seg, __u32 flags,
		      struct dmabuf_vmap_round *rounds, __u32 nr,
		      struct dmabuf_vmap_attach *arg)
{
	*arg = (struct dmabuf_vmap_attach){
		.test = {
			.fd = dmabuf, .rounds = nr, .flags = flags, .seed = 7,
			.rounds_ptr = (uintptr_t)rounds,
		},
		.bus = "pci",
		.max_seg = max_seg,
	};
	snprintf(arg->device, sizeof(arg->device), "%s", name);
	return ioctl(test, DMABUF_VMAP_TEST_ATTACH, arg);
}

/*
 * A PCI device behind an IOMMU, of the name of those that have a driver.  Returns
 * false if there is none.
 */
bool find_iommu_device(int test, int dmabuf, char *name, size_t size)
{
	struct dmabuf_vmap_attach arg;
	const struct dirent *e;
	bool found = false;
	DIR *dir = opendir(PCI_DEVICES);

	while (dir && !found && (e = readdir(dir))) {
		if (*e->d_name == '.' || strlen(e->d_name) >= size)
			continue;
		memcpy(name, e->d_name, strlen(e->d_name) + 1);
		found = !attach_pci_device(test, dmabuf, name, 0, 0, NULL, 1, &arg) &&
			arg.iommu_sizes;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* Contents. */

bool is_zero(const __u64 *words, size_t nr)
{
	__u64 any = 0;

	for (size_t i = 0; i < nr; i++)
		any |= words[i];
	return !any;
}

void fill_words(__u64 *words, size_t nr, __u64 seed)
{
	for (size_t i = 0; i < nr; i++)
		words[i] = dmabuf_vmap_test_pattern(seed, i);
}

/* Index of the first word that is not the pattern from @first on, or @nr. */
size_t first_not_pattern(const __u64 *words, size_t nr, __u64 seed, size_t first)
{
	size_t i = 0;

	while (i < nr && words[i] == dmabuf_vmap_test_pattern(seed, first + i))
		i++;
	return i;
}

/* The hash of @nr words of the pattern, without reading any. */
__u64 pattern_hash(size_t nr, __u64 seed)
{
	__u64 hash = DMABUF_VMAP_TEST_HASH_INIT;

	for (size_t i = 0; i < nr; i++)
		hash = dmabuf_vmap_test_hash_word(hash, dmabuf_vmap_test_pattern(seed, i));
	return hash;
}

/* The first and the last word of each page are its number, from @first on. */
void number_pages(void *map, size_t bytes, __u64 first)
{
	const size_t words = page_size() / sizeof(__u64), all = bytes / sizeof(__u64);
	__u64 *pages = map;

	for (size_t i = 0; i < all; i += words, first++) {
		pages[i] = first;
		pages[i + words - 1] = first;
	}
}

/* Whether they still are.  The first times that they are not, says where. */
bool is_numbered(const void *map, size_t bytes, __u64 first)
{
	const size_t words = page_size() / sizeof(__u64), all = bytes / sizeof(__u64);
	const __u64 *pages = map;
	static int told;

	for (size_t i = 0; i < all; i += words, first++) {
		if (pages[i] == first && pages[i + words - 1] == first)
			continue;
		if (told++ < MAX_TOLD)
			ksft_print_msg("page %zu of %zu is %llx to %llx, not %llx\n", i / words,
				       all / words, pages[i], pages[i + words - 1], first);
		return false;
	}
	return true;
}

/* Memory of the machine. */

/* Memory of the CMA is for movable pages and for its own users. */
__u64 free_bytes(void)
{
	return meminfo_bytes("MemFree: %lld") - meminfo_bytes("CmaFree: %lld");
}

/* What is free, reserves of the kernel as well, and what can be had of its caches. */
__u64 free_or_cached_bytes(void)
{
	return free_bytes() + meminfo_bytes("Cached: %lld") - meminfo_bytes("Shmem: %lld") +
	       meminfo_bytes("KReclaimable: %lld");
}

/*
 * CPUs keep pages that they freed, up to an eighth of memory.  Buffers cannot use those
 * among movable pages, and without reclaim they are not drained.  Each time that a CPU
 * brings its statistics up to date it frees some of them.  An idle one is asked to.
 *
 * Returns whether @bytes are free at last.
 */
bool wait_for_free(__u64 bytes)
{
	char nothing[2];

	for (int i = 0; i < MAX_SECONDS && free_bytes() < bytes; i++) {
		read_text("/proc/sys/vm/stat_refresh", nothing, sizeof(nothing));
		sleep(1);
	}
	return free_bytes() >= bytes;
}

/* Whether the machine has room for @bytes, with as much again to spare. */
bool memory_for(size_t bytes)
{
	return (__u64)sysconf(_SC_PHYS_PAGES) * page_size() / 2 >= bytes;
}

/* For tests that use up all memory. */
bool may_fill_memory(void)
{
	return getenv("FILL_MEMORY") && meminfo_bytes("MemTotal: %lld") <= FILL_MEMORY_MAX;
}

/* What follows @n words, each of them after any number of blanks. */
static char *skip_words(char *text, int n)
{
	while (n--) {
		text += strspn(text, " ,");
		text += strcspn(text, " ,");
	}
	return text;
}

/* Free blocks of each order, in lines with a word and a name before them. */
struct blocks {
	const char *word;
	int min_order;
	long long pages;
};

static void use_blocks(char *line, void *data)
{
	struct blocks *blocks = data;
	char *next = strstr(line, blocks->word);
	long long nr;
	int read;

	if (!next)
		return;
	next = skip_words(next, 2);
	for (int order = 0; sscanf(next, "%lld%n", &nr, &read) == 1; order++) {
		next += read;
		if (order >= blocks->min_order)
			blocks->pages += nr << order;
	}
}

/* Bytes that are free in blocks of @min_order pages and more. */
unsigned long long free_in_blocks(int min_order)
{
	struct blocks blocks = { .word = "zone", .min_order = min_order };

	read_lines("/proc/buddyinfo", use_blocks, &blocks);
	return blocks.pages * page_size();
}

/* Allocating contiguous memory drains them. */
void drain_cpu_lists(void)
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

static long long counted_pages(void)
{
	static const char * const users[] = {
		"Buffers: %lld", "Cached: %lld", "AnonPages: %lld", "Slab: %lld",
		"KernelStack: %lld", "PageTables: %lld", "VmallocUsed: %lld",
		"Percpu: %lld",
	};
	__u64 bytes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		bytes += meminfo_bytes(users[i]);
	return bytes / page_size();
}

/* As free_in_blocks(), but by their types, and in pages; 0 where nobody counts these. */
static long long free_by_type(void)
{
	/* The table below it has no page orders, but "Number of blocks". */
	struct blocks blocks = { .word = "type " };

	read_lines("/proc/pagetypeinfo", use_blocks, &blocks);
	return blocks.pages;
}

/* Stacks of calls that allocated pages, and the number of these. */
struct owner {
	bool allocated;		/* the last line was of the page allocator */
	bool is_heap;		/* and the heap called it, not a slab or an array of the heap */
	long long pages;	/* of the heap, in all */
};

static void use_owner(char *line, void *data)
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

static long long buffer_pages(void)
{
	struct owner owner = {};

	return read_lines(PAGE_OWNERS, use_owner, &owner) ? -1 : owner.pages;
}

/* A node per line; the first line has names. */
static void use_pool_node(char *line, void *data)
{
	unsigned long long kib[sizeof(struct pool) / sizeof(__u64)];
	__u64 *sums = data;

	if (sscanf(line, "%*d %llu %llu %llu %llu %llu %llu %llu %llu %llu", &kib[0], &kib[1],
		   &kib[2], &kib[3], &kib[4], &kib[5], &kib[6], &kib[7], &kib[8]) != 9)
		return;
	for (size_t i = 0; i < sizeof(kib) / sizeof(*kib); i++)
		sums[i] += kib[i] * KIB;
}

struct pool read_pool(void)
{
	struct pool pool = {};

	read_lines(POOL_STATS, use_pool_node, &pool);
	return pool;
}

/* What is charged to a group goes past the pool. */
bool pool_is_used(void)
{
	return read_numbers(POOL_MAX, "%lld") > 0 && !count_lines(ACCOUNTING, "Y");
}

/* In KiB, what the pool was allowed when the program began.  It is when it ends. */
static long long pool_max_before = -1;

void restore_pool_max(void)
{
	write_number(POOL_MAX, pool_max_before);
}

/* Does nothing if there is no pool.  0 switches it off. */
void set_pool_max(__u64 bytes)
{
	if (pool_max_before < 0) {
		pool_max_before = read_numbers(POOL_MAX, "%lld");
		if (pool_max_before < 0)
			return;
		atexit(restore_pool_max);
	}
	if (write_number(POOL_MAX, bytes / KIB))
		printf("# " POOL_MAX ": %s\n", strerror(errno));
}

/* Gives back what is in the pool. */
void empty_pool(void)
{
	const long long kib = read_numbers(POOL_MAX, "%lld");

	if (kib <= 0)
		return;
	set_pool_max(0);
	/* The thread may have a block still. */
	for (int i = 0; i < MAX_SECONDS * 100 && read_pool().total; i++)
		usleep(10000);
	set_pool_max(kib * KIB);
}

/* Returns false if something is still to be zeroed after MAX_SECONDS. */
bool wait_for_clean_pool(void)
{
	for (int i = 0; i < MAX_SECONDS * 100; i++) {
		if (!read_pool().dirty)
			return true;
		usleep(10000);
	}
	return false;
}

/*
 * Takes two seconds: what was freed may be given back later, and each CPU keeps some
 * of the counts to itself for a second.
 */
void look(struct memory *m)
{
	long long with_cpus;

	empty_pool();
	sleep(2);
	drain_cpu_lists();
	/* Reading these files takes some pages again. */
	with_cpus = read_numbers("/proc/zoneinfo", " count: %lld");
	m->free = read_numbers("/proc/zoneinfo", " nr_free_pages %lld") + with_cpus;
	m->counted = counted_pages();
	m->uncounted = meminfo_bytes("MemTotal: %lld") / page_size() - m->free - m->counted;
	m->by_size = free_in_blocks(0) / page_size() + with_cpus;
	m->top = free_in_blocks(TOP_ORDER) / page_size();
	m->by_type = free_by_type();
	if (m->by_type)
		m->by_type += with_cpus;
	m->buffers = buffer_pages();
}

/*
 * KASAN keeps freed memory for some time, and has pages that are not counted: for the
 * shadow of areas that are still to be unmapped, and for traces of calls.  There, only
 * the pages of buffers can be compared, as page_owner counts them.
 */
long long lost_pages(const struct memory *before, const struct memory *after)
{
	if (!kernel_has_kasan())
		return after->uncounted - before->uncounted;
	if (after->buffers >= 0)
		return after->buffers - before->buffers;
	printf("# all may be lost: boot with page_owner=on\n");
	return LLONG_MAX;
}

/* What is left behind. */

/* All dma-bufs of the system. */
long long count_dmabufs(void)
{
	return read_numbers(BUFINFO, "Total %lld objects");
}

struct left count_left(void)
{
	return (struct left){
		.dmabufs = count_dmabufs(),
		.areas = count_lines("/proc/vmallocinfo", "system_heap"),
	};
}

/* Waits for what a work queue still has to release. */
bool nothing_is_left(const struct left *before)
{
	for (int ms = 0; ms < SETTLE_MS; ms += 10) {
		const struct left now = count_left();

		if (now.dmabufs == before->dmabufs && now.areas == before->areas)
			return true;
		usleep(10000);
	}
	return false;
}

/* Processes. */

/* How @child has ended, as waitpid() has it; -1 if there is no such child. */
int wait_child(pid_t child)
{
	int status;

	return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * Runs @work in @each processes for each CPU, one or two.  One is pinned to its CPU.
 * Returns how many have failed.
 */
int on_all_cpus(int each, int (*work)(int nr, void *data), void *data)
{
	const int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const int n = each * (cpus < MAX_CPUS ? cpus : MAX_CPUS);
	pid_t pids[2 * MAX_CPUS];
	int failed = 0;

	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (each == 1)
			pin_to(i);
		_exit(work(i, data));
	}
	for (int i = 0; i < n; i++)
		failed += !!wait_child(pids[i]);
	return failed;
}

/* Random choices that a seed repeats, and options that are numbers. */

/* SplitMix64: any seed is as good as any other. */
__u64 random_number(__u64 *seed)
{
	__u64 z = *seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

unsigned int below(__u64 *seed, unsigned int n)
{
	return (random_number(seed) >> 32) % n;
}

/* Ends the program if @text is no decimal number from @min to @max. */
unsigned long long parse_number(const char *what, const char *text, unsigned long long min,
				unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (!errno && *text >= '0' && *text <= '9' && !*end && n >= min && n <= max)
		return n;
	fprintf(stderr, "%s: %s must be %llu to %llu: %s\n", program_invocation_short_name,
		what, min, max, text);
	exit(2);
}

/* Ends the program if there is another option than -r ROUNDS. */
unsigned long parse_rounds(int argc, char **argv, unsigned long rounds, unsigned long max)
{
	int opt;

	while ((opt = getopt(argc, argv, "r:")) == 'r')
		rounds = parse_number("ROUNDS", optarg, 1, max);
	if (opt == -1 && optind == argc)
		return rounds;
	fprintf(stderr, "Usage: %s [-r ROUNDS]\n", program_invocation_short_name);
	exit(2);
}

/* Figures. */

__u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/*
 * A clock of ticks, the guest's last resort, measures nothing here.  What
 * clock_getres() says is the resolution of timers, so try.  One line on stderr
 * if it is such a clock.
 */
int check_clock(const char *program)
{
	__u64 start, step = 0;

	/* On a busy machine, a CPU may have been away in between: try again */
	for (int i = 0; i < CLOCK_TRIES; i++) {
		start = now_ns();
		while (!(step = now_ns() - start))
			;
		if (step <= MAX_CLOCK_NS)
			return 0;
	}
	fprintf(stderr, "%s: the clock is too coarse: %llu ns\n", program, step);
	return -1;
}

/* For qsort(). */
static int compare_ns(const void *a, const void *b)
{
	const __u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return (x > y) - (x < y);
}

/* Sorts @ns.  Of an even number, the mean of the two in the middle. */
__u64 median(__u64 *ns, unsigned long n)
{
	qsort(ns, n, sizeof(*ns), compare_ns);
	return ns[(n - 1) / 2] + (ns[n / 2] - ns[(n - 1) / 2]) / 2;
}

/* The line of an operation, separated by tabs.  Sorts @ns. */
void print_times(const char *user, const char *layout, const char *op, __u64 bytes, __u64 *ns,
		 unsigned long n)
{
	const __u64 middle = median(ns, n);

	printf("bench\t%s\t%s\t%s\t%llu\t%lu\t%llu\t%llu\t%llu\n", user, layout, op, bytes, n,
	       ns[0], middle, ns[n - 1]);
}

/* The end of a line: what a buffer is mapped with. */
void print_leaves(const struct dmabuf_vmap_result *res)
{
	printf("%llu\t%llu\t%llu\t%llu\t%llu\t%llu\t%u\n", res->bytes, res->pud_leaves,
	       res->pmd_leaves, res->cont_leaves, res->pte_leaves, res->table_bytes, res->nents);
}

/*
 * Prints what it takes to map @dmabuf for a device behind an IOMMU, which takes
 * segments of @max_seg, and what the IOMMU has for that; nothing where there is none.
 */
int print_iommu(int test, int dmabuf, const char *layout, __u32 max_seg)
{
	struct dmabuf_vmap_round rounds[ATTACH_ROUNDS];
	__u64 map[ATTACH_ROUNDS], unmap[ATTACH_ROUNDS];
	char name[DMABUF_VMAP_TEST_DEVICE_MAX];
	struct dmabuf_vmap_attach arg;

	if (!find_iommu_device(test, dmabuf, name, sizeof(name)))
		return 0;
	if (attach_pci_device(test, dmabuf, name, max_seg, 0, rounds, ATTACH_ROUNDS, &arg))
		return -1;
	for (int i = 0; i < ATTACH_ROUNDS; i++) {
		map[i] = rounds[i].map_ns;
		unmap[i] = rounds[i].unmap_ns;
	}
	print_times("iommu", layout, "map", arg.test.result.bytes, map, ATTACH_ROUNDS);
	print_times("iommu", layout, "unmap", arg.test.result.bytes, unmap, ATTACH_ROUNDS);
	printf("iommu\t%s\t%s\t%llu\t0x%llx\t%llu\t%u\t%u\n", name, layout,
	       arg.test.result.bytes, arg.iommu_sizes, arg.iommu_pages * page_size(),
	       arg.test.result.nents, arg.test.result.dma_segments);
	return fflush(stdout);
}
