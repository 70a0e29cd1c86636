// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it takes to map a buffer of the system heap for a device behind an IOMMU, in
 * memory as it is after boot.  heap_frag says the same of memory in pieces.
 */
#include "heap_util.h"

#define BUFFER_BYTES	(128 * MIB)

/* One line on stderr. */
static int failed(const char *what)
{
	fprintf(stderr, "attach_bench: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

int main(void)
{
	const int heap = open_heap(), test = open_vmap_test();
	int dmabuf;

	if (heap < 0)
		return failed(SYSTEM_HEAP);
	if (test < 0)
		return failed(VMAP_TEST_FILE);
	dmabuf = heap_alloc(heap, BUFFER_BYTES);
	if (dmabuf < 0)
		return failed("alloc");
	/* A driver that says what its device takes, and one of those that do not. */
	if (print_iommu(test, dmabuf, "fresh", UINT32_MAX) ||
	    print_iommu(test, dmabuf, "fresh-64k", 0))
		return failed("map");
	return EXIT_SUCCESS;
}
