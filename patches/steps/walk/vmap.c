// SPDX-License-Identifier: GPL-2.0-only
/*
 * Map pages and physical ranges into the kernel's page tables
 */

#include <linux/export.h>
#include <linux/hugetlb.h>
#include <linux/io.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/pfn.h>
#include <linux/pgtable.h>
#include <linux/vmalloc.h>
#include <asm/tlbflush.h>

#include "internal.h"
#include "pgalloc-track.h"
#include "vmalloc.h"
