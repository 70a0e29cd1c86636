// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other users of vmap() and of the walk below it, which map memory of user space or
 * the same pages twice: io_uring, BPF ring buffers and arenas, XDP sockets, and the
 * rings of AF_PACKET.  Each is used as programs use it, and its contents are compared.
 *
 * Nothing here depends on vmap_sg().
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <linux/io_uring.h>

#include "heap_util.h"
#include "../kselftest_harness.h"

#define HUGE_PAGES	"/proc/sys/vm/nr_hugepages"
#define HUGE_PAGES_USED	16
#define LEAF_BYTES	"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"

/* Memory of user space, of small pages or of large ones. */
enum memory_kind { SMALL, THP, HUGETLB };

struct user_memory {
	void *map;		/* all of it, NULL if there is none */
	size_t all;
	char *start;		/* what is used, some pages after a multiple of a leaf */
	long long huge_pages;	/* that there were before, -1 if that has not changed */
};

static size_t leaf_bytes(void)
{
	const long long bytes = read_numbers(LEAF_BYTES, "%lld");

	return bytes < 0 ? 2 * MIB : bytes;
}

static void free_memory(struct user_memory *mem)
{
	if (mem->map)
		munmap(mem->map, mem->all);
	if (mem->huge_pages >= 0)
		write_number(HUGE_PAGES, mem->huge_pages);
}

