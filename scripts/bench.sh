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

for mode; do
	for variant in stock patched; do
		say "$variant $series $arch, $mode"
		"$top/scripts/boot.sh" "$series" "$arch" "$variant" "$mode" "bench-$mode" \
			run /kselftest/dmabuf-heaps/vmap_bench ||
			die "the bench failed in $variant, logs: $out/log/$variant-bench-$mode.*"
	done
done
