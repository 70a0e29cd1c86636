#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check-all.sh SERIES-ARCH...: make check for each, brief for all but the first;
# the last line is "N passed, N failed[, N skipped]" for all

set -eu
. "$(dirname "$0")/lib.sh"

# check SERIES-ARCH: what it prints last is part of the sum
check() {
	results=$OUT/$1/check
	rm -rf "$results"
	say "$1"
	env -u MAKEFLAGS -u MAKELEVEL make -C "$top" --no-print-directory check \
		KERNEL="${1%-*}" ARCH="${1#*-}" || :
	[ -e "$results" ] && return
	mkdir -p "$results"
	printf 'TAP version 13\n1..1\nnot ok 1 - %s is built\n' "$1" >"$results/build.tap"
}

[ $# -ge 1 ] || die "usage: check-all.sh SERIES-ARCH..."
unset KERNEL_SRC TREE
taps=
for name; do
	check "$name"
	taps="$taps $name/check/*.*tap"
	export SCOPE=brief
done
cd "$OUT"
# shellcheck disable=SC2086 # patterns
host/ktap $taps
