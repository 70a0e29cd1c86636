/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interface of the in-kernel dma_buf_vmap() test user.
 *
 * Shared with the selftests in user space. All fields have a fixed width, there
 * is no implicit padding, and the layout is the same for 32-bit and 64-bit
 * callers.
 */
#ifndef __DMABUF_VMAP_TEST_H
#define __DMABUF_VMAP_TEST_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define DMABUF_VMAP_TEST_FILE		"dma_buf_vmap_test"	/* in debugfs */
#define DMABUF_VMAP_TEST_TYPE		'v'
#define DMABUF_VMAP_TEST_MAX_ROUNDS	65536U
#define DMABUF_VMAP_TEST_MAX_BYTES	0x40000000U	/* of LAYOUT */

/* What DMABUF_VMAP_TEST_RUN does once the rounds have been timed. */
#define DMABUF_VMAP_TEST_VERIFY		0x1U		/* translation of every page */
#define DMABUF_VMAP_TEST_LEAVES		0x2U		/* count leaves and tables */
#define DMABUF_VMAP_TEST_FILL		0x4U		/* write the pattern of @seed */
#define DMABUF_VMAP_TEST_HASH		0x8U		/* hash contents, after FILL */
#define DMABUF_VMAP_TEST_VALID_FLAGS	(DMABUF_VMAP_TEST_VERIFY | \
					 DMABUF_VMAP_TEST_LEAVES | \
					 DMABUF_VMAP_TEST_FILL | \
					 DMABUF_VMAP_TEST_HASH)

#define DMABUF_VMAP_TEST_NO_PAGE	(~0ULL)

#define DMABUF_VMAP_TEST_BUS_MAX	16	/* with the NUL */
#define DMABUF_VMAP_TEST_DEVICE_MAX	48

/* In which order DMABUF_VMAP_TEST_LAYOUT maps the blocks of an area. */
#define DMABUF_VMAP_LAYOUT_APART	0U	/* none is followed by its neighbour */
#define DMABUF_VMAP_LAYOUT_ASCENDING	1U	/* each is followed by the next */
#define DMABUF_VMAP_LAYOUT_DESCENDING	2U
#define DMABUF_VMAP_LAYOUT_SHUFFLED	3U	/* random, the same every time */
/* As SHUFFLED, of runs whose lengths are random: one page to more than a leaf has. */
#define DMABUF_VMAP_LAYOUT_MIXED	4U

/* What DMABUF_VMAP_TEST_LAYOUT calls. */
#define DMABUF_VMAP_ENTRY_SG		0U	/* vmap_sg(), or what it replaces */
#define DMABUF_VMAP_ENTRY_PAGES		1U	/* vmap() */
#define DMABUF_VMAP_ENTRY_IOREMAP	2U	/* what ioremap() does to map a block */
#define DMABUF_VMAP_ENTRY_VMALLOC	3U	/* the same of vmalloc_huge() */

/* What DMABUF_VMAP_TEST_PROTECT does to pages. */
#define DMABUF_VMAP_PROTECT_LOOK	0U	/* nothing */
#define DMABUF_VMAP_PROTECT_RO		1U	/* set_memory_ro() */
#define DMABUF_VMAP_PROTECT_RW		2U	/* set_memory_rw() */

/* Offset in mappings of the file for those of an importer that counts them. */
#define DMABUF_VMAP_TEST_COUNTED	0x40000000000ULL
/* And for those that combine writes, whose protection differs from that of others. */
#define DMABUF_VMAP_TEST_COMBINED	0x80000000000ULL

/**
 * struct dmabuf_vmap_round - the time of one round
 * @map_ns: dma_buf_vmap_unlocked(), or the entry of LAYOUT, in ns
 * @unmap_ns: dma_buf_vunmap_unlocked(), or vunmap(), in ns
 */
struct dmabuf_vmap_round {
	__u64 map_ns;
	__u64 unmap_ns;
};

