#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# native.sh SERIES ARCH: the walk of stock and of ours, timed on this processor
#
# Instructions say nothing of caches and of what a processor does side by side, and
# the times of an emulated guest say nothing at all.  So native.c is linked with the
# object of each kernel that has the walk, and runs that loop as a program.  Prints ns
# a page of 128 MiB, the medians of RUNS runs of each program, in turns, on one CPU.

set -eu
. "$(dirname "$0")/../lib.sh"

RUNS=${RUNS:-5}
ROUNDS=101

# object VARIANT FILE: built, and where it is
object() {
	"$top/scripts/build/build.sh" "$series" "$arch" "$1" kmake "$2" >"$out/log/native-$1.log" 2>&1 ||
		die "$2 of $1 does not build, log: $out/log/native-$1.log"
	echo "$out/$1/$2"
}

# program VARIANT FILE...: what it refers to and the loop never reaches stays undefined
program() {
	variant=$1
	shift
	gcc -O2 -Wall -fno-pie -no-pie -fcf-protection=none -o "$dir/$variant" "$top/scripts/measure/native.c" \
		"$@" -Wl,--unresolved-symbols=ignore-all,-z,noexecstack,--no-warnings 2>"$dir/$variant.log" ||
		die "$variant does not link, log: $dir/$variant.log"
}

# table: of lines "VARIANT LAYOUT NS"
table() {
	awk -F '\t' -v processor="$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" '
		function median(key,    i, j, n, t, a) {
			n = split(all[key], a, " ")
			for (i = 2; i <= n; i++)
				for (j = i; j > 1 && a[j - 1] + 0 > a[j] + 0; j--) {
					t = a[j]
					a[j] = a[j - 1]
					a[j - 1] = t
				}
			return a[int((n + 1) / 2)]
		}
		!($2 in seen) { seen[$2]; name[++n] = $2 }
		{ all[$1, $2] = all[$1, $2] " " $3 }
		END {
			print "ns a page on " processor
			printf "%-24s %8s %8s %8s\n", "layout", "stock", "patched", "ratio"
			for (i = 1; i <= n; i++) {
				stock = median("stock" SUBSEP name[i])
				ours = median("patched" SUBSEP name[i])
				printf "%-24s %8.2f %8.2f %7.2fx\n", name[i], stock, ours, stock / ours
			}
		}'
}

[ $# = 2 ] || die "usage: native.sh SERIES ARCH"
series=$1
arch=$2
out=$OUT/${TREE:-$series}-$arch
dir=$out/native
[ "$arch/$(uname -m)" = x86_64/x86_64 ] || die "only for x86_64, on x86_64"
mkdir -p "$dir" "$out/log"
scatterlist=$(object stock lib/scatterlist.o)
stock=$(object stock mm/vmalloc.o)
patched=$(object patched mm/vmap.o)
program stock "$stock" "$scatterlist"
program patched "$patched" "$scatterlist"
i=0
while [ $i -lt "$RUNS" ]; do
	for variant in stock patched; do
		taskset -c "${CPU:-0}" "$dir/$variant" $ROUNDS >"$dir/out" || die "$variant failed"
		sed "s/^/$variant	/" "$dir/out"
	done
	i=$((i + 1))
done | table
