// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stream through dma-bufs alone: vivid draws its test pattern into them,
 * vicodec encodes it and decodes it again, all through their kernel mappings.
 */
#include "v4l2_util.h"
#include "../kselftest_harness.h"

#define WIDTH		1280
#define HEIGHT		720
#define LUMA_BYTES	(WIDTH * HEIGHT)
#define FRAME_BYTES	(LUMA_BYTES * 3 / 2)	/* YUV 4:2:0 */
#define NR_FRAMES	8
#define NR_BARS		8

/* vivid's own, as in its vivid-ctrls.c; they are not in a header. */
#define VIVID_CID_OSD_TEXT_MODE	0x00f0f001
#define VIVID_CID_OSD_TEXT_NONE	2

/* Of 255, what a lossy codec may add or lose at its best quality. */
#define MAX_ERROR	8

static int set_control(int fd, __u32 id, __s32 value)
{
	struct v4l2_control control = { id, value };

	return ioctl(fd, VIDIOC_S_CTRL, &control);
}

static int abs_diff(int a, int b)
{
	return a > b ? a - b : b - a;
}

/* Bytes of a frame that are further from those of another than @max. */
static int far_bytes(const __u8 *a, const __u8 *b, int max)
{
	int far = 0;

	for (int i = 0; i < FRAME_BYTES; i++)
		far += abs_diff(a[i], b[i]) > max;
	return far;
}

/* Lines of the luma that are not as the first: colour bars are all the same. */
static int odd_lines(const __u8 *frame)
{
	int odd = 0;

	for (int y = 1; y < HEIGHT; y++)
		odd += !!memcmp(frame, frame + y * WIDTH, WIDTH);
	return odd;
}

/* Bars, from left to right, that are darker than the one before. */
static int darker_bars(const __u8 *frame)
{
	const int step = WIDTH / NR_BARS;
	int n = 0;

	for (int i = 1; i < NR_BARS; i++)
		n += frame[i * step + step / 2] < frame[(i - 1) * step + step / 2];
	return n;
}

/* Bytes behind the frame that somebody has written to. */
static size_t bytes_behind(const __u8 *buffer)
{
	size_t n = 0;

	for (size_t i = FRAME_BYTES; i < BUFFER_BYTES; i++)
		n += buffer[i] != FILLER;
	return n;
}

/*
 * The frames of vivid are the raw frames of the encoder, in the same dma-bufs,
 * and so are the encoded ones those of the decoder.
 */
FIXTURE(stream)
{
	struct queue captured;
	struct queue raw;
	struct queue encoded;
	struct queue to_decode;
	struct queue decoded;
};

FIXTURE_VARIANT(stream)
{
	enum exporter exporter;
};

FIXTURE_VARIANT_ADD(stream, system_heap) { SYSTEM };
FIXTURE_VARIANT_ADD(stream, cma_heap) { CMA };
FIXTURE_VARIANT_ADD(stream, udmabuf) { UDMABUF };

FIXTURE_SETUP(stream)
{
	int camera, enc, dec;

	memset(self, 0, sizeof(*self));
	if (load_v4l2_drivers())
		SKIP(return, NO_V4L2_DRIVERS);
	camera = v4l2_open(&vivid_capture);
	enc = v4l2_open(&encoder);
	dec = v4l2_open(&decoder);
	ASSERT_LE(0, camera);
	ASSERT_LE(0, enc);
	ASSERT_LE(0, dec);
	self->captured = (struct queue){ .fd = camera, .type = CAPTURE };
	self->encoded = (struct queue){ .fd = enc, .type = CAPTURE };
	self->decoded = (struct queue){ .fd = dec, .type = CAPTURE };
	ASSERT_EQ(0, alloc_buffers(&self->captured, variant->exporter));
	ASSERT_EQ(0, alloc_buffers(&self->encoded, variant->exporter));
	ASSERT_EQ(0, alloc_buffers(&self->decoded, variant->exporter));
	self->raw = self->captured;
	self->raw.fd = enc;
	self->raw.type = OUTPUT;
	self->to_decode = self->encoded;
	self->to_decode.fd = dec;
	self->to_decode.type = OUTPUT;
}

FIXTURE_TEARDOWN(stream)
{
	if (!self->captured.fd)
		return;
	close(self->captured.fd);
	close(self->encoded.fd);
	close(self->decoded.fd);
	free_buffers(&self->captured);
	free_buffers(&self->encoded);
	free_buffers(&self->decoded);
}

static int select_all(int fd, __u32 from, __u32 target)
{
	struct v4l2_selection sel = { .type = CAPTURE, .target = from };

	if (ioctl(fd, VIDIOC_G_SELECTION, &sel))
		return -1;
	sel.target = target;
	return ioctl(fd, VIDIOC_S_SELECTION, &sel);
}

/* Resets the crop and compose rectangles that vivid was last used with. */
static int start_camera(struct queue *q)
{
	if (set_control(q->fd, VIVID_CID_OSD_TEXT_MODE, VIVID_CID_OSD_TEXT_NONE) ||
	    v4l2_set_format(q->fd, CAPTURE, V4L2_PIX_FMT_YUV420, WIDTH, HEIGHT) != FRAME_BYTES ||
	    select_all(q->fd, V4L2_SEL_TGT_CROP_DEFAULT, V4L2_SEL_TGT_CROP) ||
	    select_all(q->fd, V4L2_SEL_TGT_COMPOSE_DEFAULT, V4L2_SEL_TGT_COMPOSE) ||
	    v4l2_request(q->fd, CAPTURE, NR_BUFFERS))
		return -1;
	for (int i = 0; i < NR_BUFFERS; i++) {
		if (queue_buffer(q, i, 0))
			return -1;
	}
	return start_queue(q);
}

