#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh SERIES ARCH MODE...: run the bench in stock and patched, in each MODE
#
# MODE is icount or wall, see boot.sh.  No result of an earlier run survives.

set -eu
. "$(dirname "$0")/lib.sh"

[ $# -ge 3 ] || die "usage: bench.sh SERIES ARCH icount|wall..."
series=$1
arch=$2
shift 2
out=$OUT/${TREE:-$series}-$arch
rm -f "$out/results.json" "$out/log/"*-bench-*.port

# rounds MODE: instructions repeat, time does not
rounds() {
	if [ "$1" = icount ]; then echo 5; else echo 9; fi
}

# run VARIANT MODE: the bench in one guest, whose port is then in the log
run() {
	say "$1 $series $arch, $2"
	"$top/scripts/boot.sh" "$series" "$arch" "$1" "$2" "bench-$2" \
		run /kselftest/dmabuf-heaps/vmap_bench -r "$(rounds "$2")"
}

# On a busy machine an emulated guest may fail to calibrate its clock
coarse() {
	grep -qs 'clock is too coarse' "$out/log/$1-bench-$2.port"
}

for mode; do
	for variant in stock patched; do
		tries=1
		until run "$variant" "$mode"; do
			if [ $tries = 3 ] || ! coarse "$variant" "$mode"; then
				die "the bench failed in $variant, logs: $out/log/$variant-bench-$mode.*"
			fi
			tries=$((tries + 1))
			say "the guest's clock is too coarse, try $tries of 3"
		done
	done
done
