// SPDX-License-Identifier: GPL-2.0-only
/*
 * A buffer of the system heap as memory of a guest: KVM looks for the frames behind
 * the mapping, and maps what is a leaf for us as a leaf for the guest.  So the guest
 * has to see it when leaves are split, dropped and brought back.
 *
 * The guest is a few instructions on x86, in 32 bits without paging.  They add up the
 * first words of all pages and count up the fifth words.
 */
#include <pthread.h>

#include <linux/kvm.h>

#include "heap_util.h"
#include "../kselftest_harness.h"

#ifdef __x86_64__

#define KVM		"/dev/kvm"
/* Where the guest has it, a multiple of the size of a leaf. */
#define GUEST_BUFFER	(64UL * MIB)
/* Where Intel's processors need a page, and a table, for themselves. */
#define GUEST_TSS	0xfffbd000UL
#define COUNTED		4	/* 32-bit words of a page before that which is counted */
#define LEAF		(2 * MIB)
#define CHANGES		50

static const unsigned char guest_code[] = {
	0x03, 0x3e,				/* 0: add (%esi), %edi */
	0xff, 0x46, 4 * COUNTED,		/* incl 4 * COUNTED(%esi) */
	0x81, 0xc6, 0x00, 0x10, 0x00, 0x00,	/* add $4096, %esi */
	0x49,					/* dec %ecx */
	0x75, 0xf2,				/* jnz 0b */
	0xf4,					/* hlt */
};

FIXTURE(guest)
{
	int heap;
	int kvm;
	int vm;
	int vcpu;
	int dmabuf;
	size_t page;
	size_t run_bytes;
	struct kvm_run *run;
	char *code;
	char *map;
};

/* Pages that are alone, and blocks that PMD leaves map. */
FIXTURE_VARIANT(guest)
{
	size_t bytes;
};

FIXTURE_VARIANT_ADD(guest, small_buffer) { .bytes = 15 * 4096 };
FIXTURE_VARIANT_ADD(guest, large_buffer) { .bytes = 4 * LEAF + 5 * 4096 };

static int add_memory(int vm, __u32 slot, __u64 at, size_t bytes, void *map)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot, .guest_phys_addr = at, .memory_size = bytes,
		.userspace_addr = (uintptr_t)map,
	};

	return ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

/* Everything from 0 to 4 GiB. */
static struct kvm_segment segment(int type, int selector)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1,
		.db = 1, .s = 1, .g = 1,
	};
}

static int set_32_bits(int vcpu)
{
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs = segment(11, 8);
	sregs.ds = segment(3, 16);
	sregs.es = sregs.ds;
	sregs.ss = sregs.ds;
	sregs.cr0 |= 1;
	return ioctl(vcpu, KVM_SET_SREGS, &sregs);
}

static void number_words(char *map, size_t nr, __u32 first)
{
	for (size_t i = 0; i < nr; i++)
		*(__u32 *)(map + i * 4096) = first + i;
}

/* How often the guest has counted up each page, -1 if not all alike. */
static int times_counted(char *map, size_t nr)
{
	const __u32 times = ((__u32 *)map)[COUNTED];

	for (size_t i = 0; i < nr; i++) {
		if (((__u32 *)(map + i * 4096))[COUNTED] != times) {
			ksft_print_msg("page %zu: %u times, not %u\n", i,
				       ((__u32 *)(map + i * 4096))[COUNTED], times);
			return -1;
		}
	}
	return times;
}

static __u32 sum_of(__u32 first, size_t nr)
{
	__u32 sum = 0;

	for (size_t i = 0; i < nr; i++)
		sum += first + i;
	return sum;
}

