#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# steps.sh [heap]: have patches/steps/walk fit mm/vmap.c after an edit, or patches/steps/heap
#	the system heap
# steps.sh [heap] --write: write them as the commits of $OUT/steps have them, or those of
#	$OUT/heap-steps
#
# That is a git repository in which each step is a commit, and the file before
# the first step the root.  What was edited since the steps were written goes into
# the root, if it was there already; otherwise git rebase puts it into its step.

set -eu
. "$(dirname "$0")/../lib.sh"

# git of ours, not the user's
in_steps() {
	git -C "$repo" -c user.name=steps -c user.email=steps@localhost "$@"
}

# chain: the root and a commit for each step, of the file that they were written for
chain() {
	blob=$(sed -n 's/^index .*\.\.\([0-9a-f]*\) .*/\1/p' "$(echo "$patches" | tail -n 1)")
	git -C "$top" cat-file blob "$blob" >"$repo/$file" 2>/dev/null ||
		die "$file of the last step is not in the repository: $blob"
	for patch in $(echo "$patches" | tac); do
		in_steps apply -R "$patch"
	done
	in_steps add "$file"
	in_steps commit -q -m root
	for patch in $patches; do
		in_steps apply --index "$patch"
		# its name, and what it says
		{
			basename "$patch" .patch
			echo
			sed '/^---$/,$d' "$patch"
		} | in_steps commit -q -F -
	done
}

# put_below: what was edited since, into the root
put_below() {
	cp "$top/$file" "$repo/$file"
	! in_steps diff --quiet || return 0
	in_steps commit -q -a -m edit
	in_steps tag edit
	root=$(in_steps rev-list --max-parents=0 HEAD)
	in_steps reset -q --hard "$root"
	! { in_steps cherry-pick -n edit && in_steps commit -q --amend -m root &&
		in_steps cherry-pick "$root..edit^"; } >/dev/null 2>&1 || return 0
	in_steps reset -q --hard edit
	die "$repo: the last edit changes lines of a step: move it into that step by" \
		"git rebase -i --root there, then run steps.sh --write"
}

write() {
	cmp -s "$top/$file" "$repo/$file" ||
		die "$repo/$file: not our $file, which the last step has to make"
	# for chain, should this never be committed
	git -C "$top" hash-object -w "$file" >/dev/null
	rm -f "$dir"/*.patch
	for commit in $(in_steps rev-list --reverse HEAD | tail -n +2); do
		name=$(in_steps log -1 --format=%s "$commit")
		{
			in_steps log -1 --format=%b "$commit" | sed '${/^$/d}'
			echo ---
			in_steps diff --full-index "$commit^" "$commit"
		} >"$dir/$name.patch"
		say "patches/steps/$steps/$name.patch"
	done
}

file=mm/vmap.c
steps=walk
repo=$OUT/steps
if [ "${1-}" = heap ]; then
	file=drivers/dma-buf/heaps/system_heap.c
	steps=heap
	repo=$OUT/heap-steps
	shift
fi
dir=$top/patches/steps/$steps
patches=$(find "$dir" -name '*.patch' | sort)
case $#${1-} in
1--write) ;;
0)
	[ -n "$patches" ] || die "$dir: no step yet; see Documentation/vmap/sending.rst"
	rm -rf "$repo"
	mkdir -p "$repo/${file%/*}"
	git init -q "$repo"
	chain
	put_below
	;;
*) die "usage: steps.sh [heap] [--write]" ;;
esac
write