/* @bytes, from @skip pages after an aligned address on. */
static int get_memory(struct user_memory *mem, enum memory_kind kind, size_t bytes,
		      unsigned int skip)
{
	const size_t leaf = leaf_bytes();
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | (kind == HUGETLB ? MAP_HUGETLB : 0);
	const size_t used = skip * page_size() + bytes;

	*mem = (struct user_memory){ .huge_pages = -1 };
	if (kind == HUGETLB) {
		mem->huge_pages = read_numbers(HUGE_PAGES, "%lld");
		if (write_number(HUGE_PAGES, mem->huge_pages + HUGE_PAGES_USED))
			return -1;
	}
	mem->all = (used + leaf - 1) / leaf * leaf + leaf;
	mem->map = mmap(NULL, mem->all, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (mem->map == MAP_FAILED) {
		mem->map = NULL;
		return -1;
	}
	mem->start = (char *)(((uintptr_t)mem->map + leaf - 1) / leaf * leaf);
	if (kind != HUGETLB &&
	    madvise(mem->start, mem->all - leaf, kind == THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		return -1;
	mem->start += skip * page_size();
	memset(mem->start, 0, bytes);
	return 0;
}

static __u64 word_of(__u64 seed, __u64 i)
{
	return dmabuf_vmap_test_pattern(seed, i);
}

static __u32 load_acquire(const void *p)
{
	return __atomic_load_n((const __u32 *)p, __ATOMIC_ACQUIRE);
}

static void store_release(void *p, __u32 value)
{
	__atomic_store_n((__u32 *)p, value, __ATOMIC_RELEASE);
}

/* io_uring, whose rings are in memory of the process: the kernel maps that. */

#define IO_URING	"/proc/sys/kernel/io_uring_disabled"
#define RING_ENTRIES	32768U	/* the most; the entries are a leaf of 2 MiB */
#define RING_ROUNDS	3	/* the completion ring, twice as long, wraps */
#define BUF_RING_ENTRIES 4096U
#define BUF_BYTES	100

FIXTURE(io_uring)
{
	struct user_memory mem;
	struct io_uring_params params;
	struct io_uring_sqe *sqes;
	char *rings;
	int fd;
};

FIXTURE_VARIANT(io_uring)
{
	enum memory_kind kind;
	unsigned int skip;
};

FIXTURE_VARIANT_ADD(io_uring, in_small_pages) { SMALL, 0 };
FIXTURE_VARIANT_ADD(io_uring, in_large_pages) { THP, 0 };
FIXTURE_VARIANT_ADD(io_uring, between_large_pages) { THP, 3 };
FIXTURE_VARIANT_ADD(io_uring, in_hugetlb) { HUGETLB, 0 };
FIXTURE_VARIANT_ADD(io_uring, between_hugetlb) { HUGETLB, 3 };

static int io_uring_enter(int fd, unsigned int submit, unsigned int wait)
{
	return syscall(SYS_io_uring_enter, fd, submit, wait,
		       wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
}

static int io_uring_register(int fd, unsigned int op, void *arg, unsigned int nr)
{
	return syscall(SYS_io_uring_register, fd, op, arg, nr);
}

FIXTURE_SETUP(io_uring)
{
	const size_t entries = page_align(RING_ENTRIES * sizeof(struct io_uring_sqe));
	struct io_uring_params *params = &self->params;

	self->fd = -1;
	if (access(IO_URING, F_OK))
		SKIP(return, "no io_uring");
	if (get_memory(&self->mem, variant->kind, 2 * entries, variant->skip))
		SKIP(return, "no such memory: %s", strerror(errno));
	self->sqes = (void *)self->mem.start;
	self->rings = self->mem.start + entries;
	params->flags = IORING_SETUP_NO_MMAP;
	params->sq_off.user_addr = (uintptr_t)self->sqes;
	params->cq_off.user_addr = (uintptr_t)self->rings;
	self->fd = syscall(SYS_io_uring_setup, RING_ENTRIES, params);
	ASSERT_LE(0, self->fd)
		TH_LOG("io_uring_setup: %s", strerror(errno));
}

FIXTURE_TEARDOWN(io_uring)
{
	close(self->fd);
	free_memory(&self->mem);
}

/* Requests that do nothing, as many as there is room for; each says which it was. */
TEST_F_TIMEOUT(io_uring, completes_all_requests, TIME_LIMIT)
{
	const struct io_uring_params *p = &self->params;
	const struct io_uring_cqe *cqes = (void *)(self->rings + p->cq_off.cqes);
	const __u32 sq_mask = p->sq_entries - 1, cq_mask = p->cq_entries - 1;
	__u32 *array = (void *)(self->rings + p->sq_off.array);

	TH_LOG("%lld KiB of large pages", read_numbers("/proc/self/smaps", "AnonHugePages: %lld"));
	for (__u32 round = 0; round < RING_ROUNDS; round++) {
		const __u32 first = round * p->sq_entries;

		ASSERT_EQ(first, load_acquire(self->rings + p->sq_off.head));
		for (__u32 i = first; i < first + p->sq_entries; i++) {
			self->sqes[i & sq_mask] = (struct io_uring_sqe){
				.opcode = IORING_OP_NOP,
				.user_data = word_of(1, i),
			};
			array[i & sq_mask] = i & sq_mask;
		}
		store_release(self->rings + p->sq_off.tail, first + p->sq_entries);
		ASSERT_EQ(p->sq_entries, io_uring_enter(self->fd, p->sq_entries, p->sq_entries));
		ASSERT_EQ(first + p->sq_entries, load_acquire(self->rings + p->cq_off.tail));
		for (__u32 i = first; i < first + p->sq_entries; i++) {
			ASSERT_EQ(word_of(1, i), cqes[i & cq_mask].user_data)
				TH_LOG("completion %u", i);
			ASSERT_EQ(0, cqes[i & cq_mask].res);
		}
		store_release(self->rings + p->cq_off.head, first + p->sq_entries);
	}
}

/* One request, in the first entry. */
static int complete_one(int fd, char *rings, const struct io_uring_params *p,
			struct io_uring_cqe *cqe)
{
	const struct io_uring_cqe *cqes = (void *)(rings + p->cq_off.cqes);
	const __u32 head = load_acquire(rings + p->cq_off.head);

	((__u32 *)(rings + p->sq_off.array))[load_acquire(rings + p->sq_off.tail)] = 0;
	store_release(rings + p->sq_off.tail, load_acquire(rings + p->sq_off.tail) + 1);
	if (io_uring_enter(fd, 1, 1) != 1)
		return -1;
	*cqe = cqes[head & (p->cq_entries - 1)];
	store_release(rings + p->cq_off.head, head + 1);
	return 0;
}

/* A ring of buffers, which the kernel maps as well, and takes one for each read. */
TEST_F_TIMEOUT(io_uring, reads_into_ring_buffers, TIME_LIMIT)
{
	const size_t bytes = page_align(BUF_RING_ENTRIES * sizeof(struct io_uring_buf));
	static char buffers[16][BUF_BYTES];
	struct io_uring_buf_ring *ring;
	struct io_uring_buf_reg reg = {};
	struct user_memory mem;
	int fds[2];

	ASSERT_EQ(0, get_memory(&mem, variant->kind, bytes, variant->skip));
	ASSERT_EQ(0, pipe(fds));
	ring = (void *)mem.start;
	reg.ring_addr = (uintptr_t)ring;
	reg.ring_entries = BUF_RING_ENTRIES;
	ASSERT_EQ(0, io_uring_register(self->fd, IORING_REGISTER_PBUF_RING, &reg, 1))
		TH_LOG("%s", strerror(errno));
	for (__u16 i = 0; i < 16; i++) {
		/* tail is where the first has a reserved field. */
		ring->bufs[i].addr = (uintptr_t)buffers[i];
		ring->bufs[i].len = BUF_BYTES;
		ring->bufs[i].bid = i;
	}
	__atomic_store_n(&ring->tail, 16, __ATOMIC_RELEASE);
	for (__u16 i = 0; i < 16; i++) {
		const __u64 word = word_of(2, i);
		struct io_uring_cqe cqe;

		self->sqes[0] = (struct io_uring_sqe){
			.opcode = IORING_OP_READ,
			.flags = IOSQE_BUFFER_SELECT,
			.fd = fds[0],
			.off = -1,
			.len = BUF_BYTES,
			.user_data = i,
		};
		ASSERT_EQ(sizeof(word), write(fds[1], &word, sizeof(word)));
		ASSERT_EQ(0, complete_one(self->fd, self->rings, &self->params, &cqe));
		ASSERT_EQ(sizeof(word), cqe.res);
		ASSERT_EQ(i, cqe.flags >> IORING_CQE_BUFFER_SHIFT);
		ASSERT_EQ(0, memcmp(&word, buffers[i], sizeof(word)));
	}
	reg = (struct io_uring_buf_reg){};
	EXPECT_EQ(0, io_uring_register(self->fd, IORING_UNREGISTER_PBUF_RING, &reg, 1));
	close(fds[0]);
	close(fds[1]);
	free_memory(&mem);
}

/* BPF: programs of a few instructions, for there is no compiler in a guest. */

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV(d, s)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOV_IMM(d, i)	INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD_IMM(d, i)	INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define LOAD(d, s, o)	INSN(BPF_LDX | BPF_MEM | BPF_DW, d, s, o, 0)
#define STORE(d, s, o)	INSN(BPF_STX | BPF_MEM | BPF_DW, d, s, o, 0)
#define ZERO_KEY	INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0)
#define CALL(f)		INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* Goes past the next. */
#define IF_NULL(d)	INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, 1, 0)
/* An address of an arena, as the kernel has it. */
#define CAST(d, s)	INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, BPF_ADDR_SPACE_CAST, 1)
/* Is followed by WIDE, which makes it as long as it is. */
#define MAP_FD(d, fd)	INSN(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_FD, 0, fd)
#define WIDE		INSN(0, 0, 0, 0, 0)

#define LOOK_UP_INSNS	8
#define MAX_INSNS	24
#define VALUE_WORDS	375
#define ARENA_BYTES	(8 * MIB)

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int new_map(enum bpf_map_type type, __u32 key, __u32 value, __u32 entries, __u32 flags)
{
	union bpf_attr attr = {
		.map_type = type,
		.key_size = key,
		.value_size = value,
		.max_entries = entries,
		.map_flags = flags,
	};

	return bpf(BPF_MAP_CREATE, &attr);
}

/* Has the address of the only value of @array in register 0, and goes on with @then. */
static int load_program(int array, const struct bpf_insn *then, size_t nr)
{
	static char log[64 * KIB];
	struct bpf_insn insns[MAX_INSNS] = {
		ZERO_KEY,
		MAP_FD(1, array),
		WIDE,
		MOV(2, 10),
		ADD_IMM(2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		IF_NULL(0),
		EXIT,
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)insns,
		.insn_cnt = LOOK_UP_INSNS + nr,
		.license = (uintptr_t)"GPL",
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int fd;

	memcpy(insns + LOOK_UP_INSNS, then, nr * sizeof(*then));
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		printf("# bpf: %s: %s\n", strerror(errno), log);
	return fd;
}

/* Returns what the program does, -1 and errno if it does not run. */
static int run_program(int prog)
{
	static char packet[64];
	union bpf_attr attr = {
		.test.prog_fd = prog,
		.test.data_in = (uintptr_t)packet,
		.test.data_size_in = sizeof(packet),
	};

	return bpf(BPF_PROG_TEST_RUN, &attr) ? -1 : (int)attr.test.retval;
}

/* Of the only key.  @cmd reads or writes @value. */
static int map_value(int cmd, int map, const void *value)
{
	const __u32 key = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = (uintptr_t)&key,
		.value = (uintptr_t)value,
	};

	return bpf(cmd, &attr);
}

static bool has_bpf(void)
{
	const int map = new_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0);

	close(map);
	return map >= 0;
}

/* The kernel maps the data twice in a row, so that no record is in two parts. */
FIXTURE(ringbuf)
{
	int map;
	int array;
	int prog;
	size_t bytes;
	__u64 *consumed;
	const char *data;
};

FIXTURE_VARIANT(ringbuf)
{
	size_t bytes;
};

FIXTURE_VARIANT_ADD(ringbuf, of_a_page) { 0 };
FIXTURE_VARIANT_ADD(ringbuf, of_64_KiB) { 64 * KIB };
FIXTURE_VARIANT_ADD(ringbuf, of_4_MiB) { 4 * MIB };

FIXTURE_SETUP(ringbuf)
{
	const size_t page = page_size();

	if (!has_bpf())
		SKIP(return, "no BPF");
	self->bytes = variant->bytes > page ? variant->bytes : page;
	self->map = new_map(BPF_MAP_TYPE_RINGBUF, 0, 0, self->bytes, 0);
	ASSERT_LE(0, self->map)
		TH_LOG("%s", strerror(errno));
	self->array = new_map(BPF_MAP_TYPE_ARRAY, 4, VALUE_WORDS * 8, 1, 0);
	ASSERT_LE(0, self->array);

	const struct bpf_insn insns[] = {
		MOV(2, 0),
		MAP_FD(1, self->map),
		WIDE,
		MOV_IMM(3, VALUE_WORDS * 8),
		MOV_IMM(4, 0),
		CALL(BPF_FUNC_ringbuf_output),
		EXIT,
	};

	self->prog = load_program(self->array, insns, ARRAY_SIZE(insns));
	ASSERT_LE(0, self->prog);
	self->consumed = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, self->map, 0);
	ASSERT_NE(MAP_FAILED, self->consumed);
	self->data = mmap(NULL, page + 2 * self->bytes, PROT_READ, MAP_SHARED, self->map, page);
	ASSERT_NE(MAP_FAILED, self->data);
	self->data += page;
}

FIXTURE_TEARDOWN(ringbuf)
{
	if (!self->bytes)
		return;
	munmap((void *)(self->data - page_size()), page_size() + 2 * self->bytes);
	munmap(self->consumed, page_size());
	close(self->prog);
	close(self->array);
	close(self->map);
}

TEST_F_TIMEOUT(ringbuf, keeps_records_whole_at_the_wrap, TIME_LIMIT)
{
	const size_t record = VALUE_WORDS * 8 + BPF_RINGBUF_HDR_SZ;
	__u64 words[VALUE_WORDS], at = 0;

	for (__u64 i = 0; i < 3 * self->bytes / record + 3; i++) {
		const char *header = self->data + (at & (self->bytes - 1));

		for (size_t j = 0; j < VALUE_WORDS; j++)
			words[j] = word_of(i, j);
		ASSERT_EQ(0, map_value(BPF_MAP_UPDATE_ELEM, self->array, words));
		ASSERT_EQ(0, run_program(self->prog))
			TH_LOG("record %llu: %s", i, strerror(errno));
		ASSERT_EQ(sizeof(words), load_acquire(header));
		ASSERT_EQ(0, memcmp(words, header + BPF_RINGBUF_HDR_SZ, sizeof(words)))
			TH_LOG("record %llu, at %llu", i, at);
		at += record;
		__atomic_store_n(self->consumed, at, __ATOMIC_RELEASE);
	}
}

/* Pages appear where user space touches them, in a sparse area of the kernel. */
FIXTURE(arena)
{
	int map;
	int array;
	int prog;
	char *mem;
};

FIXTURE_SETUP(arena)
{
	self->mem = MAP_FAILED;
	if (!has_bpf())
		SKIP(return, "no BPF");
	self->map = new_map(BPF_MAP_TYPE_ARENA, 0, 0, ARENA_BYTES / page_size(), BPF_F_MMAPABLE);
	if (self->map < 0)
		SKIP(return, "no arena: %s", strerror(errno));
	self->mem = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, self->map, 0);
	ASSERT_NE(MAP_FAILED, self->mem);
	self->array = new_map(BPF_MAP_TYPE_ARRAY, 4, 16, 1, 0);
	ASSERT_LE(0, self->array);

	/* The value is an address, and then the word there. */
	const struct bpf_insn insns[] = {
		MAP_FD(1, self->map),
		WIDE,
		LOAD(1, 0, 0),
		CAST(1, 1),
		LOAD(2, 1, 0),
		STORE(0, 2, 8),
		MOV_IMM(0, 7),
		EXIT,
	};

	self->prog = load_program(self->array, insns, ARRAY_SIZE(insns));
	if (self->prog < 0)
		SKIP(return, "no program with an arena: %s", strerror(errno));
}

FIXTURE_TEARDOWN(arena)
{
	if (self->mem == MAP_FAILED)
		return;
	munmap(self->mem, ARENA_BYTES);
	close(self->prog);
	close(self->array);
	close(self->map);
}

TEST_F_TIMEOUT(arena, shows_user_data_to_kernel, TIME_LIMIT)
{
	const size_t nr = ARENA_BYTES / page_size();

	/* An odd step goes through all of a power of two, one in four is left out. */
	for (size_t i = 0; i < nr; i++) {
		const size_t page = i * 2531 % nr;

		if (page % 4 != 3)
			*(__u64 *)(self->mem + page * page_size()) = word_of(3, page);
	}
	for (size_t i = 0; i < nr; i++) {
		__u64 value[2] = { (uintptr_t)self->mem + i * page_size() };

		ASSERT_EQ(0, map_value(BPF_MAP_UPDATE_ELEM, self->array, value));
		ASSERT_EQ(7, run_program(self->prog));
		ASSERT_EQ(0, map_value(BPF_MAP_LOOKUP_ELEM, self->array, value));
		ASSERT_EQ(i % 4 == 3 ? 0 : word_of(3, i), value[1])
			TH_LOG("page %zu", i);
	}
}

/* Packets, over the loopback device. */

#define FRAME_BYTES	2048
#define FRAMES		64
#define OUR_TYPE	0x88b5	/* for experiments */
#define UMEM_BYTES	(4 * MIB)
#define XDP_ENTRIES	64

static int set_up_loopback(void)
{
	struct ifreq ifr = { .ifr_name = "lo" };
	const int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = -1;

	if (sock >= 0 && !ioctl(sock, SIOCGIFFLAGS, &ifr)) {
		ifr.ifr_flags |= IFF_UP;
		ret = ioctl(sock, SIOCSIFFLAGS, &ifr);
	}
	close(sock);
	return ret;
}

static int packet_socket(void)
{
	const struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(OUR_TYPE),
		.sll_ifindex = if_nametoindex("lo"),
	};
	const int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(OUR_TYPE));

	if (sock >= 0 && !bind(sock, (const void *)&addr, sizeof(addr)))
		return sock;
	close(sock);
	return -1;
}

