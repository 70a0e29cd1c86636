/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dma_heap_pool

#if !defined(_TRACE_DMA_HEAP_POOL_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_DMA_HEAP_POOL_H

#include <linux/mm.h>
#include <linux/tracepoint.h>

DECLARE_EVENT_CLASS(dma_heap_pool_block,
		    TP_PROTO(struct page *page, unsigned int order),
		    TP_ARGS(page, order),
		    TP_STRUCT__entry(__field(unsigned long, pfn)
				     __field(unsigned int, order)
				     __field(int, nid)
		    ),
		    TP_fast_assign(__entry->pfn = page_to_pfn(page);
				   __entry->order = order;
				   __entry->nid = page_to_nid(page);
		    ),
		    TP_printk("pfn=0x%lx order=%u nid=%d",
			      __entry->pfn, __entry->order, __entry->nid)
);

/* A block of a released buffer is kept. */
DEFINE_EVENT(dma_heap_pool_block, dma_heap_pool_keep,
	     TP_PROTO(struct page *page, unsigned int order),
	     TP_ARGS(page, order));

/* The worker has zeroed a block. */
DEFINE_EVENT(dma_heap_pool_block, dma_heap_pool_zero,
	     TP_PROTO(struct page *page, unsigned int order),
	     TP_ARGS(page, order));

/* A new buffer gets a block that was zeroed before. */
DEFINE_EVENT(dma_heap_pool_block, dma_heap_pool_take_clean,
	     TP_PROTO(struct page *page, unsigned int order),
	     TP_ARGS(page, order));

/* A new buffer gets a block that it has to zero. */
DEFINE_EVENT(dma_heap_pool_block, dma_heap_pool_take_dirty,
	     TP_PROTO(struct page *page, unsigned int order),
	     TP_ARGS(page, order));

/* A block goes back to the page allocator. */
DEFINE_EVENT(dma_heap_pool_block, dma_heap_pool_give_back,
	     TP_PROTO(struct page *page, unsigned int order),
	     TP_ARGS(page, order));

#endif /* _TRACE_DMA_HEAP_POOL_H */

#include <trace/define_trace.h>
