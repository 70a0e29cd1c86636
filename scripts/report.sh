#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# report.sh SERIES ARCH "VARIANT..." PART...: the tables of the last bench runs,
# and results.json
#
# VARIANT and PART are those of bench.sh.  The schema of results.json is
# described in report.awk.

set -eu
. "$(dirname "$0")/lib.sh"

[ $# -ge 4 ] || die "usage: report.sh SERIES ARCH \"VARIANT...\" PART..."
series=$1
arch=$2
variants=$3
shift 3
out=$OUT/${TREE:-$series}-$arch
json=$out/results.json
runs=
for part; do
	mode=$part
	[ "$part" = wall ] || mode=icount
	for variant in $variants; do
		runs="$runs $variant-$mode=$out/log/$variant-bench-$part.port"
	done
done

rm -f "$json"
# shellcheck disable=SC2086 # a list
awk -f "$top/scripts/report.awk" -v series="$series" -v arch="$arch" \
	-v variants="$variants" -v json="$json.part" $runs || {
	rm -f "$json.part"
	exit 1
}
mv "$json.part" "$json"
say "$json"
