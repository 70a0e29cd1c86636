// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers of the system heap, mapped for devices: for those that take short
 * segments only, for those whose memory is bounced, for those behind an IOMMU.
 *
 * The kernel side is DMABUF_VMAP_TEST_ATTACH.  To see that any size can be bounced,
 * boot with swiotlb=force.  Without it the sizes are mapped unbounced.
 */
#include "heap_util.h"
#include "../kselftest_harness.h"

#define FRESH_BYTES	(128 * MIB)
/* The heap has always had chunks of as many pages. */
#define CHUNK_PAGES	256
#define LOOK		(DMABUF_VMAP_TEST_VERIFY | DMABUF_VMAP_TEST_FILL | DMABUF_VMAP_TEST_HASH)

FIXTURE(attachment)
{
	int heap;
	int test;
	int dmabuf;
};

FIXTURE_SETUP(attachment)
{
	const char *missing = open_both(&self->heap, &self->test);

	self->dmabuf = -1;
	if (missing)
		SKIP(return, "%s: %s", missing, strerror(errno));
}

FIXTURE_TEARDOWN(attachment)
{
	close(self->dmabuf);
	close(self->test);
	close(self->heap);
}

/* A size that a small machine, or one that bounces all DMA, can serve. */
static __u64 much(void)
{
	__u64 bytes = FRESH_BYTES;

	while (bytes > free_bytes() / 4)
		bytes /= 2;
	return bytes;
}

/*
 * The bug: entries are joined until one may be longer than what a device can be
 * told in one go, as 16 MiB in the 24 bits of dwc3.  The fix: the table of an
 * attachment is cut for its device.
 */
TEST_F_TIMEOUT(attachment, cuts_entries_to_device_limit, TIME_LIMIT)
{
	const __u32 limits[] = {
		16 * MIB, 16 * MIB - 1, 4 * MIB, CHUNK_PAGES * page_size(), 64 * KIB, 0,
	};
	const __u32 chunk = CHUNK_PAGES * page_size();
	struct dmabuf_vmap_attach arg;

	self->dmabuf = heap_alloc(self->heap, much());
	ASSERT_LE(0, self->dmabuf);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		const __u32 max = limits[i] < chunk ? chunk : limits[i];

		ASSERT_EQ(0, attach_new_device(self->test, self->dmabuf, limits[i], LOOK, &arg))
			TH_LOG("%u bytes: %s", limits[i], strerror(errno));
		EXPECT_GE(max, arg.max_entry)
			TH_LOG("of a device that takes %u bytes", limits[i]);
		EXPECT_GE(arg.max_mapping, arg.max_entry);
		EXPECT_EQ(0U, arg.test.result.bad_pages);
		EXPECT_EQ(arg.test.result.kernel_hash, arg.test.result.device_hash);
		EXPECT_LE(arg.test.result.bytes, (__u64)arg.test.result.nents * arg.max_entry);
	}
}

/* A driver that sets no limit gets entries of a chunk, as it has always had. */
TEST_F_TIMEOUT(attachment, keeps_entries_if_device_sets_no_limit, TIME_LIMIT)
{
	const __u64 bytes = much(), chunk = CHUNK_PAGES * page_size();
	struct dmabuf_vmap_attach any, none;

	self->dmabuf = heap_alloc(self->heap, bytes);
	ASSERT_LE(0, self->dmabuf);
	ASSERT_EQ(0, attach_new_device(self->test, self->dmabuf, UINT32_MAX, 0, &any))
		TH_LOG("%s", strerror(errno));
	ASSERT_EQ(0, attach_new_device(self->test, self->dmabuf, 0, 0, &none));
	if (any.max_mapping < chunk)
		SKIP(return, "bounced, in entries of %llu bytes", any.max_mapping);
	EXPECT_GE(any.test.result.nents + bytes / chunk, none.test.result.nents);
}

/*
 * The bug: an entry of more than 256 KiB cannot be bounced, and buffers were one
 * entry: EIO.  Of a buffer in entries that are short, any size can.
 */
