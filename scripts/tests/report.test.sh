#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of report.sh and bounds.awk on made up bench lines.

set -eu
. "$(dirname "$0")/tap.sh"

log=out.d/6.12-x86_64/log
json=out.d/6.12-x86_64/results.json
tab=$(printf '\t')
SIZE=134217728

# line USER LAYOUT OP BYTES MEDIAN
line() {
	printf 'bench\t%s\t%s\t%s\t%s\t5\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" "$5" "$5"
}

# run VARIANT PART PERCENT: a good run, at so much of what stock takes
run_of() {
	{
		echo '@@ stage run'
		line kernel fresh vmap $SIZE $((3486700 * $3 / 100))
		line kernel fresh vunmap $SIZE $((334900 * $3 / 100))
		line kernel fresh vmap 4096 $((4400 * $3 / 100))
		line kernel fresh mmap 4096 $((5500 * $3 / 100))
		line kernel fresh free 4096 $((2600 * $3 / 100))
		line kernel fresh free 65536 $((3800 * $3 / 100))
		line kernel fresh free 1048576 $((18800 * $3 / 100))
		line kernel fresh alloc $SIZE $((136000000 * $3 / 100))
		line kernel fresh free $SIZE $((2100000 * $3 / 100))
		line kernel fresh mmap $SIZE $((299000 * $3 / 100))
		line kernel fresh munmap $SIZE $((399000 * $3 / 100))
		line kernel fresh fork $SIZE $((399000 * $3 / 100))
		line kernel fresh refault $SIZE $((49000 * $3 / 100))
		printf 'leaves\t%s\t0\t60\t0\t4\t4096\t3\n' $SIZE
		if [ "$2" != wall ]; then
			line kernel warm alloc $SIZE $((900000 * $3 / 100))
			line kernel warm free $SIZE $((500000 * $3 / 100))
			line kernel warm life $SIZE $((900000 * $3 / 100))
			line kernel dirty alloc $SIZE $((900000 * $3 / 100))
			line kernel empty alloc $SIZE $((900000 * $3 / 100))
			line kernel warm alloc 4096 $((8000 * $3 / 100))
			line sg 1m vmap $SIZE $((2800000 * $3 / 100))
			line sg 64k vmap $SIZE $((3600000 * $3 / 100))
			line sg 4k-scattered vmap $SIZE $((4000000 * $3 / 100))
			line sg page vmap 4096 $((4400 * $3 / 100))
			line pages run vmap $SIZE $((1800000 * $3 / 100))
			line pages 4k-scattered vmap $SIZE $((1800000 * $3 / 100))
			line pages run2 vmap 8380416 $((230000 * $3 / 100))
			line ioremap block vmap 1048576 $((9000 * $3 / 100))
			for user in atomic legacy; do
				line vkms-$user fresh heap-vmap $SIZE $((3290000 * $3 / 100))
			done
			line cma fresh vmap $SIZE $((3000000 * $3 / 100))
			line udmabuf-huge fresh vmap $SIZE $((3000000 * $3 / 100))
			line udmabuf fresh vmap $SIZE $((4000000 * $3 / 100))
			line test_vmalloc pages fix_size_alloc_test 4096 7000
		fi
		echo '@@ exit 0'
	} >$log/"$1-bench-$2.port"
}

# runs: good runs, and a fast kernel that keeps every bound
runs() {
	rm -rf out.d
	mkdir -p $log
	for part in icount wall; do
		run_of stock $part 100
		run_of rfc $part 50
		run_of patched $part 10
	done
	echo run >$log/bench-wall.jobs
	sed -i -e "s/heap-vmap${tab}$SIZE${tab}5${tab}.*/heap-vmap${tab}$SIZE${tab}5${tab}3700${tab}3700${tab}3700/" \
		-e "s/vmap${tab}$SIZE${tab}5${tab}348670.*/vmap${tab}$SIZE${tab}5${tab}3000${tab}4000${tab}5000/" \
		-e "s/vunmap${tab}$SIZE${tab}5${tab}.*/vunmap${tab}$SIZE${tab}5${tab}2000${tab}3000${tab}3500/" \
		-e "s/\(${tab}\(cma\|udmabuf-huge\)${tab}fresh${tab}vmap${tab}$SIZE${tab}5\).*/\1${tab}7000${tab}8000${tab}8000/" \
		-e "s/life${tab}$SIZE${tab}5${tab}.*/life${tab}$SIZE${tab}5${tab}4000${tab}4000${tab}4000/" \
		$log/patched-bench-icount.port
}

# compare VARIANTS: all tables
compare() {
	OUT=$tmp/out.d V=1 "$top/scripts/report/report.sh" 6.12 x86_64 "$1" all icount wall
}