static void fill_frame(char *frame, __u64 nr)
{
	memset(frame, 0, ETH_HLEN);
	frame[12] = OUR_TYPE >> 8;
	frame[13] = OUR_TYPE & 0xff;
	for (size_t i = 0; i < (FRAME_BYTES / 2 - ETH_HLEN) / 8; i++) {
		const __u64 word = word_of(nr, i);

		memcpy(frame + ETH_HLEN + i * 8, &word, 8);
	}
}

FIXTURE(packet_ring)
{
	int ring;
	int sender;
	char *map;
	size_t bytes;
};

FIXTURE_VARIANT(packet_ring)
{
	size_t block;
};

/* The last is more than the page allocator has in one piece. */
FIXTURE_VARIANT_ADD(packet_ring, of_64_KiB) { 64 * KIB };
FIXTURE_VARIANT_ADD(packet_ring, of_4_MiB) { 4 * MIB };
FIXTURE_VARIANT_ADD(packet_ring, of_16_MiB) { 16 * MIB };

FIXTURE_SETUP(packet_ring)
{
	struct tpacket_req req = {
		.tp_block_size = variant->block,
		.tp_block_nr = 2,
		.tp_frame_size = FRAME_BYTES,
		.tp_frame_nr = 2 * variant->block / FRAME_BYTES,
	};
	const int version = TPACKET_V2;

	self->map = MAP_FAILED;
	if (set_up_loopback())
		SKIP(return, "no loopback device: %s", strerror(errno));
	self->sender = packet_socket();
	if (self->sender < 0)
		SKIP(return, "no AF_PACKET: %s", strerror(errno));
	self->ring = packet_socket();
	ASSERT_LE(0, self->ring);
	ASSERT_EQ(0, setsockopt(self->ring, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)));
	ASSERT_EQ(0, setsockopt(self->ring, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		TH_LOG("%s", strerror(errno));
	self->bytes = 2 * variant->block;
	self->map = mmap(NULL, self->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, self->ring, 0);
	ASSERT_NE(MAP_FAILED, self->map);
}

FIXTURE_TEARDOWN(packet_ring)
{
	if (self->map == MAP_FAILED)
		return;
	munmap(self->map, self->bytes);
	close(self->ring);
	close(self->sender);
}

TEST_F_TIMEOUT(packet_ring, receives_what_was_sent, TIME_LIMIT)
{
	const size_t nr = self->bytes / FRAME_BYTES;
	char frame[FRAME_BYTES / 2];

	for (size_t i = 0; i < 2 * nr && i < 3000; i++) {
		struct tpacket2_hdr *header = (void *)(self->map + i % nr * FRAME_BYTES);
		const struct sockaddr_ll to = {
			.sll_family = AF_PACKET,
			.sll_ifindex = if_nametoindex("lo"),
			.sll_halen = ETH_ALEN,
		};

		fill_frame(frame, i);
		ASSERT_EQ(sizeof(frame), sendto(self->sender, frame, sizeof(frame), 0,
						(const void *)&to, sizeof(to)))
			TH_LOG("frame %zu: %s", i, strerror(errno));
		for (int ms = 0; ms < 10000 && !(load_acquire(header) & TP_STATUS_USER); ms++)
			usleep(1000);
		ASSERT_EQ(TP_STATUS_USER, load_acquire(header) & TP_STATUS_USER)
			TH_LOG("frame %zu did not come", i);
		ASSERT_EQ(sizeof(frame), header->tp_len);
		ASSERT_EQ(0, memcmp(frame, (char *)header + header->tp_mac, sizeof(frame)))
			TH_LOG("frame %zu", i);
		store_release(header, TP_STATUS_KERNEL);
	}
}

/* Memory of the process, which the kernel maps, and sends packets from. */
FIXTURE(xdp)
{
	struct user_memory mem;
	struct xdp_mmap_offsets off;
	int sock;
	int receiver;
	char *ring;
	size_t ring_bytes;
};

FIXTURE_VARIANT(xdp)
{
	enum memory_kind kind;
	unsigned int skip;
};

FIXTURE_VARIANT_ADD(xdp, of_small_pages) { SMALL, 0 };
FIXTURE_VARIANT_ADD(xdp, of_large_pages) { THP, 0 };
FIXTURE_VARIANT_ADD(xdp, between_large_pages) { THP, 5 };

/* The socket before it is gone some time after it was closed. */
static int bind_patiently(int sock, const struct sockaddr_xdp *addr)
{
	int ret = bind(sock, (const void *)addr, sizeof(*addr));

	for (int ms = 0; ret && errno == EBUSY && ms < 10000; ms += 10) {
		usleep(10000);
		ret = bind(sock, (const void *)addr, sizeof(*addr));
	}
	return ret;
}

FIXTURE_SETUP(xdp)
{
	const struct sockaddr_xdp addr = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY,
		.sxdp_ifindex = if_nametoindex("lo"),
	};
	const int rings[] = { XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_TX_RING };
	const int entries = XDP_ENTRIES;
	struct xdp_umem_reg reg = { .len = UMEM_BYTES, .chunk_size = FRAME_BYTES };
	socklen_t length = sizeof(self->off);

	self->ring = MAP_FAILED;
	self->sock = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (self->sock < 0)
		SKIP(return, "no AF_XDP: %s", strerror(errno));
	if (set_up_loopback())
		SKIP(return, "no loopback device: %s", strerror(errno));
	ASSERT_EQ(0, get_memory(&self->mem, variant->kind, UMEM_BYTES, variant->skip));
	reg.addr = (uintptr_t)self->mem.start;
	ASSERT_EQ(0, setsockopt(self->sock, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)))
		TH_LOG("%s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
		ASSERT_EQ(0, setsockopt(self->sock, SOL_XDP, rings[i], &entries, sizeof(entries)));
	ASSERT_EQ(0, getsockopt(self->sock, SOL_XDP, XDP_MMAP_OFFSETS, &self->off, &length));
	self->ring_bytes = self->off.tx.desc + XDP_ENTRIES * sizeof(struct xdp_desc);
	self->ring = mmap(NULL, self->ring_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			  self->sock, XDP_PGOFF_TX_RING);
	ASSERT_NE(MAP_FAILED, self->ring);
	ASSERT_EQ(0, bind_patiently(self->sock, &addr))
		TH_LOG("%s", strerror(errno));
	self->receiver = packet_socket();
	ASSERT_LE(0, self->receiver);
}

