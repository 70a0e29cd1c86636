#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# plan.sh all|check SERIES ARCH "VARIANT...": say how long make, or make check, is
# likely to take, by what is there
# plan.sh all|check SERIES ARCH "VARIANT..." --steps: print the names of its steps, in
# order, for step in lib.sh
#
# Of FLAVOURS nothing is said: each takes its own time.

set -eu
. "$(dirname "$0")/../lib.sh"

# What parts take, in seconds, with nothing built on two CPUs and emulated guests
PACKAGES=60
SOURCE=40
KERNEL=300		# the first
NEXT_KERNEL=60		# from the compiler cache, but for what differs
MODULES=60
PROGRAMS=15
BENCH=60
CHECK=780
CHECK_BRIEF=180
CHECK_ONE=90

# guests: the steps of make check, after what is built
guests() {
	case ${TEST-} in
	kunit) echo "kunit-$tested" ;;
	?*) echo "kselftest-$tested" ;;
	*)
		[ "${SCOPE-}" = brief ] || echo harness
		echo boot
		[ "${SCOPE-}" = brief ] || echo planted
		echo "kunit-$tested kselftest-$tested"
		[ "${SCOPE-}" = brief ] || echo kunit-stock kselftest-stock
		echo bench-stock "bench-$tested"
		[ "$tested" != patched ] || echo fragmented
		;;
	esac
}

# with_modules: the variants whose modules make check builds
with_modules() {
	if [ "${SCOPE-}" = brief ]; then
		echo "$tested"
	else
		echo "$variants"
	fi
}

steps() {
	if [ "${TEST-}" = host ]; then
		echo packages harness
		return
	fi
	echo packages source
	for v in $variants; do
		echo "build-$v"
	done
	echo programs
	if [ "$goal" = all ]; then
		echo bench-stock "bench-$tested"
	else
		for v in $(with_modules); do
			echo "modules-$v"
		done
		guests
	fi
}

# cpus SECONDS: what takes so long on two takes that on all of them
cpus() {
	echo $(($1 * 2 / $(parallel)))
}

# to_build: seconds until all is there
to_build() {
	s=0
	[ -z "$("$top/scripts/source/packages.sh" "$series" "$arch" --missing)" ] || s=$((s + PACKAGES))
	[ "${TEST-}" != host ] || {
		echo $s
		return
	}
	[ -d "$OUT/src/$tree/pristine" ] || s=$((s + SOURCE))
	one=$KERNEL
	for v in $variants; do
		build=$OUT/src/$tree/$v/build-$arch
		[ -e "$build/.built" ] || s=$((s + $(cpus $one)))
		one=$NEXT_KERNEL
	done
	if [ "$goal" = check ]; then
		for v in $(with_modules); do
			[ -e "$OUT/src/$tree/$v/build-$arch/modules.cpio" ] ||
				s=$((s + $(cpus $MODULES)))
		done
	fi
	[ -e "$OUT/$tree-$arch/kselftest/kselftest-list.txt" ] || s=$((s + PROGRAMS))
	echo $s
}

# to_run: seconds for the guests
to_run() {
	case $goal/${TEST-}/${SCOPE-} in
	all/*) echo $BENCH ;;
	check//brief) echo $CHECK_BRIEF ;;
	check//*) echo $CHECK ;;
	*) echo $CHECK_ONE ;;
	esac
}

# minutes SECONDS: in words
minutes() {
	if [ "$1" -lt 90 ]; then
		echo "a minute"
	else
		echo "$((($1 + 59) / 60)) minutes"
	fi
}

# load: how many programs want a CPU, if these are more than there are
load() {
	awk -v cpus="$(nproc)" '$1 > cpus { printf "%d\n", $1 + 0.5 }' /proc/loadavg
}

# has_cache: is there something in the compiler cache?
has_cache() {
	cache=$(ccache -k cache_dir 2>/dev/null) && [ -d "$cache/0" ]
}

[ $# -ge 4 ] || die 'usage: plan.sh all|check SERIES ARCH "VARIANT..." [--steps]'
goal=$1
series=$2
arch=$3
variants=$4
tested=${variants##* }
tree=${TREE:-$series}
[ -z "${FLAVOURS-}" ] || exit 0
if [ "${5-}" = --steps ]; then
	steps | paste -sd ' '
	exit
fi

name="make"
[ "$goal" = all ] || name="make $goal"
build=$(to_build)
run=$(to_run)
about="$name: about $(minutes $((build + run)))"
if [ "$build" -ge 60 ]; then
	echo "$about, of which $(minutes "$build") to build"
	! has_cache || echo "less with what the compiler cache has"
else
	echo "$about, only what changed is built"
fi
load=$(load)
[ -z "$load" ] || echo "longer while this machine is busy: its load is $load"
echo "details: $(short "$OUT/make.log"), or with V=1"
[ ! -w "$OUT" ] || echo "== $name, $(date)" >>"$OUT/make.log"
