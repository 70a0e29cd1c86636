# SPDX-License-Identifier: GPL-2.0-only
# bounds.awk -v variant=VARIANT -v kernel=SERIES-ARCH STOCK TESTED: check icount
# runs of the bench, of 128 MiB mostly; prints TAP
#
# The patched kernel has to stay below bounds of its own and below a part of
# stock; the RFC has to be no slower than stock where there are runs to be found.
# The stock kernel has to be where it was measured before: if not, the
# measurement is broken.

function instructions(file, user, layout, op, bytes) {
	return median[file, user, layout, op, bytes]
}

function name_of(user, layout, op, bytes) {
	return (bytes == SIZE ? "128 MiB" : bytes == PAGE ? "one page" : bytes / 1024 " KiB") \
		", " title[user] layout ", " op
}

function result(what, value, ok) {
	printf "%sok %d - %s: %s instructions\n", ok ? "" : "not ", ++n, what,
		value == "" ? "no" : value
}

function at_most(user, layout, op, bytes, limit,    v) {
	v = instructions(2, user, layout, op, bytes)
	result(name_of(user, layout, op, bytes) ": " variant ", at most " limit, v,
		v + 0 > 0 && v + 0 <= limit)
}

# At most a part of stock: stock's divided by part
function of_stock(user, layout, op, bytes, part,    v, stock) {
	stock = instructions(1, user, layout, op, bytes)
	v = instructions(2, user, layout, op, bytes)
	result(name_of(user, layout, op, bytes) ": " variant ", at most " \
		(part == 1 ? "" : part < 1 ? 1 / part " of " : "1/" part " of ") "stock's " (stock == "" ? "none" : stock), v,
		v + 0 > 0 && v * part <= stock + 0)
}

function near(user, layout, op, bytes, known,    v) {
	v = instructions(1, user, layout, op, bytes)
	result(name_of(user, layout, op, bytes) ": stock, " known " within 10%", v,
		v + 0 >= known * 0.9 && v + 0 <= known * 1.1)
}

# What stock took when the bounds were made
function stock_is(vmap, vunmap) {
	near("kernel", "fresh", "vmap", SIZE, vmap)
	near("kernel", "fresh", "vunmap", SIZE, vunmap)
}

# No run of pages is mapped more slowly than by stock, however short, nor is what
# others measure
function runs_as_stock(    i, f) {
	for (i = 1; i <= nruns; i++) {
		split(runs[i], f, SUBSEP)
		of_stock(f[1], f[2], "vmap", f[3], 1)
	}
}

# The parts of stock that every kernel has to stay below, the one of a whole
# buffer being whole, of 64 KiB blocks blocks, of scattered pages pages
function parts_of_stock(whole, blocks, pages) {
	of_stock("kernel", "fresh", "vmap", SIZE, whole)
	of_stock("kernel", "fresh", "vunmap", SIZE, 20)
	of_stock("sg", "1m", "vmap", SIZE, 4)
	of_stock("sg", "64k", "vmap", SIZE, blocks)
	of_stock("sg", "4k-scattered", "vmap", SIZE, pages)
	of_stock("kernel", "fresh", "vmap", PAGE, 1)
	of_stock("sg", "page", "vmap", PAGE, 1)
}

# Mappings of user space: 64 leaves for 128 MiB, whatever the kernel
function user_space() {
	at_most("kernel", "fresh", "mmap", SIZE, 30000)
	at_most("kernel", "fresh", "munmap", SIZE, 40000)
	at_most("kernel", "fresh", "fork", SIZE, 40000)
	at_most("kernel", "fresh", "refault", SIZE, 5000)
}

# Of memory that the heap has kept: what is zero already costs next to nothing, and
# nothing costs more than without
function kept(whole, limit_alloc, limit_free) {
	if (limit_alloc) {
		at_most("kernel", "warm", "alloc", SIZE, limit_alloc)
		at_most("kernel", "warm", "free", SIZE, limit_free)
	} else {
		of_stock("kernel", "warm", "alloc", SIZE, whole)
		of_stock("kernel", "warm", "free", SIZE, 20)
	}
	of_stock("kernel", "warm", "life", SIZE, whole)
	of_stock("kernel", "dirty", "alloc", SIZE, 1)
	of_stock("kernel", "empty", "alloc", SIZE, 1 / 1.01)
	of_stock("kernel", "warm", "alloc", PAGE, 1)
}

