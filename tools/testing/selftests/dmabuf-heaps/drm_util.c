// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>

#include <drm_fourcc.h>

#include "drm_util.h"
#include "../kselftest.h"

#define FENCE_MS	30000

/*
 * vgem and vkms do not say that they take segments above 64 KiB, as buffers have them.
 * DMA debugging takes that for an error.  So it shows none from now on.
 */
int drm_open(const char *driver)
{
	set_dma_errors("0");
	return drmOpen(driver, NULL);
}

/* libdrm returns -errno from some of its functions, and sets errno in others. */
int drm_ret(int ret)
{
	if (ret >= 0)
		return 0;
	if (ret < -1)
		errno = -ret;
	return -1;
}

/* A property of an object by name: its id, and its value unless @value is NULL. */
static __u32 drm_property(int fd, __u32 object, __u32 type, const char *name, __u64 *value)
{
	drmModeObjectPropertiesPtr props = drmModeObjectGetProperties(fd, object, type);
	__u32 id = 0;

	for (__u32 i = 0; props && !id && i < props->count_props; i++) {
		drmModePropertyPtr prop = drmModeGetProperty(fd, props->props[i]);

		if (prop && !strcmp(prop->name, name)) {
			id = prop->prop_id;
			if (value)
				*value = props->prop_values[i];
		}
		drmModeFreeProperty(prop);
	}
	drmModeFreeObjectProperties(props);
	if (!id)
		errno = ENOENT;
	return id;
}

static int drm_add(struct vkms *v, drmModeAtomicReqPtr req, __u32 object, __u32 type,
		   const char *name, __u64 value)
{
	const __u32 id = drm_property(v->fd, object, type, name, NULL);

	return id ? drm_ret(drmModeAtomicAddProperty(req, object, id, value)) : -1;
}

static __u32 find_primary_plane(int fd)
{
	drmModePlaneResPtr res = drmModeGetPlaneResources(fd);
	__u32 found = 0;

	for (__u32 i = 0; res && !found && i < res->count_planes; i++) {
		__u64 type;

		if (drm_property(fd, res->planes[i], DRM_MODE_OBJECT_PLANE, "type", &type) &&
		    type == DRM_PLANE_TYPE_PRIMARY)
			found = res->planes[i];
	}
	drmModeFreePlaneResources(res);
	return found;
}

static __u32 find_writeback(int fd, const drmModeRes *res)
{
	__u32 found = 0;

	for (int i = 0; !found && i < res->count_connectors; i++) {
		drmModeConnectorPtr c = drmModeGetConnectorCurrent(fd, res->connectors[i]);

		if (c && c->connector_type == DRM_MODE_CONNECTOR_WRITEBACK)
			found = c->connector_id;
		drmModeFreeConnector(c);
	}
	return found;
}

void vkms_close(struct vkms *v)
{
	drmClose(v->fd);
	v->fd = -1;
}

int vkms_open(struct vkms *v)
{
	drmModeResPtr res;

	v->fd = drm_open("vkms");
	if (v->fd < 0) {
		errno = ENODEV;
		return -1;
	}
	if (drmSetClientCap(v->fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1) ||
	    drmSetClientCap(v->fd, DRM_CLIENT_CAP_ATOMIC, 1) ||
	    drmSetClientCap(v->fd, DRM_CLIENT_CAP_WRITEBACK_CONNECTORS, 1))
		goto close;
	res = drmModeGetResources(v->fd);
	if (!res)
		goto close;
	v->crtc = res->count_crtcs ? res->crtcs[0] : 0;
	v->writeback = find_writeback(v->fd, res);
	v->plane = find_primary_plane(v->fd);
	drmModeFreeResources(res);
	if (v->crtc && v->plane && v->writeback)
		return 0;
	errno = ENODEV;
close:
	vkms_close(v);
	return -1;
}

