#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check-all.sh SERIES-ARCH...: make check for each, brief for all but the first;
# the last line is "N passed, N failed[, N skipped]" for all.  With FULL=1, clients.sh
# for the first as well.
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
	find "$results" -name '*.*tap' -exec "$OUT/host/ktap" {} + >/dev/null 2>&1 || return 0
	printf 'TAP version 13\n1..1\nnot ok 1 - %s: %s\n' "$1" \
		"$([ -n "$built" ] && echo 'make check passes' || echo 'is built')" >"$results/all.tap"
}

# clients SERIES-ARCH: programs that Debian has, see clients.sh
clients() {
	rm -rf "$OUT/$1/clients"
	# shellcheck disable=SC2046
	make $(front "$1") check-clients || :
	if [ ! -e "$OUT/$1/clients/clients.tap" ]; then
		mkdir -p "$OUT/$1/clients"
		printf 'TAP version 13\n1..1\nnot ok 1 - %s: clients run\n' "$1" \
			>"$OUT/$1/clients/clients.tap"
	fi
	checked="$checked $1/clients"
}

[ $# -ge 1 ] || die "usage: check-all.sh SERIES-ARCH..."
unset KERNEL_SRC TREE MAKEFLAGS MAKELEVEL
trap no_leftovers EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
first=$1
checked=
begin "$first"
while [ $# -ge 1 ]; do
	name=$1
	shift
	await "$name"
	[ $# = 0 ] || begin "$1"
	check "$name"
	checked="$checked $name/check"
	[ "${FULL-},$name" != "1,$first" ] || clients "$name"
done
cd "$OUT"
# shellcheck disable=SC2086 # a list
show_outcomes $checked
# shellcheck disable=SC2046,SC2086 # patterns
host/ktap $(printf '%s/*.*tap ' $checked)
