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
	echo "ns a page on $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
	jq -L "$top/scripts/report" -nRr 'include "figures";
		[inputs / "\t"] as $all |
		def median($of): [$all[] | select(.[:2] == $of)[2] | tonumber] | sort | .[length / 2 | floor];
		["layout", "stock", "patched", "ratio"],
		([$all[][1]] | firsts[] | . as $layout |
			["stock", "patched"] | map(median([., $layout])) | [$layout] + . + [.[0] / .[1]]) | @tsv' |
		awk -F '\t' -v form='%-24s %8.2f %8.2f %7.2fx\n' '
			NR == 1 { printf "%-24s %8s %8s %8s\n", $1, $2, $3, $4; next }
			{ printf form, $1, $2, $3, $4 }'
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
