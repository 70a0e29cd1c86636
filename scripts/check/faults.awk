# SPDX-License-Identifier: GPL-2.0-only
# faults.awk CONSOLE: where heap_faults has made the kernel fail, by the functions
# that asked for memory, or for a copy to or from user space, as TAP.
#
# Each fault leaves a trace of calls, the innermost first, unless it is in what was
# asked for without a warning (__GFP_NOWARN), as the pages of buffers are.

# Between what fails and who asked for it
function is_allocator(name) {
	return name ~ /^(dump_stack|should_fail|strncpy_from_user|strnlen_user|slab_alloc_node)/ ||
		name ~ /^_*(k[mvz]*alloc|kmem_cache_alloc|alloc_pages|get_free_pages|get_zeroed_page)/ ||
		name ~ /^_*(alloc_frozen_pages|copy_(to|from)_(user|iter)|folio_alloc|slab_alloc|krealloc|kstrdup)/ ||
		name ~ /^(prepare_alloc_pages|_inline_copy_|getname_flags)/
}

function end_path(    i, names, n) {
	if (path == "")
		return
	paths[path]++
	faults++
	n = split(path, names, " ")
	for (i = 1; i < n && is_allocator(names[i]); i++)
		;
	asked[names[i]]++
	path = ""
}

# faults of WHAT, or below it, that BY has caused
function count(what, by,    p, n) {
	for (p in paths)
		if (p ~ " " what " " && p ~ " " by " ")
			n += paths[p]
	return n + 0
}

function check(text, what, by,    n) {
	n = count(what, by)
	printf "%s %d - faults in %s: %d\n", n ? "ok" : "not ok", ++checks, text, n
}

/FAULT_INJECTION: forcing a failure/ { end_path(); path = " " }
/<\/TASK>/ { end_path() }
# "?" is before what may be left from an earlier call
path != "" && match($0, / [a-zA-Z_][a-zA-Z0-9_.]*\+0x[0-9a-f]+\/0x/) && !/ \? |RIP: / {
	name = substr($0, RSTART + 1, RLENGTH - 1)
	sub(/[.+].*/, "", name)
	path = path name " "
}

END {
	end_path()
	print "TAP version 13"
	for (name in asked) {
		functions++
		printf "# %5d %s\n", asked[name], name
	}
	for (p in paths)
		nr_paths++
	printf "# %d faults with a trace, of %d functions, on %d paths\n", faults, functions,
		nr_paths
	check("page tables of the walk", "__pte_alloc_kernel", "vmap_sg")
	check("areas", "alloc_vmap_area", "vmap_sg")
	check("what describes areas", "__get_vm_area_node", "vmap_sg")
	check("attachments", "system_heap_attach", "dma_buf_dynamic_attach")
	check("page tables of user space", "_*pte_alloc[a-z_]*", "vma_map_sg")
	check("dma-bufs", "dma_buf_export", "dma_heap_ioctl")
	printf "1..%d\n", checks
}