FIXTURE_TEARDOWN(xdp)
{
	if (self->ring != MAP_FAILED) {
		munmap(self->ring, self->ring_bytes);
		close(self->receiver);
	}
	close(self->sock);
	free_memory(&self->mem);
}

/* Once through the ring, from frames all over the memory. */
TEST_F_TIMEOUT(xdp, sends_its_memory, TIME_LIMIT)
{
	const struct timeval limit = { .tv_sec = 30 };
	struct xdp_desc *descs = (void *)(self->ring + self->off.tx.desc);
	char sent[FRAME_BYTES / 2], came[FRAME_BYTES];

	ASSERT_EQ(0, setsockopt(self->receiver, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)));
	for (__u32 i = 0; i < FRAMES; i++) {
		/* The first and the last as well. */
		const __u64 at = UMEM_BYTES / FRAME_BYTES / FRAMES * i + (i == FRAMES - 1 ?
				 UMEM_BYTES / FRAME_BYTES / FRAMES - 1 : 0);

		fill_frame(sent, i);
		memcpy(self->mem.start + at * FRAME_BYTES, sent, sizeof(sent));
		descs[i] = (struct xdp_desc){ .addr = at * FRAME_BYTES, .len = sizeof(sent) };
		store_release(self->ring + self->off.tx.producer, i + 1);
		ASSERT_EQ(0, sendto(self->sock, NULL, 0, MSG_DONTWAIT, NULL, 0))
			TH_LOG("frame %u: %s", i, strerror(errno));
		ASSERT_EQ(sizeof(sent), recv(self->receiver, came, sizeof(came), 0))
			TH_LOG("frame %u: %s", i, strerror(errno));
		ASSERT_EQ(0, memcmp(sent, came, sizeof(sent)))
			TH_LOG("frame %u, at %llu", i, at);
	}
}

TEST_HARNESS_MAIN
