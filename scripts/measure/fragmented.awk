# SPDX-License-Identifier: GPL-2.0-only
# fragmented.awk -v kernel=SERIES-ARCH STOCK PATCHED: compare icount runs of heap_frag -b; prints TAP
#
# In fragmented memory nothing may take longer than in the stock kernel.  There are
# as many PTEs to clear, so vunmap is given a hundredth, less than what its rounds
# differ by, and so is munmap.  What it takes to free is shown, without a bound: that is the page
# allocator's work, and depends on how many pieces the kernel happened to get.

function bound(op, times,    ours, stock, ok) {
	stock = median[1, op]
	ours = median[2, op]
	ok = stock > 0 && ours > 0 && ours <= times * stock
	printf "%sok %d - 128 MiB %s in fragmented memory, at most %s times stock's %s: %s instructions\n",
		ok ? "" : "not ", ++n, op, times, stock == "" ? "no" : stock, ours == "" ? "no" : ours
}

function at_most(op, limit,    ours) {
	ours = median[2, op]
	printf "%sok %d - 128 MiB %s in fragmented memory, at most %s: %s instructions\n",
		(ours > 0 && ours <= limit) ? "" : "not ", ++n, op, limit, ours == "" ? "no" : ours
}

function show(op) {
	printf "# 128 MiB %s in fragmented memory: %s instructions, stock %s\n", op, median[2, op], median[1, op]
}

BEGIN {
	FS = "\t"
	print "TAP version 13"
	print "1.." (kernel == "6.12-x86_64" ? 6 : 5)
}

$1 == "# bench" && $2 == "kernel" && $3 == "fragmented" && $5 == 134217728 {
	median[FILENAME == ARGV[1] ? 1 : 2, $4] = $8
}

END {
	show("free")
	bound("alloc", 1)
	bound("mmap", 1)
	if (kernel == "6.12-x86_64")
		at_most("mmap", 2558549)
	bound("munmap", 1.01)
	bound("vmap", 1)
	bound("vunmap", 1.01)
}
