// SPDX-License-Identifier: GPL-2.0-only
/*
 * vkms as a user of dma_buf_vmap(), through libdrm: how long a commit takes to
 * map a buffer of the system heap, and whether what vkms reads and writes
 * through the mapping is what user space sees.
 *
 * $VKMS_PICTURE names a file for the picture that vkms has composed (PPM).
 */
#include "drm_util.h"
#include "../kselftest_harness.h"

#define WIDTH	1024
#define HEIGHT	768
#define BPP	4
#define FILLER	0x5a5a5a5a

/* Commits of a buffer; no picture is composed, so the CRTC stays off. */
FIXTURE(commit)
{
	int dmabuf;
	struct vkms vkms;
};

FIXTURE_VARIANT(commit)
{
	size_t bytes;
	__u32 width;
	__u32 height;
};

FIXTURE_VARIANT_ADD(commit, 4_KiB) { 4 * KIB, 32, 32 };
FIXTURE_VARIANT_ADD(commit, 64_KiB) { 64 * KIB, 128, 128 };
FIXTURE_VARIANT_ADD(commit, 1_MiB) { MIB, 512, 512 };
FIXTURE_VARIANT_ADD(commit, 8_MiB) { 8 * MIB, 2048, 1024 };
FIXTURE_VARIANT_ADD(commit, 128_MiB) { 128 * MIB, 8192, 4096 };
/* The largest framebuffer is half of it, but a dma-buf is mapped as a whole. */
FIXTURE_VARIANT_ADD(commit, 512_MiB) { 512 * MIB, 8192, 8192 };

FIXTURE_SETUP(commit)
{
	self->dmabuf = -1;
	if (vkms_open(&self->vkms))
		SKIP(return, "vkms: %s", strerror(errno));
	self->dmabuf = exporter_alloc(SYSTEM, page_align(variant->bytes));
	ASSERT_LE(0, self->dmabuf)
		TH_LOG("alloc: %s", strerror(errno));
	ASSERT_EQ(0, vkms_show(&self->vkms, self->dmabuf, variant->width, variant->height))
		TH_LOG("import: %s", strerror(errno));
}

FIXTURE_TEARDOWN(commit)
{
	if (self->dmabuf >= 0)
		vkms_hide(&self->vkms);
	vkms_close(&self->vkms);
	close(self->dmabuf);
}

/* One mapping per commit, no more, no less, and none survives the next. */
TEST_F_TIMEOUT(commit, maps_once_by_atomic_commit, TIME_LIMIT)
{
	ASSERT_EQ(0, measure_user(&self->vkms.user, variant->bytes))
		TH_LOG("%s", strerror(errno));
}

TEST_F_TIMEOUT(commit, maps_once_by_legacy_call, TIME_LIMIT)
{
	self->vkms.user = vkms_legacy;
	ASSERT_EQ(0, measure_user(&self->vkms.user, variant->bytes))
		TH_LOG("%s", strerror(errno));
}

/*
 * No two pixels near each other are the same: two gradients, and a pattern that
 * differs in each line. A person sees whether it is whole.
 */
static __u32 pixel_at(__u32 x, __u32 y)
{
	const __u32 red = x * 255 / (WIDTH - 1);
	const __u32 green = y * 255 / (HEIGHT - 1);
	const __u32 blue = (x ^ y) & 255;

	return red << 16 | green << 8 | blue;
}

/* Draws what is seen of a picture @width wide, and nothing else. */
static void draw(__u32 *pixels, __u32 width, __u32 left, __u32 top)
{
	for (__u32 y = 0; y < HEIGHT; y++) {
		__u32 *line = pixels + (size_t)(top + y) * width + left;

		for (__u32 x = 0; x < WIDTH; x++)
			line[x] = pixel_at(x, y);
	}
}

/* Pixels that are not as they were drawn, or not opaque, as vkms makes them. */
static int bad_pixels(const __u32 *pixels)
{
	int bad = 0;

	for (__u32 i = 0; i < WIDTH * HEIGHT; i++)
		bad += pixels[i] != (0xff000000 | pixel_at(i % WIDTH, i / WIDTH));
	return bad;
}

/* Pixels that somebody has written to. */
static int bad_filler(const __u32 *pixels, size_t count)
{
	int bad = 0;

	for (size_t i = 0; i < count; i++)
		bad += pixels[i] != FILLER;
	return bad;
}