BEGIN {
	FS = "\t"
	SIZE = 134217728
	title["kernel"] = "heap buffer, "
	title["sg"] = "vmap_sg() of "
	title["pages"] = "vmap() of "
	title["ioremap"] = "ioremap() of "
	title["vmalloc"] = "vmalloc_huge() of "
	title["vkms-atomic"] = "atomic commit of vkms, "
	title["vkms-legacy"] = "commit of vkms, "
	title["cma"] = "buffer of the CMA heap, "
	title["udmabuf"] = "udmabuf of small pages, "
	title["udmabuf-huge"] = "udmabuf of huge pages, "
	print "TAP version 13"
}

$1 == "bench" {
	median[FILENAME == ARGV[1] ? 1 : 2, $2, $3, $4, $5] = $8
}

$1 == "bench" && $3 == "page" {
	PAGE = $5
}

$1 == "bench" && $3 ~ /^(run[0-9]+a?|mixeda?|order8|block)$/ && $4 == "vmap" && FILENAME == ARGV[1] {
	runs[++nruns] = $2 SUBSEP $3 SUBSEP $5
}

END {
	if (kernel == "6.12-x86_64")
		stock_is(3486709, 334973)
	if (kernel == "7.3-x86_64")
		stock_is(3814943, 343827)
	if (kernel == "6.12-arm64")
		stock_is(3517780, 439115)
	if (kernel == "7.3-arm64")
		stock_is(3806303, 441269)
	if (variant == "patched") {
		if (kernel == "6.12-x86_64") {
			at_most("kernel", "fresh", "vmap", SIZE, 4000)
			at_most("kernel", "fresh", "vunmap", SIZE, 4500)
			at_most("sg", "1m", "vmap", SIZE, 290000)
			at_most("sg", "64k", "vmap", SIZE, 450000)
			at_most("sg", "4k-scattered", "vmap", SIZE, 1300000)
			at_most("kernel", "fresh", "vmap", PAGE, 2000)
			at_most("sg", "page", "vmap", PAGE, 2000)
			# Most of it is not ours, and moves with the compiler and the configuration
			of_stock("kernel", "fresh", "mmap", PAGE, 1.12)
			at_most("cma", "fresh", "vmap", SIZE, 8000)
			at_most("udmabuf-huge", "fresh", "vmap", SIZE, 8000)
			# The pool, which is off here, is asked for each of these chunks;
			# compilers differ by some instructions
			of_stock("kernel", "fresh", "free", 65536, 1 / 1.005)
			of_stock("kernel", "fresh", "free", 1048576, 1 / 1.005)
			kept(200, 100000, 60000)
		} else if (kernel == "7.3-x86_64") {
			parts_of_stock(800, 8, 3)
			kept(200)
		} else if (kernel == "6.12-arm64") {
			parts_of_stock(300, 8, 2)
			kept(20)
		} else {
			parts_of_stock(400, 12, 2)
			kept(20)
		}
		user_space()
		of_stock("kernel", "fresh", "alloc", SIZE, 1)
		of_stock("kernel", "fresh", "free", SIZE, 1)
		if (kernel ~ /x86/)
			of_stock("kernel", "fresh", "free", PAGE, 1)
		of_stock("pages", "run", "vmap", SIZE, 10)
		# gcc 12 makes it 1.15 on x86, gcc 14 1.07
		of_stock("pages", "4k-scattered", "vmap", SIZE, kernel ~ /x86/ ? 1.05 : 1)
		of_stock("cma", "fresh", "vmap", SIZE, 100)
		of_stock("udmabuf-huge", "fresh", "vmap", SIZE, 100)
		of_stock("udmabuf", "fresh", "vmap", SIZE, 1)
		of_stock("vkms-atomic", "fresh", "heap-vmap", SIZE, 50)
		of_stock("vkms-legacy", "fresh", "heap-vmap", SIZE, 50)
		runs_as_stock()
	} else {
		of_stock("kernel", "fresh", "vmap", SIZE, 1)
		of_stock("sg", "1m", "vmap", SIZE, 1)
		of_stock("sg", "64k", "vmap", SIZE, 1)
		of_stock("pages", "run", "vmap", SIZE, 1)
	}
	print "1.." n
}
