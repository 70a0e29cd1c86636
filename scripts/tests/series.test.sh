#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of series.sh: what it refuses, in a repository of a few files; and with
# the kernel trees that are there, that git am makes of the patches what
# overlay.sh makes of our files.

set -eu
. "$(dirname "$0")/tap.sh"

# --- a repository of a few files ------------------------------------------

mkdir -p repo/scripts/series repo/mm out.d/src/6.12/pristine/mm
cp "$top/scripts/overlay.sh" "$top/scripts/series.sh" "$top/scripts/lib.sh" repo/scripts/
pristine=out.d/src/6.12/pristine
printf 'kernelversion:\n\t@echo 6.12.0\n' >$pristine/Makefile
echo stock >$pristine/mm/heap.c
touch $pristine/.vmap-stamp
printf 'walk\nsg\nend\n' >repo/mm/vmap.c
printf 'sg\tend\n' >repo/mm/vmap.c.cut
echo ours >repo/mm/heap.c
cat >repo/scripts/overlay.list <<'END'
patched file mm/vmap.c
patched file mm/heap.c
END
printf '%s\n' '# for tests' 'mm: a walk' '' 'Why.' --- mm/vmap.c >repo/scripts/series/10-walk
printf '%s\n' 'mm: sg' '' 'Why.' --- mm/vmap.c.cut >repo/scripts/series/20-sg
printf '%s\n' 'heap: ours' '' 'Why.' --- 'mm/h*.c' >repo/scripts/series/30-heap
printf '%s\n' '# none here' 'other: nothing' --- mm/@SERIES@/none.c >repo/scripts/series/40-none
printf '%s\n' 'a walk' '' 'Of @VERSION@.' @MEASURED@ >repo/scripts/series/cover

series() {
	OUT=$tmp/out.d repo/scripts/series.sh 6.12 "$@"
}

# tree_has N TEXT FILE: that is what FILE is after N patches
tree_has() {
	run series --tree "$1"
	[ "$got" = 0 ] && printf '%b' "$2" | cmp - "out.d/src/6.12/series/$3" >>out 2>&1
}

patch_says() {
	grep -q -e "$2" out.d/series/6.12/"$1"-*.patch
}

check "patches that have files here" prints '^3$' series --count
check "a cut is made before its patch" tree_has 1 'walk\nend\n' mm/vmap.c
check "what comes later is pristine" tree_has 1 'stock\n' mm/heap.c
check "what was cut is put back by its patch" tree_has 2 'walk\nsg\nend\n' mm/vmap.c
check "all patches" tree_has 3 'ours\n' mm/heap.c
check "writes them" prints '^series: 3 patches: ' series x86_64
check "the first has what was not cut" patch_says 0001 '^+end$'
check "the second adds the rest alone" eval 'patch_says 0002 "^+sg$" && ! patch_says 0002 "^+end$"'
check "no comment of ours is in them" eval '! grep -q "for tests" out.d/series/6.12/*'
check "nobody has signed them" eval '! grep -qi "^signed-off" out.d/series/6.12/*'
check "the cover letter: subject, version, base" eval 'patch_says 0000 "^Subject: .*a walk$" &&
	patch_says 0000 "^Of 6.12.0.$" && patch_says 0000 "^base-commit: [0-9a-f]\{40\}$"'

echo new >repo/mm/new.c
echo 'patched file mm/new.c' >>repo/scripts/overlay.list
check "a file that is in no patch" refuses '^series: scripts/series: in no patch: mm/new.c$' series --count
echo mm/new.c >>repo/scripts/series/10-walk
echo mm/n*.c >>repo/scripts/series/30-heap
check "a file that is in two" refuses '^series: scripts/series: in two patches: mm/new.c$' series --count
sed -i '$d' repo/scripts/series/30-heap
echo mm/gone.c.cut >>repo/scripts/series/30-heap
check "a cut that is not there" \
	refuses '^series: scripts/series/30-heap: mm/gone.c.cut: no such file$' series --count
sed -i '$d' repo/scripts/series/30-heap
check "and none of these" prints '^3$' series --count
check "no kernel" refuses 'pristine: not there, run scripts/fetch.sh 6.12$' \
	env OUT="$tmp/empty" repo/scripts/series.sh 6.12 x86_64
check "misuse" refuses '^series: usage: ' series

# --- the kernels that are there -------------------------------------------

out_dir=${tools%/host}

# in_kernel DIR COMMAND...: git, on the clone and the files of DIR
in_kernel() {
	dir=$1
	shift
	GIT_DIR=$tmp/am.git GIT_WORK_TREE=$dir GIT_CONFIG_GLOBAL=/dev/null \
		GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@localhost git -C "$dir" "$@"
}

applies() {
	rm -rf am.git "$am"
	git clone -q --bare -s --branch base "$out_dir/src/$1.git" am.git >out 2>&1 || return 1
	in_kernel "$tmp" config core.bare false
	# what git knows of pristine's files is true of their links
	in_kernel "$tmp" config core.trustctime false
	cp "$out_dir/src/$1.git/index" am.git/
	# links, which git replaces and never writes through
	cp -al "$out_dir/src/$2/pristine" "$am"
	rm -f "$am/.vmap-stamp"
	in_kernel "$am" read-tree base
	run in_kernel "$am" am -q --empty=drop --whitespace=error-all "$out_dir/series/$2"/*.patch
	[ "$got" = 0 ]
}

# same_as DIR: what git am has made, to the byte
same_as() {
	in_kernel "$1" diff --name-only HEAD -- >out
	in_kernel "$1" ls-files -o -- ':!/build-*' ':!/.overlay*' ':!/.vmap-stamp' \
		':!/.checkpatch-*' >>out
	[ ! -s out ]
}

# with_kernel SERIES
with_kernel() {
	am=$out_dir/tmp/am.$$
	trap 'rm -rf "$tmp" "$am"' EXIT
	run env OUT="$out_dir" "$top/scripts/overlay.sh" "$1" patched
	check "$1: patches of the kernel" prints '^series: [0-9]+ patches: ' \
		env OUT="$out_dir" "$top/scripts/series.sh" "$1" x86_64
	check "$1: git am applies them" applies "$1/series" "$1"
	check "$1: its files are what git has" same_as "$am"
	check "$1: the tree is the patched one" same_as "$out_dir/src/$1/patched"
	rm -rf "$am"
}

for kernel in 6.12 7.3; do
	[ ! -d "$out_dir/src/$kernel/pristine" ] || with_kernel $kernel
done
finish
