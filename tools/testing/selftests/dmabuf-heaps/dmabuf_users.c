// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of dma_buf_vmap() that meet at one buffer, and users that are killed:
 * they share one kernel mapping, and leave nothing behind.
 */
#include <signal.h>
#include <sys/stat.h>

#include "drm_util.h"
#include "v4l2_util.h"
#include "../kselftest_harness.h"

#define SHARED_BYTES	(8 * MIB)
#define TRACED		"dma_buf_dynamic_attach system_heap_vmap system_heap_vunmap"

#define KILLS		12
#define KILLED_BYTES	(64 * MIB)
#define KILL_STEP_US	1700	/* no divisor of anything that the loops do */

/* vkms and the encoder of vicodec, at one buffer. */
FIXTURE(shared)
{
	int dmabuf;
	int test;
	struct vkms vkms;
	struct v4l2 v4l2;
	struct user *users[2];
};

FIXTURE_VARIANT(shared)
{
	bool v4l2_is_first;
	bool first_leaves_first;
};

FIXTURE_VARIANT_ADD(shared, vkms_around_v4l2) { false, false };
FIXTURE_VARIANT_ADD(shared, vkms_then_v4l2) { false, true };
FIXTURE_VARIANT_ADD(shared, v4l2_around_vkms) { true, false };
FIXTURE_VARIANT_ADD(shared, v4l2_then_vkms) { true, true };

FIXTURE_SETUP(shared)
{
	self->dmabuf = -1;
	self->test = open_vmap_test();
	if (self->test < 0)
		SKIP(return, VMAP_TEST_FILE ": %s", strerror(errno));
	if (load_v4l2_drivers())
		SKIP(return, NO_V4L2_DRIVERS);
	if (vkms_open(&self->vkms))
		SKIP(return, "vkms: %s", strerror(errno));
	self->dmabuf = exporter_alloc(SYSTEM, SHARED_BYTES);
	ASSERT_LE(0, self->dmabuf);
	ASSERT_EQ(0, vkms_show(&self->vkms, self->dmabuf, 2048, 1024));
	ASSERT_EQ(0, v4l2_user(&self->v4l2, "encoder", &encoder, OUTPUT,
			       self->dmabuf, SHARED_BYTES));
	ASSERT_EQ(0, v4l2_ready(&self->v4l2.user));
	self->users[variant->v4l2_is_first] = &self->vkms.user;
	self->users[!variant->v4l2_is_first] = &self->v4l2.user;
}

FIXTURE_TEARDOWN(shared)
{
	if (self->dmabuf < 0)
		return;
	close(self->v4l2.fd);
	vkms_hide(&self->vkms);
	vkms_close(&self->vkms);
	close(self->dmabuf);
	close(self->test);
}

/* Where the buffer is mapped, by a third user that does not stay; 0 on error. */
static __u64 address_of(int test, int dmabuf)
{
	struct dmabuf_vmap_hold arg;
	__u64 kva;

	if (vmap_test_hold(test, dmabuf, &arg))
		return 0;
	kva = arg.kva;
	return vmap_test_unhold(test, &arg) ? 0 : kva;
}

TEST_F_TIMEOUT(shared, maps_at_first_use_and_unmaps_after_last, TIME_LIMIT)
{
	struct user *first = self->users[0], *second = self->users[1];
	struct user *last = variant->first_leaves_first ? second : first;
	struct user *other = variant->first_leaves_first ? first : second;
	const int before = count_left().areas;
	__u64 kva, ns[4];

	ASSERT_EQ(0, fgraph_start(TRACED));
	ASSERT_EQ(0, first->map(first));
	EXPECT_EQ(before + 1, count_left().areas);
	kva = address_of(self->test, self->dmabuf);
	EXPECT_NE(0U, kva);
	ASSERT_EQ(0, second->map(second));
	EXPECT_EQ(before + 1, count_left().areas);
	EXPECT_EQ(kva, address_of(self->test, self->dmabuf));
	ASSERT_EQ(0, other->unmap(other));
	EXPECT_EQ(before + 1, count_left().areas);
	EXPECT_EQ(kva, address_of(self->test, self->dmabuf));
	EXPECT_EQ(0, fgraph_read("system_heap_vunmap", ns, ARRAY_SIZE(ns)));
	ASSERT_EQ(0, last->unmap(last));
	EXPECT_EQ(before, count_left().areas);
	fgraph_stop();
	EXPECT_EQ(1, fgraph_read("system_heap_vmap", ns, ARRAY_SIZE(ns)));
	EXPECT_EQ(1, fgraph_read("system_heap_vunmap", ns, ARRAY_SIZE(ns)));
}

