/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual V4L2 drivers as users of dma_buf_vmap(), through vb2-vmalloc. All
 * functions return -1 and set errno on error, unless they say otherwise.
 */
#ifndef V4L2_UTIL_H
#define V4L2_UTIL_H

#include <poll.h>

#include <linux/videodev2.h>

#include "trace_util.h"

#define NR_BUFFERS	4
#define BUFFER_BYTES	(4 * MIB)
#define FILLER		0xa5

#define NO_V4L2_DRIVERS	"no modules vicodec, vim2m, vimc and vivid"

#define CAPTURE		V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT		V4L2_BUF_TYPE_VIDEO_OUTPUT

/* Which of the device nodes. */
struct v4l2_node {
	const char *driver;		/* as VIDIOC_QUERYCAP has it */
	const char *bus;		/* its bus_info, NULL for any */
	__u32 caps;			/* what it must be able to, V4L2_CAP_* */
	__u32 type;			/* the queue that @fourcc is about */
	__u32 fourcc;			/* the first format of that queue, 0 for any */
};

/* A queue of a driver, as a user that prepares a buffer. */
struct v4l2 {
	struct user user;		/* maps and unmaps @dmabuf */
	int fd;
	__u32 type;
	int dmabuf;
	size_t bytes;
	__u32 used;			/* bytes of a frame */
};

/* A queue that streams, and its buffers, mapped and full of FILLER. */
struct queue {
	int fd;
	__u32 type;
	int dmabufs[NR_BUFFERS];
	__u8 *maps[NR_BUFFERS];
};

extern const struct v4l2_node vivid_capture, vivid_output, vivid_contig;
extern const struct v4l2_node vim2m, vimc, encoder, decoder;

int load_v4l2_drivers(void);
int v4l2_open(const struct v4l2_node *node);
__u32 v4l2_set_format(int fd, __u32 type, __u32 fourcc, __u32 width, __u32 height);
int v4l2_request(int fd, __u32 type, __u32 count);
int v4l2_ready(struct user *user);
int v4l2_prepare(struct user *user);
int v4l2_release(struct user *user);
int v4l2_user(struct v4l2 *v, const char *name, const struct v4l2_node *node, __u32 type,
	      int dmabuf, size_t bytes);
int v4l2_wait(int fd, short events);
int v4l2_dequeue(int fd, __u32 type, struct v4l2_buffer *buf);
int queue_buffer(struct queue *q, __u32 index, __u32 used);
int start_queue(struct queue *q);
void stop_queue(struct queue *q);
void free_buffers(struct queue *q);
int alloc_buffers(struct queue *q, enum exporter exporter);

#endif /* V4L2_UTIL_H */
