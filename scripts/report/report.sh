#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# report.sh SERIES ARCH "VARIANT..." TARGET PART...: the tables of the last bench
# runs, and results.json
#
# TARGET is that of make, which has measured them: all, bench, users or remote.
# VARIANT and PART are those of bench.sh, or remote for what remote.sh brought,
# with RESULTS=remote for other names of the files.  Parts that bench.sh has left out
# are left out here.  results.txt has all tables.  They are printed, but for all,
# which prints the rows that matter and where the others are.  results.json is described in
# Documentation/vmap/results.rst; results.md has what the README shows of it.

set -eu
. "$(dirname "$0")/../lib.sh"

# about PART...: the first fields of results.json, which say what was measured
about() {
	config=$out/stock/.config
	[ -e "$config" ] || config=/dev/null
	for part; do
		[ ! -e "$out/log/bench-$part.jobs" ] ||
			printf '%s\t%s\n' "$part" "$(cat "$out/log/bench-$part.jobs")"
	done | jq -R 'split("\t") | { (.[0]): .[1] }' | jq -s --arg kernel "$(kernel "$config")" \
		--arg config "sha256:$(sha256sum <"$config" | cut -d ' ' -f 1)" --arg command "$command" \
		--arg accepted "$(cat "$(accepted patched)" 2>/dev/null)" --arg series "$series" --arg arch "$arch" '
		{ $kernel, $config, $command, $series, $arch, jobs: (add // {}) } +
		if $accepted == "" then {} else { accepted: ($accepted | split("\n")) } end'
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

[ $# -ge 5 ] || die "usage: report.sh SERIES ARCH \"VARIANT...\" all|bench|users|remote PART..."
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
# runs: FILE VARIANT MODE
runs() {
	for part; do
		mode=icount
		case $part in
		remote) mode=wall ;;
		wall*)
			[ -e "$out/log/bench-$part.jobs" ] || continue
			mode=wall
			;;
		esac
		for variant in $variants; do
			[ "$variant,$part" = rfc,iommu ] || echo "$out/log/$variant-bench-$part.port $variant $mode"
		done
	done
}

rm -f "$json" "$md" "$txt"
runs "$@" >"$txt.runs"
while read -r file _; do
	[ -r "$file" ] || die "$file: cannot be read"
done <"$txt.runs"
# shellcheck disable=SC2046 # paths without blanks
jq -L "$top/scripts/report" -nRr -f "$top/scripts/report/collect.jq" --argjson about "$(about "$@")" \
	--argjson runs "$(jq -nR '[inputs | split(" ") | { (.[0]): .[1:] }] | add' "$txt.runs")" \
	--argjson variants "$(echo "$variants" | jq -R 'split(" ")')" \
	$(cut -d ' ' -f 1 "$txt.runs") >"$json.part" || {
	rm -f "$json.part" "$txt.runs"
	exit 1
}
rm "$txt.runs"
mv "$json.part" "$json"
# tables FORM FILE
tables() {
	jq -L "$top/scripts/report" -r --arg form "$1" -f "$top/scripts/report/tables.jq" "$json" >"$2" ||
		die "$2: $(or_full "cannot be written")"
}
tables text "$txt"
tables markdown "$md"
tables brief "$brief"
show_accepted patched
if [ "$target" = all ]; then
	[ -z "${V-}" ] || cat "$txt"
	last_screen
else
	cat "$txt"
	say "$json"
fi
rm -f "$brief"
