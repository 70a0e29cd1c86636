#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of check-all.sh with a make that is made up: what is built when, and that
# whatever goes wrong is in the sum.

set -eu
. "$(dirname "$0")/tap.sh"

# The make that runs these tests may have been asked for more
unset ALSO FULL
mkdir -p bin out.d
PATH=$tmp/bin:$PATH
# await COMMAND...: for ten seconds
cat >bin/await <<'END'
#!/bin/sh
for i in $(seq 100); do
	"$@" && exit
	sleep 0.1
done
exit 1
END
# What this make does is in files named STEP-SERIES-ARCH
cat >bin/make <<'END'
#!/bin/sh
for arg; do
	case $arg in
	KERNEL=*) name=${arg#*=} ;;
	ARCH=*) name=$name-${arg#*=} ;;
	SCOPE=*) scope=${arg#*=} ;;
	check) step=check ;;
	FLAVOURS=*) step=${arg#*=} ;;
	lint | check-*) step=$arg ;;
	kernels) step=build ;;
	esac
done
echo "$step $name $scope" >>steps
results=$OUT/$name/check
if [ $step = check ]; then
	mkdir -p "$results"
	printf 'TAP version 13\n1..1\nok 1 - one\n' >"$results/one.tap"
fi
[ ! -e "$step-$name" ] || . "./$step-$name"
echo "$step $name ends" >>steps
END
cat >bin/check_all <<END
#!/bin/sh
rm -f steps
OUT=$tmp/out.d exec "$top/scripts/check/check-all.sh" "\$@"
END
chmod +x bin/*

# sums LINE ERE NAME...: that is the last line, and one matches
sums() {
	last=$1
	want=$2
	shift 2
	run check_all "$@"
	[ "$(tail -n 1 out)" = "$last" ] && grep -Eq -e "$want" out && return
	echo "(wanted: $want, and at last: $last)" >>out
	return 1
}

# in_order STEP...: these lines of steps are one after the other
in_order() {
	printf '%s\n' "$@" >want
	grep -xFf want steps >out || :
	cmp -s want out
}

check "the sum of three" sums '3 passed, 0 failed' '^check-all: 7.3-arm64: checked' \
	6.12-x86_64 7.3-x86_64 7.3-arm64
check "the first is checked whole" in_order 'build 6.12-x86_64 all' 'check 6.12-x86_64 all'
check "the others briefly" in_order 'build 7.3-arm64 brief' 'check 7.3-arm64 brief'
check "the first is built before it is checked" in_order 'build 6.12-x86_64 ends' 'check 6.12-x86_64 all'
check "the last is, too" in_order 'build 7.3-arm64 ends' 'check 7.3-arm64 brief'

# The check of the first ends only when the build of the second has begun
echo 'await grep -q "build 7.3-arm64" steps || exit 2' >check-6.12-x86_64
check "the next is built meanwhile" sums '2 passed, 0 failed' '7.3-arm64: built' 6.12-x86_64 7.3-arm64
rm check-6.12-x86_64

echo 'echo no compiler; exit 2' >build-7.3-x86_64
check "one that is not built" sums '2 passed, 1 failed' '^FAILED: 7.3-x86_64/.*: 7.3-x86_64: is built$' \
	6.12-x86_64 7.3-x86_64 7.3-arm64
check "and why" grep -q '^no compiler$' out
rm build-7.3-x86_64

# shellcheck disable=SC2016,SC2028 # for the make above
echo 'printf "1..1\nnot ok 1 - two\n" >"$results/two.ktap"; exit 2' >check-7.3-arm64
check "a test that fails" sums '2 passed, 1 failed' '^FAILED: 7.3-arm64/check/two.ktap: two' \
	6.12-x86_64 7.3-arm64
echo 'exit 2' >check-7.3-arm64
check "a check that is cut short" sums '2 passed, 1 failed' ': 7.3-arm64: make check passes$' \
	6.12-x86_64 7.3-arm64
rm check-7.3-arm64

# and_also STEPS LINE ERE NAME...: sums, with more steps
and_also() {
	export ALSO="$1"
	shift
	sums "$@"
	status=$?
	unset ALSO
	return $status
}
check "more steps are tests of the first" and_also 'lint faults' '4 passed, 0 failed' \
	'^check-all: 6.12-x86_64: check FLAVOURS=faults' 6.12-x86_64 7.3-arm64
check "and done once" in_order 'lint 6.12-x86_64 all' 'faults 6.12-x86_64 all'
echo 'exit 2' >lint-6.12-x86_64
check "one that fails" and_also 'lint check-series' '3 passed, 1 failed' \
	'^FAILED: 6.12-x86_64/also/lint.tap: 6.12-x86_64: make lint$' 6.12-x86_64 7.3-arm64
rm lint-6.12-x86_64
check "check-series builds what each patch changes" in_order 'check-series 6.12-x86_64 brief'
# shellcheck disable=SC2016,SC2028 # for the make above
echo 'mkdir -p "$OUT/$name/clients"; printf "1..1\nok 1 - one\n" >"$OUT/$name/clients/clients.tap"' \
	>check-clients-6.12-x86_64
check "its results count" and_also clients '4 passed, 0 failed' . 6.12-x86_64 7.3-arm64
rm check-clients-6.12-x86_64

# full: FULL=1 runs the flavours of each architecture, the shapes, and more of the first
full() {
	run env FULL=1 check_all 6.12-x86_64 7.3-arm64
	tail -n 1 out | grep -qxE '[0-9]+ passed, 0 failed' &&
		grep -qx 'debug 6.12-x86_64 all' steps && grep -qx 'mte 7.3-arm64 brief' steps &&
		! grep -q '^mte 6.12' steps && ! grep -q '^gcov' steps &&
		grep -qx 'check-series 6.12-x86_64 all' steps &&
		grep -qx 'check-shapes 7.3-arm64 brief' steps && grep -qx 'check-clients 6.12-x86_64 all' steps
}
check "FULL=1: every flavour and shape" full

# interrupted: the build in the background ends as well
# shellcheck disable=SC2016
interrupted() {
	echo 'echo $$ >builder; exec sleep 1000' >build-7.3-arm64
	echo 'await [ -s builder ]; kill "$PPID"' >check-6.12-x86_64
	run check_all 6.12-x86_64 7.3-arm64
	# Nobody may have waited for it yet, but what it ran is gone
	[ "$got" = 143 ] && await sh -c '! grep -qs sleep "/proc/$(cat builder)/cmdline"'
}
check "who interrupts it leaves no build" interrupted

check "nothing to check" refuses '^check-all: usage' check_all
finish
