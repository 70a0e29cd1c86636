#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of series.sh: what it refuses, in a repository of a few files; and with
# the kernel trees that are there, that git am makes of the patches what
# overlay.sh makes of our files.

set -eu
. "$(dirname "$0")/tap.sh"

# --- a repository of a few files ------------------------------------------

mkdir -p repo/patches/messages repo/patches/steps/walk repo/scripts/series repo/scripts/source repo/mm repo/patches/6.12 out.d/src/6.12/pristine/mm
cp "$top"/scripts/source/overlay.sh "$top"/scripts/source/*.awk repo/scripts/source
cp "$top"/scripts/series/series.sh "$top"/scripts/series/steps.sh repo/scripts/series
cp "$top"/scripts/lib.sh repo/scripts
pristine=out.d/src/6.12/pristine
printf 'kernelversion:\n\t@echo 6.12.0\n' >$pristine/Makefile
echo stock >$pristine/mm/heap.c
printf 'int a(void)\n{\n}\n\nint old(void)\n{\n}\n\nint b(void)\n{\n}\n' >$pristine/mm/vmalloc.c
touch $pristine/.vmap-stamp
# The states of mm/vmap.c; all but the last are made by steps that are taken back
printf '%s\n' walk 1 2 3 4 5 6 end >walk
sed '/^6$/i sg' walk >sg
sed '/^2$/i fast' sg >fast
sed 's/fast/faster/' fast >repo/mm/vmap.c
echo ours >repo/mm/heap.c
echo head >repo/patches/steps/walk/vmap.c

# step NAME FROM TO
step() {
	{
		printf '%s\n' 'Why.' --- 'diff --git a/mm/vmap.c b/mm/vmap.c' \
			"index $(git hash-object "$2")..$(git hash-object "$3") 100644"
		diff -u --label a/mm/vmap.c --label b/mm/vmap.c "$2" "$3"
	} >repo/patches/steps/walk/"$1".patch || :
}

step 20-sg walk sg
step 25-fast sg fast
step 26-faster fast repo/mm/vmap.c
for file in 'int old(void)\n{\n}\n  mm/vmalloc.c:old' 'stock\n  mm/heap.c'; do
	echo "$(printf '%b' "${file%  *}" | sha256sum | cut -d ' ' -f 1)  ${file#*  }"
done >repo/patches/6.12/replaced
cat >repo/scripts/source/overlay.list <<'END'
patched file mm/vmap.c
patched replaced patches/@SERIES@/replaced
patched file mm/heap.c
END
printf '%s\n' '# for tests' 'mm: a file' '' 'Why.' --- patches/steps/walk/vmap.c >repo/patches/messages/10-file
printf '%s\n' 'mm: move functions' '' 'Why.' --- patches/@SERIES@/replaced >repo/patches/messages/11-move
printf '%s\n' 'mm: a walk' '' 'Why.' --- mm/vmap.c >repo/patches/messages/12-walk
printf '%s\n' 'mm: sg' '' 'Why.' --- patches/steps/walk/20-sg.patch >repo/patches/messages/20-sg
printf '%s\n' 'mm: fast' '' 'Why.' --- patches/steps/walk/25-fast.patch >repo/patches/messages/25-fast
printf '%s\n' 'mm: faster' '' 'Why.' --- patches/steps/walk/26-faster.patch >repo/patches/messages/26-faster
printf '%s\n' 'heap: ours' '' 'Why.' --- 'mm/h*.c' >repo/patches/messages/30-heap
printf '%s\n' '# none here' 'other: nothing' --- mm/@SERIES@/none.c >repo/patches/messages/40-none
printf '%s\n' 'a walk' '' 'Of @VERSION@.' @MEASURED@ @ACCEPTED@ >repo/patches/messages/cover

series() {
	OUT=$tmp/out.d repo/scripts/series/series.sh 6.12 "$@"
}

# tree_has N TEXT FILE: that is what FILE is after N patches
tree_has() {
	run series --tree "$1"
	[ "$got" = 0 ] && printf '%b' "$2" | cmp - "out.d/src/6.12/series/$3" >>out 2>&1
}

patch_says() {
	grep -q -e "$2" out.d/series/6.12/"$1"-*.patch
}

# last_line ERE: of what was printed
last_line() {
	tail -n 1 out | grep -qx -e "$1"
}

check "patches that have files here" prints '^7$' series --count
check "the file begins as its head" tree_has 1 'head\n' mm/vmap.c
check "what is to move is where it was" tree_has 1 "$(cat $pristine/mm/vmalloc.c)\n" mm/vmalloc.c
check "moves functions there" tree_has 2 'head\n\nint old(void)\n{\n}\n' mm/vmap.c
check "away from where they were" \
	tree_has 2 'int a(void)\n{\n}\n\nint b(void)\n{\n}\n' mm/vmalloc.c
check "ours replaces them, without its steps" tree_has 3 "$(cat walk)\n" mm/vmap.c
check "what comes later is pristine" tree_has 3 'stock\n' mm/heap.c
check "a step, without the next" tree_has 4 "$(cat sg)\n" mm/vmap.c
check "one that the next one changes" tree_has 5 "$(cat fast)\n" mm/vmap.c
check "the last step makes our file" tree_has 6 "$(cat repo/mm/vmap.c)\n" mm/vmap.c
check "all patches" tree_has 7 'ours\n' mm/heap.c
check "writes them" prints '^series: 7 patches: ' series x86_64
check "and says how they are applied, last" last_line \
	"git -C TREE am --empty=drop $tmp/out.d/series/6.12/\*.patch"
check "the walk has what is not in a step" patch_says 0003 '^+end$'
check "a step adds the rest alone" eval 'patch_says 0004 "^+sg$" && ! patch_says 0004 "^+end$"'
check "no comment of ours is in them" eval '! grep -q "for tests" out.d/series/6.12/*'
check "nobody has signed them" eval '! grep -qi "^signed-off" out.d/series/6.12/*'
check "the cover letter: subject, version, base" eval 'patch_says 0000 "^Subject: .*a walk$" &&
	patch_says 0000 "^Of 6.12.0.$" && patch_says 0000 "^base-commit: [0-9a-f]\{40\}$"'

# A tree that differs in what two patches bring
differs=out.d/src/6.12-mine
mkdir $differs
cp -a $pristine $differs/
sed -i 's/^int old.*/&\n\/\/ fixed/' $differs/pristine/mm/vmalloc.c
sed -i '1i fixed' $differs/pristine/mm/heap.c
names='mm/heap.c mm/vmalloc.c:old'
own() {
	TREE=6.12-mine ACCEPT=$1 series x86_64
}

