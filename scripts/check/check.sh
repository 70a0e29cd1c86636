#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check.sh SERIES ARCH VARIANT: every test of the variant, beside stock; the last
# line is "N passed, N failed[, N skipped]"
#
# FLAVOURS	flavours of the patched kernel to test instead, see build.sh; most are
#		without the selftests that need drivers
# SCOPE		brief: what may go wrong with another kernel or on another
#		architecture; not the tests of the harness, nor those of stock
# TEST		only this: kunit, host, or COLLECTION:PROGRAM of the kselftests,
#		in the variant; or failed: what failed the last time, where it did
# ARGS		arguments of that program, as -t NAME
#
# Results are TAP or KTAP files in $OUT/$TREE-ARCH/check, or check-FLAVOUR, summed
# by ktap, which writes them to junit.xml there as well.

set -eu
. "$(dirname "$0")/../lib.sh"

# Seconds from starting QEMU until the first test runs
BOOT_LIMIT=10
# and a program of the selftests may take in a kernel that checks itself
FLAVOUR_LIMIT=3000
# Selftests that need real users of dma_buf_vmap()
USERS='drm_|v4l2_|dmabuf_users'

# host_tests: the harness tests itself; a script that ends badly is a failure
host_tests() {
	step harness "test the harness itself"
	for t in "$top"/scripts/tests/run.sh "$top"/scripts/tests/*.test.sh; do
		name=${t##*/}
		name=${name%.sh}
		note "scripts/tests/${t##*/}"
		status=0
		"$t" "$OUT/host" >"$results/$name.tap" || status=$?
		if [ $status != 0 ] && ! grep -q '^not ok' "$results/$name.tap"; then
			echo "not ok 9999 - scripts/tests/${t##*/} ended with status $status" \
				>>"$results/$name.tap"
		fi
	done
}

# run_jobs KERNEL NAME JOB...: a guest's tests are those of its port; that it
# ended well is a test of its own
run_jobs() {
	kernel=$1
	name=$2
	shift 2
	step "$name-$kernel" "run $name in the $kernel kernel"
	note "$kernel $series $arch: $*"
	status=0
	"$top/scripts/guest/boot.sh" "$series" "$arch" "$kernel" wall "$name" "$@" || status=$?
	guest_ended "$kernel" "$name" "$status"
	keep_port "$kernel" "$name"
}

# keep_port KERNEL NAME: what the guest has said is counted
keep_port() {
	[ ! -e "$out/log/$1-$2.port" ] || cp "$out/log/$1-$2.port" "$results/$1-$2.ktap"
}

# guest_ended KERNEL NAME STATUS: vm-run's 1 is a failed test, counted elsewhere.
# What it says of other ends is shown once more with the sum.
guest_ended() {
	ok=ok
	outcome=
	case $3 in
	0 | 1) ;;
	*)
		ok="not ok"
		outcome="status $3"
		if [ -e "$out/log/$1-$2.outcome" ]; then
			cp "$out/log/$1-$2.outcome" "$results/$1-$2.outcome"
			outcome=$(sed -n '$s/^vm-run: //p' "$out/log/$1-$2.outcome" | tr '#()' '   ')
		fi
		;;
	esac
	printf 'TAP version 13\n1..3\n%s 1 - %s %s: guest shuts down cleanly%s\n' "$ok" "$1" "$2" \
		"${outcome:+ ($outcome)}" >"$results/$1-$2-guest.tap"
	# A cache that is wrong about one file may put an old kernel into a new image
	ok="not ok"
	! grep -aqs "Linux version .* #$(cat "$out/$1/.version") " "$out/log/$1-$2.console" || ok=ok
	echo "$ok 2 - $1 $2: runs the kernel of the last build" >>"$results/$1-$2-guest.tap"
	ok="not ok"
	! grep -aqs "Brought up .* 2 CPUs" "$out/log/$1-$2.console" || ok=ok
	echo "$ok 3 - $1 $2: has two CPUs, so that they can race" >>"$results/$1-$2-guest.tap"
}

# picture VARIANT: what vkms has composed, for a person to look at
picture() {
	png=$out/picture-$1.png
	ok=ok
	pnmtopng -quiet "$out/log/$1-kselftest.ppm" >"$png" 2>/dev/null || ok="not ok"
	printf 'TAP version 13\n1..1\n%s 1 - %s: the picture of vkms is %s\n' "$ok" "$1" \
		"${png##*/}" >"$results/$1-picture.tap"
}

# ran_for KERNEL NAME: how many ms the guest ran, less those that it waited for a CPU
ran_for() {
	awk '/ waited for a CPU: / { waited = $(NF - 1) }
	     / skipped in / { ms = int(($(NF - 1) - waited) * 1000) }
	     END { print ms + 0 }' "$out/log/$1-$2.outcome"
}

