#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# remote.sh SERIES ARCH VARIANT STEP...: run our tests on a device that runs that
# kernel, and bring the results back
#
# STEP: bench      times of buffers and layouts; with those of stock, the table
#       kselftest  every selftest of dmabuf-heaps
#
# DEVICE      ssh:[USER@]HOST  a board, by key; SSH has options, such as -p 2222
#             adb[:SERIAL]     an Android device, as root
#             serial:LINE      a shell on a serial line or a guest's socket
# DEVICE_DIR  where to put things there, /data/local/tmp/vmap for adb, else /tmp/vmap
# BENCH       arguments of vmap_bench, -r 9 unless set
#
# Results are log/VARIANT-bench-remote.port, log/VARIANT-kselftest-remote.ktap, and
# remote.json and remote.md, in $OUT/$TREE-ARCH.  Times are wall time.

set -eu
. "$(dirname "$0")/../lib.sh"

# device COMMAND: run it there
device() {
	# shellcheck disable=SC2086 # options
	case $DEVICE in
	ssh:?*) ssh -o BatchMode=yes ${SSH-} "${DEVICE#ssh:}" "$1" ;;
	adb) adb shell -T "$1" ;;
	adb:?*) adb -s "${DEVICE#adb:}" shell -T "$1" ;;
	serial:?*) "$top/scripts/lab/serial-sh.pl" "${DEVICE#serial:}" "$1" ;;
	esac
}

# ask COMMAND: what it prints, of a device that may be silent
ask() {
	device "$1" </dev/null || die "DEVICE=$DEVICE: cannot run a command there"
}

# fits: it runs the kernel that it should, with what the tests need
fits() {
	# shellcheck disable=SC2016 # for the shell there
	release=$(ask 'echo $(uname -r) $(uname -m)') || exit 1
	case $release in
	"$series".*) ;;
	*) die "DEVICE=$DEVICE: runs $release, not $series" ;;
	esac
	case $release,$arch in
	*" x86_64,x86_64" | *" aarch64,arm64" | *" armv8l,arm64") ;;
	*) die "DEVICE=$DEVICE: runs $release, not ARCH=$arch" ;;
	esac
	# shellcheck disable=SC2016 # for the shell there
	said=$(ask '[ -d /sys/kernel/debug/dma_buf ] || mount -t debugfs none /sys/kernel/debug 2>/dev/null
		[ -e /sys/kernel/debug/dma_buf_vmap_test ] ||
			echo "no dma_buf_vmap_test in debugfs (root? CONFIG_DMABUF_VMAP_TEST?)"
		[ -e /dev/dma_heap/system ] || echo "no /dev/dma_heap/system"
		if grep -q " T vmap_sg$" /proc/kallsyms; then echo vmap_sg; fi') || exit 1
	case $said in
	*no*) die "DEVICE=$DEVICE: $(echo "$said" | grep no | paste -sd ,)" ;;
	esac
	case $variant/$said in
	patched/vmap_sg | stock/ | rfc/) ;;
	*) die "DEVICE=$DEVICE: its kernel ${said:+has $said, }is not $variant" ;;
	esac
	say "$DEVICE: $release, $variant"
}

# push FILE...: of the kselftests, into a new directory there
push() {
	tar -C "$out/kselftest" -czf - "$@" |
		device "rm -rf $dir && mkdir -p $dir && cd $dir && gunzip | tar -xf -" ||
		die "DEVICE=$DEVICE: $dir cannot be filled; set DEVICE_DIR"
}

bench() {
	push dmabuf-heaps/vmap_bench dmabuf-heaps/vmap_layouts
	log=$out/log/$variant-bench-remote.port
	jobs="vmap_bench ${BENCH--r 9} && ./vmap_layouts -r 9 run 1m 64k 4k-scattered page"
	say "$jobs"
	device "cd $dir/dmabuf-heaps && ./$jobs" </dev/null >"$log" ||
		die "the bench failed on $DEVICE, log: $log"
	echo "$release: $jobs" >"$out/log/bench-remote.jobs"
	if [ "$variant" = stock ] || [ ! -e "$out/log/stock-bench-remote.port" ]; then
		say "$log: with that of the other kernel there is a table"
		return
	fi
	RESULTS=remote "$top/scripts/report/report.sh" "$series" "$arch" "stock $variant" remote remote
}

kselftest() {
	push .
	log=$out/log/$variant-kselftest-remote.ktap
	say "run_kselftest.sh -c dmabuf-heaps"
	device "cd $dir && ./run_kselftest.sh -c dmabuf-heaps" </dev/null >"$log" || :
	"$top/scripts/guest/ktap.pl" "$log"
}

[ $# -ge 4 ] || die "usage: remote.sh SERIES ARCH VARIANT bench|kselftest..."
series=$1
arch=$2
variant=$3
shift 3
out=$OUT/${TREE:-$series}-$arch
case ${DEVICE-} in
adb | adb:?*) dir=${DEVICE_DIR:-/data/local/tmp/vmap} ;;
ssh:?* | serial:?*) dir=${DEVICE_DIR:-/tmp/vmap} ;;
*) die "DEVICE=${DEVICE-}: not ssh:[USER@]HOST, adb[:SERIAL] or serial:LINE" ;;
esac
[ -d "$out/kselftest" ] || die "$out/kselftest: not there, run make kselftest"
mkdir -p "$out/log"
fits
for step; do
	case $step in
	bench) bench ;;
	kselftest) kselftest ;;
	*) die "$step: not bench or kselftest" ;;
	esac
done
