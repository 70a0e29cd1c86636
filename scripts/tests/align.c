// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does the look for an aligned leaf take steps in proportion to the pages?  Its
 * functions come from mm/vmap.c, as align.h.  A step is a basic block: the
 * compiler calls __sanitizer_cov_trace_pc() in each.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define BIT(n)		(1UL << (n))
#define PAGE_SHIFT	12
#define PAGE_SIZE	BIT(PAGE_SHIFT)
#define PMD_SHIFT	21
#define PMD_SIZE	BIT(PMD_SHIFT)
#define PUD_SHIFT	30
#define PUD_SIZE	BIT(PUD_SHIFT)
#define PFN_DOWN(x)	((x) >> PAGE_SHIFT)
#define ARRAY_SIZE(x)	(sizeof(x) / sizeof((x)[0]))
#define min(a, b)	({ typeof(a) _a = (a); typeof(b) _b = (b); _a < _b ? _a : _b; })
#define noinline	__attribute__((noinline))
#define pgprot_t	unsigned long

/* As far apart as the kernel's: a page frame number is the distance from page 0. */
struct page {
	char bytes[64];
};

static struct page *const page_0 = (struct page *)(1UL << 40);
static const bool vmap_huge = true;
static volatile unsigned long steps;
/* What is not used is not computed. */
static volatile unsigned int shift;
/* What the machine has: PMD leaves, and blocks of PTEs of 1 << pte_block. */
static bool pmd_leaves;
static unsigned int pte_block;

__attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

static unsigned long page_to_pfn(const struct page *page)
{
	return page - page_0;
}

static bool arch_vmap_pud_supported(pgprot_t prot)
{
	return pmd_leaves;
}

static bool arch_vmap_pmd_supported(pgprot_t prot)
{
	return pmd_leaves;
}

static unsigned int arch_vmap_pte_supported_shift(unsigned long size)
{
	return size >= 1UL << pte_block ? pte_block : PAGE_SHIFT;
}

#include "align.h"

struct layout {
	const char *name;
	unsigned long block;		/* pages of a run, 0: all but the last */
	unsigned long gap;		/* from the end of a run to the next */
	unsigned long skew;		/* page frame of the first page, in a leaf */
};

static const struct layout layouts[] = {
	{ "a run and a page", 0, 7, 1 },
	{ "an aligned run and a page", 0, 7, 0 },
	{ "single pages", 1, 1, 0 },
	{ "runs of 24 pages", 24, 8, 3 },
	{ "runs of half a leaf", 256, 256, 128 },
	{ "runs of a leaf, over its border", 512, 512, 256 },
	{ "runs of a leaf and a half", 768, 7, 5 },
};

static unsigned long steps_of(const struct layout *layout, unsigned long nr)
{
	struct page **pages = calloc(nr, sizeof(*pages));
	const unsigned long block = layout->block ?: nr - 1;
	unsigned long pfn = (1UL << 20) + layout->skew, i, offset;

	if (!pages)
		exit(2);
	for (i = 0; i < nr; i++, pfn++) {
		if (i && i % block == 0)
			pfn += layout->gap;
		pages[i] = page_0 + pfn;
	}
	steps = 0;
	shift = vmap_leaf_shift(nr * PAGE_SIZE, 0);
	shift = vmap_align_pages(pages, nr, 0, shift, &offset);
	free(pages);
	return steps;
}

int main(void)
{
	const struct {
		const char *name;
		bool pmd_leaves;
		unsigned int pte_block;
	} machines[] = {
		{ "with PMD leaves", true, PAGE_SHIFT },
		{ "with PMD leaves and blocks", true, 16 },
		{ "without PMD leaves", false, PAGE_SHIFT },
		{ "with blocks of PTEs alone", false, 16 },
	};
	const unsigned long nr = 1UL << 16, more = 16;

	for (unsigned int m = 0; m < ARRAY_SIZE(machines); m++) {
		pmd_leaves = machines[m].pmd_leaves;
		pte_block = machines[m].pte_block;
		for (unsigned int i = 0; i < ARRAY_SIZE(layouts); i++) {
			const unsigned long few = steps_of(&layouts[i], nr);
			const unsigned long many = steps_of(&layouts[i], more * nr);

			const bool linear = few && many <= 2 * more * few && many <= 4 * more * nr;

			printf("%s %s, %s: %lu steps for %lu pages, %lu for %lu\n",
			       linear ? "linear" : "not", layouts[i].name, machines[m].name,
			       few, nr, many, more * nr);
		}
	}
	return 0;
}
