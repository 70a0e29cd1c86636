/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vkms as a user of dma_buf_vmap(), through libdrm. All functions return -1 and
 * set errno on error, unless they say otherwise.
 */
#ifndef DRM_UTIL_H
#define DRM_UTIL_H

#include <xf86drm.h>
#include <xf86drmMode.h>

#include "trace_util.h"

/* vkms, opened, as a user that shows a buffer on a plane. */
struct vkms {
	struct user user;		/* maps and unmaps @fb */
	int fd;
	__u32 crtc;
	__u32 plane;			/* the primary one */
	__u32 writeback;		/* a connector */
	struct vkms_fb {
		__u32 id;
		__u32 handle;
		__u32 width;
		__u32 height;
	} fb;
	drmModeAtomicReqPtr on;		/* shows @fb */
	drmModeAtomicReqPtr off;	/* does not */
};

extern const struct user vkms_atomic, vkms_legacy;

int drm_open(const char *driver);
int drm_ret(int ret);
int vkms_open(struct vkms *v);
void vkms_close(struct vkms *v);
int vkms_fb_create(struct vkms *v, struct vkms_fb *fb, int dmabuf, __u32 width, __u32 height);
void vkms_fb_destroy(struct vkms *v, struct vkms_fb *fb);
int add_plane(struct vkms *v, drmModeAtomicReqPtr req, const struct vkms_fb *fb, __u32 x,
	      __u32 y, __u32 width, __u32 height);
int vkms_show(struct vkms *v, int dmabuf, __u32 width, __u32 height);
void vkms_hide(struct vkms *v);
int crtc_on(struct vkms *v, const struct vkms_fb *source, __u32 x, __u32 y,
	    const struct vkms_fb *sink);
int vkms_write_back(struct vkms *v, const struct vkms_fb *source, __u32 x, __u32 y,
		    const struct vkms_fb *sink);

#endif /* DRM_UTIL_H */
