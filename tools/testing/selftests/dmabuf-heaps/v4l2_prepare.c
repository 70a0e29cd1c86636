// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual V4L2 drivers as users of dma_buf_vmap(): how long PREPARE_BUF takes
 * to map a buffer of the system heap, and REQBUFS(0) to unmap it. Nothing is
 * streamed, see v4l2_stream.c for that.
 */
#include <sched.h>
#include <stdbool.h>

#include "v4l2_util.h"
#include "../kselftest_harness.h"

/* One less than the smallest chunk of the heap. */
#define FEW_PAGES	15
/* Of all buffers, in BUFINFO */
#define ATTACHED	"Total %lld devices attached"

FIXTURE(prepare)
{
	int dmabuf;
	struct v4l2 v4l2;
};

FIXTURE_VARIANT(prepare)
{
	size_t bytes;
};

FIXTURE_VARIANT_ADD(prepare, 4_KiB) { 4 * KIB };
FIXTURE_VARIANT_ADD(prepare, 64_KiB) { 64 * KIB };
FIXTURE_VARIANT_ADD(prepare, 1_MiB) { MIB };
FIXTURE_VARIANT_ADD(prepare, 8_MiB) { 8 * MIB };
FIXTURE_VARIANT_ADD(prepare, 128_MiB) { 128 * MIB };
FIXTURE_VARIANT_ADD(prepare, 512_MiB) { 512 * MIB };

FIXTURE_SETUP(prepare)
{
	self->dmabuf = -1;
	if (load_v4l2_drivers())
		SKIP(return, NO_V4L2_DRIVERS);
	self->dmabuf = exporter_alloc(SYSTEM, page_align(variant->bytes));
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
}

FIXTURE_TEARDOWN(prepare)
{
	close(self->dmabuf);
}

static const struct {
	const char *name;
	const struct v4l2_node *node;
	__u32 type;
} queues[] = {
	{ "vivid-capture", &vivid_capture, CAPTURE },
	{ "vivid-output", &vivid_output, OUTPUT },
	{ "vim2m", &vim2m, OUTPUT },
	{ "vimc", &vimc, CAPTURE },
	{ "vicodec-raw", &encoder, OUTPUT },
	{ "vicodec-coded", &encoder, CAPTURE },
	{ "vicodec-decode", &decoder, OUTPUT },
	{ "vicodec-decoded", &decoder, CAPTURE },
};

/* One mapping for each PREPARE_BUF, and none if a frame does not fit. */
TEST_F_TIMEOUT(prepare, maps_once_for_each_queue, TIME_LIMIT)
{
	struct v4l2 *v = &self->v4l2;

	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		ASSERT_EQ(0, v4l2_user(v, queues[i].name, queues[i].node, queues[i].type,
				       self->dmabuf, variant->bytes))
			TH_LOG("%s: %s", queues[i].name, strerror(errno));
		if (v->used > variant->bytes) {
			ASSERT_EQ(0, v->user.ready(&v->user));
			EXPECT_EQ(-1, v->user.map(&v->user))
				TH_LOG("%s", queues[i].name);
			EXPECT_EQ(EINVAL, errno);
		} else {
			EXPECT_EQ(0, measure_user(&v->user, variant->bytes))
				TH_LOG("%s: %s", queues[i].name, strerror(errno));
		}
		close(v->fd);
	}
}

/* Buffers of others than the system heap, and the driver that attaches. */
FIXTURE(exporter)
{
	int dmabuf;
	struct v4l2 v4l2;
};

FIXTURE_VARIANT(exporter)
{
	enum exporter exporter;
	const struct v4l2_node *node;
	size_t bytes;
};

FIXTURE_VARIANT_ADD(exporter, cma_heap) { CMA, &vivid_capture, 8 * MIB };
FIXTURE_VARIANT_ADD(exporter, udmabuf) { UDMABUF, &vivid_capture, 8 * MIB };
/* dma-contig takes what is contiguous for the device only. */
FIXTURE_VARIANT_ADD(exporter, cma_heap_contig) { CMA, &vivid_contig, 8 * MIB };
FIXTURE_VARIANT_ADD(exporter, system_heap_contig) { SYSTEM, &vivid_contig, 64 * KIB };