# refused_at_once: all that differs, though it is in two patches
refused_at_once() {
	run own ''
	[ "$got" != 0 ] && tail -n 1 out | grep -q ": ACCEPT=\"$names\"\$"
}

# written_if_accepted: and nobody who gets them is not told
written_if_accepted() {
	prints "^series: differs from what ours was made for, as ACCEPT allows: $names\$" own "$names" &&
		printf '%s\n' '- mm/heap.c' '- mm/vmalloc.c:old' >want &&
		grep '^- ' out.d/series/6.12-mine/0000-* | diff - want >out
}

# of_git_tree: of KERNEL_SRC, which is one
of_git_tree() {
	git init -q theirs.d
	git -C theirs.d -c user.name=a -c user.email=a@localhost commit -q --allow-empty -m a
	KERNEL_SRC=$tmp/theirs.d run own "$names"
	last_line "git -C $tmp/theirs.d am --empty=drop $tmp/out.d/series/6.12-mine/\*.patch"
}

check "nothing is accepted, and the cover letter says nothing of it" \
	eval '! grep -qi accept out.d/series/6.12/0000-*'
check "what is accepted is said, also by the cover letter" written_if_accepted
check "git am on a tree of somebody's own" of_git_tree
check "all that differs is said at once" refused_at_once
check "who is refused has no series of before" [ ! -e out.d/series/6.12-mine ]

