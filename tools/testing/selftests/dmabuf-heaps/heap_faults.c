// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every allocation of memory, and every copy to or from user space, that the
 * kernel makes on the way to a buffer and to its mappings fails once: the request
 * fails with a clean error or does without, nothing is lost, and the next request
 * is met.
 *
 * /proc/thread-self/fail-nth has the kernel fail the nth of them; each test goes
 * through all of them, until a request has fewer.  See
 * Documentation/fault-injection/fault-injection.rst.
 */
#include "drm_util.h"
#include "v4l2_util.h"
#include "../kselftest_harness.h"

/* With a rest that takes a page table, which may be missing. */
#define LARGE_BYTES	(8 * MIB + 64 * KIB)
#define IMPORT_BYTES	(8 * MIB)
/*
 * For kernel mappings: two large leaves, so that the second page table may be missing
 * where the first is there.  Not more, as KASAN takes a page for each eight of them,
 * which all can fail at the same place.
 */
#define LAYOUT_BYTES	(4 * MIB)
#define VMAP_BYTES	(LAYOUT_BYTES + 64 * KIB)

/* No request makes so many allocations. */
#define MAX_FAULTS	1000
/*
 * Leaks add up over the repeats; LOST_PAGES is what other tasks may take meanwhile.
 * Where page_owner counts the pages of buffers, one repeat is enough.
 */
#define REPEATS		40
#define LOST_PAGES	32
/* Page tables of other mappings, in KiB. */
#define KEPT_TABLES	64

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define DEBUG		"/sys/kernel/debug/"
#define KMSG		"/dev/kmsg"
/* Warns once of an exporter that fails, as few may where page tables are there already. */
#define VMAP_WARNING	"dma_buf_vmap"
/* For the stack of the new process. */
#define STACK_WARNING	"vmalloc error: size "

/* All that a request needs, and what it leaves. */
struct state {
	int fail_nth;			/* FAIL_NTH, open */
	enum exporter exporter;
	size_t bytes;
	int test;
	int dmabuf;			/* if the request is about one */
	int got;			/* a new one that it has returned */
	char *map;			/* and a mapping, NULL if none */
	char *room;			/* addresses that a part of it moves to */
	pid_t child;			/* which has it as well */
	int vgem;
	__u32 handle;			/* of @dmabuf there */
	struct vkms vkms;
	struct v4l2 v4l2;
	struct user *user;		/* the one of these two that maps it */
};

/* What is to fail.  These return -1 and set errno on error. */
struct request {
	int (*ready)(struct state *s);	/* comes before, and does not fail; may be NULL */
	int (*make)(struct state *s);
	int (*undo)(struct state *s);	/* fails if the result is wrong as well */
};

/* A buffer, of memory that the page allocator has to find. */
static int alloc_ready(struct state *s)
{
	(void)s;
	empty_pool();
	return 0;
}

static int alloc_make(struct state *s)
{
	s->got = exporter_alloc(s->exporter, s->bytes);
	return s->got < 0 ? -1 : 0;
}

static int alloc_undo(struct state *s)
{
	char *map = map_dmabuf(s->got, s->bytes);
	int ret = map && is_zero((__u64 *)map, s->bytes / sizeof(__u64)) ? 0 : -1;

	if (map)
		munmap(map, s->bytes);
	if (lseek(s->got, 0, SEEK_END) != (off_t)s->bytes)
		ret = -1;
	close(s->got);
	return ret;
}

static const struct request alloc_request = { alloc_ready, alloc_make, alloc_undo };

/* Of the memory that the pool has from the one before. */
static const struct request alloc_pooled_request = { NULL, alloc_make, alloc_undo };

/* A buffer is released, and the pool is empty: to keep its memory takes some more. */
static int release_ready(struct state *s)
{
	if (!pool_is_used())
		return -1;
	empty_pool();
	if (s->got <= 0)
		s->got = exporter_alloc(s->exporter, s->bytes);
	return s->got < 0 ? -1 : 0;
}

static int release_make(struct state *s)
{
	const int got = s->got;

	s->got = -1;
	return close(got);
}

static int nothing(struct state *s)
{
	(void)s;
	return 0;
}

