// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>

#include "v4l2_util.h"

#define MAX_VIDEO_NODES	64
#define FRAME_MS	10000

/* The second vivid is for dma-contig, the first as all others for vmalloc. */
const struct v4l2_node vivid_capture = {
	"vivid", "platform:vivid-000", V4L2_CAP_VIDEO_CAPTURE, CAPTURE, 0
};

const struct v4l2_node vivid_output = {
	"vivid", "platform:vivid-000", V4L2_CAP_VIDEO_OUTPUT, OUTPUT, 0
};

const struct v4l2_node vivid_contig = {
	"vivid", "platform:vivid-001", V4L2_CAP_VIDEO_CAPTURE, CAPTURE, 0
};

const struct v4l2_node vim2m = { "vim2m", NULL, V4L2_CAP_VIDEO_M2M, OUTPUT, 0 };
const struct v4l2_node vimc = { "vimc", NULL, V4L2_CAP_VIDEO_CAPTURE, CAPTURE, 0 };

const struct v4l2_node encoder = {
	"vicodec", NULL, V4L2_CAP_VIDEO_M2M, CAPTURE, V4L2_PIX_FMT_FWHT
};

const struct v4l2_node decoder = {
	"vicodec", NULL, V4L2_CAP_VIDEO_M2M, OUTPUT, V4L2_PIX_FMT_FWHT
};

static int spawn(char *const argv[])
{
	const pid_t child = fork();

	if (!child) {
		execvp(argv[0], argv);
		_exit(127);
	}
	return wait_child(child) ? -1 : 0;
}

/*
 * Once, vivid last: two of them, with an HDMI input and an HDMI output each.
 */
int load_v4l2_drivers(void)
{
	static char *const others[] = {
		"modprobe", "-q", "-a", "vicodec", "vim2m", "vimc", NULL
	};
	static char *const vivid[] = {
		"modprobe", "-q", "vivid", "n_devs=2", "allocators=0,1",
		"node_types=0x101,0x101", "num_inputs=1,1", "input_types=3,3",
		"num_outputs=1,1", "output_types=1,1", NULL
	};

	if (!access("/sys/module/vivid", F_OK))
		return 0;
	return spawn(others) || spawn(vivid) ? -1 : 0;
}

static bool is_node(int fd, const struct v4l2_node *node)
{
	struct v4l2_fmtdesc fmt = { .type = node->type };
	struct v4l2_capability cap;

	if (ioctl(fd, VIDIOC_QUERYCAP, &cap) ||
	    strcmp((const char *)cap.driver, node->driver) ||
	    (node->bus && strcmp((const char *)cap.bus_info, node->bus)) ||
	    (cap.device_caps & node->caps) != node->caps)
		return false;
	return !node->fourcc ||
	       (!ioctl(fd, VIDIOC_ENUM_FMT, &fmt) && fmt.pixelformat == node->fourcc);
}

int v4l2_open(const struct v4l2_node *node)
{
	char path[32];

	for (int i = 0; i < MAX_VIDEO_NODES; i++) {
		int fd;

		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (is_node(fd, node))
			return fd;
		close(fd);
	}
	errno = ENODEV;
	return -1;
}

/* As near to that as the driver can. Returns the bytes of a frame, 0 on error. */
__u32 v4l2_set_format(int fd, __u32 type, __u32 fourcc, __u32 width, __u32 height)
{
	struct v4l2_format fmt = { .type = type };

	if (ioctl(fd, VIDIOC_G_FMT, &fmt))
		return 0;
	fmt.fmt.pix.pixelformat = fourcc;
	fmt.fmt.pix.width = width;
	fmt.fmt.pix.height = height;
	fmt.fmt.pix.field = V4L2_FIELD_NONE;
	fmt.fmt.pix.bytesperline = 0;
	fmt.fmt.pix.sizeimage = 0;
	return ioctl(fd, VIDIOC_S_FMT, &fmt) ? 0 : fmt.fmt.pix.sizeimage;
}

int v4l2_request(int fd, __u32 type, __u32 count)
{
	struct v4l2_requestbuffers req = {
		.type = type,
		.memory = V4L2_MEMORY_DMABUF,
		.count = count,
	};

	return ioctl(fd, VIDIOC_REQBUFS, &req);
}