/**
 * struct dmabuf_vmap_result - what DMABUF_VMAP_TEST_RUN and _LAYOUT report
 * @bytes: size of the dma-buf
 * @map_min_ns: fastest map of all rounds
 * @map_total_ns: sum of all maps
 * @unmap_min_ns: fastest unmap of all rounds
 * @unmap_total_ns: sum of all unmaps
 * @kva: kernel address of the mapping that was looked at
 * @kva_align: largest power of two, in bytes, that divides @kva
 * @pmd_leaf_size: bytes of a PMD leaf, or 0 if vmalloc cannot use them here
 * @pages_checked: VERIFY: pages compared with the device mapping
 * @bad_pages: VERIFY: pages that the kernel mapping has wrong, or not at all
 * @first_bad_page: VERIFY: index of the first, or DMABUF_VMAP_TEST_NO_PAGE
 * @pud_leaves: LEAVES: leaves of PUD_SIZE
 * @pmd_leaves: LEAVES: leaves of PMD_SIZE
 * @cont_leaves: LEAVES: contiguous-PTE blocks, each counted once
 * @pte_leaves: LEAVES: leaves of PAGE_SIZE
 * @table_bytes: LEAVES: PTE and PMD tables that hold only this mapping
 * @shared_table_bytes: LEAVES: PTE and PMD tables that hold others as well
 * @kernel_hash: HASH: contents seen through the kernel mapping
 * @device_hash: HASH: contents seen through the device mapping
 * @nents: entries of the sg_table of the attachment (orig_nents)
 * @dma_segments: DMA segments of the attachment (nents)
 *
 * The times and @bytes are always there, the rest only if @flags of the
 * request is not 0, and what is marked with a flag only if that is set. LAYOUT
 * reports as if VERIFY and LEAVES were set; @nents is that of its sg_table, and
 * there is no @dma_segments.
 */
struct dmabuf_vmap_result {
	__u64 bytes;
	__u64 map_min_ns;
	__u64 map_total_ns;
	__u64 unmap_min_ns;
	__u64 unmap_total_ns;
	__u64 kva;
	__u64 kva_align;
	__u64 pmd_leaf_size;
	__u64 pages_checked;
	__u64 bad_pages;
	__u64 first_bad_page;
	__u64 pud_leaves;
	__u64 pmd_leaves;
	__u64 cont_leaves;
	__u64 pte_leaves;
	__u64 table_bytes;
	__u64 shared_table_bytes;
	__u64 kernel_hash;
	__u64 device_hash;
	__u32 nents;
	__u32 dma_segments;
};

/**
 * struct dmabuf_vmap_test - argument of DMABUF_VMAP_TEST_RUN
 * @fd: dma-buf
 * @rounds: how often to map and unmap, 1 to DMABUF_VMAP_TEST_MAX_ROUNDS
 * @flags: what to look at afterwards, DMABUF_VMAP_TEST_VALID_FLAGS
 * @reserved: 0
 * @seed: FILL: seed of the pattern
 * @rounds_ptr: user address of @rounds struct dmabuf_vmap_round, or 0
 * @result: written by the kernel
 */
struct dmabuf_vmap_test {
	__s32 fd;
	__u32 rounds;
	__u32 flags;
	__u32 reserved;
	__u64 seed;
	__u64 rounds_ptr;
	struct dmabuf_vmap_result result;
};

/**
 * struct dmabuf_vmap_attach - argument of DMABUF_VMAP_TEST_ATTACH
 * @test: as for RUN, but map_ns and unmap_ns of a round are those of
 *	  dma_buf_map_attachment_unlocked() and dma_buf_unmap_attachment_unlocked()
 * @bus: bus of the device to attach, as in /sys/bus; "" for a device of its own
 * @device: its name on that bus
 * @max_seg: the longest segment that the device can take, in bytes, in place of what
 *	     its driver has set; 0 to leave it at that, or of a device of its own, not
 *	     to say any
 * @max_entry: out: longest entry of the table, in bytes
 * @max_mapping: out: longest entry that can be mapped, dma_max_mapping_size()
 * @iommu_pages: out: pages that the tables of IOMMUs take for the mapping
 * @iommu_sizes: out: sizes of the entries of its IOMMU, or'ed; 0 if the device is not
 *		 behind one that translates
 */
struct dmabuf_vmap_attach {
	struct dmabuf_vmap_test test;
	char bus[DMABUF_VMAP_TEST_BUS_MAX];
	char device[DMABUF_VMAP_TEST_DEVICE_MAX];
	__u32 max_seg;
	__u32 max_entry;
	__u64 max_mapping;
	__u64 iommu_pages;
	__u64 iommu_sizes;
};

/**
 * struct dmabuf_vmap_layout - argument of DMABUF_VMAP_TEST_LAYOUT
 * @layout: order of the blocks, a DMABUF_VMAP_LAYOUT_* value
 * @entry: what to call, a DMABUF_VMAP_ENTRY_* value
 * @bytes: how much to map, at most DMABUF_VMAP_TEST_MAX_BYTES
 * @block: size of a block in bytes, a multiple of the page size and a divisor
 *	   of @bytes; one run if it is @bytes. ENTRY_IOREMAP and ENTRY_VMALLOC
 *	   map nothing else. LAYOUT_MIXED has lengths of its own
 * @rounds_ptr: user address of @rounds struct dmabuf_vmap_round, or 0
 * @rounds: how often to map and unmap, 1 to DMABUF_VMAP_TEST_MAX_ROUNDS
 * @skip: bytes of the memory, which is aligned to its size, that come before the
 *	  first block, a multiple of the page size; with @bytes at most
 *	  DMABUF_VMAP_TEST_MAX_BYTES
 * @result: written by the kernel
 */