FIXTURE_SETUP(exporter)
{
	self->dmabuf = -1;
	self->v4l2.fd = -1;
	if (load_v4l2_drivers())
		SKIP(return, NO_V4L2_DRIVERS);
	self->dmabuf = exporter_alloc(variant->exporter, variant->bytes);
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
	ASSERT_EQ(0, v4l2_user(&self->v4l2, "vivid", variant->node, CAPTURE,
			       self->dmabuf, variant->bytes))
		TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(exporter)
{
	close(self->v4l2.fd);
	close(self->dmabuf);
}

TEST_F_TIMEOUT(exporter, prepares_repeatedly, TIME_LIMIT)
{
	__u64 map[ROUNDS], unmap[ROUNDS];

	EXPECT_EQ(0, time_user(&self->v4l2.user, map, unmap, ROUNDS))
		TH_LOG("%s", strerror(errno));
}

/* The driver that attaches does not map before it draws; the others do. */
TEST_F_TIMEOUT(exporter, maps_unless_driver_attaches, TIME_LIMIT)
{
	const bool attaches = variant->node == &vivid_contig;
	const char *functions =
		"system_heap_vmap cma_heap_vmap vmap_udmabuf dma_buf_map_attachment";
	struct user *user = &self->v4l2.user;
	__u64 ns[2];
	int maps;

	ASSERT_EQ(0, fgraph_start(functions))
		TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, user->ready(user));
	EXPECT_EQ(0, user->map(user));
	EXPECT_EQ(0, user->unmap(user));
	fgraph_stop();
	maps = fgraph_read("system_heap_vmap", ns, 2) +
	       fgraph_read("cma_heap_vmap", ns, 2) +
	       fgraph_read("vmap_udmabuf", ns, 2);
	EXPECT_EQ(attaches, fgraph_read("dma_buf_map_attachment", ns, 2));
	EXPECT_EQ(!attaches, maps);
}

/* Buffers of the system heap, and the driver that takes what is contiguous only. */
FIXTURE(contiguous)
{
	int test;
	int dmabuf;
	size_t bytes;
	struct v4l2 v4l2;
};

FIXTURE_VARIANT(contiguous)
{
	size_t bytes;			/* 0: pages none of which are adjacent */
};

FIXTURE_VARIANT_ADD(contiguous, 60_KiB) { 60 * KIB };
FIXTURE_VARIANT_ADD(contiguous, 1_MiB) { MIB };
FIXTURE_VARIANT_ADD(contiguous, 8_MiB) { 8 * MIB };
FIXTURE_VARIANT_ADD(contiguous, in_pieces) { 0 };

/*
 * A buffer of @nr pages, fewer than the heap has chunks for: of those that are with
 * this CPU, which have just been freed, every other one of many.
 */
static int alloc_in_pieces(int nr)
{
	int singles[128], dmabuf;
	cpu_set_t before, one;

	if (sched_getaffinity(0, sizeof(before), &before))
		return -1;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++)
		singles[i] = exporter_alloc(SYSTEM, page_size());
	for (size_t i = 0; i < ARRAY_SIZE(singles); i += 2)
		close(singles[i]);
	dmabuf = exporter_alloc(SYSTEM, nr * page_size());
	for (size_t i = 1; i < ARRAY_SIZE(singles); i += 2)
		close(singles[i]);
	sched_setaffinity(0, sizeof(before), &before);
	return dmabuf;
}

FIXTURE_SETUP(contiguous)
{
	self->dmabuf = -1;
	self->v4l2.fd = -1;
	self->test = open_vmap_test();
	if (self->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	if (load_v4l2_drivers())
		SKIP(return, NO_V4L2_DRIVERS);
	self->bytes = page_align(variant->bytes ?: FEW_PAGES * page_size());
	self->dmabuf = variant->bytes ? exporter_alloc(SYSTEM, self->bytes) :
		       alloc_in_pieces(FEW_PAGES);
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
	ASSERT_EQ(0, v4l2_user(&self->v4l2, "vivid", &vivid_contig, CAPTURE,
			       self->dmabuf, self->bytes))
		TH_LOG("%s", strerror(errno));
}

FIXTURE_TEARDOWN(contiguous)
{
	close(self->v4l2.fd);
	close(self->dmabuf);
	close(self->test);
}

/*
 * One entry is contiguous.  Several may be so by chance, but for those that are made in
 * pieces: not every heap joins them.  A buffer that is refused is as good as before.
 */
TEST_F_TIMEOUT(contiguous, accepts_contiguous_buffers_only, TIME_LIMIT)
{
	const __u64 seed = 7, hash = pattern_hash(self->bytes / sizeof(__u64), seed);
	struct user *user = &self->v4l2.user;
	struct dmabuf_vmap_result res;
	unsigned int segments;
	long long attached;
	int ret;

	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf, DMABUF_VMAP_TEST_FILL, seed,
				    &res));
	segments = res.dma_segments;
	attached = read_numbers(BUFINFO, ATTACHED);
	printf("# %u entries, %u DMA segments\n", res.nents, segments);
	ASSERT_EQ(0, user->ready(user));
	ret = user->map(user);
	EXPECT_TRUE(!ret || errno == EFAULT)
		TH_LOG("%s", strerror(errno));
	EXPECT_TRUE(ret || !user->unmap(user));
	EXPECT_TRUE(!ret || segments > 1);
	EXPECT_TRUE(ret || variant->bytes);
	EXPECT_EQ(attached, read_numbers(BUFINFO, ATTACHED));
	ASSERT_EQ(0, vmap_test_once(self->test, self->dmabuf,
				    DMABUF_VMAP_TEST_VERIFY | DMABUF_VMAP_TEST_HASH, 0, &res));
	EXPECT_EQ(segments, res.dma_segments);
	EXPECT_EQ(0, res.bad_pages);
	EXPECT_EQ(hash, res.kernel_hash);
	EXPECT_EQ(hash, res.device_hash);
}

TEST_HARNESS_MAIN
