#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# plots.sh RESULTS.json: what it says at a glance, as SVG and PNG beside it
#
# plot-sizes    what vmap costs as buffers grow, both axes logarithmic
# plot-layouts  what it costs for 128 MiB in each layout
# Both are of instructions, and can be read in black and white.

set -eu
. "$(dirname "$0")/../lib.sh"

BYTES=134217728

# medians FILTER FIELD VARIANT: of vmap, as "FIELD median" lines
medians() {
	jq -r --arg variant "$3" --argjson bytes $BYTES ".results[] |
		select(.mode == \"icount\" and .op == \"vmap\" and .variant == \$variant) |
		select($1) | [$2, .median] | @tsv" "$json" || die "$json: cannot be read"
}

# sizes VARIANT
sizes() {
	medians '.user == "kernel" and .layout == "fresh"' .bytes "$1" | sort -n
}

# layouts: a line for each that was measured, with a column per variant
layouts() {
	for layout in fresh/kernel 1m/sg 64k/sg 4k-scattered/sg fragmented/kernel; do
		values=
		for v in $variants; do
			value=$(medians ".user == \"${layout#*/}\" and .layout == \"${layout%/*}\" and
				.bytes == \$bytes" .layout "$v" | cut -f 2)
			values="$values ${value:--}"
		done
		case $values in
		*-*) ;;
		*) printf '%s\n' "\"$(label "${layout%/*}")\"$values" ;;
		esac
	done
}

label() {
	case $1 in
	1m) echo '1 MiB blocks' ;;
	64k) echo '64 KiB blocks' ;;
	4k-scattered) echo 'single pages' ;;
	*) echo "$1" ;;
	esac
}

[ $# = 1 ] || die "usage: plots.sh RESULTS.json"
json=$1
[ -r "$json" ] || die "$json: cannot be read"
for tool in jq gnuplot; do
	command -v $tool >/dev/null || die "$tool: not found, install it"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
variants=$(jq -r '[.results[].variant] | unique | .[]' "$json" |
	awk '{ have[$1] = 1 } END { for (i = split("patched rfc stock", v); i; i--) if (v[i] in have) print v[i] }')
# an underscore would make an index of what follows
kernel=$(jq -r '"Linux \(.kernel), \(.arch)"' "$json" | sed 's/_/\\_/g')
[ -n "$variants" ] || die "$json: holds no results"
for v in $variants; do
	sizes "$v" >"$work/$v"
	[ -s "$work/$v" ] || die "$json: no vmap of fresh buffers was counted in $v"
done
layouts >"$work/layouts"
for format in svg png; do
	gnuplot -e "dir='$work'; variants='$(echo "$variants" | paste -sd ' ')'; kernel='$kernel'; \
		format='$format'; out='${json%/*}'" "$top/scripts/report/plots.gp" 2>"$work/err" ||
		die "gnuplot: $(grep -v '^ *$' "$work/err" | tail -n 1)"
done
sed -i '1a <!-- SPDX-License-Identifier: GPL-2.0-only -->' "${json%/*}"/plot-*.svg
say "${json%/*}/plot-{sizes,layouts}.{svg,png}"
