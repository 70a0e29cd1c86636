#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# report.sh SERIES ARCH "VARIANT..." PART...: the tables of the last bench runs,
# and results.json
#
# VARIANT and PART are those of bench.sh, or remote for what remote.sh brought,
# with RESULTS=remote for other names of the files.  results.json is described in
# Documentation/vmap/results.rst; results.md has what the README shows of it.

set -eu
. "$(dirname "$0")/lib.sh"

# about: the first fields of results.json, which say what was measured
about() {
	config=$out/stock/.config
	[ -e "$config" ] || config=/dev/null
	echo "\"kernel\": \"$(sed -n 's/^# Linux\/[^ ]* \([^ ]*\) Kernel.*/\1/p' "$config")\","
	echo "\"config\": \"sha256:$(sha256sum <"$config" | cut -d ' ' -f 1)\","
	echo "\"command\": \"$command\","
	[ ! -s "$(accepted)" ] ||
		echo "\"accepted\": [$(sed 's/.*/"&"/' "$(accepted)" | paste -sd ,)],"
	sep=
	echo "\"jobs\": {"
	for part; do
		echo "$sep\"$part\": \"$(cat "$out/log/bench-$part.jobs" 2>/dev/null)\""
		sep=,
	done
	echo "}"
}

[ $# -ge 4 ] || die "usage: report.sh SERIES ARCH \"VARIANT...\" PART..."
series=$1
arch=$2
variants=$3
shift 3
out=$OUT/${TREE:-$series}-$arch
json=$out/${RESULTS:-results}.json
md=$out/${RESULTS:-results}.md
command="make KERNEL=$series ARCH=$arch"
case $# in
1) command="make remote KERNEL=$series ARCH=$arch" ;;
2) ;;
*) command="make bench KERNEL=$series ARCH=$arch" ;;
esac
runs=
for part; do
	case $part in
	wall* | remote) mode=wall ;;
	*) mode=icount ;;
	esac
	for variant in $variants; do
		runs="$runs $variant-$mode=$out/log/$variant-bench-$part.port"
	done
done

rm -f "$json" "$md"
# shellcheck disable=SC2086 # a list
awk -f "$top/scripts/figures.awk" -f "$top/scripts/report.awk" -v series="$series" -v arch="$arch" \
	-v variants="$variants" -v json="$json.part" -v md="$md.part" \
	-v about="$(about "$@" | paste -sd ' ')" $runs || {
	rm -f "$json.part" "$md.part"
	exit 1
}
mv "$md.part" "$md"
mv "$json.part" "$json"
show_accepted
say "$json"
