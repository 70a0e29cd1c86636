#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check-all.sh SERIES-ARCH...: make check for each, brief for all but the first;
# the last line is "N passed, N failed[, N skipped]" for all
#
# ALSO	what else is done for the first: lint, check-series (brief), clients, shapes, or a
#	flavour
# FULL	1: all of that, and every flavour and shape for each; a night's work
#
# Guests run one at a time, and most keep one CPU busy.  So the kernels that come
# next are built meanwhile, with what guests leave of the machine.

set -eu
. "$(dirname "$0")/../lib.sh"

builder=

# front SERIES-ARCH: its arguments for make
front() {
	scope=brief
	[ "$1" != "$first" ] || scope=${SCOPE:-all}
	echo "-C $top --no-print-directory KERNEL=${1%-*} ARCH=${1#*-} SCOPE=$scope"
}

# begin SERIES-ARCH: all that its check takes, in a process group of its own
begin() {
	log=$OUT/$1/log/check-all.log
	begun=$(date +%s)
	rm -rf "$OUT/$1/check"
	mkdir -p "${log%/*}"
	say "$1: building"
	: >"$log"
	# shellcheck disable=SC2046 # paths without spaces, the Makefile sees to it
	setsid nice -n 19 make $(front "$1") kernels modules initramfs >"$log" 2>&1 &
	builder=$!
}

# await SERIES-ARCH: until it is built, show how far that is
await() {
	tail -n 1 -f --pid="$builder" "$log"
	built=yes
	wait "$builder" || built=
	builder=
	[ -n "$built" ] || tail -n 20 "$log" >&2
	say "$1: $([ -n "$built" ] || echo "not ")built, $(since "$begun"), log: $log"
}

# no_leftovers: who interrupts the check does not wait for a kernel
no_leftovers() {
	[ -z "$builder" ] || kill -- "-$builder" 2>/dev/null || :
}

# check SERIES-ARCH: what it leaves behind is part of the sum; if that does not
# show why make failed, this does
check() {
	results=$OUT/$1/check
	start=$(date +%s)
	# shellcheck disable=SC2046
	[ -n "$built" ] && make $(front "$1") check && status=0 || status=$?
	say "$1: checked, $(since "$start")"
	[ "$status" != 0 ] || return 0
	mkdir -p "$results"
	find "$results" -name '*.*tap' -exec "$top/scripts/guest/ktap.pl" {} + >/dev/null 2>&1 || return 0
	printf 'TAP version 13\n1..1\nnot ok 1 - %s: %s\n' "$1" \
		"$([ -n "$built" ] && echo 'make check passes' || echo 'is built')" >"$results/all.tap"
}

# flavours ARCH: all that it has
flavours() {
	for flavour in "$top"/scripts/build/config/*.config; do
		flavour=${flavour##*/}
		flavour=${flavour%.config}
		case $flavour,$(flavour_says users "$flavour"),$(flavour_says arch "$flavour") in
		*-*,*,* | *,,*) ;;
		*,*, | *,*,"$1") echo "$flavour" ;;
		esac
	done
}

# also SERIES-ARCH STEP: that it passes is a test; so are its own results
also() {
	case $2 in
	lint) results=none goal=$2 ;;
	check-series)
		results=none
		goal="$2 SCOPE=$([ "${FULL-}" = 1 ] && echo all || echo brief)"
		;;
	clients | shapes) results=$2 goal=check-$2 ;;
	*) results=check-$2 goal="check FLAVOURS=$2" ;;
	esac
	log=$OUT/$1/log/also-$2.log
	start=$(date +%s)
	rm -rf "$OUT/$1/${results:?}"
	mkdir -p "$OUT/$1/also"
	ok=ok
	# shellcheck disable=SC2046,SC2086 # words
	make $(front "$1") $goal >"$log" 2>&1 || ok="not ok"
	[ "$ok" = ok ] || tail -n 20 "$log"
	say "$1: $goal, $(since "$start"), log: $log"
	printf 'TAP version 13\n1..1\n%s 1 - %s: make %s\n' "$ok" "$1" "$goal" \
		>"$OUT/$1/also/$2.tap"
	[ ! -d "$OUT/$1/$results" ] || checked="$checked $1/$results"
}

[ $# -ge 1 ] || die "usage: check-all.sh SERIES-ARCH..."
unset KERNEL_SRC TREE MAKEFLAGS MAKELEVEL
trap no_leftovers EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
first=$1
all=$*
checked=
[ "${FULL-}" != 1 ] || ALSO="lint check-series clients"
for name; do
	rm -rf "$OUT/$name/also"
done
begin "$first"
while [ $# -ge 1 ]; do
	name=$1
	shift
	await "$name"
	[ $# = 0 ] || begin "$1"
	check "$name"
	checked="$checked $name/check"
done
for step in ${ALSO-}; do
	also "$first" "$step"
done
if [ "${FULL-}" = 1 ]; then
	for name in $all; do
		for step in $(flavours "${name#*-}") shapes; do
			also "$name" "$step"
		done
	done
fi
for name in $all; do
	[ ! -d "$OUT/$name/also" ] || checked="$checked $name/also"
done
cd "$OUT"
# shellcheck disable=SC2086 # a list
show_outcomes $checked
# shellcheck disable=SC2046,SC2086 # patterns
"$top/scripts/guest/ktap.pl" $(printf '%s/*.*tap ' $checked)