/* As PPM, which is the pixels and little else. */
static int save_picture(const char *path, const __u32 *pixels)
{
	FILE *out = fopen(path, "we");

	if (!out)
		return -1;
	fprintf(out, "P6\n%d %d\n255\n", WIDTH, HEIGHT);
	for (int i = 0; i < WIDTH * HEIGHT; i++) {
		putc(pixels[i] >> 16, out);
		putc(pixels[i] >> 8, out);
		putc(pixels[i], out);
	}
	return fclose(out) ? -1 : 0;
}

/*
 * A picture is drawn through the mapping of user space, vkms composes it through
 * its mapping, and writes it to a second buffer through another.
 */
FIXTURE(picture)
{
	struct vkms vkms;
	struct vkms_fb source;
	struct vkms_fb sink;
	int dmabufs[2];
	__u32 *drawn;
	__u32 *written;
	size_t written_bytes;
};

FIXTURE_VARIANT(picture)
{
	enum exporter exporter;
	__u32 width;
	__u32 height;
	bool last;
	bool save;
};

FIXTURE_VARIANT_ADD(picture, system_heap) { SYSTEM, WIDTH, HEIGHT, false, true };
FIXTURE_VARIANT_ADD(picture, begin_of_128_MiB) { SYSTEM, 8192, 4096, false, false };
FIXTURE_VARIANT_ADD(picture, end_of_128_MiB) { SYSTEM, 8192, 4096, true, false };
FIXTURE_VARIANT_ADD(picture, cma_heap) { CMA, WIDTH, HEIGHT, false, false };
FIXTURE_VARIANT_ADD(picture, udmabuf) { UDMABUF, WIDTH, HEIGHT, false, false };

FIXTURE_SETUP(picture)
{
	const size_t bytes = page_align((size_t)variant->width * variant->height * BPP);

	self->drawn = NULL;
	if (vkms_open(&self->vkms))
		SKIP(return, "vkms: %s", strerror(errno));
	/* A page more than the picture, which must stay as it is. */
	self->written_bytes = page_align(WIDTH * HEIGHT * BPP) + page_size();
	self->dmabufs[0] = exporter_alloc(variant->exporter, bytes);
	self->dmabufs[1] = exporter_alloc(variant->exporter, self->written_bytes);
	ASSERT_LE(0, self->dmabufs[0])
		TH_LOG("alloc: %s", strerror(errno));
	ASSERT_LE(0, self->dmabufs[1])
		TH_LOG("alloc: %s", strerror(errno));
	self->drawn = map_dmabuf(self->dmabufs[0], bytes);
	self->written = map_dmabuf(self->dmabufs[1], self->written_bytes);
	ASSERT_NE(NULL, self->drawn);
	ASSERT_NE(NULL, self->written);
	ASSERT_EQ(0, vkms_fb_create(&self->vkms, &self->source, self->dmabufs[0],
				    variant->width, variant->height));
	ASSERT_EQ(0, vkms_fb_create(&self->vkms, &self->sink, self->dmabufs[1],
				    WIDTH, HEIGHT));
}

FIXTURE_TEARDOWN(picture)
{
	if (!self->drawn)
		return;
	vkms_fb_destroy(&self->vkms, &self->source);
	vkms_fb_destroy(&self->vkms, &self->sink);
	vkms_close(&self->vkms);
	munmap(self->written, self->written_bytes);
	munmap(self->drawn, page_align((size_t)variant->width * variant->height * BPP));
	close(self->dmabufs[0]);
	close(self->dmabufs[1]);
}

TEST_F_TIMEOUT(picture, writes_back_what_was_drawn, TIME_LIMIT)
{
	const __u32 left = variant->last ? variant->width - WIDTH : 0;
	const __u32 top = variant->last ? variant->height - HEIGHT : 0;
	const char *path = getenv("VKMS_PICTURE");

	for (size_t i = 0; i < self->written_bytes / BPP; i++)
		self->written[i] = FILLER;
	draw(self->drawn, variant->width, left, top);
	ASSERT_EQ(0, vkms_write_back(&self->vkms, &self->source, left, top, &self->sink))
		TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0, bad_pixels(self->written));
	EXPECT_EQ(0, bad_filler(self->written + WIDTH * HEIGHT,
				self->written_bytes / BPP - WIDTH * HEIGHT));
	if (variant->save && path)
		ASSERT_EQ(0, save_picture(path, self->written))
			TH_LOG("%s: %s", path, strerror(errno));
}

TEST_HARNESS_MAIN
