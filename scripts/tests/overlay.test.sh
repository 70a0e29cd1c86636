#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of overlay.sh on a tree of a few files.

set -eu
. "$(dirname "$0")/tap.sh"

# A repository of its own, with the script under test
mkdir -p repo/scripts repo/mm/6.12 out.d/src/6.12/pristine/mm
cp "$top/scripts/overlay.sh" "$top/scripts/lib.sh" repo/scripts/
pristine=out.d/src/6.12/pristine
tree=out.d/src/6.12/patched
seq 1 40 >$pristine/mm/vmalloc.c
echo 'obj-y += vmalloc.o' >$pristine/mm/Makefile
echo stock >$pristine/mm/heap.c
printf '%s\n' first '/**' ' * old()' old '/*' ' * kept()' kept >$pristine/mm/walk.c
touch -d '2020-01-01' $pristine/mm/*
touch $pristine/.vmap-stamp
cp -a $pristine before

printf '# taken out\n * old()\t * kept()\n' >repo/mm/walk.c.cut
echo ours >repo/mm/vmap.c
echo heap >repo/mm/heap.c
cat >repo/mm/6.12/vmap.patch <<'END'
Wires vmap.c in.
--- a/mm/Makefile
+++ b/mm/Makefile
@@ -1 +1,2 @@
 obj-y += vmalloc.o
+obj-y += vmap.o
--- a/mm/vmalloc.c
+++ b/mm/vmalloc.c
@@ -3,5 +3,5 @@
 3
 4
-5
+five
 6
 7
@@ -30,5 +30,5 @@
 30
 31
-32
+thirty-two
 33
 34
END
cat >repo/scripts/overlay.list <<'END'
stock,patched patch mm/@SERIES@/extra*.patch # none here
patched file mm/vmap.c # ours
patched file mm/heap.c # ours
patched patch mm/@SERIES@/vmap.patch # wires it in
patched cut mm/walk.c.cut # what it replaces
END

overlay() {
	OUT=$tmp/out.d V=1 repo/scripts/overlay.sh 6.12 patched
}

pristine_is_untouched() {
	diff -r before $pristine >out 2>&1
}

holds() {
	grep -q "$1" "$tree/$2"
}

state() {
	find $tree -type f -printf '%P %i %T@\n' | sort
}

nothing_changes() {
	state >state.1
	silent overlay || return 1
	state >state.2
	diff state.1 state.2 >out
}

# only_changes FILE...: what the next run writes is these
only_changes() {
	state >state.1
	prints . overlay || return 1
	state >state.2
	diff state.1 state.2 | sed -n 's/^> \([^ ]*\).*/\1/p' | grep -vx .overlay >changed || :
	for f; do echo "$f"; done | diff - changed >out
}

stamp_is_newer() {
	touch reference
	sleep 0.02
	echo more >>repo/mm/vmap.c
	run overlay
	[ -n "$(find $tree/.overlay -newer reference)" ]
}

refused_tree_is_as_it_was() {
	state >state.1
	refuses "$1" overlay || return 1
	state >state.2
	diff state.1 state.2 >out
}

goes_on_after_interruption() {
	touch -d '2021-01-01' $tree/.overlay
	: >$tree/.overlay-dirty
	silent overlay || return 1
	[ ! -e $tree/.overlay-dirty ] &&
		[ -n "$(find $tree/.overlay -newermt 2022-01-01)" ]
}

# prepend LINE: to pristine's vmalloc.c, as a refresh does it
prepend() {
	{ echo "$1"; cat $pristine/mm/vmalloc.c; } >new
	mv new $pristine/mm/vmalloc.c
	sleep 0.02
	touch $pristine/.vmap-stamp
}

applies_with_offset() {
	prepend 0
	only_changes mm/vmalloc.c && holds '^0$' mm/vmalloc.c && holds five mm/vmalloc.c
}

follows_pristine() {
	echo other >$pristine/mm/other.c
	prepend 00
	only_changes mm/other.c mm/vmalloc.c && holds '^00$' mm/vmalloc.c && holds five mm/vmalloc.c
}

check "makes a tree" prints 'patched: mm/vmap.c' overlay
check "puts a file of ours in" holds ours mm/vmap.c
check "replaces a whole file" holds heap mm/heap.c
check "applies every hunk of a patch" holds thirty-two mm/vmalloc.c
check "makes a cut, from comment to comment" \
	eval "printf '%s\n' first '/*' ' * kept()' kept | cmp - $tree/mm/walk.c >out 2>&1"
check "never writes through a hard link" pristine_is_untouched
check "applied twice changes nothing" nothing_changes

echo edited >repo/mm/vmap.c
check "an edit of one file replaces that file" only_changes mm/vmap.c
check "and the stamp gets a new time" stamp_is_newer
check "an interrupted run is noticed by the next" goes_on_after_interruption

sed -i 's/^-32$/-33/' repo/mm/6.12/vmap.patch
check "a patch that does not apply: names patch, file and hunk" \
	refused_tree_is_as_it_was '^overlay: mm/6.12/vmap.patch does not apply to 6.12: mm/vmalloc.c hunk 2$'
sed -i 's/^-33$/-32/; s,mm/vmalloc.c,mm/gone.c,' repo/mm/6.12/vmap.patch
check "a patch of a file that the tree lacks" \
	refused_tree_is_as_it_was 'vmap.patch does not apply to 6.12: mm/gone.c is not in the tree$'
sed -i 's,mm/gone.c,mm/vmalloc.c,' repo/mm/6.12/vmap.patch
check "applies with an offset" applies_with_offset

sed -i 's/kept/keep/' repo/mm/walk.c.cut
check "a cut whose end is not there" \
	refused_tree_is_as_it_was '^overlay: mm/walk.c.cut does not apply to 6.12: mm/walk.c has no line  . keep..$'
sed -i 's/keep/kept/; s/old/odd/' repo/mm/walk.c.cut
check "a cut whose beginning is not there" \
	refused_tree_is_as_it_was 'mm/walk.c has no line  . odd..$'
sed -i 's/odd/old/' repo/mm/walk.c.cut

mv repo/mm/vmap.c repo/mm/away.c
check "a file of the manifest that is missing" \
	refused_tree_is_as_it_was '^overlay: overlay.list: mm/vmap.c: no such file$'
mv repo/mm/away.c repo/mm/vmap.c
check "a bad line of the manifest" eval "echo 'patched fil mm/x' >>repo/scripts/overlay.list
	refused_tree_is_as_it_was '^overlay: overlay.list: bad line: patched fil mm/x'"
sed -i '$d; /vmap.c/d; /heap.c/d' repo/scripts/overlay.list
check "a file that left the manifest is removed, or is pristine's again" \
	only_changes mm/heap.c
check "it is" holds stock mm/heap.c
check "it is gone" [ ! -e $tree/mm/vmap.c ]
check "a refreshed pristine is followed" follows_pristine
check "and then nothing changes" nothing_changes
check "an unknown variant" refuses '^overlay: rfc: no such variant' \
	env OUT="$tmp/out.d" repo/scripts/overlay.sh 6.12 rfc
finish
