#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests that vmap() looks over a long array in steps in proportion to its pages, with
# and without large leaves: its functions are compiled for this machine, see align.c

set -eu
. "$(dirname "$0")/tap.sh"

awk -v names="vmap_leaf_shift vmap_find_leaf vmap_align_pages" -v out=align.h \
	-f "$top/scripts/source/functions.awk" "$top/mm/vmap.c" >rest

compiles() {
	silent cc -O1 -I. -fsanitize-coverage=trace-pc -o align "$top/scripts/tests/align.c"
}

is_linear() {
	printf '%s\n' "$line" >out
	case $line in
	linear*) ;;
	*) return 1 ;;
	esac
}

check "the look for an aligned leaf compiles alone" compiles
./align >lines || :
while IFS= read -r line; do
	name=${line#* }
	check "${name%%:*}: steps in proportion to the pages" is_linear
done <lines
check "all layouts on all machines" test "$(wc -l <lines)" = 28
finish
