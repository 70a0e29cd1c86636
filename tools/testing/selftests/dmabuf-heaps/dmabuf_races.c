// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exporters, importers and their devices that come and go at the same time: imports
 * and closes of one buffer on all CPUs, fences, tracepoints, a device that is unbound
 * while it has a buffer, and sizes that udmabuf has to refuse.  Afterwards there are as
 * many dma-bufs and as many kernel mappings as before.
 *
 * Nothing here depends on vmap_sg().
 */
#include <pthread.h>

#include "drm_util.h"
#include "v4l2_util.h"
#include "../kselftest_harness.h"

#define RACE_ROUNDS	200
#define SHARED_BYTES	(4 * MIB)
#define KMSG		"/dev/kmsg"

static int failed(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	fflush(stdout);
	return 1;
}

/* A buffer, and DRM devices that all processes share, and their handles with them. */
FIXTURE(prime)
{
	struct left before;
	int dmabuf;
	int drm;
};

FIXTURE_VARIANT(prime)
{
	const char *driver;
};

FIXTURE_VARIANT_ADD(prime, vgem) { "vgem" };
FIXTURE_VARIANT_ADD(prime, vkms) { "vkms" };

FIXTURE_SETUP(prime)
{
	self->dmabuf = -1;
	self->before = count_left();
	self->drm = drm_open(variant->driver);
	if (self->drm < 0)
		SKIP(return, "no %s", variant->driver);
	self->dmabuf = exporter_alloc(SYSTEM, SHARED_BYTES);
	ASSERT_LE(0, self->dmabuf);
}

FIXTURE_TEARDOWN(prime)
{
	drmClose(self->drm);
	close(self->dmabuf);
	EXPECT_TRUE(nothing_is_left(&self->before));
}

/* The handle is the same for all, so another one may have closed it already. */
static int import_and_close(int nr, void *data)
{
	const int drm = ((int *)data)[0], shared = ((int *)data)[1];

	for (int i = 0; i < RACE_ROUNDS; i++) {
		const int own = nr % 2 ? exporter_alloc(SYSTEM, page_size() << i % 5) : -1;
		__u32 handle;
		int fd;

		if (drm_ret(drmPrimeFDToHandle(drm, nr % 2 ? own : shared, &handle)))
			return failed("import");
		if (!drmPrimeHandleToFD(drm, handle, DRM_CLOEXEC, &fd))
			close(fd);
		else if (errno != ENOENT)
			return failed("export");
		if (nr % 2)
			close(own);
		drmCloseBufferHandle(drm, handle);
	}
	return 0;
}

TEST_F_TIMEOUT(prime, imports_and_closes_on_all_cpus, TIME_LIMIT)
{
	int fds[] = { self->drm, self->dmabuf };

	EXPECT_EQ(0, on_all_cpus(2, import_and_close, fds));
}

/* Fences that user space signals, put into a buffer and taken out of it. */

#define SW_SYNC		"/sys/kernel/debug/sync/sw_sync"
#define SYNC_INFO	"/sys/kernel/debug/sync/info"

/* As the kernel has them in sw_sync.c, which is no header. */
struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

#define SW_SYNC_IOC_CREATE_FENCE	_IOWR('W', 0, struct sw_sync_create_fence_data)
#define SW_SYNC_IOC_INC			_IOW('W', 1, __u32)

static int new_fence(int timeline, __u32 value)
{
	struct sw_sync_create_fence_data data = { .value = value, .name = "fence" };

	return ioctl(timeline, SW_SYNC_IOC_CREATE_FENCE, &data) ? -1 : data.fence;
}

static int import_fence(int dmabuf, int fence)
{
	struct dma_buf_import_sync_file data = { .flags = DMA_BUF_SYNC_RW, .fd = fence };

	return ioctl(dmabuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &data);
}

