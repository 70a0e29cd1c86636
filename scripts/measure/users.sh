#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# users.sh SERIES ARCH VARIANT [TAP]: what real users of dma_buf_vmap() cost, in
# guest instructions, stock beside the variant
#
# With TAP, a file, only the commits of 128 MiB, and whether they are as fast as
# they have to be; else every user and size, which takes some minutes.

set -eu
. "$(dirname "$0")/../lib.sh"

# users KERNEL JOB...: in one guest, whose port is then in the log
users() {
	kernel=$1
	shift
	note "$kernel $series $arch, icount"
	"$top/scripts/guest/boot.sh" "$series" "$arch" "$kernel" icount users "$@" ||
		die "the users failed in $kernel, logs: $out/log/$kernel-users.*"
}

[ $# -ge 3 ] || die "usage: users.sh SERIES ARCH VARIANT [TAP]"
series=$1
arch=$2
variant=$3
tap=${4-}
out=$OUT/${TREE:-$series}-$arch
tests=/kselftest/dmabuf-heaps
rm -f "$out/log/stock-users.port" "$out/log/$variant-users.port"
for v in stock "$variant"; do
	if [ "$tap" ]; then
		users "$v" run $tests/drm_vkms -v 128_MiB
	else
		users "$v" run $tests/drm_vkms -f commit + run $tests/v4l2_prepare -f prepare
	fi
done
awk -v tap="$tap" -f "$top/scripts/measure/users.awk" \
	"$out/log/stock-users.port" "$out/log/$variant-users.port"
