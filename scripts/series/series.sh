#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# series.sh SERIES ARCH: our changes as patches to send, in $OUT/series/$TREE
# series.sh SERIES --count: the number of patches
# series.sh SERIES --tree N: make $OUT/src/$TREE/series the tree after N of them
#
# A file of patches/messages is a patch: what it says, and below --- the files of
# overlay.list that come with it; overlay.sh makes the tree after each patch, so
# there is no second copy of anything.  A patch none of whose files a series has is
# not made.
#
# mm/vmap.c grows by steps.  It begins as patches/steps/walk/vmap.c, and the
# functions that ours replace move there from where they are.  The rest of
# patches/steps/walk, in order, leads to our file: in the trees before a patch
# that brings one, that step and all after it are taken back from our file.  The
# system heap grows by those of patches/steps/heap in the same way.

set -eu
. "$(dirname "$0")/../lib.sh"

# patterns PATCH: the files that it brings
patterns() {
	sed -e '1,/^---$/d' -e "s/@SERIES@/$series/g" "$top/patches/messages/$1"
}

# message PATCH: what it says
message() {
	sed -e '/^#/d' -e '/^---$/,$d' "$top/patches/messages/$1"
}

# undo DIR: its steps, the last one first
undo() {
	[ ! -e "patches/steps/$1" ] || find "patches/steps/$1" -name '*.patch' -printf 'undo %p\n' | sort -r
}

# kinds: "kind path" of all that a patch may bring; what a series writes in another
# way is in patches of the heap, which come after its steps
kinds() {
	cd "$top"
	[ ! -e patches/steps/walk ] || find patches/steps/walk -name vmap.c -printf 'first %p\n'
	"$top/scripts/source/overlay.sh" "$series" patched --entries | while read -r entry; do
		echo "$entry"
		[ "${entry#* }" != $HEAP ] || undo heap
	done
	undo walk
}

# list_files: $work/patches, those that have files, and $work/files, "number kind
# path" of each file in the order in which overlay.sh is to take them
list_files() {
	(kinds) >"$work/kinds"
	: >"$work/claimed"
	for patch in "$top"/patches/messages/[0-9]*; do
		patch=${patch##*/}
		patterns "$patch" >"$work/patterns"
		while read -r pattern; do
			claim_files "$patch" "$pattern"
		done <"$work/patterns"
	done
	cut -d ' ' -f 2 "$work/claimed" | sort | uniq -d >"$work/twice"
	cut -d ' ' -f 2 "$work/kinds" | sort >"$work/all"
	cut -d ' ' -f 2 "$work/claimed" | sort | comm -23 "$work/all" - >"$work/none"
	[ ! -s "$work/twice" ] || die "patches/messages: in two patches: $(head -n 1 "$work/twice")"
	[ ! -s "$work/none" ] || die "patches/messages: in no patch: $(head -n 1 "$work/none")"
	cut -d ' ' -f 1 "$work/claimed" | sort -u >"$work/patches"
	count=$(wc -l <"$work/patches")
	awk '
		FILENAME ~ /patches$/ { number[$1] = FNR; next }
		FILENAME ~ /claimed$/ { of[$2] = $1; next }
		{ print number[of[$2]], $1, $2 }
	' "$work/patches" "$work/claimed" "$work/kinds" >"$work/files"
}

# claim_files PATCH PATTERN: as "PATCH path"
claim_files() {
	while read -r _ path; do
		# shellcheck disable=SC2254 # a pattern
		case $path in
		$2) echo "$1 $path" >>"$work/claimed" ;;
		esac
	done <"$work/kinds"
}

# manifest N: an overlay.list of the tree after N patches
manifest() {
	awk -v n="$1" -v heap="$HEAP" '
		function base(step) { return step ~ /steps.heap/ ? heap : "mm/vmap.c" }
		NR == FNR { there[$3] = there[$3] || $1 <= n; next }
		$2 == "first" && there["mm/vmap.c"] { next }
		$2 == "undo" ? there[base($3)] && $1 > n : $1 <= n {
			print "series", ($2 == "replaced" && !there["mm/vmap.c"] ? "move" : $2), $3
		}
	' "$work/files" "$work/files" >"$work/overlay.list"
	# what is there may be nothing at all
	[ -s "$work/overlay.list" ] || die "$1: no patch brings a file"
}

