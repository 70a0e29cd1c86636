#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of overlay.sh on a tree of a few files.

set -eu
. "$(dirname "$0")/tap.sh"

# A repository of its own, with the script under test
mkdir -p repo/scripts/source repo/mm repo/patches/6.12 out.d/src/6.12/pristine/mm
cp "$top/scripts/source/overlay.sh" "$top"/scripts/source/*.awk repo/scripts/source
cp "$top/scripts/lib.sh" repo/scripts
pristine=out.d/src/6.12/pristine
tree=out.d/src/6.12/patched
seq 1 40 >$pristine/mm/vmalloc.c
echo 'obj-y += vmalloc.o' >$pristine/mm/Makefile
echo stock >$pristine/mm/heap.c
cat >$pristine/mm/walk.c <<'END'
#include <walk.h>

/*** Walks ***/
/*
 * Of pages.
 */
static int old_walk(int a)
{
	return a;
}

/* Kept. */
int kept_walk(int b,
	      int c)
{
	int d = b;

	return d;
}
EXPORT_SYMBOL(kept_walk);

int new_walk(int b)
{
	int d = b;

	return d;
}

int
old(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(old);
END
touch -d '2020-01-01' $pristine/mm/*
touch $pristine/.vmap-stamp
cp -a $pristine before

cat >taken <<'END'
#include <walk.h>

/*** Walks ***/
/* Kept. */
int kept_walk(int b,
	      int c)
{
	int d = b;

	return c;
}
EXPORT_SYMBOL(kept_walk);

int new_walk(int b)
{
	int d = b;

	return d;
}

END
echo ours >repo/mm/vmap.c
echo heap >repo/mm/heap.c
cat >repo/patches/6.12/20-vmap.patch <<'END'
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
--- a/mm/walk.c
+++ b/mm/walk.c
@@ -17,3 +17,3 @@ int kept_walk(int b,
 
-	return d;
+	return c;
 }
END
cat >repo/scripts/source/overlay.list <<'END'
stock,patched patch patches/@SERIES@/1?-*.patch # none here
patched file mm/vmap.c # ours
patched file mm/heap.c # ours
patched patch patches/@SERIES@/20-vmap.patch # wires it in
patched replaced patches/@SERIES@/replaced # what it replaces
END
known=repo/patches/6.12/replaced

# knows WHAT: ours is made for what the standard input has
knows() {
	echo "$(sha256sum | cut -d ' ' -f 1)  $1" >>$known
}

sed -n '/^\/\*$/,/^}/p' $pristine/mm/walk.c | knows mm/walk.c:old_walk
sed -n '/^int$/,$p' $pristine/mm/walk.c | knows mm/walk.c:old
knows mm/heap.c <$pristine/mm/heap.c

overlay() {
	OUT=$tmp/out.d V=1 repo/scripts/source/overlay.sh 6.12 patched
}

# changed FILE SED: a tree of somebody's own, in which a file differs
mine=out.d/src/6.12-mine
changed() {
	rm -rf $mine
	mkdir -p $mine
	cp -a before $mine/pristine
	sed -i "$2" "$mine/pristine/$1"
}

# own [WHAT]: what is accepted
own() {
	V=1 TREE=6.12-mine ACCEPT=${1-} OUT=$tmp/out.d repo/scripts/source/overlay.sh 6.12 patched
}

# stops TEXT WHAT...: before there is a tree, and says what is different, and in
# the last line how to go on
stops() {
	want=$1
	shift
	run own "a-other $(printf '%sx ' "$@")"
	accept=$({
		printf '%s\n' a-other "$@"
		printf '%sx\n' "$@"
	} | sort -u | paste -sd ' ')
	[ "$got" != 0 ] && [ ! -e $mine/patched ] && grep -qF -e "$want" out &&
		tail -n 1 out | grep -qF "see above; to go on anyway: ACCEPT=\"$accept\"" && return
	echo "(status $got; wanted: $want; and in the last line ACCEPT=\"$accept\")" >>out
	return 1
}

# advice: what the last line says to accept
advice() {
	sed -n '$s/.*: ACCEPT="\(.*\)"$/\1/p' out
}

# advice_ends: with one of the names accepted, the advice has all of them
advice_ends() {
	run own mm/walk.c:old
	[ "$(advice)" = "mm/walk.c:old mm/walk.c:old_walk" ] || return 1
	prints 'patched: mm/vmap.c' own "$(advice)"
}

# looks_first: with --check there is a verdict, and no tree
looks_first() {
	silent env TREE=6.12-mine ACCEPT="$1" OUT="$tmp/out.d" \
		repo/scripts/source/overlay.sh 6.12 patched --check && [ ! -e $mine/patched ]
}

# goes_on WHAT...: when that is accepted, which is kept for the verdict
goes_on() {
	prints 'patched: mm/vmap.c' own "$*" || return 1
	printf '%s\n' "$@" | diff - $mine/patched/.overlay-accepted >out
}

without_a_word() {
	run own
	[ "$got" = 0 ] && ! grep -v '^overlay: 6.12-mine/patched: ' out &&
		[ ! -e $mine/patched/.overlay-accepted ]
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
check "takes functions out, with comments and exports" eval "diff taken $tree/mm/walk.c >out 2>&1"
check "never writes through a hard link" pristine_is_untouched
check "applied twice changes nothing" nothing_changes

echo edited >repo/mm/vmap.c
check "an edit of one file replaces that file" only_changes mm/vmap.c
check "and the stamp gets a new time" stamp_is_newer
check "an interrupted run is noticed by the next" goes_on_after_interruption

sed -i 's/^-32$/-33/' repo/patches/6.12/20-vmap.patch
check "a patch that does not apply: names patch, file and hunk" \
	refused_tree_is_as_it_was '^overlay: patches/6.12/20-vmap.patch does not apply to 6.12: mm/vmalloc.c hunk 2$'
sed -i 's/^-33$/-32/; s,mm/vmalloc.c,mm/gone.c,' repo/patches/6.12/20-vmap.patch
check "a patch of a file that the tree lacks" \
	refused_tree_is_as_it_was 'vmap.patch does not apply to 6.12: mm/gone.c is not in the tree$'
sed -i 's,mm/gone.c,mm/vmalloc.c,' repo/patches/6.12/20-vmap.patch
patch -s -d $pristine -p1 <repo/patches/6.12/20-vmap.patch
touch $pristine/.vmap-stamp
check "a tree that has our patches already" \
	refused_tree_is_as_it_was 'vmap.patch does not apply to 6.12: mm/Makefile has it already; '
patch -s -R -d $pristine -p1 <repo/patches/6.12/20-vmap.patch
touch $pristine/.vmap-stamp
check "applies with an offset" applies_with_offset

changed mm/walk.c 's/return a;/return fixed(a);/'
check "a fix in a function that ours replaces: shows it, and stops" \
	stops '+	return fixed(a);' mm/walk.c:old_walk
check "goes on with what is accepted" goes_on mm/walk.c:old_walk
sed -i 's/return fixed(a);/return a;/' $mine/pristine/mm/walk.c
check "which is forgotten when nothing differs" without_a_word
changed mm/walk.c 's/Of pages/Of single pages/'
check "a change of its comment" stops '+ * Of single pages.' mm/walk.c:old_walk
changed mm/walk.c 's/old_walk/old_way/'
check "a function that is not there" stops '-static int old_walk' mm/walk.c:old_walk
changed mm/heap.c '1i fixed'
check "a fix in a file that ours replaces" stops +fixed mm/heap.c
check "goes on with that" goes_on mm/heap.c
changed mm/walk.c 's/return \([a1]\);/return fixed(\1);/'
check "all that differs is said at once" stops '+	return fixed(1);' mm/walk.c:old mm/walk.c:old_walk
check "and looked at without making a tree" looks_first 'mm/walk.c:old mm/walk.c:old_walk'
check "what is accepted already is in the advice" advice_ends
rm -r $mine/patched
check "and can be accepted at once" goes_on mm/walk.c:old mm/walk.c:old_walk
changed mm/walk.c 's/return a;/return fixed(a);/'
mv $pristine away
check "with no package to compare: shows all of it" stops '+static int old_walk' mm/walk.c:old_walk
check "and says how to get one" grep -q '^overlay: nothing to compare .*; make fetch KERNEL=6.12 gets' out
mv away $pristine
changed mm/walk.c '1i // another release\n\nint other(void)\n{\n}\n'
check "a release with the same functions goes on without a word" without_a_word
changed mm/walk.c '0,/return d;/s//return e;/'
check "a hunk that would land in another function" \
	stops 'mm/walk.c hunk 1 is in new_walk, and its @@ line names kept_walk' patches/6.12/20-vmap.patch
check "goes on with that patch" goes_on patches/6.12/20-vmap.patch
changed mm/heap.c ''
sed -i '/heap.c/d' $known
check "a file that ours replaces, of which nothing is known" stops +stock mm/heap.c
knows mm/heap.c <before/mm/heap.c

mv repo/mm/vmap.c repo/mm/away.c
check "a file of the manifest that is missing" \
	refused_tree_is_as_it_was '^overlay: overlay.list: mm/vmap.c: no such file$'
mv repo/mm/away.c repo/mm/vmap.c
check "a bad line of the manifest" eval "echo 'patched fil mm/x' >>repo/scripts/source/overlay.list
	refused_tree_is_as_it_was '^overlay: overlay.list: bad line: patched fil mm/x'"
sed -i '$d; /vmap.c/d; /heap.c/d' repo/scripts/source/overlay.list
check "a file that left the manifest is removed, or is pristine's again" \
	only_changes mm/heap.c
check "it is" holds stock mm/heap.c
check "it is gone" [ ! -e $tree/mm/vmap.c ]
check "a refreshed pristine is followed" follows_pristine
check "and then nothing changes" nothing_changes
check "an unknown variant" refuses '^overlay: rfc: no such variant' \
	env OUT="$tmp/out.d" repo/scripts/source/overlay.sh 6.12 rfc
finish
