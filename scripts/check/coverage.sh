#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# coverage.sh SERIES ARCH: which lines and branches of our kernel files the tests
# run.  Those that nothing has run are listed in $OUT/$TREE-ARCH/coverage.
#
# All tests run in one guest, so what takes another (as nohugevmap) does not count.

set -eu
. "$(dirname "$0")/../lib.sh"

# Seconds for a program of the selftests: with fault injection, heap_faults has to do
TEST_LIMIT=1000

# unpack FILE: the counts that are in it, each as a file of the name of its object
unpack() {
	awk '
		$1 == "gcda" && NF == 2 {
			name = $2
			sub(".*/build-[^/]*/", "", name)
			gsub("/", "#", name)
			out = "base64 -d >\047" name "\047"
			next
		}
		$1 == "gcda" { close(out); out = "" }
		out { print | out }
	' "$1"
}

# lines GCDA: what gcov says of each line and branch
lines() {
	object=$(echo "${1%.gcda}" | tr '#' /)
	ln -sf "$obj/$object.gcno" "${1%.gcda}.gcno"
	(cd "$obj" && gcov -t -b -c -o "$result" "$result/$1")
}

# summary: a row for each file of ours
summary() {
	awk -v list="$result/not-run" '
		function row(source, run, lines, taken, branches) {
			printf "%-45s %5d of %5d lines, %5.1f%%; %5d of %5d branches, %5.1f%%\n",
				source, run, lines, lines ? 100 * run / lines : 100,
				taken, branches, branches ? 100 * taken / branches : 100
		}
		function tell() {
			if (lines)
				row(source, run, lines, taken, branches)
			all_run += run
			all_lines += lines
			all_taken += taken
			all_branches += branches
			run = lines = taken = branches = 0
		}
		$1 == "-:" && $2 ~ /^0:Source:/ {
			tell()
			source = $2
			sub("0:Source:", "", source)
			sub("^[./]*/", "", source)
			ours = source ~ /\.c$/
		}
		!ours { next }
		/^branch/ { branches++; taken += !/never executed|taken 0( |$)/; next }
		/^ *[0-9]+\*?:/ { run++; lines++ }
		/^ *(#####|=====):/ { lines++; print source ":" substr($0, index($0, ":") + 1) >list }
		END {
			tell()
			row("all", all_run, all_lines, all_taken, all_branches)
		}'
}

[ $# = 2 ] || die "usage: coverage.sh SERIES ARCH"
series=$1
arch=$2
variant=patched-gcov
out=$OUT/${TREE:-$series}-$arch
result=$out/coverage
for step in build modules; do
	"$top/scripts/build/build.sh" "$series" "$arch" $variant $step
done
status=0
"$top/scripts/guest/boot.sh" "$series" "$arch" $variant wall coverage \
	run kernel-tests + kunit + kselftest -o $TEST_LIMIT -c dmabuf-heaps + run gcov || status=$?
[ $status -le 1 ] || die "the guest did not shut down cleanly, logs: $out/log/$variant-coverage.*"
rm -rf "$result"
mkdir -p "$result"
obj=$(readlink -f "$out/$variant")
cd "$result"
unpack "$out/log/$variant-coverage.port"
set -- *.gcda
[ -e "$1" ] || die "the guest has counted nothing, see $out/log/$variant-coverage.port"
for gcda; do
	lines "$gcda"
done | summary
say "what nothing has run: $result/not-run"