/* Imports @dmabuf as an XRGB8888 framebuffer; lines follow without a gap. */
int vkms_fb_create(struct vkms *v, struct vkms_fb *fb, int dmabuf, __u32 width, __u32 height)
{
	__u32 handles[4] = { 0 }, pitches[4] = { width * 4 }, offsets[4] = { 0 };
	int ret;

	*fb = (struct vkms_fb){ .width = width, .height = height };
	ret = drmPrimeFDToHandle(v->fd, dmabuf, &fb->handle);
	if (ret)
		return drm_ret(ret);
	handles[0] = fb->handle;
	ret = drmModeAddFB2(v->fd, width, height, DRM_FORMAT_XRGB8888, handles,
			    pitches, offsets, &fb->id, 0);
	if (ret)
		drmCloseBufferHandle(v->fd, fb->handle);
	return drm_ret(ret);
}

void vkms_fb_destroy(struct vkms *v, struct vkms_fb *fb)
{
	drmModeRmFB(v->fd, fb->id);
	drmCloseBufferHandle(v->fd, fb->handle);
}

/* @width x @height of @fb, from (@x, @y) on, on the primary plane. */
int add_plane(struct vkms *v, drmModeAtomicReqPtr req, const struct vkms_fb *fb, __u32 x,
	      __u32 y, __u32 width, __u32 height)
{
	const struct { const char *name; __u64 value; } props[] = {
		{ "FB_ID", fb->id },
		{ "CRTC_ID", v->crtc },
		{ "SRC_X", (__u64)x << 16 },
		{ "SRC_Y", (__u64)y << 16 },
		{ "SRC_W", (__u64)width << 16 },
		{ "SRC_H", (__u64)height << 16 },
		{ "CRTC_X", 0 },
		{ "CRTC_Y", 0 },
		{ "CRTC_W", width },
		{ "CRTC_H", height },
	};

	for (size_t i = 0; i < ARRAY_SIZE(props); i++) {
		if (drm_add(v, req, v->plane, DRM_MODE_OBJECT_PLANE,
			    props[i].name, props[i].value))
			return -1;
	}
	return 0;
}

static int add_no_plane(struct vkms *v, drmModeAtomicReqPtr req)
{
	return drm_add(v, req, v->plane, DRM_MODE_OBJECT_PLANE, "FB_ID", 0) ||
	       drm_add(v, req, v->plane, DRM_MODE_OBJECT_PLANE, "CRTC_ID", 0) ? -1 : 0;
}

/* With the CRTC off, a commit maps or unmaps, and returns at once. */
static int vkms_atomic_on(struct user *user)
{
	struct vkms *v = (struct vkms *)user;

	return drm_ret(drmModeAtomicCommit(v->fd, v->on, 0, NULL));
}

static int vkms_atomic_off(struct user *user)
{
	struct vkms *v = (struct vkms *)user;

	return drm_ret(drmModeAtomicCommit(v->fd, v->off, 0, NULL));
}

static int vkms_legacy_on(struct user *user)
{
	const struct vkms *v = (struct vkms *)user;

	return drm_ret(drmModeSetPlane(v->fd, v->plane, v->crtc, v->fb.id, 0, 0, 0,
				       v->fb.width, v->fb.height, 0, 0,
				       v->fb.width << 16, v->fb.height << 16));
}

