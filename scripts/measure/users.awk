# SPDX-License-Identifier: GPL-2.0-only
# users.awk STOCK PATCHED: what real users of dma_buf_vmap() cost, stock beside
# patched, from the ports of two guests under icount, lines separated by tabs:
#	bench user layout op bytes rounds min median max
#	share user bytes percent
# -v tap=FILE: writes there, as TAP, whether a commit of 128 MiB by vkms costs the
# heap at most a fiftieth of stock's instructions.

function commas(n,    s) {
	s = sprintf("%.0f", n)
	while (match(s, /^[0-9]+[0-9][0-9][0-9]/))
		s = substr(s, 1, RLENGTH - 3) "," substr(s, RLENGTH - 2)
	return s
}

function size_of(bytes) {
	if (bytes >= 1073741824 && bytes % 1073741824 == 0)
		return bytes / 1073741824 " GiB"
	if (bytes >= 1048576 && bytes % 1048576 == 0)
		return bytes / 1048576 " MiB"
	if (bytes >= 1024 && bytes % 1024 == 0)
		return bytes / 1024 " KiB"
	return bytes " B"
}

function ratio(key) {
	return value["patched", key] > 0 ? value["stock", key] / value["patched", key] : 0
}

function pair(key) {
	return sprintf(" | %11s %9s %7.1fx", commas(value["stock", key]),
		commas(value["patched", key]), ratio(key))
}

function bound(user,    key, ok) {
	key = user FS 134217728 FS "heap-vmap"
	ok = ratio(key) >= 50 ? "ok" : "not ok"
	printf "%s %d - %s, 128 MiB: system_heap_vmap takes a fiftieth of stock or less: %s of %s\n", \
		ok, ++bounds, user, commas(value["patched", key]), commas(value["stock", key]) >tap
}

BEGIN {
	FS = "\t"
}

{
	kernel = FILENAME == ARGV[1] ? "stock" : "patched"
}

$1 == "bench" && ($4 ~ /^heap-/ || $4 == "map") {
	if (!(($2, $5) in seen)) {
		seen[$2, $5] = 1
		user[++rows] = $2
		bytes[rows] = $5
	}
	value[kernel, $2 FS $5 FS $4] = $8
}

$1 == "share" {
	share[kernel, $2 FS $3] = $4
}

END {
	printf "%-15s %7s | %30s | %30s | %30s | %s\n", "guest instructions", "", \
		"PREPARE_BUF, commit    ", "system_heap_vmap      ", \
		"system_heap_vunmap     ", "its share"
	printf "%-15s %10s", "user", "size"
	for (i = 0; i < 3; i++)
		printf " | %11s %9s %8s", "stock", "patched", "ratio"
	print " |  stock patched"
	for (i = 1; i <= rows; i++) {
		key = user[i] FS bytes[i]
		printf "%-15s %10s%s%s%s | %5.1f%% %6.1f%%\n", user[i], size_of(bytes[i]), \
			pair(key FS "map"), pair(key FS "heap-vmap"), pair(key FS "heap-vunmap"), \
			share["stock", key], share["patched", key]
	}
	if (tap) {
		print "TAP version 13\n1..2" >tap
		bound("vkms-atomic")
		bound("vkms-legacy")
	}
}
