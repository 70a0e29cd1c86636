// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the walk of a kernel for powerpc 8xx, its object file, on page tables of this
 * program: QEMU has no machine with such a processor, but runs programs of its kind.
 *
 * 1 MiB and 20 KiB, aligned to 512 KiB, have to become two leaves of 512 KiB, one of
 * 16 KiB, and a page.  Prints TAP.
 */
#include <stdbool.h>
#include <stdio.h>

#include "ppc-8xx.h"

#define PAGE		4096UL
#define PER_TABLE	1024UL
/* Of the kernel, which the addresses of its page tables are relative to. */
#define PAGE_OFFSET	0xc0000000UL
#define VIRT		0xf0000000UL
#define PHYS		0x00800000UL
#define BYTES		((1UL << 20) + 5 * PAGE)
#define PROT		0x101UL
#define LARGEST_SHIFT	31

/* What the object refers to.  Wherever the PGD is in init_mm, it is there. */
unsigned long init_mm[1024];
static unsigned long pgd[PER_TABLE];
static unsigned int nr_512k, nr_16k, nr_pages;

int __pte_alloc_kernel(unsigned long *pmd, unsigned long addr)
{
	static unsigned long tables[2][PER_TABLE] __attribute__((aligned(4096)));
	static unsigned int nr;

	*pmd = ((unsigned long)tables[nr++] - PAGE_OFFSET) | 1;
	return 0;
}

void set_ptes(void *mm, unsigned long addr, unsigned long *ptep, unsigned long pte,
	      unsigned int nr)
{
	nr_pages += nr;
	for (; nr; nr--, pte += PAGE)
		*ptep++ = pte;
}

void set_huge_pte_at(void *mm, unsigned long addr, unsigned long *ptep, unsigned long pte,
		     unsigned long size)
{
	if (addr % size == 0)
		*(size == 512 << 10 ? &nr_512k : &nr_16k) += 1;
	for (; size; size -= PAGE, pte += PAGE)
		*ptep++ = pte;
}

static unsigned long frame_at(unsigned long addr)
{
	const unsigned long entry = pgd[addr / (PER_TABLE * PAGE)];
	const unsigned long *table = (void *)((entry & -PAGE) + PAGE_OFFSET);

	return table[addr / PAGE % PER_TABLE] & -PAGE;
}

int main(void)
{
	const struct pgprot prot = { PROT };
	unsigned long i, wrong = 0;
	bool ok;
	int err;

	for (i = 0; i < sizeof(init_mm) / sizeof(*init_mm); i++)
		init_mm[i] = (unsigned long)pgd;
	err = vmap_range_noflush(VIRT, VIRT + BYTES, PHYS, prot, LARGEST_SHIFT);
	for (i = 0; i < BYTES && !err; i += PAGE)
		wrong += frame_at(VIRT + i) != PHYS + i;
	ok = !err && !wrong && nr_512k == 2 && nr_16k == 1 && nr_pages == 1;
	printf("TAP version 13\n1..1\n");
	printf("%sok 1 - leaves of 512 KiB: %u, of 16 KiB: %u, pages: %u, wrong: %lu, error: %d\n",
	       ok ? "" : "not ", nr_512k, nr_16k, nr_pages, wrong, err);
	return !ok;
}