static int export_fence(int dmabuf)
{
	struct dma_buf_export_sync_file data = { .flags = DMA_BUF_SYNC_RW, .fd = -1 };

	return ioctl(dmabuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &data) ? -1 : data.fd;
}

static bool is_signaled(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) == 1 && p.revents & events;
}

FIXTURE(fences)
{
	struct left before;
	int dmabuf;
	int timeline;
};

FIXTURE_SETUP(fences)
{
	self->dmabuf = -1;
	self->before = count_left();
	self->timeline = open(SW_SYNC, O_RDWR | O_CLOEXEC);
	if (self->timeline < 0)
		SKIP(return, SW_SYNC ": %s", strerror(errno));
	self->dmabuf = exporter_alloc(SYSTEM, SHARED_BYTES);
	ASSERT_LE(0, self->dmabuf);
}

FIXTURE_TEARDOWN(fences)
{
	close(self->timeline);
	close(self->dmabuf);
	EXPECT_TRUE(nothing_is_left(&self->before));
}

TEST_F(fences, waits_for_unsignaled_fence)
{
	const __u32 one = 1;
	const int in = new_fence(self->timeline, 1);
	int out;

	ASSERT_LE(0, in);
	EXPECT_TRUE(is_signaled(self->dmabuf, POLLOUT));
	ASSERT_EQ(0, import_fence(self->dmabuf, in));
	close(in);
	out = export_fence(self->dmabuf);
	ASSERT_LE(0, out);
	EXPECT_FALSE(is_signaled(out, POLLIN));
	EXPECT_FALSE(is_signaled(self->dmabuf, POLLOUT));
	ASSERT_EQ(0, ioctl(self->timeline, SW_SYNC_IOC_INC, &one));
	EXPECT_TRUE(is_signaled(out, POLLIN));
	EXPECT_TRUE(is_signaled(self->dmabuf, POLLOUT));
	close(out);
}

/* Each has a timeline; every other one goes before its fences are signaled. */
static int pass_fences(int nr, void *data)
{
	const int dmabuf = *(int *)data;
	const __u32 one = 1;

	for (__u32 i = 0; i < RACE_ROUNDS; i++) {
		const int timeline = open(SW_SYNC, O_RDWR | O_CLOEXEC);
		const int in = new_fence(timeline, 1);
		int out;

		if (in < 0 || import_fence(dmabuf, in))
			return failed("import of a fence");
		out = export_fence(dmabuf);
		if (out < 0)
			return failed("export of a fence");
		is_signaled(out, POLLIN);
		is_signaled(dmabuf, POLLIN | POLLOUT);
		if (nr % 4 == 3)
			read_numbers(SYNC_INFO, "%lld");
		if (i % 2 && ioctl(timeline, SW_SYNC_IOC_INC, &one))
			return failed("SW_SYNC_IOC_INC");
		close(in);
		close(timeline);
		close(out);
	}
	return 0;
}

TEST_F_TIMEOUT(fences, passes_fences_on_all_cpus, TIME_LIMIT)
{
	EXPECT_EQ(0, on_all_cpus(2, pass_fences, &self->dmabuf));
	EXPECT_TRUE(is_signaled(self->dmabuf, POLLOUT));
}

/* Tracepoints of dma-buf look at a buffer whose descriptor another process closes. */

#define EVENTS		TRACEFS "events/dma_buf/enable"

FIXTURE(traced)
{
	struct left before;
	int target;
};

FIXTURE_SETUP(traced)
{
	if (access(EVENTS, W_OK))
		SKIP(return, "no tracepoints of dma-buf");
	self->before = count_left();
	self->target = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->target);
	ASSERT_EQ(0, write_file(EVENTS, "1"));
}

FIXTURE_TEARDOWN(traced)
{
	if (access(EVENTS, W_OK))
		return;
	EXPECT_EQ(0, write_file(EVENTS, "0"));
	close(self->target);
	EXPECT_TRUE(nothing_is_left(&self->before));
}