static int vkms_legacy_off(struct user *user)
{
	const struct vkms *v = (struct vkms *)user;

	return drm_ret(drmModeSetPlane(v->fd, v->plane, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
}

const struct user vkms_atomic = { "vkms-atomic", NULL, vkms_atomic_on, vkms_atomic_off };
const struct user vkms_legacy = { "vkms-legacy", NULL, vkms_legacy_on, vkms_legacy_off };

void vkms_hide(struct vkms *v)
{
	drmModeAtomicFree(v->on);
	drmModeAtomicFree(v->off);
	vkms_fb_destroy(v, &v->fb);
}

/* After this v->user maps and unmaps @dmabuf. */
int vkms_show(struct vkms *v, int dmabuf, __u32 width, __u32 height)
{
	v->user = vkms_atomic;
	if (vkms_fb_create(v, &v->fb, dmabuf, width, height))
		return -1;
	v->on = drmModeAtomicAlloc();
	v->off = drmModeAtomicAlloc();
	if (v->on && v->off && !add_plane(v, v->on, &v->fb, 0, 0, width, height) &&
	    !add_no_plane(v, v->off))
		return 0;
	vkms_hide(v);
	return -1;
}

/* A property blob with the mode of that size, 0 if there is none. */
static __u32 mode_blob(struct vkms *v, __u32 width, __u32 height)
{
	drmModeConnectorPtr c = drmModeGetConnector(v->fd, v->writeback);
	__u32 blob = 0;

	for (int i = 0; c && !blob && i < c->count_modes; i++) {
		const drmModeModeInfo *mode = &c->modes[i];

		if (mode->hdisplay == width && mode->vdisplay == height)
			drmModeCreatePropertyBlob(v->fd, mode, sizeof(*mode), &blob);
	}
	drmModeFreeConnector(c);
	return blob;
}

static int wait_fence(int fence)
{
	struct pollfd fd = { .fd = fence, .events = POLLIN };
	int n;

	do
		n = poll(&fd, 1, FENCE_MS);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return 0;
	errno = ETIMEDOUT;
	return -1;
}

static int add_crtc(struct vkms *v, drmModeAtomicReqPtr req, __u32 mode)
{
	return drm_add(v, req, v->crtc, DRM_MODE_OBJECT_CRTC, "MODE_ID", mode) ||
	       drm_add(v, req, v->crtc, DRM_MODE_OBJECT_CRTC, "ACTIVE", !!mode) ||
	       drm_add(v, req, v->writeback, DRM_MODE_OBJECT_CONNECTOR, "CRTC_ID",
		       mode ? v->crtc : 0) ? -1 : 0;
}

static int commit_crtc(struct vkms *v, drmModeAtomicReqPtr req)
{
	return drm_ret(drmModeAtomicCommit(v->fd, req, DRM_MODE_ATOMIC_ALLOW_MODESET, NULL));
}

static int crtc_off(struct vkms *v)
{
	drmModeAtomicReqPtr req = drmModeAtomicAlloc();
	const int ret = !req || add_no_plane(v, req) || add_crtc(v, req, 0) ||
			commit_crtc(v, req) ? -1 : 0;

	drmModeAtomicFree(req);
	return ret;
}

/*
 * Turns the CRTC on, has vkms compose the part of @source at (@x, @y) that is as
 * large as @sink, and write it back there.
 */
int crtc_on(struct vkms *v, const struct vkms_fb *source, __u32 x, __u32 y,
	    const struct vkms_fb *sink)
{
	const __u32 mode = mode_blob(v, sink->width, sink->height);
	drmModeAtomicReqPtr req = drmModeAtomicAlloc();
	__s32 fence = -1;
	int ret = -1;

	if (mode && req &&
	    !add_plane(v, req, source, x, y, sink->width, sink->height) &&
	    !add_crtc(v, req, mode) &&
	    !drm_add(v, req, v->writeback, DRM_MODE_OBJECT_CONNECTOR,
		     "WRITEBACK_FB_ID", sink->id) &&
	    !drm_add(v, req, v->writeback, DRM_MODE_OBJECT_CONNECTOR,
		     "WRITEBACK_OUT_FENCE_PTR", (uintptr_t)&fence) &&
	    !commit_crtc(v, req))
		ret = wait_fence(fence);
	if (fence >= 0)
		close(fence);
	drmModeAtomicFree(req);
	if (mode)
		drmModeDestroyPropertyBlob(v->fd, mode);
	return ret;
}

int vkms_write_back(struct vkms *v, const struct vkms_fb *source, __u32 x, __u32 y,
		    const struct vkms_fb *sink)
{
	const int on = crtc_on(v, source, x, y, sink);
	const int saved = errno;

	if (crtc_off(v))
		return -1;
	errno = saved;
	return on;
}