echo new >repo/mm/new.c
echo 'patched file mm/new.c' >>repo/scripts/source/overlay.list
check "a file that is in no patch" refuses '^series: patches/messages: in no patch: mm/new.c$' series --count
echo mm/new.c >>repo/patches/messages/12-walk
echo mm/n*.c >>repo/patches/messages/30-heap
check "a file that is in two" refuses '^series: patches/messages: in two patches: mm/new.c$' series --count
sed -i '$d' repo/patches/messages/30-heap
echo >repo/patches/steps/walk/50-more.patch
check "a step that is in none" \
	refuses '^series: patches/messages: in no patch: patches/steps/walk/50-more.patch$' series --count
rm repo/patches/steps/walk/50-more.patch
check "and none of these" prints '^7$' series --count
check "no kernel" refuses 'pristine: not there, run scripts/source/fetch.sh 6.12$' \
	env OUT="$tmp/empty" repo/scripts/series/series.sh 6.12 x86_64
check "misuse" refuses '^series: usage: ' series

# --- the steps after an edit ----------------------------------------------

steps() {
	OUT=$tmp/out.d repo/scripts/series/steps.sh "$@"
}

# rebase SED: in the repository of the steps, with that as editor of the list
rebase() {
	GIT_SEQUENCE_EDITOR="sed -i $1" git -C out.d/steps -c user.name=a -c user.email=a@localhost \
		rebase -q -i --root >out 2>&1
}

git init -q repo
git -C repo hash-object -w mm/vmap.c >out
check "steps that fit are written as git has them" prints 26-faster steps
cp -r repo/patches/steps/walk as_they_were
check "and stay" eval 'steps >out && diff -r as_they_were repo/patches/steps/walk >out'
sed -i 's/^walk$/run/' repo/mm/vmap.c
check "a step that does not fit any more" refuses \
	'^overlay: patches/steps/walk/26-faster.patch does not fit mm/vmap.c any more, run scripts/series/steps.sh' \
	series --tree 3
check "an edit of what was there before the steps" prints 20-sg steps
check "is in all of them" tree_has 3 "$(sed s/walk/run/ walk)\n" mm/vmap.c
sed -i 's/^sg$/sg too/' repo/mm/vmap.c
check "an edit of what a step brings is refused" refuses 'changes lines of a step.*git rebase' steps
check "and is put there by git" rebase "'/edit/d;/20-sg/{p;s/.*/fixup edit/}'"
check "and is written" prints 20-sg steps --write
check "into that step" tree_has 4 "$(sed 's/walk/run/; s/sg/sg too/' sg)\n" mm/vmap.c
check "and no other" tree_has 3 "$(sed s/walk/run/ walk)\n" mm/vmap.c
check "that makes our file" tree_has 6 "$(cat repo/mm/vmap.c)\n" mm/vmap.c
echo more >>repo/mm/vmap.c
check "steps that do not make our file are not written" refuses 'not our mm/vmap.c' steps --write

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
	run env OUT="$out_dir" "$top/scripts/source/overlay.sh" "$1" patched
	check "$1: patches of the kernel" prints '^series: [0-9]+ patches: ' \
		env OUT="$out_dir" "$top/scripts/series/series.sh" "$1" x86_64
	check "$1: git am applies them" applies "$1/series" "$1"
	check "$1: its files are what git has" same_as "$am"
	check "$1: the tree is the patched one" same_as "$out_dir/src/$1/patched"
	rm -rf "$am"
}

for kernel in 6.12 7.3; do
	[ ! -d "$out_dir/src/$kernel/pristine" ] || with_kernel $kernel
done
finish
