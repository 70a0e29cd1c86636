/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What native.c and the object of a kernel know of each other: functions of the
 * object, and as much of the structures of the kernel as these look at.
 */
#ifndef NATIVE_H
#define NATIVE_H

#include <stdbool.h>
#include <stdint.h>

struct area {
	void *next;
	uint64_t addr;
	uint64_t rest[14];
};

struct sg {
	uint64_t page;
	uint32_t offset, length;
	uint64_t unused[2];
};

struct sg_table {
	struct sg *sgl;
	uint32_t nents, orig_nents;
};

struct sg_page_iter {
	struct sg *sg;
	uint32_t page_of_sg, nents;
	int advance;
};

int __vmap_pages_range_noflush(uint64_t addr, uint64_t end, uint64_t prot, void **pages,
			       unsigned int shift);
void __sg_page_iter_start(struct sg_page_iter *iter, struct sg *sgl, uint32_t nents,
			  uint64_t page);
bool __sg_page_iter_next(struct sg_page_iter *iter);

/* Of ours. */
void *vmap(void **pages, unsigned int nr, uint64_t flags, uint64_t prot);
void *vmap_sg(const void *sgt, uint64_t prot) __attribute__((weak));

/* What the linker adds: the program, and where its calls of the tracer are. */
extern char __executable_start[], _end[];
extern uint64_t __start___mcount_loc[], __stop___mcount_loc[];

#endif /* NATIVE_H */