# make_tree N: the tree after N patches
make_tree() {
	manifest "$1"
	OVERLAY_LIST=$work/overlay.list "$top/scripts/source/overlay.sh" "$series" series >"$work/overlay.out"
}

# in_repo DIR COMMAND...: git, on our repository and the files of DIR; nothing of
# the user's configuration has a say in what patches look like
in_repo() {
	dir=$1
	shift
	GIT_DIR=$repo GIT_WORK_TREE=$dir GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 \
		git -C "$dir" "$@"
}

# pristine_repo: one commit, the same for everyone who has that tree
pristine_repo() {
	if newer "$pristine/.vmap-stamp" "$repo/complete"; then
		rm -rf "$repo"
		say "$tree: a git repository of the kernel, once"
		git init -q --bare "$repo" 2>/dev/null
		in_repo "$pristine" config core.bare false
		in_repo "$pristine" config core.compression 1
		in_repo "$pristine" config core.trustctime false
		in_repo "$pristine" config gc.auto 0
		# also what .gitignore names
		in_repo "$pristine" add -A -f -- . ':!.vmap-stamp' || die "$repo: $(or_full "cannot be written")"
		GIT_AUTHOR_NAME=pristine GIT_AUTHOR_EMAIL=pristine@localhost \
			GIT_AUTHOR_DATE='1970-01-01T00:00:00Z' \
			GIT_COMMITTER_NAME=pristine GIT_COMMITTER_EMAIL=pristine@localhost \
			GIT_COMMITTER_DATE='1970-01-01T00:00:00Z' \
			in_repo "$pristine" commit -q -m "Linux $version" ||
			die "$repo: $(or_full "cannot be written")"
		in_repo "$pristine" branch -f base
		: >"$repo/complete"
	fi
	in_repo "$pristine" symbolic-ref HEAD refs/heads/series
	in_repo "$pristine" update-ref refs/heads/series base
	in_repo "$pristine" read-tree base
}

# whoever runs this; without a name in git's configuration, nobody in particular
author() {
	GIT_AUTHOR_NAME=$(git config user.name || echo "Your Name")
	GIT_AUTHOR_EMAIL=$(git config user.email || echo "you@example.org")
	export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL
	export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"
}

# measured: the table of the cover letter, and how it was made
measured() {
	results=$OUT/$tree-$arch/results
	if [ ! -e "$results.json" ] || [ ! -e "$results.md" ]; then
		echo "*** no measurements: run make KERNEL=$series ARCH=$arch, then make series again ***"
		return
	fi
	cat <<-END
		Guest instructions on $arch, medians, from
		  $(sed -n 's/.*"command": "\([^"]*\)".*/\1/p' "$results.json")
		which counts them by QEMU (-icount shift=0,sleep=off -smp 1), with the
		options of an Android kernel around dma-bufs, as small as they can be (from
		allnoconfig); the ratio is that of stock to patched.  They repeat to a few
		parts per million, and are path length, not cache, TLB or barrier cost.

	END
	cat "$results.md"
}

# one_page: what vmap() of a single page takes, of the table
one_page() {
	one_page=$(sed -n '/array of one page/s/[ |]\{1,\}/ /gp' "$work/measured" |
		sed 's/.* \([0-9,]*\) \([0-9,]*\) [0-9.]*x .*/\2 instructions, \1 without this series/')
	echo "${one_page:-*** not measured ***}"
}

# accepted_text: the part of the cover letter about it, if there is any
accepted_text() {
	[ -s "$(accepted series)" ] || return 0
	echo
	echo "That tree differs from what this was made for, and may lose a fix, in:"
	echo
	sed 's/^/- /' "$(accepted series)"
}