struct dmabuf_vmap_layout {
	__u32 layout;
	__u32 entry;
	__u64 bytes;
	__u64 block;
	__u64 rounds_ptr;
	__u32 rounds;
	__u32 skip;
	struct dmabuf_vmap_result result;
};

/**
 * struct dmabuf_vmap_hold - argument of DMABUF_VMAP_TEST_HOLD and _UNHOLD
 * @fd: HOLD: dma-buf. UNHOLD: ignored
 * @flags: 0
 * @kva: out: kernel address of the mapping
 * @mapped: out: whether pages are still mapped at @kva on return
 */
struct dmabuf_vmap_hold {
	__s32 fd;
	__u32 flags;
	__u64 kva;
	__u64 mapped;
};

/**
 * struct dmabuf_vmap_protect - argument of DMABUF_VMAP_TEST_PROTECT
 * @offset: of the first page in what is held, in bytes
 * @bytes: how many from there on; both are multiples of the page size
 * @mode: what to do to them, a DMABUF_VMAP_PROTECT_* value
 * @reserved: 0
 * @writable: out: pages of these that can be written afterwards
 */
struct dmabuf_vmap_protect {
	__u64 offset;
	__u64 bytes;
	__u32 mode;
	__u32 reserved;
	__u64 writable;
};

/**
 * struct dmabuf_vmap_replace - argument of DMABUF_VMAP_TEST_REPLACE
 * @bytes: how much to map, a multiple of the page size, two pages at least and
 *	   DMABUF_VMAP_TEST_MAX_BYTES at most
 * @rounds: how often, 1 to DMABUF_VMAP_TEST_MAX_ROUNDS
 * @reserved: 0
 * @small: written by the kernel, of the mappings that have to be of PTEs
 * @large: written by the kernel, of those that can be of larger leaves
 */
struct dmabuf_vmap_replace {
	__u64 bytes;
	__u32 rounds;
	__u32 reserved;
	struct dmabuf_vmap_result small;
	struct dmabuf_vmap_result large;
};

/**
 * struct dmabuf_vmap_user - argument of DMABUF_VMAP_TEST_USER
 * @addr: where to look in user space
 * @bytes: how much; both are multiples of the page size
 * @pmd_leaves: out: leaves of PMD_SIZE, also those that reach out of it
 * @cont_leaves: out: contiguous-PTE blocks, each counted once
 * @pte_leaves: out: leaves of PAGE_SIZE
 * @counted: out: mappings of files of the test user that are counted, all there are
 */
struct dmabuf_vmap_user {
	__u64 addr;
	__u64 bytes;
	__u64 pmd_leaves;
	__u64 cont_leaves;
	__u64 pte_leaves;
	__u64 counted;
};

/**
 * struct dmabuf_vmap_follow - argument of DMABUF_VMAP_TEST_FOLLOW
 * @addr: where to look in user space
 * @bytes: how much; both are multiples of the page size
 * @first: what the first word of the first page has to be; each page has the next
 * @write: whether they have to be writable, 0 or 1
 * @reserved: 0
 * @faults: out: how often nothing was there, and a fault brought it
 * @bad_pages: out: pages whose first word is another
 * @combined: out: pages whose protection is that of DMABUF_VMAP_TEST_COMBINED
 */
struct dmabuf_vmap_follow {
	__u64 addr;
	__u64 bytes;
	__u64 first;
	__u32 write;
	__u32 reserved;
	__u64 faults;
	__u64 bad_pages;
	__u64 combined;
};

