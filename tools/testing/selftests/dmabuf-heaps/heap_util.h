/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the tests of the system heap and of dma_buf_vmap() share.  All functions
 * return -1 and set errno on error, unless they say otherwise.
 */
#ifndef HEAP_UTIL_H
#define HEAP_UTIL_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/types.h>
#include <linux/udmabuf.h>

#include <drivers/dma-buf/vmap_test.h>

#define KIB		1024UL
#define MIB		(1024 * KIB)

/*
 * Seconds for one test, enough for a slow and busy machine with KASAN.
 * A program has more, see the file "settings".
 */
#define TIME_LIMIT	900
/* How long to wait for what comes in seconds. */
#define MAX_SECONDS	60

#define SYSTEM_HEAP	"/dev/dma_heap/system"
#define VMAP_TEST_FILE	"/sys/kernel/debug/" DMABUF_VMAP_TEST_FILE
#define ACCOUNTING	"/sys/module/dma_heap/parameters/mem_accounting"
#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"

#define LINE_BYTES	512
#define TOP_ORDER	9
#define ATTACH_ROUNDS	9

/* Tests that use up all memory are skipped above that: they take too long. */
#define FILL_MEMORY_MAX	(8ULL << 30)
/* Below that they run with FILL_MEMORY=1 in the environment. */
#define NEEDS_FILL_MEMORY \
	"uses up all memory: set FILL_MEMORY=1, on a machine of 8 GiB or less"

/* Files. */
typedef void use_line(char *line, void *data);

int read_lines(const char *file, use_line *use, void *data);
long long read_numbers(const char *file, const char *format);
__u64 meminfo_bytes(const char *format);
int count_lines(const char *file, const char *text);
int read_text(const char *file, char *text, size_t size);
int read_choice(const char *file, char *choice, size_t size);
int write_file(const char *file, const char *text);
int write_number(const char *file, long long n);
bool kernel_has(const char *line_end);
bool kernel_has_vmap_sg(void);
bool kernel_has_kasan(void);
bool booted_with(const char *option);
long long pages_allocated(void);
long long table_kib(void);
void set_dma_errors(const char *nr);

/* Buffers. */
enum exporter { SYSTEM, CMA, UDMABUF };

size_t page_size(void);
size_t page_align(size_t bytes);
int open_heap(void);
int open_vmap_test(void);
const char *open_both(int *heap, int *test);
void open_or_skip(int *heap, int *test);
int heap_alloc(int heap, __u64 bytes);
int cma_alloc(size_t bytes);
int udmabuf_of(int memfd, size_t bytes);
int exporter_alloc(enum exporter exporter, size_t bytes);
void *map_dmabuf(int dmabuf, size_t bytes);
int cpu_access(int dmabuf, __u64 flags);

/* The in-kernel test user. */
int vmap_test_once(int test, int dmabuf, __u32 flags, __u64 seed,
		   struct dmabuf_vmap_result *res);
int vmap_test_hold(int test, int dmabuf, struct dmabuf_vmap_hold *arg);
int vmap_test_unhold(int test, struct dmabuf_vmap_hold *arg);
int ioctl_errno(int fd, unsigned long cmd, void *arg);
int ioctl_of_size_errno(int fd, unsigned long cmd, size_t size, void *arg);
__u64 leaf_count(const struct dmabuf_vmap_result *res);
int attach_new_device(int test, int dmabuf, __u32 max_seg, __u32 flags,
		      struct dmabuf_vmap_attach *arg);
int attach_pci_device(int test, int dmabuf, const char *name, __u32 max_seg, __u32 flags,
		      struct dmabuf_vmap_round *rounds, __u32 nr,
		      struct dmabuf_vmap_attach *arg);
bool find_iommu_device(int test, int dmabuf, char *name, size_t size);

/* Contents. */
bool is_zero(const __u64 *words, size_t nr);
void fill_words(__u64 *words, size_t nr, __u64 seed);
size_t first_not_pattern(const __u64 *words, size_t nr, __u64 seed, size_t first);
__u64 pattern_hash(size_t nr, __u64 seed);
void number_pages(void *map, size_t bytes, __u64 first);
bool is_numbered(const void *map, size_t bytes, __u64 first);

/* The pool of the system heap, in bytes, all zero if there is none. */
struct pool {
	__u64 total;
	__u64 dirty;		/* of it, still to zero */
	__u64 clean;		/* of it, zeroed */
	__u64 kept;		/* was put into it */
	__u64 took_clean;	/* was taken for buffers, of what was clean */
	__u64 took_dirty;	/* was taken for buffers, and zeroed for them */
	__u64 missed;		/* was taken for buffers from elsewhere */
	__u64 zeroed;		/* was zeroed in the background */
	__u64 gave_back;	/* went back, unused */
};

struct pool read_pool(void);
bool pool_is_used(void);
void set_pool_max(__u64 bytes);
void restore_pool_max(void);
void empty_pool(void);
bool wait_for_clean_pool(void);

/*
 * Where the pages of this machine are, to see whether some are lost.
 *
 * Free memory is not the same after a test: pages went to slabs, page tables and the
 * like, and are counted there.  Blocks are in other pieces.  Only pages that are
 * neither free nor counted anywhere can be compared.
 */
struct memory {
	long long free;		/* in the lists of CPUs as well */
	long long counted;	/* in use, and counted in /proc/meminfo */
	long long uncounted;	/* all others */
	long long by_size;	/* free, as /proc/buddyinfo has it, or with a CPU */
	long long by_type;	/* free, as /proc/pagetypeinfo has it, or with a CPU */
	long long top;		/* free, in blocks of TOP_ORDER and more */
	long long buffers;	/* of the system heap, if page_owner is on; else -1 */
};

__u64 free_bytes(void);
__u64 free_or_cached_bytes(void);
bool wait_for_free(__u64 bytes);
bool memory_for(size_t bytes);
bool may_fill_memory(void);
unsigned long long free_in_blocks(int min_order);
void drain_cpu_lists(void);
void look(struct memory *m);
long long lost_pages(const struct memory *before, const struct memory *after);

/* What is left behind: dma-bufs, and buffers of the system heap that are mapped. */
struct left {
	long long dmabufs;
	int areas;
};

long long count_dmabufs(void);
struct left count_left(void);
bool nothing_is_left(const struct left *before);

int wait_child(pid_t child);
int on_all_cpus(int each, int (*work)(int nr, void *data), void *data);

__u64 random_number(__u64 *seed);
unsigned int below(__u64 *seed, unsigned int n);
unsigned long long parse_number(const char *what, const char *text, unsigned long long min,
				unsigned long long max);
unsigned long parse_rounds(int argc, char **argv, unsigned long rounds, unsigned long max);

/*
 * What is timed of a buffer.  FORK is what fork() takes more with the buffer mapped.
 * REFAULT is a read of a leaf that was split, where a leaf fits again, REFAULT_PTES
 * where it does not.
 */
enum op { ALLOC, MMAP, FORK, REFAULT, REFAULT_PTES, MUNMAP, VMAP, VUNMAP, FREE, NR_OPS };

extern const char * const op_names[NR_OPS];

__u64 now_ns(void);
int check_clock(const char *program);
__u64 median(__u64 *ns, unsigned long n);
void print_times(const char *user, const char *layout, const char *op, __u64 bytes, __u64 *ns,
		 unsigned long n);
void print_leaves(const struct dmabuf_vmap_result *res);
int print_iommu(int test, int dmabuf, const char *layout, __u32 max_seg);

#endif /* HEAP_UTIL_H */