static int start_encoder(struct queue *raw, struct queue *encoded)
{
	if (v4l2_set_format(raw->fd, OUTPUT, V4L2_PIX_FMT_YUV420, WIDTH, HEIGHT) != FRAME_BYTES ||
	    set_control(raw->fd, V4L2_CID_FWHT_I_FRAME_QP, 1) ||
	    set_control(raw->fd, V4L2_CID_FWHT_P_FRAME_QP, 1) ||
	    v4l2_request(raw->fd, OUTPUT, NR_BUFFERS) ||
	    v4l2_request(raw->fd, CAPTURE, NR_BUFFERS) || start_queue(raw))
		return -1;
	return start_queue(encoded);
}

/* The decoder learns the format of its frames from the first encoded one. */
static int start_decoder(struct queue *to_decode, struct queue *decoded, __u32 index,
			 __u32 used)
{
	struct v4l2_event_subscription sub = { .type = V4L2_EVENT_SOURCE_CHANGE };
	const int fd = to_decode->fd;
	struct v4l2_event event;

	if (ioctl(fd, VIDIOC_SUBSCRIBE_EVENT, &sub) ||
	    v4l2_request(fd, OUTPUT, NR_BUFFERS) || start_queue(to_decode) ||
	    queue_buffer(to_decode, index, used) || v4l2_wait(fd, POLLPRI) ||
	    ioctl(fd, VIDIOC_DQEVENT, &event) ||
	    v4l2_set_format(fd, CAPTURE, V4L2_PIX_FMT_YUV420, WIDTH, HEIGHT) != FRAME_BYTES ||
	    v4l2_request(fd, CAPTURE, NR_BUFFERS))
		return -1;
	return start_queue(decoded);
}

/* One frame, from one queue of a codec to the other. */
static int code_frame(struct queue *from, struct queue *to, __u32 index, __u32 used,
		      struct v4l2_buffer *done)
{
	struct v4l2_buffer buf;

	/* The first frame of the decoder is in its queue already. */
	if ((used && queue_buffer(from, index, used)) || queue_buffer(to, index, 0) ||
	    v4l2_dequeue(from->fd, from->type, &buf))
		return -1;
	return v4l2_dequeue(to->fd, to->type, done);
}

TEST_F_TIMEOUT(stream, survives_encoding_and_decoding, TIME_LIMIT)
{
	struct v4l2_buffer frame, coded, decoded;

	ASSERT_EQ(0, start_camera(&self->captured))
		TH_LOG("vivid: %s", strerror(errno));
	ASSERT_EQ(0, start_encoder(&self->raw, &self->encoded))
		TH_LOG("encoder: %s", strerror(errno));

	for (int i = 0; i < NR_FRAMES; i++) {
		const __u8 *drawn, *got;

		ASSERT_EQ(0, v4l2_dequeue(self->captured.fd, CAPTURE, &frame))
			TH_LOG("frame %d: %s", i, strerror(errno));
		ASSERT_EQ(FRAME_BYTES, frame.bytesused);
		drawn = self->captured.maps[frame.index];
		EXPECT_EQ(0, odd_lines(drawn));
		EXPECT_EQ(NR_BARS - 1, darker_bars(drawn));
		EXPECT_EQ(0U, bytes_behind(drawn));

		ASSERT_EQ(0, code_frame(&self->raw, &self->encoded, frame.index,
					FRAME_BYTES, &coded))
			TH_LOG("encoding frame %d: %s", i, strerror(errno));
		EXPECT_LT(0U, coded.bytesused);
		EXPECT_GT(FRAME_BYTES / 2, (int)coded.bytesused);
		if (!i)
			ASSERT_EQ(0, start_decoder(&self->to_decode, &self->decoded,
						   coded.index, coded.bytesused))
				TH_LOG("decoder: %s", strerror(errno));
		ASSERT_EQ(0, code_frame(&self->to_decode, &self->decoded, coded.index,
					i ? coded.bytesused : 0, &decoded))
			TH_LOG("decoding frame %d: %s", i, strerror(errno));
		ASSERT_EQ(FRAME_BYTES, decoded.bytesused);
		got = self->decoded.maps[decoded.index];
		EXPECT_EQ(0, far_bytes(drawn, got, MAX_ERROR))
			TH_LOG("frame %d", i);
		EXPECT_EQ(0U, bytes_behind(got));
		memset(self->decoded.maps[decoded.index], FILLER, BUFFER_BYTES);
		memset(self->captured.maps[frame.index], FILLER, BUFFER_BYTES);
		ASSERT_EQ(0, queue_buffer(&self->captured, frame.index, 0));
	}
	stop_queue(&self->captured);
	stop_queue(&self->raw);
	stop_queue(&self->encoded);
	stop_queue(&self->to_decode);
	stop_queue(&self->decoded);
}

TEST_HARNESS_MAIN
