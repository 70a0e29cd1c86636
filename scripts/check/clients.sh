#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# clients.sh SERIES ARCH VARIANT: v4l2-compliance and stress-ng, as Debian has them, in
# stock and in VARIANT; a line that differs is a failure
#
# The programs are this machine's, so its guests have to be of its architecture.
# Results are in $OUT/$TREE-ARCH/clients, what each has said in log/KERNEL-clients.port.

set -eu
. "$(dirname "$0")/../lib.sh"

PROGRAMS="v4l2-compliance stress-ng"
# Seconds for all of them
LIMIT=1800

# programs: where they are, or the line to run
programs() {
	for name in $PROGRAMS; do
		command -v "$name" ||
			die "$name: not found; run: apt-get install v4l-utils stress-ng"
	done
}

# said KERNEL: what its guest printed, but for notes
said() {
	grep -v -e '^#' -e '^@@' "$out/log/$1-clients.port" | sort
}

# compare: TAP, with what differs
compare() {
	said stock >"$results/stock"
	said "$variant" >"$results/$variant"
	ok=ok
	[ "$(wc -l <"$results/stock")" -ge 100 ] && diff "$results/stock" "$results/$variant" \
		>"$results/diff" || ok="not ok"
	printf 'TAP version 13\n1..1\n'
	sed 's/^/# /' "$results/diff"
	echo "$ok 1 - clients print the same in $variant as in stock: $(wc -l <"$results/stock") lines"
}

[ $# = 3 ] || die "usage: clients.sh SERIES ARCH VARIANT"
series=$1
arch=$2
variant=$3
out=$OUT/${TREE:-$series}-$arch
results=$out/clients
[ -z "$(cross_of "$arch")" ] || die "only where guests are of this machine's architecture"
rm -rf "$results"
mkdir -p "$results"
programs >"$results/programs"
# shellcheck disable=SC2046 # paths without blanks
GEN_INIT_CPIO=$out/stock/usr/gen_init_cpio "$top/scripts/guest/initramfs.sh" \
	"$out/initramfs-clients.cpio" "$out/kselftest" "$OUT/host/init-$arch" \
	"$top/scripts/guest/bin/clients.sh" $(cat "$results/programs")
for kernel in stock "$variant"; do
	say "clients in $kernel $series $arch"
	INITRAMFS=$out/initramfs-clients.cpio RUN_LIMIT=$LIMIT "$top/scripts/guest/boot.sh" \
		"$series" "$arch" "$kernel" wall clients run clients || :
done
compare >"$results/clients.tap"
"$top/scripts/guest/ktap.pl" "$results/clients.tap"
