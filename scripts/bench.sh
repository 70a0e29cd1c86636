#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh SERIES ARCH "VARIANT..." PART...: run the bench in each variant
#
# PART: icount  buffers of the heap, layouts of memory, and lib/test_vmalloc.c
#       sizes   how the cost grows up to 1 GiB, counted as well
#       wall    the time of heap buffers
# What a part prints is $OUT/$TREE-ARCH/log/VARIANT-bench-PART.port.  No result
# of an earlier run of the same part survives.

set -eu
. "$(dirname "$0")/lib.sh"

tests=/kselftest/dmabuf-heaps
MIB=1048576

[ $# -ge 4 ] || die "usage: bench.sh SERIES ARCH \"VARIANT...\" icount|sizes|wall..."
series=$1
arch=$2
variants=$3
shift 3
out=$OUT/${TREE:-$series}-$arch
rm -f "$out/results.json"

# mib N...: in bytes
mib() {
	for n; do
		echo $((n * MIB))
	done
}

# jobs PART: instructions repeat, time does not, hence its rounds
jobs() {
	case $1 in
	icount)
		echo "run $tests/vmap_bench -r 5 + run $tests/vmap_layouts -r 3 +" \
			"run /bin/test_vmalloc 1"
		;;
	sizes)
		# shellcheck disable=SC2046 # lists
		echo run $tests/vmap_bench -r 2 $(mib 4 16 64 256 1024) + \
			run $tests/vmap_layouts -r 3 -b "$(mib 4 16 64 256 1024 | paste -sd ,)" run 4m
		;;
	wall) echo run $tests/vmap_bench -r 9 ;;
	*) die "$1: no such part" ;;
	esac
}

# run VARIANT PART: 1 GiB of contiguous memory is found in 6 GiB only
run() {
	case $2 in
	wall) mode=wall memory= ;;
	sizes) mode=icount memory=6G ;;
	*) mode=icount memory= ;;
	esac
	say "$1 $series $arch, $2"
	# shellcheck disable=SC2046 # a list
	MEMORY=$memory "$top/scripts/boot.sh" "$series" "$arch" "$1" $mode "bench-$2" $(jobs "$2")
}

# On a busy machine an emulated guest may fail to calibrate its clock
coarse() {
	grep -qs 'clock is too coarse' "$out/log/$1-bench-$2.port"
}

for part; do
	rm -f "$out/log/"*"-bench-$part.port"
	for variant in $variants; do
		tries=1
		until run "$variant" "$part"; do
			if [ $tries = 3 ] || ! coarse "$variant" "$part"; then
				die "the bench failed in $variant, logs: $out/log/$variant-bench-$part.*"
			fi
			tries=$((tries + 1))
			say "the guest's clock is too coarse, try $tries of 3"
		done
	done
done