TEST_F_TIMEOUT(attachment, attaches_any_size_when_bounced, TIME_LIMIT)
{
	const __u64 sizes[] = {
		4 * KIB, 256 * KIB, 512 * KIB, 768 * KIB, MIB, 2 * MIB + 4 * KIB, 8 * MIB, 32 * MIB,
	};
	struct dmabuf_vmap_attach arg;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->dmabuf = heap_alloc(self->heap, sizes[i]);
		ASSERT_LE(0, self->dmabuf);
		EXPECT_EQ(0, attach_new_device(self->test, self->dmabuf, UINT32_MAX, LOOK, &arg))
			TH_LOG("%llu bytes: %s", sizes[i], strerror(errno));
		EXPECT_GE(arg.max_mapping, arg.max_entry);
		EXPECT_EQ(0U, arg.test.result.bad_pages);
		EXPECT_EQ(page_align(sizes[i]) / page_size(), arg.test.result.pages_checked);
		EXPECT_EQ(arg.test.result.kernel_hash, arg.test.result.device_hash);
		close(self->dmabuf);
	}
	self->dmabuf = -1;
}

TEST_F(attachment, rejects_unknown_device)
{
	struct dmabuf_vmap_attach arg;

	self->dmabuf = heap_alloc(self->heap, page_size());
	ASSERT_LE(0, self->dmabuf);
	EXPECT_EQ(-1, attach_pci_device(self->test, self->dmabuf, "none", 0, 0, NULL, 1, &arg));
	EXPECT_EQ(ENODEV, errno);
	snprintf(arg.bus, sizeof(arg.bus), "none");
	EXPECT_EQ(-1, ioctl(self->test, DMABUF_VMAP_TEST_ATTACH, &arg));
	EXPECT_EQ(ENODEV, errno);
	/* Names without an end. */
	memset(arg.bus, 'a', sizeof(arg.bus));
	EXPECT_EQ(-1, ioctl(self->test, DMABUF_VMAP_TEST_ATTACH, &arg));
	EXPECT_EQ(EINVAL, errno);
	snprintf(arg.bus, sizeof(arg.bus), "pci");
	memset(arg.device, 'a', sizeof(arg.device));
	EXPECT_EQ(-1, ioctl(self->test, DMABUF_VMAP_TEST_ATTACH, &arg));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, attach_new_device(self->test, self->heap, 0, 0, &arg));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, attach_new_device(self->test, -1, 0, 0, &arg));
	EXPECT_EQ(EBADF, errno);
}

/* Every page is where the device has it, and so is what is written there. */
TEST_F_TIMEOUT(attachment, maps_same_pages_behind_iommu, TIME_LIMIT)
{
	struct dmabuf_vmap_attach arg;
	char name[DMABUF_VMAP_TEST_DEVICE_MAX];

	self->dmabuf = heap_alloc(self->heap, much() + 3 * page_size());
	ASSERT_LE(0, self->dmabuf);
	if (!find_iommu_device(self->test, self->dmabuf, name, sizeof(name)))
		SKIP(return, "no device behind an IOMMU");
	ASSERT_EQ(0, attach_pci_device(self->test, self->dmabuf, name, 0, LOOK, NULL, 3,
				       &arg));
	EXPECT_EQ(0U, arg.test.result.bad_pages);
	EXPECT_EQ(arg.test.result.bytes / page_size(), arg.test.result.pages_checked);
	EXPECT_EQ(arg.test.result.kernel_hash, arg.test.result.device_hash);
}

/* Blocks of 2 MiB take no tables of their own, pages a table for each 2 MiB. */
TEST_F_TIMEOUT(attachment, uses_few_tables_of_iommu, TIME_LIMIT)
{
	struct dmabuf_vmap_attach any, arg;
	char name[DMABUF_VMAP_TEST_DEVICE_MAX];

	if (!kernel_has_vmap_sg())
		SKIP(return, "the chunks of this heap are no blocks of an IOMMU");
	self->dmabuf = heap_alloc(self->heap, FRESH_BYTES);
	ASSERT_LE(0, self->dmabuf);
	if (!find_iommu_device(self->test, self->dmabuf, name, sizeof(name)))
		SKIP(return, "no device behind an IOMMU");
	ASSERT_EQ(0, attach_new_device(self->test, self->dmabuf, UINT32_MAX, 0, &any));
	if (any.test.result.nents > FRESH_BYTES / (8 * MIB))
		SKIP(return, "memory is not fresh: %u entries", any.test.result.nents);
	ASSERT_EQ(0, attach_pci_device(self->test, self->dmabuf, name, 0, 0, NULL, 1, &arg));
	if (page_size() != 4 * KIB || !(arg.iommu_sizes & (2 * MIB)))
		SKIP(return, "no blocks of 2 MiB");
	EXPECT_GE(8U, arg.iommu_pages);
}

TEST_HARNESS_MAIN
