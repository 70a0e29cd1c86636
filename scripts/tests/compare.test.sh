#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of compare.sh and plots.sh on made up results.

set -eu
. "$(dirname "$0")/tap.sh"

# results VMAP WALL: of 128 MiB in the patched kernel, stock's are what they are
results() {
	cat <<END
{ "schema": "vmap-results", "version": 1, "kernel": "6.12.0", "arch": "x86_64", "results": [
$(for bytes in 4096 134217728; do
		echo '{ "variant": "stock", "mode": "icount", "user": "kernel", "layout": "fresh", "op": "vmap", "bytes": '$bytes', "median": 3000000 },'
		echo '{ "variant": "patched", "mode": "icount", "user": "kernel", "layout": "fresh", "op": "vmap", "bytes": '$bytes', "median": '"$1"' },'
	done)
{ "variant": "patched", "mode": "wall", "user": "kernel", "layout": "fresh", "op": "vmap", "bytes": 4096, "median": $2 } ] }
END
}

compare() {
	env "$@" "$top/scripts/report/compare.sh" old.json new.json
}

# fails_with ERE ARG...: and says which
fails_with() {
	want=$1
	shift
	run compare "$@"
	[ "$got" = 1 ] && grep -Eq -e "$want" out
}

results 1000 5000 >old.json
cp old.json new.json
check "the same" prints '^compare: 5 figures in both, 0 beyond the bound, 0 only in the first, 0 only in the second$' compare
results 1009 9000 >new.json
check "slower, within the bound" prints '^slower +[+]0.9% +1000 -> 1009 +icount patched kernel fresh vmap 4096$' compare
check "a bound of one's own" fails_with '^SLOWER +[+]0.9%' BOUND=0.5
check "wall time has a bound only if it is given" fails_with '^SLOWER +[+]80.0% .* wall patched' WALL_BOUND=50
results 1011 5000 >new.json
check "slower" fails_with '^SLOWER +[+]1.1% +1000 -> 1011 +icount patched kernel fresh vmap 134217728$'
results 500 5000 >new.json
check "faster" prints '^faster +-50.0% ' compare
sed -i 's/fresh/new/' new.json
check "nothing in common" fails_with '^compare: 0 figures in both, 0 .*, 5 only in the first, 5 only'
echo '{ "schema": "vmap-results", "version": 2, "results": [] }' >new.json
check "another version" refuses '^compare: new.json: not a results.json of version 1$' compare
rm new.json
: >new.json
check "an empty file" refuses '^compare: new.json: not a results.json of version 1$' compare
rm new.json
check "a file that is not there" refuses '^compare: new.json: cannot be read$' compare
cp old.json new.json
check "a bound that is none" refuses '^compare: BOUND=x: not a percentage$' compare BOUND=x
check "one file" refuses 'two files are needed' "$top/scripts/report/compare.sh" old.json

if command -v gnuplot >/dev/null; then
	check "plots" prints '^plots: ' "$top/scripts/report/plots.sh" "$tmp/old.json"
	for plot in plot-sizes plot-layouts; do
		check "$plot.svg" grep -q '<svg' $plot.svg
		check "$plot.png" eval "head -c 8 $plot.png | grep -aq PNG"
	done
	jq '.results |= map(select(.mode == "wall"))' old.json >none.json
	check "nothing to plot" refuses '^plots: .*: no vmap of fresh buffers was counted' \
		"$top/scripts/report/plots.sh" "$tmp/none.json"
fi
finish