/* Run the guest over @nr pages from @first on.  Returns -1 and sets errno. */
static int run_guest(int vcpu, struct kvm_run *run, size_t first, size_t nr, __u32 *sum)
{
	struct kvm_regs regs = {
		.rsi = GUEST_BUFFER + first * 4096, .rcx = nr, .rflags = 2,
	};

	if (ioctl(vcpu, KVM_SET_REGS, &regs) || ioctl(vcpu, KVM_RUN, NULL))
		return -1;
	if (run->exit_reason != KVM_EXIT_HLT) {
		ksft_print_msg("the guest ends with reason %u\n", run->exit_reason);
		errno = EIO;
		return -1;
	}
	if (ioctl(vcpu, KVM_GET_REGS, &regs))
		return -1;
	*sum = regs.rdi;
	return 0;
}

/* Have KVM end accesses that it has asked us for, with whatever is there for an answer. */
static bool end_access(int vcpu, struct kvm_run *run)
{
	bool ended = false;

	run->immediate_exit = 1;
	for (int i = 0; i < 8 && !ended; i++) {
		ended = ioctl(vcpu, KVM_RUN, NULL) && errno == EINTR;
		if (!ended)
			ksft_print_msg("KVM asks again, with reason %u\n", run->exit_reason);
	}
	run->immediate_exit = 0;
	return ended;
}

/* Whether KVM refuses @page: with an error, or it takes it for one of a device. */
static bool is_refused(int vcpu, struct kvm_run *run, size_t page)
{
	__u32 sum;

	if (!run_guest(vcpu, run, page, 1, &sum))
		return false;
	return errno == EFAULT ||
	       (run->exit_reason == KVM_EXIT_MMIO && end_access(vcpu, run));
}

#define EXPECT_RUN(first, nr, number) do { \
	const size_t _nr = nr; \
	__u32 _sum = 0; \
	ASSERT_EQ(0, run_guest(self->vcpu, self->run, first, _nr, &_sum)) \
		TH_LOG("KVM_RUN: %s", strerror(errno)); \
	EXPECT_EQ(sum_of(number, _nr), _sum); \
} while (0)

FIXTURE_SETUP(guest)
{
	__u32 sum;

	self->page = page_size();
	self->heap = open_heap();
	if (self->heap < 0)
		SKIP(return, SYSTEM_HEAP ": %s", strerror(errno));
	self->kvm = open(KVM, O_RDWR | O_CLOEXEC);
	if (self->kvm < 0)
		SKIP(return, KVM ": %s", strerror(errno));
	self->vm = ioctl(self->kvm, KVM_CREATE_VM, 0);
	if (self->vm < 0)
		SKIP(return, "KVM_CREATE_VM: %s", strerror(errno));
	self->dmabuf = heap_alloc(self->heap, variant->bytes);
	ASSERT_LE(0, self->dmabuf);
	self->map = map_dmabuf(self->dmabuf, variant->bytes);
	ASSERT_NE(NULL, self->map);
	self->code = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->code);
	memcpy(self->code, guest_code, sizeof(guest_code));

	ASSERT_EQ(0, ioctl(self->vm, KVM_SET_TSS_ADDR, GUEST_TSS));
	ASSERT_EQ(0, add_memory(self->vm, 0, 0, self->page, self->code));
	ASSERT_EQ(0, add_memory(self->vm, 1, GUEST_BUFFER, variant->bytes, self->map));
	self->vcpu = ioctl(self->vm, KVM_CREATE_VCPU, 0);
	ASSERT_LE(0, self->vcpu);
	self->run_bytes = ioctl(self->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	self->run = mmap(NULL, self->run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			 self->vcpu, 0);
	ASSERT_NE(MAP_FAILED, self->run);
	ASSERT_EQ(0, set_32_bits(self->vcpu));

	/* 6.12 takes references, which pages within a block have none of. */
	if (variant->bytes >= LEAF &&
	    run_guest(self->vcpu, self->run, 1, 1, &sum) && errno == EFAULT &&
	    !run_guest(self->vcpu, self->run, 0, 1, &sum))
		SKIP(return, "this kernel's KVM maps no pages within a block");
	number_words(self->map, variant->bytes / 4096, 0);
	for (size_t i = 0; i < variant->bytes / 4096; i++)
		((__u32 *)(self->map + i * 4096))[COUNTED] = 0;
}

