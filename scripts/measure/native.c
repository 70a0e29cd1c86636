// SPDX-License-Identifier: GPL-2.0-only
/*
 * native ROUNDS: times the walk of the kernel's page tables on this processor, in the
 * object file of a kernel that scripts/measure/native.sh links with this program.
 *
 * The walk gets page tables that are there already, in memory of this process: what
 * is measured is the loop over pages or entries and the stores of PTEs, with their
 * caches, and no allocation, lock or flush.  Nobody uses these tables, so addresses
 * are as in a kernel: of the direct mapping, of the array of struct pages, and of the
 * vmalloc area.  Prints, separated by tabs: layout, ns a page, the median of the
 * rounds.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

#define PAGE		4096UL
#define NR_PAGES	32768UL
#define PER_TABLE	512UL
#define NR_TABLES	(NR_PAGES / PER_TABLE)
#define DIRECT_MAP	0xffff888000000000UL
#define STRUCT_PAGES	0xffffea0000000000UL
#define STRUCT_PAGE	64UL
#define VMALLOC		0xffffc90000000000UL
#define FIRST_PFN	0x100000UL
#define PROT		0x8000000000000163UL
/* Where the CPU's own data is, as seen from the address of a symbol. */
#define PER_CPU		0x200000000UL

/* What the object refers to.  Of two names, each series has one. */
uint64_t init_mm[512];
uint64_t **mem_section;
uint64_t __supported_pte_mask = ~0UL;
uint64_t _totalram_pages = 1UL << 40;
uint64_t boot_cpu_data[512];
uint64_t pcpu_hot[16] __attribute__((aligned(64)));
uint32_t __preempt_count;
uint64_t __ref_stack_chk_guard;
uint32_t __pgtable_l5_enabled, pgdir_shift = 39, ptrs_per_p4d = 1;
uint64_t page_offset_base = DIRECT_MAP, vmemmap_base = STRUCT_PAGES, vmalloc_base = VMALLOC;

/* What is called on the way, and does not count. */
asm(".globl __fentry__; __fentry__: ret");
asm(".globl __x86_return_thunk; __x86_return_thunk: ret");

static struct area area = { .addr = VMALLOC };

__attribute__((weak)) struct area *get_vm_area_caller(uint64_t size, uint64_t flags, void *caller)
{
	return &area;
}

__attribute__((weak)) struct area *__get_vm_area_node_offset(uint64_t size, ...)
{
	return &area;
}

__attribute__((weak)) void clear_vm_uninitialized_flag(struct area *vm)
{
}

static uint64_t *tables;
static void *pages[NR_PAGES];
static struct sg sgs[NR_PAGES];

static void *get_pages(uint64_t at, size_t bytes)
{
	void *p = mmap((void *)at, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | (at ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED) {
		perror("native: mmap");
		exit(1);
	}
	return p;
}

/* An entry for a table in our memory; __va() of its frame leads there. */
static uint64_t entry(const void *table)
{
	return ((uint64_t)table - DIRECT_MAP) | 0x63;
}

static void make_tables(void)
{
	uint64_t *pgd = get_pages(0, PAGE), *pud = get_pages(0, PAGE), *pmd = get_pages(0, PAGE);

	tables = get_pages(0, NR_TABLES * PAGE);
	pgd[VMALLOC >> 39 & 511] = entry(pud);
	pud[VMALLOC >> 30 & 511] = entry(pmd);
	for (size_t i = 0; i < NR_TABLES; i++)
		pmd[(VMALLOC >> 21 & 511) + i] = entry(tables + i * PER_TABLE);
	/* Wherever in it the address of the first table is. */
	for (size_t i = 0; i < 512; i++)
		init_mm[i] = (uint64_t)pgd;
}

/* Sections that have memory, whatever is asked of them. */
static void make_sections(void)
{
	uint64_t *section = get_pages(0, 4 * PAGE);

	mem_section = get_pages(0, PAGE);
	for (size_t i = 0; i < 4 * PAGE / 8; i++)
		section[i] = 0xf;
	for (size_t i = 0; i < PAGE / 8; i++)
		mem_section[i] = section;
}

/* The copy of @symbol that instructions with the prefix gs see. */
static void *per_cpu(void *symbol)
{
	return (void *)(PER_CPU + (uint64_t)symbol);
}

static void make_per_cpu(void)
{
	get_pages(PER_CPU, PAGE);
	get_pages((uint64_t)per_cpu(__executable_start), _end - __executable_start);
	/* Preemption is never due. */
	((uint32_t *)per_cpu(pcpu_hot))[2] = 0x80000000;
	*(uint32_t *)per_cpu(&__preempt_count) = 0x80000000;
	if (syscall(SYS_arch_prctl, ARCH_SET_GS, PER_CPU)) {
		perror("native: arch_prctl");
		exit(1);
	}
}

/* A kernel that runs has none of the calls of the tracer: five bytes of nothing. */
static void cut_fentry(void)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 };

	for (uint64_t *at = __start___mcount_loc; at < __stop___mcount_loc; at++) {
		mprotect((void *)(*at & -PAGE), 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
		memcpy((void *)*at, nop, sizeof(nop));
	}
}

