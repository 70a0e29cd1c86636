#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of report.sh and bounds.awk on made up bench lines.

set -eu
. "$(dirname "$0")/tap.sh"

log=out.d/6.12-x86_64/log
json=out.d/6.12-x86_64/results.json

# line OP BYTES MEDIAN
line() {
	printf 'bench\tkernel\tfresh\t%s\t%s\t5\t%s\t%s\t%s\n' "$1" "$2" "$3" "$3" "$3"
}

# runs: four good runs
runs() {
	rm -rf out.d
	mkdir -p $log
	for mode in icount wall; do
		{
			echo '@@ stage run'
			line vmap 134217728 3486709
			line vunmap 134217728 334973
			line vmap 4096 4433
			echo '@@ exit 0'
		} >$log/stock-bench-$mode.port
		{
			line vmap 134217728 12000
			line vunmap 134217728 1200
			line vmap 4096 1500
		} >$log/patched-bench-$mode.port
	done
}

report() {
	OUT=$tmp/out.d "$top/scripts/report.sh" 6.12 x86_64
}

bounds() {
	awk -f "$top/scripts/bounds.awk" $log/stock-bench-icount.port $log/patched-bench-icount.port
}

all_kept() {
	prints '^1..4' bounds && [ "$(grep -c '^ok' out)" = 4 ]
}

# no_table ERE: refused with one line, and no results are left
no_table() {
	echo stale >$json
	refuses "$1" report && [ ! -e $json ]
}

json_has() {
	grep -q -e "$1" $json
}

runs
check "the table: instructions and wall time" \
	prints '^128 MiB  vmap +[|] +3,486,709 +12,000 +290.6x [|] +3.49 ms +12.00 us' report
check "says what instructions are not" prints 'path length, not cache, TLB or barrier cost' report
check "results.json: schema" json_has '"schema": "vmap-results", "version": 1'
check "results.json: a figure" json_has '"variant": "patched", "mode": "icount", "unit": "instructions", "user": "kernel", "layout": "fresh", "op": "vunmap", "bytes": 134217728, "rounds": 5, "min": 1200, "median": 1200'
: >$log/patched-bench-icount.port
check "an empty run" no_table 'patched-bench-icount.port: holds no bench line$'
rm $log/patched-bench-icount.port
check "a missing run" no_table 'patched-bench-icount.port: cannot be read$'
runs
sed -i '$d' $log/patched-bench-wall.port
check "a run that is cut short" no_table 'patched-bench-wall.port: vmap of 4 KiB .* is missing$'
runs
printf 'bench\tkernel\tfresh\tvmap\t655\n' >>$log/stock-bench-wall.port
check "a line that is cut short" no_table 'stock-bench-wall.port: bad line: bench'
runs
line vmap 4096 7 >>$log/stock-bench-wall.port
check "a figure that appears twice" no_table 'stock-bench-wall.port: vmap of 4 KiB appears twice$'

runs
check "bounds: all kept" all_kept
line vmap 134217728 30001 >$log/patched-bench-icount.port
check "bounds: too slow" prints '^not ok 1 - 128 MiB vmap patched, at most 30000: 30001 ' bounds
check "bounds: missing" prints '^not ok 2 - 128 MiB vunmap patched, at most 4000: no ' bounds
line vmap 134217728 0 >$log/patched-bench-icount.port
check "bounds: nothing measured" prints '^not ok 1 ' bounds
line vmap 134217728 3000000 >$log/stock-bench-icount.port
check "bounds: stock is not what it was" prints '^not ok 3 - .* 3486709 within 10%: 3000000 ' bounds
: >$log/stock-bench-icount.port
check "bounds: an empty stock run" prints '^not ok 3 - .*: no instr' bounds
check "bounds: which does not stand for the patched one" prints '^not ok 1 - .*: 0 instr' bounds
finish