FIXTURE_TEARDOWN(guest)
{
	if (self->run)
		munmap(self->run, self->run_bytes);
	close(self->vcpu);
	close(self->vm);
	close(self->kvm);
	if (self->map)
		munmap(self->map, variant->bytes);
	if (self->code)
		munmap(self->code, self->page);
	close(self->dmabuf);
	close(self->heap);
}

TEST_F_TIMEOUT(guest, reads_and_writes_every_page, TIME_LIMIT)
{
	const size_t nr = variant->bytes / 4096;

	for (int i = 1; i < 4; i++) {
		EXPECT_RUN(0, nr, 0);
		EXPECT_EQ(i, times_counted(self->map, nr));
	}
	for (size_t i = 0; i < nr; i += 7)
		EXPECT_RUN(i, 1, i);
}

/* What is protected of it is refused, and what is around it comes back. */
TEST_F_TIMEOUT(guest, keeps_guest_memory_on_mprotect, TIME_LIMIT)
{
	const size_t nr = variant->bytes / 4096, at = nr / 2;

	EXPECT_RUN(0, nr, 0);
	ASSERT_EQ(0, mprotect(self->map + at * 4096, 4096, PROT_NONE));
	EXPECT_RUN(0, at, 0);
	EXPECT_RUN(at + 1, nr - at - 1, at + 1);
	EXPECT_TRUE(is_refused(self->vcpu, self->run, at));
	ASSERT_EQ(0, mprotect(self->map + at * 4096, 4096, PROT_READ | PROT_WRITE));
	EXPECT_RUN(at, 1, at);
	EXPECT_EQ(2, times_counted(self->map, nr));
	EXPECT_RUN(0, nr, 0);
}

/* Another buffer is there instead, of which the guest must not see the old. */
TEST_F_TIMEOUT(guest, sees_replaced_buffer, TIME_LIMIT)
{
	const size_t nr = variant->bytes / 4096;
	const int other = heap_alloc(self->heap, variant->bytes);
	char *kept = map_dmabuf(self->dmabuf, variant->bytes);

	ASSERT_LE(0, other);
	ASSERT_NE(NULL, kept);
	EXPECT_RUN(0, nr, 0);
	ASSERT_EQ(self->map, mmap(self->map, variant->bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED, other, 0));
	number_words(self->map, nr, 1000);
	EXPECT_RUN(0, nr, 1000);
	EXPECT_EQ(1, times_counted(self->map, nr));
	EXPECT_EQ(1, times_counted(kept, nr));
	munmap(kept, variant->bytes);
	close(other);
}

struct runner {
	pthread_t thread;
	int vcpu;
	struct kvm_run *run;
	size_t nr;
	bool stop;
	int runs;
	int bad;
};

static void *run_on(void *data)
{
	struct runner *r = data;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED) || !r->runs) {
		__u32 sum = 0;

		if (run_guest(r->vcpu, r->run, 0, r->nr, &sum) || sum != sum_of(0, r->nr))
			r->bad++;
		r->runs++;
	}
	return NULL;
}

/* Advice makes a mapping of its own of a part of it, which splits the leaf there. */
TEST_F_TIMEOUT(guest, survives_leaf_splits, TIME_LIMIT)
{
	const size_t nr = variant->bytes / 4096;
	struct runner r = { .vcpu = self->vcpu, .run = self->run, .nr = nr };

	ASSERT_EQ(0, pthread_create(&r.thread, NULL, run_on, &r));
	for (size_t i = 0; i < CHANGES; i++) {
		char *page = self->map + i * 37 % nr * 4096;

		EXPECT_EQ(0, madvise(page, 4096, MADV_RANDOM));
		EXPECT_EQ(0, madvise(page, 4096, MADV_NORMAL));
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(r.thread, NULL));
	EXPECT_EQ(0, r.bad);
	EXPECT_EQ(r.runs, times_counted(self->map, nr));
}

TEST_HARNESS_MAIN

#else

int main(void)
{
	ksft_print_header();
	ksft_exit_skip("the guest is one of x86\n");
}

#endif /* __x86_64__ */