/* A buffer that is @dmabuf, with @used bytes in it if it is for output. */
static struct v4l2_buffer v4l2_buffer(__u32 type, __u32 index, int dmabuf, size_t bytes, __u32 used)
{
	return (struct v4l2_buffer){
		.type = type,
		.memory = V4L2_MEMORY_DMABUF,
		.index = index,
		.field = V4L2_FIELD_NONE,
		.m.fd = dmabuf,
		.length = bytes,
		.bytesused = used,
	};
}

int v4l2_ready(struct user *user)
{
	const struct v4l2 *v = (struct v4l2 *)user;

	return v4l2_request(v->fd, v->type, 1);
}

int v4l2_prepare(struct user *user)
{
	const struct v4l2 *v = (struct v4l2 *)user;
	struct v4l2_buffer buf = v4l2_buffer(v->type, 0, v->dmabuf, v->bytes, v->used);

	return ioctl(v->fd, VIDIOC_PREPARE_BUF, &buf);
}

int v4l2_release(struct user *user)
{
	const struct v4l2 *v = (struct v4l2 *)user;

	return v4l2_request(v->fd, v->type, 0);
}

/* After this v->user maps and unmaps @dmabuf; frames are as small as can be. */
int v4l2_user(struct v4l2 *v, const char *name, const struct v4l2_node *node, __u32 type,
	      int dmabuf, size_t bytes)
{
	*v = (struct v4l2){
		.user = { name, v4l2_ready, v4l2_prepare, v4l2_release },
		.fd = v4l2_open(node),
		.type = type,
		.dmabuf = dmabuf,
		.bytes = bytes,
	};
	if (v->fd < 0)
		return -1;
	/* Of the encoder, it is the raw frame that decides about both sizes. */
	if (node == &encoder)
		v4l2_set_format(v->fd, OUTPUT, V4L2_PIX_FMT_GREY, 16, 16);
	v->used = v4l2_set_format(v->fd, type, V4L2_PIX_FMT_GREY, 16, 16);
	return v->used ? 0 : -1;
}

/* Waits for @events, of poll(). */
int v4l2_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	const int n = poll(&p, 1, FRAME_MS);

	if (n > 0 && p.revents & events)
		return 0;
	errno = n ? EIO : ETIMEDOUT;
	return -1;
}

/* Waits for a buffer; it must be without errors. */
int v4l2_dequeue(int fd, __u32 type, struct v4l2_buffer *buf)
{
	*buf = v4l2_buffer(type, 0, -1, 0, 0);
	if (v4l2_wait(fd, type == CAPTURE ? POLLIN : POLLOUT) ||
	    ioctl(fd, VIDIOC_DQBUF, buf))
		return -1;
	if (!(buf->flags & V4L2_BUF_FLAG_ERROR))
		return 0;
	errno = EIO;
	return -1;
}

int queue_buffer(struct queue *q, __u32 index, __u32 used)
{
	struct v4l2_buffer buf = v4l2_buffer(q->type, index, q->dmabufs[index],
					     BUFFER_BYTES, used);

	return ioctl(q->fd, VIDIOC_QBUF, &buf);
}

int start_queue(struct queue *q)
{
	return ioctl(q->fd, VIDIOC_STREAMON, &q->type);
}

void stop_queue(struct queue *q)
{
	ioctl(q->fd, VIDIOC_STREAMOFF, &q->type);
	v4l2_request(q->fd, q->type, 0);
}

void free_buffers(struct queue *q)
{
	for (int i = 0; i < NR_BUFFERS; i++) {
		if (q->maps[i])
			munmap(q->maps[i], BUFFER_BYTES);
		if (q->dmabufs[i] > 0)
			close(q->dmabufs[i]);
	}
}

int alloc_buffers(struct queue *q, enum exporter exporter)
{
	for (int i = 0; i < NR_BUFFERS; i++) {
		q->dmabufs[i] = exporter_alloc(exporter, BUFFER_BYTES);
		if (q->dmabufs[i] < 0)
			return -1;
		q->maps[i] = map_dmabuf(q->dmabufs[i], BUFFER_BYTES);
		if (!q->maps[i])
			return -1;
		memset(q->maps[i], FILLER, BUFFER_BYTES);
	}
	return 0;
}