static const struct request release_request = { release_ready, release_make, nothing };

/* A mapping for user space. */
static int mmap_make(struct state *s)
{
	s->map = map_dmabuf(s->dmabuf, s->bytes);
	return s->map ? 0 : -1;
}

static int mmap_undo(struct state *s)
{
	const bool ok = is_zero((__u64 *)s->map, s->bytes / sizeof(__u64));

	return munmap(s->map, s->bytes) || !ok ? -1 : 0;
}

static const struct request mmap_request = { NULL, mmap_make, mmap_undo };

/* Before what is done to a mapping, and after it; errno stays. */
static int map_ready(struct state *s)
{
	if (!s->map)
		s->map = map_dmabuf(s->dmabuf, s->bytes);
	return s->map ? 0 : -1;
}

static int unmap(struct state *s)
{
	const int error = errno;
	const int ret = munmap(s->map, s->bytes);

	s->map = NULL;
	errno = error;
	return ret;
}

/*
 * Large leaves that are split, a part of it that moves to where none fits, and what was
 * dropped by that, which comes back.  A fault that finds no memory is taken again.
 */
static int split_ready(struct state *s)
{
	if (s->map)
		return 0;
	s->room = mmap(NULL, s->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return s->room == MAP_FAILED ? -1 : map_ready(s);
}

static int split_undo(struct state *s)
{
	return unmap(s) | munmap(s->room, s->bytes);
}

static int split_make(struct state *s)
{
	const size_t half = s->bytes / 2 + page_size();
	int ret;

	if (mprotect(s->map + page_size(), page_size(), PROT_READ) ||
	    mremap(s->map + half, s->bytes - half, s->bytes - half,
		   MREMAP_MAYMOVE | MREMAP_FIXED, s->room) != s->room)
		ret = -1;
	else
		ret = is_zero((__u64 *)s->map, half / sizeof(__u64)) &&
		      is_zero((__u64 *)s->room, (s->bytes - half) / sizeof(__u64)) ? 0 : -1;
	if (ret)
		split_undo(s);
	return ret;
}

static const struct request split_request = { split_ready, split_make, split_undo };

/* A child with the mapping. */
static int fork_make(struct state *s)
{
	s->child = fork();
	if (!s->child)
		_exit(s->map[0] | s->map[s->bytes - 1]);
	if (s->child > 0)
		return 0;
	unmap(s);
	return -1;
}

static int fork_undo(struct state *s)
{
	return wait_child(s->child) ? -1 : unmap(s);
}

static const struct request fork_request = { map_ready, fork_make, fork_undo };

/* The kernel mapping, by the test user. */
static int hold_make(struct state *s)
{
	struct dmabuf_vmap_hold arg;

	return vmap_test_hold(s->test, s->dmabuf, &arg);
}

static int hold_undo(struct state *s)
{
	struct dmabuf_vmap_hold arg;

	return vmap_test_unhold(s->test, &arg) || arg.mapped ? -1 : 0;
}

static const struct request hold_request = { NULL, hold_make, hold_undo };

/* The same, and an attachment that is mapped as well. */
static int attach_make(struct state *s)
{
	struct dmabuf_vmap_result res;

	if (vmap_test_once(s->test, s->dmabuf, DMABUF_VMAP_TEST_VERIFY, 0, &res))
		return -1;
	if (!res.bad_pages)
		return 0;
	errno = EIO;
	return -1;
}

static const struct request attach_request = { NULL, attach_make, nothing };

/* What is behind a mapping of memory in blocks of that size. */
static int layout(struct state *s, __u32 entry, size_t block)
{
	struct dmabuf_vmap_layout arg = {
		.layout = DMABUF_VMAP_LAYOUT_SHUFFLED,
		.entry = entry,
		.bytes = LAYOUT_BYTES,
		.block = block,
		.rounds = 1,
	};

	if (ioctl(s->test, DMABUF_VMAP_TEST_LAYOUT, &arg))
		return -1;
	if (!arg.result.bad_pages)
		return 0;
	errno = EIO;
	return -1;
}

/* Where there were large leaves, single pages need page tables again. */
static int layout_ready(struct state *s)
{
	return layout(s, DMABUF_VMAP_ENTRY_SG, LAYOUT_BYTES);
}

static int layout_sg_make(struct state *s)
{
	return layout(s, DMABUF_VMAP_ENTRY_SG, page_size());
}

static int layout_pages_make(struct state *s)
{
	return layout(s, DMABUF_VMAP_ENTRY_PAGES, page_size());
}

static const struct request layout_sg_request = { layout_ready, layout_sg_make, nothing };
static const struct request layout_pages_request = {
	layout_ready, layout_pages_make, nothing
};

/* An importer that attaches. */
static int vgem_ready(struct state *s)
{
	if (s->vgem < 0)
		s->vgem = drm_open("vgem");
	return s->vgem < 0 ? -1 : 0;
}

static int vgem_make(struct state *s)
{
	return drm_ret(drmPrimeFDToHandle(s->vgem, s->dmabuf, &s->handle));
}

static int vgem_undo(struct state *s)
{
	return drm_ret(drmCloseBufferHandle(s->vgem, s->handle));
}

static const struct request vgem_request = { vgem_ready, vgem_make, vgem_undo };

/* vkms: a framebuffer of the buffer, and a commit that maps it. */
static int vkms_ready(struct state *s)
{
	if (s->user)
		return 0;
	s->user = &s->vkms.user;
	return vkms_open(&s->vkms) ||
	       vkms_show(&s->vkms, s->dmabuf, 2048, 1024) ? -1 : 0;
}

static int user_make(struct state *s)
{
	return s->user->map(s->user);
}

static int user_undo(struct state *s)
{
	return s->user->unmap(s->user);
}

static const struct request vkms_request = { vkms_ready, user_make, user_undo };

/* V4L2: a buffer that is prepared. */
static int prepare_ready(struct state *s, const struct v4l2_node *node, __u32 type)
{
	if (!s->user &&
	    (load_v4l2_drivers() ||
	     v4l2_user(&s->v4l2, "", node, type, s->dmabuf, s->bytes)))
		return -1;
	s->user = &s->v4l2.user;
	return s->user->ready(s->user);
}

static int encoder_ready(struct state *s)
{
	return prepare_ready(s, &encoder, OUTPUT);
}

static int contig_ready(struct state *s)
{
	return prepare_ready(s, &vivid_contig, CAPTURE);
}

static const struct request encoder_request = { encoder_ready, user_make, user_undo };
static const struct request contig_request = { contig_ready, user_make, user_undo };

FIXTURE(request)
{
	struct state s;
};

FIXTURE_VARIANT(request)
{
	enum exporter exporter;
	size_t bytes;			/* 0: one page */
	const struct request *request;
	const char *warning;		/* that may come of it, or NULL */
};

FIXTURE_VARIANT_ADD(request, alloc_page) { SYSTEM, 0, &alloc_request, NULL };
FIXTURE_VARIANT_ADD(request, alloc) { SYSTEM, LARGE_BYTES, &alloc_request, NULL };
FIXTURE_VARIANT_ADD(request, alloc_pooled) { SYSTEM, LARGE_BYTES, &alloc_pooled_request, NULL };
FIXTURE_VARIANT_ADD(request, alloc_cma) { CMA, IMPORT_BYTES, &alloc_request, NULL };
FIXTURE_VARIANT_ADD(request, release) { SYSTEM, LARGE_BYTES, &release_request, NULL };
FIXTURE_VARIANT_ADD(request, mmap) { SYSTEM, LARGE_BYTES, &mmap_request, NULL };
FIXTURE_VARIANT_ADD(request, split) { SYSTEM, LARGE_BYTES, &split_request, NULL };
FIXTURE_VARIANT_ADD(request, fork) { SYSTEM, LARGE_BYTES, &fork_request, STACK_WARNING };
FIXTURE_VARIANT_ADD(request, vmap_page) { SYSTEM, 0, &hold_request, VMAP_WARNING };
FIXTURE_VARIANT_ADD(request, vmap) { SYSTEM, VMAP_BYTES, &hold_request, VMAP_WARNING };
FIXTURE_VARIANT_ADD(request, vmap_cma) { CMA, VMAP_BYTES, &hold_request, VMAP_WARNING };
FIXTURE_VARIANT_ADD(request, vmap_udmabuf) { UDMABUF, VMAP_BYTES, &hold_request, VMAP_WARNING };
FIXTURE_VARIANT_ADD(request, attach) { SYSTEM, VMAP_BYTES, &attach_request, VMAP_WARNING };
FIXTURE_VARIANT_ADD(request, attach_udmabuf) { UDMABUF, MIB, &attach_request, VMAP_WARNING };
FIXTURE_VARIANT_ADD(request, vmap_sg) { SYSTEM, 0, &layout_sg_request, NULL };
FIXTURE_VARIANT_ADD(request, vmap_pages) { SYSTEM, 0, &layout_pages_request, NULL };
FIXTURE_VARIANT_ADD(request, vgem) { SYSTEM, IMPORT_BYTES, &vgem_request, NULL };
FIXTURE_VARIANT_ADD(request, vkms) { SYSTEM, LARGE_BYTES, &vkms_request, VMAP_WARNING };
FIXTURE_VARIANT_ADD(request, v4l2) { SYSTEM, LARGE_BYTES, &encoder_request, VMAP_WARNING };
FIXTURE_VARIANT_ADD(request, v4l2_contig) { SYSTEM, 64 * KIB, &contig_request, NULL };

/* Of what can fail, all, and each says where. */
static int allow_faults(void)
{
	static const char * const settings[][2] = {
		{ "failslab/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-wait", "N" },
		{ "fail_page_alloc/ignore-gfp-highmem", "N" },
		{ "fail_page_alloc/min-order", "0" },
	};
	char path[LINE_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(path, sizeof(path), DEBUG "%s", settings[i][0]);
		if (write_file(path, settings[i][1]))
			return -1;
	}
	return 0;
}

/* Whether each fault leaves a trace of calls in the kernel's log. */
static void trace_faults(bool on)
{
	write_file(DEBUG "failslab/verbose", on ? "2" : "0");
	write_file(DEBUG "fail_page_alloc/verbose", on ? "2" : "0");
	write_file(DEBUG "fail_usercopy/verbose", on ? "2" : "0");
}

/* The next fault is the @nth. */
static int arm(const struct state *s, int nth)
{
	char text[16];
	const int len = snprintf(text, sizeof(text), "%d", nth);

	return pwrite(s->fail_nth, text, len, 0) == len ? 0 : -1;
}

/*
 * No fault from here on.  Returns whether there was one, -1 on error.  These two
 * calls copy to and from user space, so they may be what fails.
 */
static int disarm(const struct state *s)
{
	char left[16] = "", *end;
	unsigned long n;

	if (pread(s->fail_nth, left, sizeof(left) - 1, 0) <= 0)
		return errno == EFAULT ? 0 : -1;
	if (arm(s, 0) && arm(s, 0))
		return -1;
	n = strtoul(left, &end, 10);
	return end == left ? -1 : !n;
}

static int make_dmabuf(struct state *s, const struct request *request)
{
	if (request->make == alloc_make || request->make == release_make)
		return 0;
	s->dmabuf = exporter_alloc(s->exporter, s->bytes);
	return s->dmabuf < 0 ? -1 : 0;
}

FIXTURE_SETUP(request)
{
	struct state *s = &self->s;
	char text[LINE_BYTES];

	*s = (struct state){
		.fail_nth = open(FAIL_NTH, O_RDWR | O_CLOEXEC),
		.exporter = variant->exporter,
		.bytes = variant->bytes ?: page_size(),
		.test = open_vmap_test(),
		.dmabuf = -1,
		.vgem = -1,
		.vkms.fd = -1,
		.v4l2.fd = -1,
	};
	if (s->fail_nth < 0)
		SKIP(return, FAIL_NTH ": %s", strerror(errno));
	if (allow_faults())
		SKIP(return, DEBUG "fail*: %s", strerror(errno));
	if (s->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	if (make_dmabuf(s, variant->request))
		SKIP(return, "no buffer: %s", strerror(errno));
	if (variant->request->ready && variant->request->ready(s))
		SKIP(return, "no such user: %s", strerror(errno));
	trace_faults(true);
	write_file(DEBUG "clear_warn_once", "1");
	if (variant->request == &release_request)
		release_make(s);	/* so that no buffer is there when these are counted */
	if (variant->warning) {
		snprintf(text, sizeof(text), "<6>guest: @@ allow %s\n", variant->warning);
		write_file(KMSG, text);
	}
}

FIXTURE_TEARDOWN(request)
{
	struct state *s = &self->s;

	if (variant->warning)
		write_file(KMSG, "<6>guest: @@ expected\n");
	if (s->v4l2.fd >= 0)
		close(s->v4l2.fd);
	if (s->vkms.fd >= 0) {
		vkms_hide(&s->vkms);
		vkms_close(&s->vkms);
	}
	if (s->vgem >= 0)
		drmClose(s->vgem);
	close(s->dmabuf);
	close(s->test);
	close(s->fail_nth);
}

static int get_ready(struct state *s, const struct request *request)
{
	return request->ready ? request->ready(s) : 0;
}

/* The same request without a fault. */
static int make_and_undo(struct state *s, const struct request *request)
{
	return get_ready(s, request) || request->make(s) || request->undo(s) ? -1 : 0;
}

/* udmabuf returns EINVAL if vm_map_ram() has no memory. */
static bool is_clean(const struct state *s, int error)
{
	return error == ENOMEM || error == EFAULT ||
	       (s->exporter == UDMABUF && error == EINVAL);
}

/*
 * Fails each allocation once.  Returns how many there are, of which @errors made
 * the request fail.
 */
static int sweep(struct __test_metadata *_metadata, struct state *s,
		 const struct request *request, int *errors)
{
	int nth, ret, error, hit;

	for (nth = 1; nth < MAX_FAULTS; nth++) {
		ASSERT_EQ(0, get_ready(s, request))
			TH_LOG("before fault %d: %s", nth, strerror(errno));
		ASSERT_EQ(0, arm(s, nth));
		ret = request->make(s);
		error = errno;
		hit = disarm(s);
		ASSERT_LE(0, hit);
		if (ret) {
			ASSERT_TRUE(hit && is_clean(s, error))
				TH_LOG("fault %d, hit: %d: %s", nth, hit, strerror(error));
			++*errors;
		} else {
			ASSERT_EQ(0, request->undo(s))
				TH_LOG("after fault %d: %s", nth, strerror(errno));
		}
		if (!hit)
			break;
		ASSERT_EQ(0, make_and_undo(s, request))
			TH_LOG("again after fault %d: %s", nth, strerror(errno));
	}
	ASSERT_GT(MAX_FAULTS, nth);
	return nth - 1;
}

/* Areas that vmap() and vmap_sg() have mapped. */
static int count_vmaps(void)
{
	return count_lines("/proc/vmallocinfo", " vmap");
}

TEST_F_TIMEOUT(request, fails_cleanly, TIME_LIMIT)
{
	const bool counted = kernel_has_kasan();
	const int repeats = counted ? 1 : REPEATS;
	const int too_many = counted ? 1 : LOST_PAGES;
	const long long tables = table_kib();
	const int vmaps = count_vmaps();
	const long long dmabufs = count_dmabufs();
	struct memory before, after;
	int faults, errors = 0;

	faults = sweep(_metadata, &self->s, variant->request, &errors);
	trace_faults(false);
	printf("# %d faults, %d errors\n", faults, errors);
	EXPECT_LT(0, faults);

	/*
	 * The first time, areas that are not yet purged reach further and further into
	 * the address space, whose page tables stay.
	 */
	for (int round = counted; round < 2; round++) {
		look(&before);
		for (int i = 0; i < repeats; i++)
			sweep(_metadata, &self->s, variant->request, &errors);
		look(&after);
	}
	printf("# %lld pages lost, slabs and others %+lld\n",
	       lost_pages(&before, &after), after.counted - before.counted);
	fflush(stdout);
	EXPECT_GT(too_many, lost_pages(&before, &after));
	EXPECT_GE(tables + KEPT_TABLES, table_kib());
	EXPECT_EQ(dmabufs, count_dmabufs());
	EXPECT_EQ(vmaps, count_vmaps());
}

TEST_HARNESS_MAIN