# boot_time: how long until a first program has run
boot_time() {
	step boot "boot the $variant kernel"
	ok=ok
	"$top/scripts/guest/boot.sh" "$series" "$arch" "$variant" wall boot run true || ok="not ok"
	ms=$(ran_for "$variant" boot 2>/dev/null) || ms=0
	[ "$ms" -gt 0 ] && [ "$ms" -lt $((BOOT_LIMIT * 1000)) ] || ok="not ok"
	printf 'TAP version 13\n1..1\n%s 1 - boots and runs a first program in under %d s: %d ms\n' \
		"$ok" $BOOT_LIMIT "$ms" >"$results/boot.tap"
}

# flavour NAME: the patched kernel with other options passes the same tests
flavour() {
	steps="build modules"
	tests=$(flavour_says tests "$1" | tr ' ' '\n' | sed 's/^/-t dmabuf-heaps:/')
	! has_no_users "$1" || steps=build
	if [ -n "${TEST-}" ]; then
		tests="-t $TEST"
	elif [ -z "$tests" ] && has_no_users "$1"; then
		tests=$(grep '^dmabuf-heaps:' "$out/kselftest/kselftest-list.txt" |
			grep -vE ":($USERS)" | sed 's/^/-t /')
	fi
	for step in $steps; do
		"$top/scripts/build/build.sh" "$series" "$arch" "patched-$1" "$step" || {
			printf 'TAP version 13\n1..1\nnot ok 1 - patched-%s: %s\n' \
				"$1" "$step" >"$results/patched-$1.tap"
			return
		}
	done
	if [ -n "${ARGS-}" ]; then
		program "patched-$1"
		return
	fi
	# shellcheck disable=SC2086 # a list
	ours "patched-$1" -o "$FLAVOUR_LIMIT" ${tests:--c dmabuf-heaps}
	case $(flavour_says faults "$1"),${TEST:-heap_faults} in
	yes,*heap_faults) faults "patched-$1" ;;
	esac
}

# program KERNEL: TEST alone, with ARGS.  The pool is not used for what is charged.
program() {
	accounting=1
	[ "${TEST#*:}" != heap_pool ] || accounting=0
	# shellcheck disable=SC2086 # words
	APPEND="dma_heap.mem_accounting=$accounting init_on_alloc=0" \
		run_jobs "$1" kselftest run "/kselftest/${TEST%%:*}/${TEST#*:}" $ARGS
}

# faults KERNEL: what heap_faults has made fail, by the traces of calls
faults() {
	awk -f "$top/scripts/check/faults.awk" "$out/log/$1-kselftest.console" >"$results/$1-faults.tap"
}

# The selftest of the pool, in the guest of KUnit: 7.3 charges nobody for buffers there,
# and the page allocator zeroes
POOL="+ run /kselftest/dmabuf-heaps/heap_pool"

# ours KERNEL ARG...: the tests of what is ours, those of the selftests that ARG
# names; or TEST alone
ours() {
	kernel=$1
	shift
	# shellcheck disable=SC2086 # a list
	case $kernel,${TEST:-kunit} in
	rfc,*) ;; # has no KUnit tests
	*,kunit) run_jobs "$kernel" kunit kunit $after_kunit ;;
	esac
	[ "${TEST-}" = kunit ] || run_jobs "$kernel" kselftest kselftest "$@"
}

# long KERNEL: the kernel's own tests as well, and those that use up all memory
long() {
	# shellcheck disable=SC2086 # a list
	run_jobs "$1" kunit run kernel-tests + kunit $after_kunit
	run_jobs "$1" kselftest kselftest -c dmabuf-heaps -c drivers/dma-buf + \
		run /bin/test_vmalloc + run /kselftest/dmabuf-heaps/heap_pressure
	picture "$1"
}

# bench: a kernel too slow, or none of the figures, is a failure
bench() {
	parts="icount runs life exporters"
	# The bound is one for ours
	[ "$variant" != patched ] || parts="$parts commit"
	status=0
	# shellcheck disable=SC2086 # a list
	"$top/scripts/measure/bench.sh" "$series" "$arch" "stock $variant" $parts || status=$?
	for kernel in stock "$variant"; do
		keep_port "$kernel" bench-icount
		for part in $parts; do
			cat "$out/log/$kernel-bench-$part.port" 2>/dev/null || :
		done >"$results/$kernel-bench"
	done
	awk -v variant="$variant" -v kernel="$series-$arch" -f "$top/scripts/measure/bounds.awk" \
		"$results/stock-bench" "$results/$variant-bench" >"$results/bounds.tap"
	printf 'TAP version 13\n1..1\n%s 1 - the bench runs\n' \
		"$([ $status = 0 ] && echo ok || echo 'not ok')" >"$results/bench.tap"
}