/* Importers that attach.  To import a buffer maps nothing for the kernel. */
FIXTURE(importer)
{
	int fd;
};

FIXTURE_VARIANT(importer)
{
	const char *driver;
};

FIXTURE_VARIANT_ADD(importer, vgem) { "vgem" };
FIXTURE_VARIANT_ADD(importer, vkms) { "vkms" };

FIXTURE_SETUP(importer)
{
	self->fd = drm_open(variant->driver);
	if (self->fd < 0)
		SKIP(return, "no %s", variant->driver);
}

FIXTURE_TEARDOWN(importer)
{
	drmClose(self->fd);
}

/* Neither driver sets a limit of its segments: all sizes can be bounced, too. */
TEST_F_TIMEOUT(importer, imports_any_size, TIME_LIMIT)
{
	const size_t sizes[] = {
		4 * KIB, 64 * KIB, 256 * KIB, 512 * KIB, 768 * KIB, MIB, 8 * MIB, 32 * MIB,
		128 * MIB,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		const int dmabuf = exporter_alloc(SYSTEM, page_align(sizes[i]));
		struct stat in, out;
		__u32 handle;
		__u64 ns[4];
		int fd;

		ASSERT_LE(0, dmabuf);
		ASSERT_EQ(0, fgraph_start(TRACED));
		ASSERT_EQ(0, drm_ret(drmPrimeFDToHandle(self->fd, dmabuf, &handle)))
			TH_LOG("%zu bytes: %s", sizes[i], strerror(errno));
		fgraph_stop();
		EXPECT_EQ(1, fgraph_read("dma_buf_dynamic_attach", ns, ARRAY_SIZE(ns)));
		EXPECT_EQ(0, fgraph_read("system_heap_vmap", ns, ARRAY_SIZE(ns)));
		/* It exports the same dma-buf again. */
		ASSERT_EQ(0, drmPrimeHandleToFD(self->fd, handle, DRM_CLOEXEC, &fd));
		ASSERT_EQ(0, fstat(dmabuf, &in));
		ASSERT_EQ(0, fstat(fd, &out));
		EXPECT_EQ(in.st_ino, out.st_ino);
		close(fd);
		drmCloseBufferHandle(self->fd, handle);
		close(dmabuf);
	}
}

/*
 * A process that is killed in the middle of what it does. Each loop maps and
 * unmaps for ever; it returns only on error. After the first round it stops, until it
 * is told to go on.
 */
static int loop_user(struct user *user)
{
	for (int i = 0;; i++) {
		if ((user->ready && user->ready(user)) || user->map(user) ||
		    user->unmap(user) || (!i && raise(SIGSTOP)))
			return 1;
	}
}

static int loop_commit(void)
{
	const int dmabuf = exporter_alloc(SYSTEM, KILLED_BYTES);
	struct vkms vkms;

	if (dmabuf < 0 || vkms_open(&vkms) || vkms_show(&vkms, dmabuf, 4096, 4096))
		return 1;
	return loop_user(&vkms.user);
}

static int loop_prepare(void)
{
	const int dmabuf = exporter_alloc(SYSTEM, KILLED_BYTES);
	struct v4l2 v4l2;

	if (dmabuf < 0 || v4l2_user(&v4l2, "encoder", &encoder, OUTPUT, dmabuf, KILLED_BYTES))
		return 1;
	return loop_user(&v4l2.user);
}