static void *close_all(void *data)
{
	const int target = *(int *)data;

	/* New descriptors of the other threads are the first free ones. */
	for (int i = 0; i < 20 * RACE_ROUNDS; i++)
		dup2(target, target + 1 + i % 8);
	return NULL;
}

static void *allocate_and_close(void *data)
{
	for (int i = 0; i < RACE_ROUNDS; i++) {
		const int dmabuf = exporter_alloc(SYSTEM, page_size());
		char *map = map_dmabuf(dmabuf, page_size());

		if (map)
			munmap(map, page_size());
		close(dmabuf);
	}
	return NULL;
}

/* Threads, for it is one table of descriptors. */
static int allocate_while_others_close(int nr, void *data)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		if (pthread_create(&threads[i], NULL, i % 2 ? close_all : allocate_and_close, data))
			return failed("thread");
	}
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

TEST_F_TIMEOUT(traced, closes_new_buffers_under_trace, TIME_LIMIT)
{
	EXPECT_EQ(0, on_all_cpus(2, allocate_while_others_close, &self->target));
}

/* A driver is unbound from its device while that has a buffer. */

#define VIVID_DRIVER	"/sys/bus/platform/drivers/vivid/"
#define VIVID_DEVICE	"vivid.0"

FIXTURE(unbound)
{
	struct left before;
	int dmabuf;
	char *map;
	struct v4l2 v4l2;
};

FIXTURE_VARIANT(unbound)
{
	const struct v4l2_node *node;
};

FIXTURE_VARIANT_ADD(unbound, while_mapped) { &vivid_capture };
FIXTURE_VARIANT_ADD(unbound, while_attached) { &vivid_contig };

FIXTURE_SETUP(unbound)
{
	self->map = NULL;
	if (load_v4l2_drivers())
		SKIP(return, NO_V4L2_DRIVERS);
	self->before = count_left();
	self->dmabuf = exporter_alloc(SYSTEM, 64 * KIB);
	ASSERT_LE(0, self->dmabuf);
	self->map = map_dmabuf(self->dmabuf, 64 * KIB);
	ASSERT_NE(NULL, self->map);
	ASSERT_EQ(0, v4l2_user(&self->v4l2, "vivid", variant->node, CAPTURE, self->dmabuf,
			       64 * KIB));
	ASSERT_EQ(0, v4l2_ready(&self->v4l2.user));
	ASSERT_EQ(0, v4l2_prepare(&self->v4l2.user));
}

FIXTURE_TEARDOWN(unbound)
{
	if (!self->map)
		return;
	munmap(self->map, 64 * KIB);
	close(self->dmabuf);
	EXPECT_TRUE(nothing_is_left(&self->before));
}

/* The buffer is still there, and the mapping goes with the last descriptor. */
TEST_F_TIMEOUT(unbound, releases_buffer_after_unbind, TIME_LIMIT)
{
	memset(self->map, 1, 64 * KIB);
	ASSERT_EQ(0, write_file(VIVID_DRIVER "unbind", VIVID_DEVICE))
		TH_LOG("%s", strerror(errno));
	EXPECT_EQ(1, self->map[64 * KIB - 1]);
	memset(self->map, 2, 64 * KIB);
	EXPECT_EQ(0, cpu_access(self->dmabuf, DMA_BUF_SYNC_START));
	EXPECT_EQ(0, cpu_access(self->dmabuf, DMA_BUF_SYNC_END));
	EXPECT_EQ(-1, v4l2_release(&self->v4l2.user));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(0, close(self->v4l2.fd));
	EXPECT_EQ(2, self->map[64 * KIB - 1]);
	EXPECT_EQ(0, write_file(VIVID_DRIVER "bind", VIVID_DEVICE))
		TH_LOG("%s", strerror(errno));
}

/* The same memory for two devices at once. */

/* The longest segment that vgem says it takes. */
#define SEGMENT_BYTES	(64 * KIB)

