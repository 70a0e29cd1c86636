# SPDX-License-Identifier: GPL-2.0-only
# figures.awk report.awk -v series= -v arch= -v variants="stock..." -v json=FILE -v md=FILE
# -v brief=FILE -v about=TEXT RUN=FILE...: variants side by side, each with how many times stock
# is the slower one
#
# Each RUN is VARIANT-MODE, MODE being icount or wall, and may be given more than
# once.  Its FILE is what a guest has printed, of which these lines count,
# separated by tabs (see vmap_bench, vmap_layouts, heap_frag, print_user(), test_vmalloc):
#	bench user layout op bytes rounds min median max
#	leaves bytes pud pmd cont pte table_bytes nents
#	layout user layout bytes pud pmd cont pte table_bytes nents
#	iommu device layout bytes sizes table_bytes nents segments
# The medians are printed; json has everything, as Documentation/vmap/results.rst says,
# and begins with the fields of about; md is a table for people, and brief the rows
# of it that matter most, for a terminal.

function fail(what) {
	print "report: " what > "/dev/stderr"
	failed = 1
	exit 1
}

function time_of(ns) {
	if (ns >= 1e6)
		return sprintf("%.2f ms", ns / 1e6)
	if (ns >= 1e3)
		return sprintf("%.2f us", ns / 1e3)
	return ns " ns"
}

function ratio(stock, other) {
	return other > 0 ? sprintf("%.*fx", stock < 10 * other ? 2 : 1, stock / other) : "-"
}

BEGIN {
	FS = "\t"
	nvariants = split(variants, variant, " ")
	nmodes = split("icount wall", modes, " ")
	width["icount"] = 13
	width["wall"] = 11
	what["icount"] = "guest instructions"
	what["wall"] = "wall time"
	for (i = 1; i < ARGC; i++)
		if (ARGV[i] ~ /=/)
			read_run(substr(ARGV[i], 1, index(ARGV[i], "=") - 1),
				substr(ARGV[i], index(ARGV[i], "=") + 1))
	for (i = 1; i <= nvariants; i++)
		for (j = 1; j <= nmodes; j++)
			same_keys(variant[i], modes[j])
	sort_keys()
	table("kernel", "buffers of the heap", "layout")
	table("sg", "vmap_sg() of memory in blocks", "layout")
	table("pages", "vmap() of an array of the same pages", "layout")
	table("ioremap", "what ioremap() does to map a block", "layout")
	table("vmalloc", "what vmalloc_huge() does to map a block", "layout")
	table("cma", "buffers of the CMA heap", "layout")
	table("udmabuf", "udmabuf of small pages", "layout")
	table("udmabuf-huge", "udmabuf of huge pages", "layout")
	table("udmabuf-hugetlb", "udmabuf of hugetlb", "layout")
	table("iommu", "device mappings of buffers of the heap, behind an IOMMU", "layout")
	table("", "users of dma_buf_vmap()", "user")
	table("test_vmalloc", "lib/test_vmalloc.c", "test")
	print "\nInstructions are path length, not cache, TLB or barrier cost; medians."
	print_spread()
	write_json()
	write_markdown()
	write_brief()
	exit
}

