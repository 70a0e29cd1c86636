#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check.sh SERIES ARCH: every test; the last line is "N passed, N failed[, N skipped]"
#
# Results are TAP or KTAP files in $OUT/$TREE-ARCH/check, summed by ktap.

set -eu
. "$(dirname "$0")/lib.sh"

# Seconds from starting QEMU until the first test runs
BOOT_LIMIT=10

# host_tests: the harness tests itself; a script that ends badly is a failure
host_tests() {
	for t in "$top"/scripts/tests/run.sh "$top"/scripts/tests/*.test.sh; do
		name=${t##*/}
		name=${name%.sh}
		say "scripts/tests/${t##*/}"
		status=0
		"$t" "$OUT/host" >"$results/$name.tap" || status=$?
		if [ $status != 0 ] && ! grep -q '^not ok' "$results/$name.tap"; then
			echo "not ok 9999 - scripts/tests/${t##*/} ended with status $status" \
				>>"$results/$name.tap"
		fi
	done
}

# run_jobs VARIANT NAME JOB...: a guest's tests are those of its port; that it
# ended well is a test of its own
run_jobs() {
	variant=$1
	name=$2
	shift 2
	say "$variant $series $arch: $*"
	status=0
	"$top/scripts/boot.sh" "$series" "$arch" "$variant" wall "$name" "$@" || status=$?
	guest_ended "$variant" "$name" "$status"
	[ ! -e "$out/log/$variant-$name.port" ] ||
		cp "$out/log/$variant-$name.port" "$results/$variant-$name.ktap"
}

# guest_ended VARIANT NAME STATUS: vm-run's 1 is a failed test, counted elsewhere
guest_ended() {
	case $3 in
	0 | 1) ok=ok ;;
	2) ok="not ok" outcome="vm-run was misused" ;;
	3) ok="not ok" outcome="kernel splat" ;;
	4) ok="not ok" outcome="guest lost" ;;
	5) ok="not ok" outcome="did not boot" ;;
	6) ok="not ok" outcome="a stage hung" ;;
	*) ok="not ok" outcome="status $3" ;;
	esac
	printf 'TAP version 13\n1..1\n%s 1 - %s %s: guest ends well%s\n' "$ok" "$1" "$2" \
		"${outcome:+ ($outcome)}" >"$results/$1-$2-guest.tap"
	outcome=
}

# boot_time: how long until a first program has run
boot_time() {
	start=$(date +%s%N)
	status=0
	"$top/scripts/boot.sh" "$series" "$arch" patched wall boot run true || status=$?
	ms=$((($(date +%s%N) - start) / 1000000))
	ok=ok
	[ $status = 0 ] && [ $ms -lt $((BOOT_LIMIT * 1000)) ] || ok="not ok"
	printf 'TAP version 13\n1..1\n%s 1 - boots and runs a first program in under %d s: %d ms\n' \
		"$ok" $BOOT_LIMIT $ms >"$results/boot.tap"
}

bench() {
	status=0
	"$top/scripts/bench.sh" "$series" "$arch" icount || status=$?
	set -- "$out/log/stock-bench-icount.port" "$out/log/patched-bench-icount.port"
	for f; do
		[ -e "$f" ] || : >"$f"
	done
	awk -f "$top/scripts/bounds.awk" "$@" >"$results/bounds.tap"
	printf 'TAP version 13\n1..1\n%s 1 - the bench runs\n' \
		"$([ $status = 0 ] && echo ok || echo 'not ok')" >"$results/bench.tap"
}

[ $# = 2 ] || die "usage: check.sh SERIES ARCH"
series=$1
arch=$2
out=$OUT/${TREE:-$series}-$arch
results=$out/check
rm -rf "$results"
mkdir -p "$results"

host_tests
boot_time
run_jobs patched kunit kunit
run_jobs patched kselftest kselftest -c dmabuf-heaps
run_jobs stock kselftest kselftest -c dmabuf-heaps
bench
cd "$results"
"$OUT/host/ktap" ./*.tap ./*.ktap