FIXTURE(attached_twice)
{
	struct left before;
	int dmabuf;
	int drm;
	int test;
};

FIXTURE_SETUP(attached_twice)
{
	self->dmabuf = -1;
	self->before = count_left();
	self->test = open_vmap_test();
	if (self->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	self->drm = drm_open("vgem");
	if (self->drm < 0)
		SKIP(return, "no vgem");
	self->dmabuf = exporter_alloc(SYSTEM, SEGMENT_BYTES);
	ASSERT_LE(0, self->dmabuf);
	/* DMA debugging takes that for an error, and nothing else of it. */
	set_dma_errors("1");
	write_file(KMSG, "<6>guest: @@ allow add_dma_entry\n");
}

FIXTURE_TEARDOWN(attached_twice)
{
	if (self->dmabuf < 0)
		return;
	write_file(KMSG, "<6>guest: @@ expected\n");
	drmClose(self->drm);
	close(self->test);
	close(self->dmabuf);
	EXPECT_TRUE(nothing_is_left(&self->before));
}

TEST_F_TIMEOUT(attached_twice, shows_same_content_to_both, TIME_LIMIT)
{
	__u64 *map = map_dmabuf(self->dmabuf, SEGMENT_BYTES);
	struct dmabuf_vmap_attach arg;
	__u32 handle;

	ASSERT_NE(NULL, map);
	ASSERT_EQ(0, drm_ret(drmPrimeFDToHandle(self->drm, self->dmabuf, &handle)));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(0, cpu_access(self->dmabuf, DMA_BUF_SYNC_START));
		map[i] = i;
		ASSERT_EQ(0, cpu_access(self->dmabuf, DMA_BUF_SYNC_END));
		ASSERT_EQ(0, attach_new_device(self->test, self->dmabuf, 0,
					       DMABUF_VMAP_TEST_FILL | DMABUF_VMAP_TEST_HASH, &arg))
			TH_LOG("%s", strerror(errno));
		EXPECT_EQ(arg.test.result.kernel_hash, arg.test.result.device_hash);
		EXPECT_EQ(dmabuf_vmap_test_pattern(arg.test.seed, i), map[i]);
	}
	EXPECT_EQ(0, drmCloseBufferHandle(self->drm, handle));
	munmap(map, SEGMENT_BYTES);
}

/* Buffers of memory that user space has, in sizes and pieces that it says. */

#define LIST_MAX	1025

FIXTURE(udmabuf)
{
	struct left before;
	int dev;
	int memfd;
	struct udmabuf_create_list *list;
};