# last_screen: what make shows in the end
last_screen() {
	OUT=$tmp/out.d "$top/scripts/report/report.sh" 6.12 x86_64 'stock patched' all icount wall
}

# fits_a_terminal: of 24 lines and 60 columns, and all tables are in a file
fits_a_terminal() {
	run last_screen
	[ "$got" = 0 ] && [ "$(wc -l <out)" -le 24 ] && ! grep -qE '.{61}' out &&
		grep -q '^128 MiB  64k ' out.d/6.12-x86_64/results.txt
}

# no_times: under emulation, bench.sh leaves no wall-time run
no_times() {
	runs
	rm $log/*bench-wall.*
	run last_screen
	[ "$got" = 0 ] && ! grep -q 'wall time' out out.d/6.12-x86_64/results.txt &&
		grep -q '^No times: ' out && ! grep -q '"mode":"wall"' $json
}

report() {
	compare 'stock patched'
}

# bounds VARIANT [KERNEL]
bounds() {
	awk -v variant="$1" -v kernel="${2-6.12-x86_64}" -f "$top/scripts/measure/bounds.awk" $log/stock-bench-icount.port \
		$log/"$1"-bench-icount.port
}

# all_kept VARIANT N
all_kept() {
	prints "^1..$2" bounds "$1" && [ "$(grep -c '^ok' out)" = "$2" ]
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
check "the table: instructions, wall time, extents and leaves" \
	prints '^128 MiB  fresh +vmap +[|] +3,486,700 +4,000 +871.7x [|] +3.49 ms +348.67 us +10.0x [|] +3 +64 +4096$' report
check "a table of layouts" prints '^128 MiB  64k +vmap +[|] +3,600,000 +360,000 +10.0x$' report
check "a table of the tests of vmalloc" \
	prints '^4 KiB +fix_size_alloc_test +[|] +7,000 +7,000 +1.00x$' report
check "a table of other mappings" prints '^1 MiB +block +vmap +[|] +9,000 +900 +10.0x$' report
check "says what instructions are not" prints 'path length, not cache, TLB or barrier cost' report
check "three variants side by side" \
	prints '^128 MiB  fresh +vunmap +[|] +334,900 +167,450 +2.00x +3,000 +111.6x [|] +334.90 us +167.45 us' \
	compare 'stock rfc patched'
runs
check "the last screen: a row" prints '^128 MiB vmap +3,486,700 +4,000 +871.7x$' last_screen
check "the last screen: where the rest is" \
	prints '^all rows: .*6.12-x86_64/results.txt$' last_screen
check "the last screen: wall time, if it was measured" \
	prints '^128 MiB vmap +3.49 ms +348.67 us +10.0x$' last_screen
check "the last screen fits a small terminal without wall time" \
	eval 'no_times && fits_a_terminal'
runs
report >/dev/null
check "results.json: schema" json_has '"schema":"vmap-results","version":1'
check "results.json: is JSON, and says how it was made" jq -e '.command == "make KERNEL=6.12 ARCH=x86_64"
	and (.jobs | has("wall")) and .config' $json
check "results.md: a row" grep -qE '^[|] 128 MiB +[|] vmap +[|] +3,486,700 [|] +4,000 [|] +871.7x [|]$' \
	out.d/6.12-x86_64/results.md
check "results.json: a figure" json_has '"variant":"patched","mode":"icount","user":"kernel","layout":"fresh","op":"vmap","bytes":134217728,"rounds":5,"min":3000,"median":4000,"max":5000,"unit":"instructions","extents":3,"leaves":64,"pud":0,"pmd":60,"cont":0,"pte":4,"table_bytes":4096}'
mkdir -p out.d/src/6.12/patched
printf '%s\n' heap.c mm/vmalloc.c:vmap >out.d/src/6.12/patched/.overlay-accepted
check "what was accepted of the tree is said" \
	prints '^report: differs from what ours was made for, as ACCEPT allows: heap.c mm/vmalloc.c:vmap$' report
check "and in results.json" jq -e '.accepted == ["heap.c", "mm/vmalloc.c:vmap"]' $json
: >$log/patched-bench-icount.port
check "an empty run" no_table 'patched-bench-icount.port: holds no bench line$'
rm $log/patched-bench-icount.port
check "a missing run" no_table 'patched-bench-icount.port: cannot be read$'
runs
sed -i '/vmap.4096/d' $log/patched-bench-wall.port
check "a run that is cut short" no_table 'patched, wall: vmap of 4 KiB .* is missing$'
runs
printf 'bench\tkernel\tfresh\tvmap\t655\n' >>$log/stock-bench-wall.port
check "a line that is cut short" no_table 'stock-bench-wall.port: bad line: bench'
runs
line kernel fresh vmap 4096 7 >>$log/stock-bench-wall.port
check "a figure that appears twice" no_table 'stock-bench-wall.port: vmap of 4 KiB appears twice$'

# spoil USER LAYOUT OP BYTES MEDIAN [VARIANT]: in place of what it was
spoil() {
	sed -i "/^bench$tab$1$tab$2$tab$3$tab$4$tab/d" $log/"${6:-patched}"-bench-icount.port
	line "$@" >>$log/"${6:-patched}"-bench-icount.port
}

# breaks ERE WHAT...: spoiled, one bound and no other is broken, and says so
breaks() {
	want=$1
	shift
	runs
	spoil "$@"
	tested=patched
	[ "${6-}" != rfc ] || tested=rfc
	prints "^not ok [0-9]+ - $want" bounds $tested && [ "$(grep -c '^not ok' out)" = 1 ]
}

runs
check "bounds: all kept" all_kept patched 36
check "bounds: the RFC has others" all_kept rfc 6
check "bounds: those of other kernels are parts of stock" \
	prints '^ok .* 1m, vmap: patched, at most 1/4 of .* 2800000: 280000 ' bounds patched 7.3-arm64
# What is one instruction too many, nothing, or not what stock was, and the bound
while IFS='|' read -r what text; do
	value=${what#* * * * }
	# shellcheck disable=SC2086 # words
	check "bounds: $what" breaks "$text: ${value%% *} " $what
done <<END
kernel fresh vmap $SIZE 4001|128 MiB, heap buffer, fresh, vmap: patched, at most 4000
kernel fresh vunmap $SIZE 4501|.*vunmap: patched, at most 4500
sg 1m vmap $SIZE 290001|.* 1m, .* at most 290000
sg 64k vmap $SIZE 450001|.* 64k, .* at most 450000
sg 4k-scattered vmap $SIZE 1300001|.* 4k-scattered, .* at most 1300000
kernel fresh vmap 4096 2001|one page, heap .* at most 2000
sg page vmap 4096 2001|one page, vmap_sg.* at most 2000
kernel fresh mmap $SIZE 30001|.*, mmap: patched, at most 30000
kernel fresh munmap $SIZE 40001|.*, munmap: patched, at most 40000
kernel fresh fork $SIZE 40001|.*, fork: patched, at most 40000
kernel fresh refault $SIZE 5001|.*, refault: patched, at most 5000
kernel fresh mmap 4096 4911|one page, .* mmap: patched, at most 1/1.12 of stock's 5500
pages run vmap $SIZE 180001|.* run, vmap: patched, at most 1/10 of stock's 1800000
pages 4k-scattered vmap $SIZE 1714286|.* at most 1/1.05 of stock's 1800000
pages run2 vmap 8380416 230001|8184 KiB, vmap.* run2, vmap: patched, at most stock's 230000
ioremap block vmap 1048576 9001|1024 KiB, ioremap.* at most stock's 9000
vkms-atomic fresh heap-vmap $SIZE 65801|.*commit of vkms, fresh, heap-vmap: patched, at most 1/50 of stock's 3290000
vkms-legacy fresh heap-vmap $SIZE 65801|.*commit of vkms, fresh, heap-vmap: patched, at most 1/50 of stock's 3290000
cma fresh vmap $SIZE 8001|128 MiB, buffer of the CMA heap, .*: patched, at most 8000
udmabuf-huge fresh vmap $SIZE 8001|128 MiB, udmabuf of huge pages, .*: patched, at most 8000
kernel warm alloc $SIZE 100001|.*, warm, alloc: patched, at most 100000
kernel warm free $SIZE 60001|.*, warm, free: patched, at most 60000
kernel warm life $SIZE 4501|.*, warm, life: patched, at most 1/200 of stock's 900000
kernel dirty alloc $SIZE 900001|.*, dirty, alloc: patched, at most stock's 900000
kernel empty alloc $SIZE 909001|.*, empty, alloc: patched, at most 1.01 of stock's 900000
kernel warm alloc 4096 8001|one page, .*, warm, alloc: patched, at most stock's 8000
kernel fresh free 65536 3820|64 KiB, .*, fresh, free: patched, at most 1.005 of stock's 3800
kernel fresh free 1048576 18895|1024 KiB, .*, fresh, free: patched, at most 1.005 of stock's 18800
sg 1m vmap $SIZE 2800001 rfc|.* 1m, vmap: rfc, at most stock's 2800000
kernel fresh vmap $SIZE 0|.*, at most 4000
kernel fresh vmap $SIZE 3000000 stock|.*: stock, 3486709 within 10%
END
: >$log/stock-bench-icount.port
check "bounds: an empty stock run" prints '^not ok 1 - .*: no instr' bounds patched
check "bounds: which does not stand for the patched one" \
	prints "^not ok .* stock's none: [0-9]+ instr" bounds patched
finish