/* Runs of @run pages: the odd ones first, so that none is followed by its neighbour. */
static size_t lay_out(size_t run)
{
	const size_t nr = NR_PAGES / run, odd = nr / 2;

	for (size_t i = 0; i < nr; i++) {
		const size_t from = (i < odd ? 2 * i + 1 : 2 * (i - odd)) * run;

		sgs[i] = (struct sg){
			.page = STRUCT_PAGES + (FIRST_PFN + from) * STRUCT_PAGE,
			.length = run * PAGE,
		};
		if (i == nr - 1)
			sgs[i].page |= 2;
		for (size_t j = 0; j < run; j++)
			pages[i * run + j] = (void *)((sgs[i].page & ~3UL) + j * STRUCT_PAGE);
	}
	return nr;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000UL + ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "native: %s\n", what);
	exit(1);
}

/* Was each page mapped where it belongs? */
static void verify(size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const uint64_t pfn = ((uint64_t)pages[i] - STRUCT_PAGES) / STRUCT_PAGE;

		if ((tables[i] & 0xffffffffff000) != pfn * PAGE)
			die("a page is mapped wrong");
	}
}

static bool map_pages(void **array, size_t nr)
{
	if (vmap_sg)
		return vmap(array, nr, 4, PROT) == (void *)VMALLOC;
	return !__vmap_pages_range_noflush(VMALLOC, VMALLOC + nr * PAGE, PROT, array, 12);
}

/* Where there is no vmap_sg(), what heaps do: an array first. */
static bool map_entries(size_t run, size_t nr)
{
	const struct sg_table sgt = { sgs, nr, nr };
	static void *array[NR_PAGES];
	struct sg_page_iter iter;
	size_t i = 0;

	if (vmap_sg)
		return vmap_sg(&sgt, PROT) == (void *)VMALLOC;
	for (__sg_page_iter_start(&iter, sgs, nr, 0); __sg_page_iter_next(&iter); )
		array[i++] = (void *)((iter.sg->page & ~3UL) + iter.page_of_sg * STRUCT_PAGE);
	return i == nr * run && map_pages(array, i);
}

static uint64_t time_once(bool sg, size_t run, size_t nr)
{
	uint64_t start;
	bool ok;

	memset(tables, 0, NR_TABLES * PAGE);
	start = now_ns();
	ok = sg ? map_entries(run, nr) : map_pages(pages, nr * run);
	start = now_ns() - start;
	if (!ok)
		die("the memory is not mapped");
	return start;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(bool sg, size_t run, size_t rounds)
{
	const size_t nr = lay_out(run);
	uint64_t ns[rounds];

	time_once(sg, run, nr);
	verify(nr * run);
	for (size_t i = 0; i < rounds; i++)
		ns[i] = time_once(sg, run, nr);
	qsort(ns, rounds, sizeof(*ns), compare);
	printf("%s, runs of %zu\t%.3f\n", sg ? "entries" : "pages", run,
	       (double)ns[rounds / 2] / (nr * run));
}

int main(int argc, char **argv)
{
	static const size_t runs[] = { 1, 2, 3, 4, 8, 16, 100 };
	const int rounds = argc == 2 ? atoi(argv[1]) : 0;

	if (rounds < 1 || rounds > 100000)
		die("usage: native ROUNDS");
	make_tables();
	make_sections();
	make_per_cpu();
	cut_fentry();
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++)
		measure(false, runs[i], rounds);
	for (size_t i = 0; i < sizeof(runs) / sizeof(*runs); i++)
		measure(true, runs[i], rounds);
	return 0;
}
