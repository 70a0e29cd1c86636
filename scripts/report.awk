# SPDX-License-Identifier: GPL-2.0-only
# report.awk -v series= -v arch= -v json=FILE RUN=FILE...: stock beside patched
#
# Each RUN is VARIANT-MODE: stock-icount, patched-icount, stock-wall, patched-wall;
# its FILE is the output of vmap_bench, lines separated by tabs:
#	bench user layout op bytes rounds min median max
# The medians are printed; results.json has everything:
#
# {
#   "schema": "vmap-results", "version": 1,
#   "series": "6.12", "arch": "x86_64",
#   "results": [
#     { "variant": "stock|patched", "mode": "icount|wall",
#       "unit": "instructions|ns", "user": "kernel", "layout": "fresh",
#       "op": "alloc|mmap|vmap|vunmap|free", "bytes": 134217728,
#       "rounds": 5, "min": 1, "median": 2, "max": 3 }, ...
#   ]
# }
#
# A change of the meaning of a field raises "version"; a new field does not.

function fail(what) {
	print "report: " what > "/dev/stderr"
	failed = 1
	exit 1
}

function commas(n,    s) {
	s = sprintf("%.0f", n)
	while (match(s, /^[0-9]+[0-9][0-9][0-9]/))
		s = substr(s, 1, RLENGTH - 3) "," substr(s, RLENGTH - 2)
	return s
}

function size_of(bytes) {
	if (bytes >= 1048576 && bytes % 1048576 == 0)
		return bytes / 1048576 " MiB"
	if (bytes >= 1024 && bytes % 1024 == 0)
		return bytes / 1024 " KiB"
	return bytes " B"
}

function time_of(ns) {
	if (ns >= 1e6)
		return sprintf("%.2f ms", ns / 1e6)
	if (ns >= 1e3)
		return sprintf("%.2f us", ns / 1e3)
	return ns " ns"
}

function ratio(stock, patched) {
	return patched > 0 ? sprintf("%.*fx", stock < 10 * patched ? 2 : 1, stock / patched) : "-"
}

BEGIN {
	FS = "\t"
	nruns = split("stock-icount patched-icount stock-wall patched-wall", runs, " ")
	for (i = 1; i < ARGC; i++) {
		if (ARGV[i] !~ /=/)
			continue
		path[substr(ARGV[i], 1, index(ARGV[i], "=") - 1)] = substr(ARGV[i], index(ARGV[i], "=") + 1)
		ARGV[i] = ""
	}
	for (i = 1; i <= nruns; i++)
		read_run(runs[i])
	for (i = 1; i <= nruns; i++)
		same_keys(runs[i])
	table()
	write_json()
	exit
}

function read_run(run,    line, f, n, key, lines, status) {
	if (!(run in path))
		fail(run ": no file given")
	while ((status = (getline line < path[run])) > 0) {
		if (line !~ /^bench\t/)
			continue
		n = split(line, f, "\t")
		if (n != 9 || f[5] !~ /^[0-9]+$/ || f[6] !~ /^[0-9]+$/ || f[7] !~ /^[0-9]+$/ ||
		    f[8] !~ /^[0-9]+$/ || f[9] !~ /^[0-9]+$/)
			fail(path[run] ": bad line: " line)
		key = f[2] FS f[3] FS f[5] FS f[4]
		if (!(key in seen)) {
			seen[key] = 1
			keys[++nkeys] = key
		}
		if ((run, key) in median)
			fail(path[run] ": " f[4] " of " size_of(f[5]) " appears twice")
		rounds[run, key] = f[6]
		min[run, key] = f[7]
		median[run, key] = f[8]
		max[run, key] = f[9]
		lines++
	}
	close(path[run])
	if (status < 0)
		fail(path[run] ": cannot be read")
	if (!lines)
		fail(path[run] ": holds no bench line")
}

function same_keys(run,    i, f) {
	for (i = 1; i <= nkeys; i++)
		if (!((run, keys[i]) in median)) {
			split(keys[i], f, FS)
			fail(path[run] ": " f[4] " of " size_of(f[3]) " (" f[1] ", " f[2] ") is missing")
		}
}

function table(    i, f, title, last) {
	for (i = 1; i <= nkeys; i++) {
		split(keys[i], f, FS)
		title = f[1] " user, " f[2] " memory"
		if (title != last) {
			printf "\n%s %s, %s\n", series, arch, title
			printf "%-8s %-7s | %13s %13s %8s | %11s %11s %8s\n", "", "",
				"stock", "patched", "ratio", "stock", "patched", "ratio"
			printf "%-8s %-7s | %36s | %32s\n", "size", "op", "guest instructions", "wall time"
		}
		last = title
		row(keys[i], f[3], f[4])
	}
	print "\nInstructions are path length, not cache, TLB or barrier cost; medians."
}

function row(key, bytes, op,    si, pi, sw, pw) {
	si = median["stock-icount", key]
	pi = median["patched-icount", key]
	sw = median["stock-wall", key]
	pw = median["patched-wall", key]
	printf "%-8s %-7s | %13s %13s %8s | %11s %11s %8s\n", size_of(bytes), op,
		commas(si), commas(pi), ratio(si, pi), time_of(sw), time_of(pw), ratio(sw, pw)
}

function write_json(    i, j, f, part, sep) {
	printf "{\n  \"schema\": \"vmap-results\", \"version\": 1,\n" > json
	printf "  \"series\": \"%s\", \"arch\": \"%s\",\n  \"results\": [\n", series, arch > json
	for (i = 1; i <= nruns; i++) {
		split(runs[i], part, "-")
		for (j = 1; j <= nkeys; j++) {
			split(keys[j], f, FS)
			printf "%s    { \"variant\": \"%s\", \"mode\": \"%s\", \"unit\": \"%s\", ", sep, part[1], part[2], part[2] == "icount" ? "instructions" : "ns" > json
			printf "\"user\": \"%s\", \"layout\": \"%s\", \"op\": \"%s\", \"bytes\": %s, ", f[1], f[2], f[4], f[3] > json
			printf "\"rounds\": %s, \"min\": %s, \"median\": %s, \"max\": %s }", rounds[runs[i], keys[j]], min[runs[i], keys[j]], median[runs[i], keys[j]], max[runs[i], keys[j]] > json
			sep = ",\n"
		}
	}
	printf "\n  ]\n}\n" > json
	if (close(json))
		fail(json ": cannot be written")
}