FIXTURE_SETUP(udmabuf)
{
	self->before = count_left();
	self->dev = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	if (self->dev < 0)
		SKIP(return, "/dev/udmabuf: %s", strerror(errno));
	self->memfd = memfd_create("udmabuf", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	ASSERT_LE(0, self->memfd);
	ASSERT_EQ(0, ftruncate(self->memfd, 16 * page_size()));
	ASSERT_EQ(0, fcntl(self->memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	self->list = calloc(1, sizeof(*self->list) + LIST_MAX * sizeof(*self->list->list));
	ASSERT_NE(NULL, self->list);
	for (int i = 0; i < LIST_MAX; i++)
		self->list->list[i] = (struct udmabuf_create_item){
			.memfd = self->memfd, .size = page_size(),
		};
}

FIXTURE_TEARDOWN(udmabuf)
{
	if (self->dev < 0)
		return;
	free(self->list);
	close(self->memfd);
	close(self->dev);
	EXPECT_TRUE(nothing_is_left(&self->before));
}

static int create(int dev, int memfd, __u64 offset, __u64 size)
{
	struct udmabuf_create arg = { .memfd = memfd, .offset = offset, .size = size };

	return ioctl(dev, UDMABUF_CREATE, &arg);
}

/* Less than 2^51 bytes, 7.3 tries to allocate an array for, and warns above 2 GiB of it. */
TEST_F(udmabuf, rejects_impossible_sizes)
{
	const __u64 page = page_size(), all = 16 * page;
	const __u64 wrong[][2] = {
		{ 0, 0 }, { 0, 1 }, { 1, page }, { 0, page + 1 }, { 0, all + page },
		{ all, page }, { page, all }, { -page, page }, { -page, 2 * page },
		{ 0, -page }, { page, -page }, { 1ULL << 63, page }, { 0, 1ULL << 63 },
		{ 0, 1ULL << 53 }, { page, (1ULL << 53) - page },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(-1, create(self->dev, self->memfd, wrong[i][0], wrong[i][1]))
			TH_LOG("offset %#llx, size %#llx", wrong[i][0], wrong[i][1]);
	}
}

TEST_F(udmabuf, rejects_impossible_lists)
{
	struct udmabuf_create_list *list = self->list;
	const __u32 counts[] = { 0, LIST_MAX, ~0U, 1U << 31 };

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		list->count = counts[i];
		EXPECT_EQ(-1, ioctl(self->dev, UDMABUF_CREATE_LIST, list))
			TH_LOG("count %u", counts[i]);
	}
	/* Sizes whose sum is small again. */
	list->count = 2;
	list->list[0].size = 1ULL << 63;
	list->list[1].size = (1ULL << 63) + page_size();
	EXPECT_EQ(-1, ioctl(self->dev, UDMABUF_CREATE_LIST, list));
	/* The last of three is no memfd: those before are let go. */
	list->count = 3;
	for (int i = 0; i < 3; i++)
		list->list[i].size = page_size();
	list->list[2].memfd = self->dev;
	EXPECT_EQ(-1, ioctl(self->dev, UDMABUF_CREATE_LIST, list));
}

/* The bug: each access allocated an sg_table, and some leaked it. */
TEST_F_TIMEOUT(udmabuf, survives_repeated_access, TIME_LIMIT)
{
	const int dmabuf = create(self->dev, self->memfd, 0, 16 * page_size());

	ASSERT_LE(0, dmabuf);
	for (int i = 0; i < 1000; i++) {
		ASSERT_EQ(0, cpu_access(dmabuf, DMA_BUF_SYNC_START));
		ASSERT_EQ(0, cpu_access(dmabuf, DMA_BUF_SYNC_END));
	}
	close(dmabuf);
}

/*
 * The same page twice in a row is never contiguous.  DMA debugging takes that for an
 * error, and warns of more than eight at once.
 */
TEST_F_TIMEOUT(udmabuf, fails_in_importer_of_contiguous_memory, TIME_LIMIT)
{
	struct v4l2 v4l2;
	int dmabuf;

	if (load_v4l2_drivers())
		SKIP(return, NO_V4L2_DRIVERS);
	set_dma_errors("0");
	self->list->count = 4;
	dmabuf = ioctl(self->dev, UDMABUF_CREATE_LIST, self->list);
	ASSERT_LE(0, dmabuf)
		TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, v4l2_user(&v4l2, "vivid", &vivid_contig, CAPTURE, dmabuf, 4 * page_size()));
	ASSERT_EQ(0, v4l2_ready(&v4l2.user));
	EXPECT_EQ(-1, v4l2_prepare(&v4l2.user));
	EXPECT_EQ(EFAULT, errno);
	close(v4l2.fd);
	/* An importer that needs no contiguous memory takes it. */
	ASSERT_EQ(0, v4l2_user(&v4l2, "vivid", &vivid_capture, CAPTURE, dmabuf, 4 * page_size()));
	ASSERT_EQ(0, v4l2_ready(&v4l2.user));
	EXPECT_EQ(0, v4l2_prepare(&v4l2.user));
	close(v4l2.fd);
	close(dmabuf);
}

TEST_HARNESS_MAIN