cover() {
	package=
	[ -n "${KERNEL_SRC-}" ] || package=", as in Debian's linux-source-$series"
	measured >"$work/measured"
	accepted_text >"$work/accepted"
	moved=$(in_repo "$src/series" log --format= --numstat --grep='move functions' base..series |
		awk '{ n += $2 } END { print n }')
	sed -e '/^#/d' -e "s/@VERSION@/$version/" -e "s/@PACKAGE@/$package/" \
		-e "s/@MOVED@/$moved/; s/@LINES@/$(wc -l <"$src/series/mm/vmap.c")/" \
		-e "s/@ONE_PAGE@/$(one_page)/" \
		-e "/^@MEASURED@/{r $work/measured" -e 'd}' \
		-e "/^@ACCEPTED@/{r $work/accepted" -e 'd}' "$top/patches/messages/cover"
}

# base_of_theirs: what KERNEL_SRC calls the commit that ours is a copy of
base_of_theirs() {
	[ -n "${KERNEL_SRC-}" ] && [ -e "$KERNEL_SRC/.git" ] || return 0
	their_base=$(git -c safe.directory='*' -C "$KERNEL_SRC" rev-parse HEAD) || return 0
	sed -i "s/^base-commit: .*/base-commit: $their_base/" "$work"/out/0000-*
}

commit_patches() {
	n=0
	make_tree 1
	cp "$src/series/.overlay" "$work/before"
	while read -r patch; do
		n=$((n + 1))
		make_tree $n
		sort -u "$work/before" "$src/series/.overlay" |
			in_repo "$src/series" add -A -f --pathspec-from-file=-
		cp "$src/series/.overlay" "$work/before"
		message "$patch" >"$work/message"
		in_repo "$src/series" commit -q -F "$work/message" ||
			die "patches/messages/$patch: $(or_full "changes nothing")"
	done <"$work/patches"
}

write_patches() {
	prefix="PATCH"
	[ "$series" = 7.3 ] || prefix="PATCH $series"
	in_repo "$src/series" config branch.series.description "$(cover)"
	in_repo "$src/series" format-patch -q --cover-letter --cover-from-description=subject \
		--base=base --subject-prefix="$prefix" --no-signature -o "$work/out" base..series
	base_of_theirs
	mkdir -p "$OUT/series"
	mv "$work/out" "$OUT/series/$tree" || die "$OUT/series/$tree: $(or_full "cannot be written")"
}

# git_am: what applies them to the tree that they are for
git_am() {
	their_tree=TREE
	[ ! -e "${KERNEL_SRC:-/nonexistent}/.git" ] || their_tree=$KERNEL_SRC
	echo "git -C $their_tree am --empty=drop $OUT/series/$tree/*.patch"
}

HEAP=drivers/dma-buf/heaps/system_heap.c

case $#${2-} in
2--count | 3--tree | 2x86_64 | 2arm64) ;;
*) die "usage: series.sh SERIES ARCH | SERIES --count | SERIES --tree N" ;;
esac
series=$1
arch=$2
tree=${TREE:-$series}
src=$OUT/src/$tree
pristine=$src/pristine
repo=$src/series.git
mkdir -p "$OUT/tmp"
work=$(mktemp -d "$OUT/tmp/series.XXXXXX")
trap 'rm -rf "$work"' EXIT
list_files
case $arch in
--count)
	echo "$count"
	exit
	;;
--tree)
	make_tree "$3"
	exit
	;;
esac
# If this one is refused, nobody shall take another for it
rm -rf "$OUT/series/$tree"
[ -d "$pristine" ] || die "$pristine: not there, run scripts/source/fetch.sh $series"
lock "$src/.series.lock"
version=$(make -s -C "$pristine" kernelversion)
# All that is refused is said at once, not patch by patch
"$top/scripts/source/overlay.sh" "$series" patched --check
author
pristine_repo
commit_patches
write_patches
say "$count patches: $OUT/series/$tree"
show_accepted series
echo "To apply them:"
git_am