/* Two buffers in turns, with the CRTC on: each commit maps one, unmaps one. */
static int loop_flip(void)
{
	const int sink = exporter_alloc(SYSTEM, 4 * MIB);
	struct vkms_fb fbs[2], written;
	drmModeAtomicReqPtr reqs[2];
	struct vkms vkms;

	if (sink < 0 || vkms_open(&vkms) || vkms_fb_create(&vkms, &written, sink, 640, 480))
		return 1;
	for (int i = 0; i < 2; i++) {
		reqs[i] = drmModeAtomicAlloc();
		if (!reqs[i] || vkms_fb_create(&vkms, &fbs[i],
					       exporter_alloc(SYSTEM, KILLED_BYTES),
					       4096, 4096) ||
		    add_plane(&vkms, reqs[i], &fbs[i], 0, 0, 640, 480))
			return 1;
	}
	/* vkms loses what it has still to write when it is turned off, so wait. */
	if (crtc_on(&vkms, &fbs[0], 0, 0, &written))
		return 1;
	for (int i = 1;; i++) {
		if (drmModeAtomicCommit(vkms.fd, reqs[i % 2], 0, NULL) ||
		    (i == 1 && raise(SIGSTOP)))
			return 1;
	}
}

/* Frames of vivid, as fast as they come. */
static int loop_stream(void)
{
	struct queue q = { .fd = v4l2_open(&vivid_capture), .type = CAPTURE };
	struct v4l2_buffer buf;

	if (q.fd < 0 || alloc_buffers(&q, SYSTEM) ||
	    !v4l2_set_format(q.fd, CAPTURE, V4L2_PIX_FMT_YUV420, 320, 240) ||
	    v4l2_request(q.fd, CAPTURE, NR_BUFFERS))
		return 1;
	for (int i = 0; i < NR_BUFFERS; i++) {
		if (queue_buffer(&q, i, 0))
			return 1;
	}
	if (start_queue(&q))
		return 1;
	for (int i = 0;; i++) {
		if (v4l2_dequeue(q.fd, CAPTURE, &buf) || queue_buffer(&q, buf.index, 0) ||
		    (!i && raise(SIGSTOP)))
			return 1;
	}
}

FIXTURE(killed)
{
	struct left before;
	__u64 available;
};

FIXTURE_VARIANT(killed)
{
	int (*loop)(void);
};

FIXTURE_VARIANT_ADD(killed, in_commits) { loop_commit };
FIXTURE_VARIANT_ADD(killed, in_flips) { loop_flip };
FIXTURE_VARIANT_ADD(killed, in_prepare) { loop_prepare };
FIXTURE_VARIANT_ADD(killed, in_a_stream) { loop_stream };

FIXTURE_SETUP(killed)
{
	if (load_v4l2_drivers())
		SKIP(return, NO_V4L2_DRIVERS);
	self->before = count_left();
	if (self->before.dmabufs < 0)
		SKIP(return, "no list of dma-bufs in debugfs");
	self->available = meminfo_bytes("MemAvailable: %lld");
}

FIXTURE_TEARDOWN(killed)
{
}

/* Returns how the loop ended, as waitpid() has it, -1 on error. */
static int kill_loop(int (*loop)(void), int us)
{
	const pid_t child = fork();
	int status;

	if (!child)
		_exit(loop());
	if (waitpid(child, &status, WUNTRACED) != child)
		return -1;
	if (!WIFSTOPPED(status))
		return status;
	kill(child, SIGCONT);
	usleep(us);
	kill(child, SIGKILL);
	return wait_child(child);
}

TEST_F_TIMEOUT(killed, leaves_nothing_behind, TIME_LIMIT)
{
	for (int i = 0; i < KILLS; i++) {
		const int status = kill_loop(variant->loop, i * KILL_STEP_US);

		ASSERT_TRUE(WIFSIGNALED(status))
			TH_LOG("the loop ended by itself, status 0x%x", status);
		ASSERT_TRUE(nothing_is_left(&self->before))
			TH_LOG("kill %d: %d areas and %lld dma-bufs, %d and %lld before", i,
			       count_left().areas, count_dmabufs(), self->before.areas,
			       self->before.dmabufs);
	}
	EXPECT_LT(self->available, meminfo_bytes("MemAvailable: %lld") + KILLED_BYTES);
}

TEST_HARNESS_MAIN
