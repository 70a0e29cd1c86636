#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# report.sh SERIES ARCH: the table of the last four bench runs, and results.json
#
# The schema of results.json is described in report.awk.

set -eu
. "$(dirname "$0")/lib.sh"

[ $# = 2 ] || die "usage: report.sh SERIES ARCH"
out=$OUT/${TREE:-$1}-$2
json=$out/results.json
runs=
for mode in icount wall; do
	for variant in stock patched; do
		runs="$runs $variant-$mode=$out/log/$variant-bench-$mode.port"
	done
done

rm -f "$json"
# shellcheck disable=SC2086 # a list
awk -f "$top/scripts/report.awk" -v series="$1" -v arch="$2" -v json="$json.part" $runs || {
	rm -f "$json.part"
	exit 1
}
mv "$json.part" "$json"
say "$json"
