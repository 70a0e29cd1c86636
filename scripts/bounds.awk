# SPDX-License-Identifier: GPL-2.0-only
# bounds.awk STOCK PATCHED: check icount runs of vmap_bench, 128 MiB; prints TAP
#
# The patched kernel has to stay below a bound.  The stock kernel has to be where
# it was measured before: if not, the measurement is broken.

function bound(what, value, ok) {
	printf "%sok %d - %s: %s instructions\n", ok ? "" : "not ", ++n, what,
		value == "" ? "no" : value
}

function at_most(op, limit,    v) {
	v = median[2, op]
	bound("128 MiB " op " patched, at most " limit, v, v != "" && v + 0 > 0 && v + 0 <= limit)
}

function near(op, known,    v) {
	v = median[1, op]
	bound("128 MiB " op " stock, " known " within 10%", v,
		v != "" && v >= known * 0.9 && v <= known * 1.1)
}

BEGIN {
	FS = "\t"
	print "TAP version 13"
	print "1..4"
}

$1 == "bench" && $2 == "kernel" && $3 == "fresh" && $5 == 134217728 {
	median[FILENAME == ARGV[1] ? 1 : 2, $4] = $8
}

END {
	at_most("vmap", 30000)
	at_most("vunmap", 4000)
	near("vmap", 3486709)
	near("vunmap", 334973)
}
