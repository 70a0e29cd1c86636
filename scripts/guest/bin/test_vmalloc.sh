#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs all of lib/test_vmalloc.c in the guest: test_vmalloc [WORKERS], as many
# as there are CPUs by default. Once with a page at a time, then what takes a
# number of pages again, with so many that they fill large leaves.
#
# Prints TAP, a test for each summary of the module, and with it, for the report,
#	bench test_vmalloc LAYOUT OP BYTES ROUNDS MIN MEDIAN MAX
# which are all the time in ns, separated by tabs, that OP took for ROUNDS loops.
set -eu

module=/lib/modules/test_vmalloc.ko
# Of which 7.3 runs three if not told otherwise
all=0x7fffffff
workers=${1:-$(nproc)}
page=$(getconf PAGESIZE)
tab=$(printf '\t')
count=0

mark()
{
	echo "<6>guest: @@ $*" >/dev/kmsg
}

# result OK NAME
result()
{
	count=$((count + 1))
	echo "$1 $count - $2"
}

# One summary: "NAME passed: N failed: N repeat: N loops: N avg: N usec"
summary()
{
	case $1 in
	# Alignments up to the largest power of two: some cannot be had
	align_shift_alloc_test)
		[ "$5" -gt 0 ] && ok=ok || ok="not ok"
		result "$ok" "$layout: $1 fails, as it is meant to" ;;
	*)
		[ "$3" -gt 0 ] && [ "$5" -eq 0 ] && ok=ok || ok="not ok"
		result "$ok" "$layout: $1" ;;
	esac
	[ "$workers" -gt 1 ] ||
		echo "bench$tab$user$tab$layout$tab$1$tab$bytes$tab$9$tab${11}000$tab${11}000$tab${11}000"
}

# run LAYOUT PAGES PARAMETER...: the module never stays, so insmod always fails
run()
{
	user=test_vmalloc
	layout=$1
	bytes=$(($2 * page))
	shift 2
	dmesg -C
	insmod "$module" nr_threads="$workers" sequential_test_order=1 \
		nr_pages=$((bytes / page)) "$@" 2>/dev/null || :
	# 7.3 counts apart what fails as it may
	dmesg | sed -n 's/failed: 0 xfailed:/failed:/; s/.*Summary: //p' >/tmp/summaries
	while read -r words; do
		# shellcheck disable=SC2086 # the words of a line
		summary $words
	done </tmp/summaries
	[ -s /tmp/summaries ] || result "not ok" "$layout: test_vmalloc has run"
}

echo "TAP version 13"
mark "expect vmalloc error: size $page, "
mark "expect vmalloc_node_range for size"
run pages 1 run_test_mask=$all test_loop_count=300
mark "expected"
# fix_size_alloc_test and vm_map_ram_test
run large 1024 run_test_mask=$((1 + 1024)) use_huge=1 test_loop_count=50
echo "1..$count"