/*
 * The size in the command may differ from that of the structure: a short one
 * is refused with EINVAL, a longer one is taken if what follows is 0, and
 * refused with E2BIG otherwise. Other commands are ENOTTY.
 *
 * RUN	  times @rounds rounds of vmap and vunmap, then, if asked by @flags, maps
 *	  once more and looks at that mapping. Where the dma-buf is mapped
 *	  already, a round only counts its users.
 * HOLD	  maps a dma-buf and keeps it mapped until UNHOLD or until the file is
 *	  closed. One per open file, EBUSY if there is one.
 * UNHOLD unmaps it, ENOENT if there is none.
 * LAYOUT takes memory, not a dma-buf, in blocks whose order is asked for, each an
 *	  entry of an sg_table, and times @rounds rounds of the entry and of
 *	  vunmap(). ENTRY_SG is vmap_sg() of the table; a kernel that has none
 *	  does what heaps do there, and the array of pages that they make and
 *	  free counts. ENTRY_PAGES is vmap() of an array that is there already.
 *	  Then it maps once more and looks at that mapping.
 * PROTECT changes the protection of a part of what is held, and tries to write to
 *	  each page of that. ENOENT if nothing is held, EOPNOTSUPP if this kernel
 *	  has no set_memory_*(), else what these return. UNHOLD makes all
 *	  writable first. FILL of what is read-only is an oops.
 * REPLACE reserves addresses, aligned for PMD leaves, and maps contiguous memory
 *	  there, again and again, as ioremap() does: from its second page on, so
 *	  that no large leaf fits, then from its first, then from its second. Each
 *	  mapping is looked at and read, then unmapped. There are no times,
 *	  @bad_pages is of all rounds, and the leaves are of the last.
 * ATTACH is RUN with the device mapping of another device: what is timed is that,
 *	  not the kernel mapping. ENODEV if there is no such device, or no driver
 *	  bound to it: binding sets up DMA.
 * USER	  counts what maps memory of the caller, by a walk of its page tables.
 * FOLLOW looks up raw frames of a mapping of the caller as KVM and VFIO do, one page
 *	  after the other, and has what is missing faulted in. EINVAL if they are
 *	  not raw frames, EACCES if they should be writable and are not.
 *
 * mmap() of the file maps what is held as an importer does: EBUSY while another
 * call of the file is under way, ENXIO if nothing is held, else as the exporter.
 *
 * EBADF: no such fd. EINVAL: not a dma-buf, or a field is out of range. EFAULT:
 * a user address is bad. EINTR: killed. EOPNOTSUPP: the exporter maps I/O
 * memory, or not in the vmalloc area. ENOMEM: LAYOUT or REPLACE finds no
 * contiguous memory as large as @bytes, and @skip, rounded up to a power of two.
 * Else what the exporter returns.
 */
#define DMABUF_VMAP_TEST_RUN \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 1, struct dmabuf_vmap_test)
#define DMABUF_VMAP_TEST_HOLD \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 2, struct dmabuf_vmap_hold)
#define DMABUF_VMAP_TEST_UNHOLD \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 3, struct dmabuf_vmap_hold)
#define DMABUF_VMAP_TEST_LAYOUT \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 4, struct dmabuf_vmap_layout)
#define DMABUF_VMAP_TEST_PROTECT \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 5, struct dmabuf_vmap_protect)
#define DMABUF_VMAP_TEST_REPLACE \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 6, struct dmabuf_vmap_replace)
#define DMABUF_VMAP_TEST_ATTACH \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 7, struct dmabuf_vmap_attach)
#define DMABUF_VMAP_TEST_USER \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 8, struct dmabuf_vmap_user)
#define DMABUF_VMAP_TEST_FOLLOW \
	_IOWR(DMABUF_VMAP_TEST_TYPE, 9, struct dmabuf_vmap_follow)

/* Odd, so that no two words of a buffer are the same: 2^64 / golden ratio. */
#define DMABUF_VMAP_TEST_PATTERN_STEP	0x9e3779b97f4a7c15ULL
/* The multiplier of FxHash for 64-bit words. */
#define DMABUF_VMAP_TEST_HASH_MUL	0x517cc1b727220a95ULL
/* Not 0, so that the length of a buffer of zeros counts. */
#define DMABUF_VMAP_TEST_HASH_INIT	0xcbf29ce484222325ULL

/**
 * dmabuf_vmap_test_pattern() - the word that FILL writes
 * @seed: seed of the pattern
 * @word: index of the 64-bit word in the dma-buf
 *
 * Return: the word, in the byte order of the CPU.
 */
static inline __u64 dmabuf_vmap_test_pattern(__u64 seed, __u64 word)
{
	return (seed + word) * DMABUF_VMAP_TEST_PATTERN_STEP;
}

/**
 * dmabuf_vmap_test_hash_word() - hash one more word
 * @hash: hash of all words before, or DMABUF_VMAP_TEST_HASH_INIT
 * @word: the next word, in the byte order of the CPU
 *
 * FxHash: rotate, xor, multiply. A few instructions per word and each step can
 * be undone, so a single wrong word is always seen.
 *
 * Return: hash of all words up to here.
 */
static inline __u64 dmabuf_vmap_test_hash_word(__u64 hash, __u64 word)
{
	return (((hash << 5) | (hash >> 59)) ^ word) * DMABUF_VMAP_TEST_HASH_MUL;
}

/**
 * dmabuf_vmap_test_hash() - hash a run of words
 * @hash: hash of all words before, or DMABUF_VMAP_TEST_HASH_INIT
 * @words: the run
 * @count: number of words in it
 *
 * Return: hash of all words up to here.
 */
static inline __u64 dmabuf_vmap_test_hash(__u64 hash, const __u64 *words,
					  __u64 count)
{
	for (__u64 i = 0; i < count; i++)
		hash = dmabuf_vmap_test_hash_word(hash, words[i]);
	return hash;
}

#endif	/* __DMABUF_VMAP_TEST_H */
