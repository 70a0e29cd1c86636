#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh SERIES ARCH "VARIANT..." PART...: run the bench in each variant
#
# PART: icount   buffers of the heap, layouts of memory, and lib/test_vmalloc.c
#       runs     layouts of memory in runs of few pages
#       sizes    how the cost grows up to 1 GiB, of buffers and of layouts
#       life     the life of a buffer of memory that the heap has kept
#       frag     buffers of memory that is in pieces
#       exporters  buffers of the CMA heap and of udmabuf
#       iommu    device mappings of heap buffers, behind an IOMMU, of kernels of a
#                flavour of their own; not of the RFC, where they are as in stock
#       users    DRM and V4L2, which take modules; commit is what make check looks at
#       wall     the time of heap buffers; wall-layouts, wall-frag, wall-users
#                that of the others
# All but wall* count instructions.  Time says nothing of an emulated machine, so
# wall* are left out there.  What a part prints is
# $OUT/$TREE-ARCH/log/VARIANT-bench-PART.port, and the jobs that did are
# log/bench-PART.jobs.  No result of an earlier run of the same part survives.

set -eu
. "$(dirname "$0")/../lib.sh"

tests=/kselftest/dmabuf-heaps
MIB=1048576
# With what a machine with an IOMMU takes; the same as in shapes.list, to build it once
IOMMU_FLAVOUR=hugetlb-iommu-numa

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
	life) echo run $tests/heap_life -r 5 ;;
	frag | wall-frag) echo run $tests/heap_frag -b ;;
	exporters) echo run $tests/vmap_exporters -t maps_repeatedly ;;
	iommu)
		echo "run $tests/attach_bench + run $tests/heap_frag -i -o 8 +" \
			"run $tests/heap_frag -i"
		;;
	commit) echo run $tests/drm_vkms -v 128_MiB ;;
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
	append=
	qemu=
	kernel=$1
	# What is measured must not depend on what was built of the modules
	modules=no
	case $2 in
	wall-users) mode=wall modules= ;;
	wall*) mode=wall ;;
	users | commit) modules= ;;
	sizes) memory=8G ;;
	exporters) append=cma=256M ;;
	iommu)
		kernel=$1-$IOMMU_FLAVOUR
		qemu=$(iommu)
		"$top/scripts/build/build.sh" "$series" "$arch" "$kernel" || return
		;;
	esac
	if [ "$2" = icount ]; then
		step "bench-$1" "measure the $1 kernel, in a guest"
	else
		say "$1 $series $arch, $2"
	fi
	# shellcheck disable=SC2086 # a list
	MODULES=$modules MEMORY=$memory APPEND=$append QEMU_ARGS=$qemu "$top/scripts/guest/boot.sh" "$series" "$arch" \
		"$kernel" $mode "bench-$2" $jobs || return
	[ "$kernel" = "$1" ] || cp "$out/log/$kernel-bench-$2.port" "$out/log/$1-bench-$2.port"
}

# iommu: what has QEMU put one in front of PCI devices
iommu() {
	case $arch in
	x86_64) echo "-device intel-iommu" ;;
	arm64) echo "-machine iommu=smmuv3" ;;
	esac
}

# A guest whose clock is that of ticks has no times
coarse() {
	grep -qs 'clock is too coarse' "$out/log/$1-bench-$2.port"
}

# is_left_out PART: because time is not measured here
is_left_out() {
	case $1 in
	wall*) [ "$("$top/scripts/guest/boot.sh" "$series" "$arch" stock accel)" = tcg ] ;;
	*) false ;;
	esac
}

for part; do
	rm -f "$out/log/"*"-bench-$part.port" "$out/log/bench-$part.jobs"
	jobs=$(jobs "$part")
	if is_left_out "$part"; then
		note "$part: not measured, guests are emulated here"
		continue
	fi
	for variant in $variants; do
		[ "$variant,$part" != rfc,iommu ] || continue
		run "$variant" "$part" && continue
		coarse "$variant" "$part" ||
			die "the bench failed in $variant, logs: $out/log/$variant-bench-$part.*"
		say "$part: not measured, the guest's clock is too coarse"
		jobs=
		break
	done
	[ -z "$jobs" ] || echo "$jobs" >"$out/log/bench-$part.jobs"
done