function read_run(run, path,    line, f, n, lines, status) {
	while ((status = (getline line < path)) > 0) {
		sub(/^# /, "", line)
		n = split(line, f, "\t")
		if (f[1] == "bench") {
			read_bench(run, path, line, f, n)
			lines++
		} else if (f[1] == "leaves") {
			read_leaves(run "\tkernel\tfresh\t" f[2], f, 2)
		} else if (f[1] == "layout") {
			read_leaves(run "\t" f[2] "\t" f[3] "\t" f[4], f, 4)
		} else if (f[1] == "iommu") {
			iommu_tables[run "\tiommu\t" f[3] "\t" f[4]] = f[6]
			iommu_nents[run "\tiommu\t" f[3] "\t" f[4]] = f[7]
		}
	}
	close(path)
	if (status < 0)
		fail(path ": cannot be read")
	if (!lines)
		fail(path ": holds no bench line")
}

function read_bench(run, path, line, f, n,    key, part) {
	if (n != 9 || f[5] !~ /^[0-9]+$/ || f[6] !~ /^[0-9]+$/ || f[7] !~ /^[0-9]+$/ ||
	    f[8] !~ /^[0-9]+$/ || f[9] !~ /^[0-9]+$/)
		fail(path ": bad line: " line)
	key = f[2] FS f[3] FS f[5] FS f[4]
	if (!(key in known)) {
		known[key] = 1
		keys[++nkeys] = key
	}
	split(run, part, "-")
	seen[part[2], key] = path
	measured[part[2], is_user(f[2]) ? "" : f[2]] = 1
	if ((run, key) in median)
		fail(path ": " f[4] " of " size_of(f[5]) " appears twice")
	rounds[run, key] = f[6]
	min[run, key] = f[7]
	median[run, key] = f[8]
	max[run, key] = f[9]
}

# The count of the leaves, behind field at
function read_leaves(key, f, at) {
	leaves[key] = f[at + 1] + f[at + 2] + f[at + 3] + f[at + 4]
	levels[key] = sprintf("\"pud\": %d, \"pmd\": %d, \"cont\": %d, \"pte\": %d",
		f[at + 1], f[at + 2], f[at + 3], f[at + 4])
	tables[key] = f[at + 5]
	extents[key] = f[at + 6]
}

function same_keys(v, mode,    i, f) {
	for (i = 1; i <= nkeys; i++)
		if (((mode, keys[i]) in seen) && !((v "-" mode, keys[i]) in median)) {
			split(keys[i], f, FS)
			if (f[1] == "iommu" && v == "rfc")
				continue
			fail(v ", " mode ": " f[4] " of " size_of(f[3]) " (" f[1] ", " f[2] ") is missing")
		}
}

# By layout, as they came, then by size; operations as they came
function sort_keys(    i, j, f, order, n, key) {
	for (i = 1; i <= nkeys; i++) {
		split(keys[i], f, FS)
		if (!((f[1], f[2]) in order))
			order[f[1], f[2]] = ++n
		rank[keys[i]] = order[f[1], f[2]] * 1e15 + f[3] * 100
	}
	for (i = 2; i <= nkeys; i++) {
		key = keys[i]
		for (j = i; j > 1 && rank[keys[j - 1]] > rank[key]; j--)
			keys[j] = keys[j - 1]
		keys[j] = key
	}
}

# Of DRM or V4L2, whatever their names are
function is_user(user) {
	return user !~ /^(kernel|sg|pages|ioremap|vmalloc|test_vmalloc|cma|udmabuf.*|iommu)$/
}

# All operations of a user, a line each; of DRM and V4L2 if it is empty
function table(user, title, second,    i, j, f, n, m, shown) {
	for (i = 1; i <= nmodes; i++)
		if ((modes[i], user) in measured)
			m[++n] = modes[i]
	for (i = 1; i <= nkeys; i++) {
		split(keys[i], f, FS)
		if (f[1] != user && (user || !is_user(f[1])))
			continue
		if (!shown++)
			header(title, second, n, m)
		name(user, f)
		for (j = 1; j <= n; j++)
			cells(m[j], keys[i])
		shape(user, f)
		printf "\n"
	}
}

function header(title, second, n, m,    i, j) {
	printf "\n%s %s, %s\n%-8s %-*s", series, arch, title, "", second_width(second), ""
	for (i = 1; i <= n; i++) {
		printf " | %*s", width[m[i]], variant[1]
		for (j = 2; j <= nvariants; j++)
			printf " %*s %8s", width[m[i]], variant[j], "ratio"
	}
	printf "\n%-8s %-*s", "size", second_width(second), second
	for (i = 1; i <= n; i++)
		printf " | %*s", width[m[i]] * nvariants + 10 * (nvariants - 1), what[m[i]]
	printf second ~ /^(test|user)$/ ? "\n" : " | extents leaves tables\n"
}

function second_width(second) {
	return second == "layout" ? 25 : second == "user" ? 33 : 37
}

# How a line begins
function name(user, f) {
	if (!user)
		printf "%-8s %-21s %-11s", size_of(f[3]), f[1], f[4]
	else if (user == "test_vmalloc")
		printf "%-8s %-37s", size_of(f[3]), f[4]
	else
		printf "%-8s %-12s %-12s", size_of(f[3]), f[2], f[4]
}

function show(mode, value) {
	return mode == "icount" ? commas(value) : time_of(value)
}

function cells(mode, key,    i, stock, other) {
	if (!((mode, key) in seen)) {
		printf " | %*s", width[mode] * nvariants + 10 * (nvariants - 1), ""
		return
	}
	stock = median[variant[1] "-" mode, key]
	printf " | %*s", width[mode], show(mode, stock)
	for (i = 2; i <= nvariants; i++) {
		other = median[variant[i] "-" mode, key]
		printf " %*s %8s", width[mode], show(mode, other), ratio(stock, other)
	}
}

# What the last variant has made of it
function shape(user, f,    key, mode) {
	for (mode in width) {
		key = variant[nvariants] "-" mode "\t" f[1] "\t" f[2] "\t" f[3]
		if (f[4] == "vmap" && key in leaves) {
			printf " | %7d %6d %6d", extents[key], leaves[key], tables[key]
			return
		}
		if (f[4] == "map" && key in iommu_tables) {
			printf " | %7d %6s %6d, stock %d", iommu_nents[key], "-", iommu_tables[key],
				iommu_tables[variant[1] "-" mode "\t" f[1] "\t" f[2] "\t" f[3]]
			return
		}
	}
}

# How far rounds are apart, (max - min) / median, where that is the most
function print_spread(    i, j, k, run, s, most, worst, f) {
	for (j = 1; j <= nmodes; j++) {
		most = 0
		for (i = 1; i <= nvariants; i++)
			for (k = 1; k <= nkeys; k++) {
				run = variant[i] "-" modes[j]
				if (!((run, keys[k]) in median) || !median[run, keys[k]])
					continue
				s = (max[run, keys[k]] - min[run, keys[k]]) / median[run, keys[k]]
				if (s >= most) {
					most = s
					worst = variant[i] FS keys[k]
				}
			}
		if (most) {
			split(worst, f, FS)
			printf "Rounds of %s are at most %.*f%% of the median apart: %s of %s (%s, %s, %s).\n",
				what[modes[j]], most < 0.1 ? 2 : 0, 100 * most, f[5], size_of(f[4]), f[2], f[3], f[1]
		}
	}
}

# A row of the table for people, if all that it takes was measured
function row(label, user, layout, op, bytes,    key, i, line, stock) {
	key = user FS layout FS bytes FS op
	if (!((md_mode, key) in seen))
		return
	stock = median[variant[1] "-" md_mode, key]
	line = sprintf("| %-8s | %-36s |", size_of(bytes), label)
	for (i = 1; i <= nvariants; i++)
		line = line sprintf(" %11s |", show(md_mode, median[variant[i] "-" md_mode, key]))
	printf "%s %7s |\n", line, ratio(stock, median[variant[nvariants] "-" md_mode, key]) > md
}

# What the README and a cover letter show: instructions, or time if none are counted
function write_markdown(    i, n, op, sizes) {
	title["fork"] = "fork, what it takes more"
	title["refault"] = "fault after a split, a leaf of 2 MiB"
	title["refault-ptes"] = "fault after a split, 511 PTEs"
	md_mode = ("icount", "kernel") in measured ? "icount" : "wall"
	printf "| %-8s | %-36s |", "size", "operation" > md
	for (i = 1; i <= nvariants; i++)
		printf " %11s |", variant[i] > md
	printf " %7s |\n|----------|--------------------------------------|", "ratio" > md
	for (i = 1; i <= nvariants; i++)
		printf "------------:|" > md
	print "--------:|" > md
	n = split("4096 65536 1048576 8388608 134217728 1073741824", sizes, " ")
	for (i = 1; i <= n; i++)
		row("vmap", "kernel", "fresh", "vmap", sizes[i])
	n = split("vunmap mmap munmap fork refault refault-ptes alloc free", op, " ")
	for (i = 1; i <= n; i++)
		row(op[i] in title ? title[op[i]] : op[i], "kernel", "fresh", op[i], 134217728)
	row("mmap", "kernel", "fresh", "mmap", 4096)
	row("vmap, 1 MiB blocks", "sg", "1m", "vmap", 134217728)
	row("vmap, 64 KiB blocks", "sg", "64k", "vmap", 134217728)
	row("vmap, scattered pages", "sg", "4k-scattered", "vmap", 134217728)
	for (i = 1; i <= n; i++)
		row((op[i] in title ? title[op[i]] : op[i]) ", fragmented memory", "kernel", "fragmented", op[i], 134217728)
	row("vmap, fragmented memory", "kernel", "fragmented", "vmap", 134217728)
	row("system_heap_vmap() in a vkms commit", "vkms-atomic", "fresh", "heap-vmap", 134217728)
	row("vmap() of an array, blocks of 1 MiB", "pages", "order8", "vmap", 104857600)
	row("ioremap(), the mapping", "ioremap", "block", "vmap", 1048576)
	row("vmalloc_huge(), the mapping", "vmalloc", "block", "vmap", 1048576)
	row("vmap() of an array of one page", "pages", "page", "vmap", 4096)
	if (close(md))
		fail(md ": cannot be written")
}

# A row of the brief table, 60 columns with two variants
function brief_row(mode, label, user, layout, op, bytes,    key, i, stock) {
	key = user FS layout FS bytes FS op
	if (!((mode, key) in seen))
		return
	stock = median[variant[1] "-" mode, key]
	printf "%-7s %-18s", size_of(bytes), label > brief
	for (i = 1; i <= nvariants; i++)
		printf " %12s", show(mode, median[variant[i] "-" mode, key]) > brief
	printf " %7s\n", ratio(stock, median[variant[nvariants] "-" mode, key]) > brief
}

# The ten rows that matter, in instructions, and in time where that was measured
function write_brief(    i, j) {
	for (j = 1; j <= nmodes; j++) {
		if (!((modes[j], "kernel") in measured))
			continue
		printf "\n%-26s", what[modes[j]] > brief
		for (i = 1; i <= nvariants; i++)
			printf " %12s", variant[i] > brief
		printf " %7s\n", "ratio" > brief
		brief_row(modes[j], "vmap", "kernel", "fresh", "vmap", 4096)
		brief_row(modes[j], "vmap", "kernel", "fresh", "vmap", 1048576)
		brief_row(modes[j], "vmap", "kernel", "fresh", "vmap", 134217728)
		brief_row(modes[j], "vmap, 1 MiB blocks", "sg", "1m", "vmap", 134217728)
		brief_row(modes[j], "vmap, single pages", "sg", "4k-scattered", "vmap", 134217728)
		brief_row(modes[j], "vunmap", "kernel", "fresh", "vunmap", 134217728)
		brief_row(modes[j], "mmap", "kernel", "fresh", "mmap", 134217728)
		brief_row(modes[j], "munmap", "kernel", "fresh", "munmap", 134217728)
		brief_row(modes[j], "fork, with it", "kernel", "fresh", "fork", 134217728)
		brief_row(modes[j], "alloc", "kernel", "fresh", "alloc", 134217728)
	}
	if (close(brief))
		fail(brief ": cannot be written")
}

function write_json(    i, j, k, f, run, sep, key) {
	printf "{\n  \"schema\": \"vmap-results\", \"version\": 1,\n  %s,\n", about > json
	printf "  \"series\": \"%s\", \"arch\": \"%s\",\n  \"results\": [", series, arch > json
	for (j = 1; j <= nmodes; j++)
		for (i = 1; i <= nvariants; i++)
			for (k = 1; k <= nkeys; k++) {
				run = variant[i] "-" modes[j]
				if (!((run, keys[k]) in median))
					continue
				split(keys[k], f, FS)
				printf "%s\n    { \"variant\": \"%s\", \"mode\": \"%s\", \"unit\": \"%s\", ", sep, variant[i], modes[j], modes[j] == "icount" ? "instructions" : "ns" > json
				printf "\"user\": \"%s\", \"layout\": \"%s\", \"op\": \"%s\", \"bytes\": %s, ", f[1], f[2], f[4], f[3] > json
				printf "\"rounds\": %s, \"min\": %s, \"median\": %s, \"max\": %s", rounds[run, keys[k]], min[run, keys[k]], median[run, keys[k]], max[run, keys[k]] > json
				key = run "\t" f[1] "\t" f[2] "\t" f[3]
				if (f[4] == "vmap" && key in leaves)
					printf ", \"extents\": %d, \"leaves\": %d, %s, \"table_bytes\": %d", extents[key], leaves[key], levels[key], tables[key] > json
				if (f[4] == "map" && key in iommu_tables)
					printf ", \"extents\": %d, \"iommu_table_bytes\": %d", iommu_nents[key], iommu_tables[key] > json
				printf " }" > json
				sep = ","
			}
	printf "\n  ]\n}\n" > json
	if (close(json))
		fail(json ": cannot be written")
}
