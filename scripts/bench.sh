#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh SERIES ARCH "VARIANT..." PART...: run the bench in each variant
#
# PART: icount   buffers of the heap, layouts of memory, and lib/test_vmalloc.c
#       runs     layouts of memory in runs of few pages
#       sizes    how the cost grows up to 1 GiB, of buffers and of layouts
#       frag     buffers of memory that is in pieces
#       users    DRM and V4L2, which take modules
#       wall     the time of heap buffers; wall-layouts, wall-frag, wall-users
#                that of the others
# All but wall* count instructions.  What a part prints is
# $OUT/$TREE-ARCH/log/VARIANT-bench-PART.port, and the jobs that did are
# log/bench-PART.jobs.  No result of an earlier run of the same part survives.

set -eu
. "$(dirname "$0")/lib.sh"

tests=/kselftest/dmabuf-heaps
MIB=1048576

[ $# -ge 4 ] || die "usage: bench.sh SERIES ARCH \"VARIANT...\" PART..."
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
	runs) echo run $tests/vmap_layouts -r 3 runs ;;
	sizes)
		# shellcheck disable=SC2046 # lists
		echo run $tests/vmap_bench -r 2 $(mib 4 16 64 256 1024) + \
			run $tests/vmap_layouts -r 3 -e sg \
			-b "65536,$(mib 1 8 1024 | paste -sd ,)" run 1m 64k 4k-scattered
		;;
	frag | wall-frag) echo run $tests/heap_frag -b ;;
	users | wall-users)
		# each queue of the V4L2 drivers takes its time
		echo "run $tests/drm_vkms -f commit + run $tests/v4l2_prepare -v 64_KiB -v 8_MiB -v 128_MiB"
		;;
	wall) echo run $tests/vmap_bench -r 9 ;;
	wall-layouts) echo run $tests/vmap_layouts -r 9 run 1m 64k 4k-scattered page ;;
	*) die "$1: no such part" ;;
	esac
}

# run VARIANT PART: 1 GiB of memory in blocks that are apart is found in 8 GiB only
run() {
	mode=icount
	memory=
	case $2 in
	wall*) mode=wall ;;
	sizes) memory=8G ;;
	esac
	say "$1 $series $arch, $2"
	# shellcheck disable=SC2086 # a list
	MEMORY=$memory "$top/scripts/boot.sh" "$series" "$arch" "$1" $mode "bench-$2" $jobs
}

# On a busy machine an emulated guest may fail to calibrate its clock
coarse() {
	grep -qs 'clock is too coarse' "$out/log/$1-bench-$2.port"
}

for part; do
	rm -f "$out/log/"*"-bench-$part.port" "$out/log/bench-$part.jobs"
	jobs=$(jobs "$part")
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
	echo "$jobs" >"$out/log/bench-$part.jobs"
done
