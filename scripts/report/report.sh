#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# report.sh SERIES ARCH "VARIANT..." TARGET PART...: the tables of the last bench
# runs, and results.json
#
# TARGET is that of make, which has measured them: all, bench or remote.
# VARIANT and PART are those of bench.sh, or remote for what remote.sh brought,
# with RESULTS=remote for other names of the files.  Parts that bench.sh has left out
# are left out here.  results.txt has all tables.  They are printed, but for all,
# which prints the rows that matter and where the others are.  results.json is described in
# Documentation/vmap/results.rst; results.md has what the README shows of it.

set -eu
. "$(dirname "$0")/../lib.sh"

# about: the first fields of results.json, which say what was measured
about() {
	config=$out/stock/.config
	[ -e "$config" ] || config=/dev/null
	echo "\"kernel\": \"$(kernel "$config")\","
	echo "\"config\": \"sha256:$(sha256sum <"$config" | cut -d ' ' -f 1)\","
	echo "\"command\": \"$command\","
	[ ! -s "$(accepted)" ] ||
		echo "\"accepted\": [$(sed 's/.*/"&"/' "$(accepted)" | paste -sd ,)],"
	sep=
	echo "\"jobs\": {"
	for part; do
		[ -e "$out/log/bench-$part.jobs" ] || continue
		echo "$sep\"$part\": \"$(cat "$out/log/bench-$part.jobs")\""
		sep=,
	done
	echo "}"
}

kernel() {
	sed -n 's/^# Linux\/[^ ]* \([^ ]*\) Kernel.*/\1/p' "$1"
}

# last_screen: all that most people want to know
last_screen() {
	release=$(kernel "$out/stock/.config" 2>/dev/null) || release=$series
	echo
	echo "Linux $release, $arch: $(echo "$variants" | sed 's/ / and /g')"
	echo "Buffers of the dma-buf system heap, medians"
	cat "$brief"
	echo
	echo "ratio: how many times as much stock takes. Instructions"
	echo "are path length, not the cost of caches, TLB or barriers."
	[ -s "$out/log/bench-wall.jobs" ] ||
		echo "No times: guests are emulated here, see README.md."
	echo
	echo "all rows: $(short "$txt")"
	echo "as data:  $(short "$json")"
	[ -z "${BEGUN-}" ] || echo "It took $(since "$BEGUN"). Next: make check, make bench, make help"
}

[ $# -ge 5 ] || die "usage: report.sh SERIES ARCH \"VARIANT...\" all|bench|remote PART..."
series=$1
arch=$2
variants=$3
target=$4
shift 4
out=$OUT/${TREE:-$series}-$arch
json=$out/${RESULTS:-results}.json
md=$out/${RESULTS:-results}.md
txt=$out/${RESULTS:-results}.txt
brief=$out/${RESULTS:-results}.brief
command="make KERNEL=$series ARCH=$arch"
[ "$target" = all ] || command="make $target KERNEL=$series ARCH=$arch"
runs=
for part; do
	case $part in
	remote) mode=wall ;;
	wall*)
		[ -e "$out/log/bench-$part.jobs" ] || continue
		mode=wall
		;;
	*) mode=icount ;;
	esac
	for variant in $variants; do
		runs="$runs $variant-$mode=$out/log/$variant-bench-$part.port"
	done
done

rm -f "$json" "$md" "$txt"
# shellcheck disable=SC2086 # a list
awk -f "$top/scripts/report/figures.awk" -f "$top/scripts/report/report.awk" -v series="$series" -v arch="$arch" \
	-v variants="$variants" -v json="$json.part" -v md="$md.part" -v brief="$brief" \
	-v about="$(about "$@" | paste -sd ' ')" $runs >"$txt.part" || {
	rm -f "$json.part" "$md.part" "$txt.part" "$brief"
	exit 1
}
mv "$md.part" "$md"
mv "$txt.part" "$txt"
mv "$json.part" "$json"
show_accepted
if [ "$target" = all ]; then
	[ -z "${V-}" ] || cat "$txt"
	last_screen
else
	cat "$txt"
	say "$json"
fi
rm -f "$brief"
