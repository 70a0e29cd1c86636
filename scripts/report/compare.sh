#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# compare.sh OLD.json NEW.json: what got faster and what slower between two
# results.json, which may be of different kernels or machines
#
# BOUND       percent that instructions may grow before that is a failure (1)
# WALL_BOUND  the same for wall time, which is not looked at without it
#
# The exit status is 1 if a figure grew beyond its bound, or the two have none
# in common.  What only one of them has is counted and no failure.

set -eu
. "$(dirname "$0")/../lib.sh"

# rows FILE: key and median, separated by a tab
rows() {
	jq -nr 'input | if .schema == "vmap-results" and .version == 1 then .results[] else error("not") end |
		["\(.mode) \(.variant) \(.user) \(.layout) \(.op) \(.bytes)", .median] | @tsv' \
		"$1" 2>/dev/null || die "$1: not a results.json of version 1"
}

# percent NAME VALUE
percent() {
	echo "$2" | grep -qxE '[0-9]+(\.[0-9]+)?' || die "$1=$2: not a percentage"
}

[ -n "${2-}" ] || die "two files are needed: make compare A=OLD.json B=NEW.json"
command -v jq >/dev/null || die "jq: not found, install it"
for f; do
	[ -r "$f" ] || die "$f: cannot be read"
done
bound=${BOUND:-1}
wall_bound=${WALL_BOUND-}
percent BOUND "$bound"
percent WALL_BOUND "${wall_bound:-0}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rows "$1" >"$work/old"
rows "$2" >"$work/new"
awk -F '\t' -v bound="$bound" -v wall_bound="$wall_bound" '
	FILENAME == ARGV[1] { old[$1] = $2; next }
	!($1 in old) { added++; next }
	{
		both++
		a = old[$1]
		delete old[$1]
		change = a > 0 ? 100 * ($2 - a) / a : $2 > 0 ? 100 : 0
		limit = $1 ~ /^wall / ? wall_bound : bound
		bad = limit != "" && change > limit + 0
		failed += bad
		word = bad ? "SLOWER" : change > 0 ? "slower" : "faster"
		# a part in a thousand is nothing to look at
		if (bad || change > 0.1 || change < -0.1)
			printf "%s %+8.1f%%  %14d -> %-14d %s\n", word, change, a, $2, $1
	}
	END {
		for (key in old)
			gone++
		printf "compare: %d figures in both, %d beyond the bound, %d only in the first, %d only in the second\n",
			both, failed, gone, added
		exit failed || !both
	}' "$work/old" "$work/new" >"$work/table" || status=1
# the worst first, the sum last
grep -v '^compare: ' "$work/table" | sort -k 2,2nr || true
grep '^compare: ' "$work/table"
exit "${status:-0}"