# fragmented: the same program where memory is in pieces, ours against stock
fragmented() {
	step fragmented "compare both where memory is in pieces"
	for kernel in stock patched; do
		note "heap_frag in $kernel $series $arch, icount"
		port=$out/log/$kernel-frag.port
		"$top/scripts/guest/boot.sh" "$series" "$arch" "$kernel" icount frag \
			run /kselftest/dmabuf-heaps/heap_frag -b || :
		[ -e "$port" ] || : >"$port"
	done
	awk -v kernel="$series-$arch" -f "$top/scripts/measure/fragmented.awk" "$out/log/stock-frag.port" "$port" \
		>"$results/fragmented.tap"
}

# again FILE: what is in that list, a kernel and a test a line
again() {
	! grep -q ' host$' "$1" || host_tests
	kernels=$(grep -v ' host$' "$1" | cut -d ' ' -f 1 | sort -u)
	for kernel in $kernels; do
		tests=$(sed -n "s/^$kernel \(.*:.*\)/-t \1/p" "$1")
		! grep -qx "$kernel kunit" "$1" || run_jobs "$kernel" kunit kunit
		# shellcheck disable=SC2086 # a list
		[ -z "$tests" ] || run_jobs "$kernel" kselftest kselftest $tests
	done
}

# failures: of what ktap has said, as TEST=failed takes them
failures() {
	sed -n -e 's,^FAILED: \./\([^:]*\)-kselftest\.ktap: selftests: \([^:]*\): \([^ :]*\).*,\1 \2:\3,p' \
		-e 's,^FAILED: \./\([^:]*\)-kunit\(-guest\.tap\|\.ktap\): .*,\1 kunit,p' \
		-e 's,^FAILED: \./\(run\|[^:]*\.test\)\.tap: .*,- host,p' sum | sort -u
}

# verdict ARG...: sum all results
verdict() {
	[ -z "${BEGUN-}" ] || echo "It took $(since "$BEGUN"). Results: $(short "$results")"
	cd "$results"
	show_outcomes .
	show_accepted "$variant"
	status=0
	find . -name '*.*tap' | sort | xargs "$top/scripts/guest/ktap.pl" --junit junit.xml "$@" >sum || status=$?
	failures >failed
	[ ! -s failed ] || say "to run what failed again: make check TEST=failed$again_with"
	cat sum
	return $status
}

[ $# = 3 ] || die "usage: check.sh SERIES ARCH VARIANT"
series=$1
arch=$2
variant=$3
[ "$variant,${TEST-}" != rfc,kunit ] || die "VARIANT=rfc: has no KUnit tests, see overlay.list"
out=$OUT/${TREE:-$series}-$arch
after_kunit=
results=$out/check${FLAVOURS:+-$(echo "$FLAVOURS" | tr ' ' _)}
[ "${TEST-}" != failed ] || [ -s "$results/failed" ] ||
	die "TEST=failed: nothing failed the last time that can be run alone"
last=$(cat "$results/failed" 2>/dev/null) || last=
again_with=" KERNEL=$series ARCH=$arch"
[ -z "${KERNEL_SRC-}" ] || again_with="$again_with KERNEL_SRC=$KERNEL_SRC"
[ "$variant" = patched ] || again_with="$again_with VARIANT=$variant"
[ -z "${FLAVOURS-}" ] || again_with="$again_with FLAVOURS=\"$FLAVOURS\""
rm -rf "$results"
mkdir -p "$results"

# A quick answer while something is being written, or another kernel
if [ "${TEST-}" = host ]; then
	host_tests
	verdict
	exit
fi
if [ "${TEST-}" = failed ]; then
	echo "$last" >"$results/again"
	again "$results/again"
	verdict
	exit
fi
if [ -n "${FLAVOURS-}" ]; then
	set --
	for name in $FLAVOURS; do
		flavour "$name"
		must=$(flavour_says must-run "$name")
		[ -z "$must" ] || [ -n "${TEST-}" ] || set -- "$@" --must-run "$must"
	done
	verdict "$@"
	exit
fi
if [ -n "${ARGS-}" ]; then
	program "$variant"
	verdict
	exit
fi
if [ -n "${TEST-}" ]; then
	ours "$variant" -t "$TEST"
	verdict
	exit
fi

[ "$series" = 6.12 ] || after_kunit=$POOL
if [ "${SCOPE-}" = brief ]; then
	boot_time
	ours "$variant" -c dmabuf-heaps
else
	host_tests
	boot_time
	step planted "find what is planted to go wrong"
	"$top/scripts/check/planted.sh" "$series" "$arch" "$variant" >"$results/planted.tap"
	long "$variant"
	after_kunit=
	long stock
fi
bench
[ "$variant" != patched ] || fragmented
# In our own kernels, nothing that real users of dma_buf_vmap() need is missing
verdict --must-run "dmabuf-heaps: (dmabuf-heap|heap_frag|$USERS)" --must-run "is loaded"
