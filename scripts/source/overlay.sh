#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# overlay.sh SERIES VARIANT: make $OUT/src/$TREE/VARIANT what overlay.list says
# overlay.sh SERIES VARIANT --entries: print that, a kind and a file per line
# overlay.sh SERIES VARIANT --check: only say whether it can be made
#
# The tree is hard-linked from pristine, so nothing is ever written through a
# file of it: what differs is replaced by a rename.  What does not differ keeps
# its time, so kbuild rebuilds only what depends on a change.  In the tree,
# .overlay lists the files that are not pristine's, and is touched when any
# changed; .overlay-dirty says that an earlier run was interrupted.
#
# What ours replaces is known by its hash in patches/SERIES/replaced, and what a patch
# changes by the function that it is in.  A tree that differs there may have a fix
# that would be lost: it is refused, unless ACCEPT names what differs.  What was
# accepted is in .overlay-accepted.

set -eu
. "$(dirname "$0")/../lib.sh"

# entries: "kind path" of every line of the manifest that is for this variant
entries() {
	sed 's/#.*//' "$manifest" | awk -v want="$variant" -v series="$series" '
		NF == 0 { next }
		NF != 3 || $2 !~ /^(file|patch|replaced|first|move|undo)$/ {
			print "bad line: " $0; next
		}
		index("," $1 ",", "," want ",") {
			gsub(/@SERIES@/, series, $3)
			print $2, $3
		}'
}

# base FILE: have FILE in the work directory, from pristine if not ours
base() {
	[ -e "$work/tree/$1" ] && return
	mkdir -p "$work/tree/$(dirname "$1")"
	[ ! -e "$pristine/$1" ] || cp "$pristine/$1" "$work/tree/$1"
}

add_file() {
	[ ! -e "$pristine/$1" ] || check_known "$1"
	mkdir -p "$work/tree/$(dirname "$1")"
	cp "$top/$1" "$work/tree/$1" || die "$1: cannot be copied"
	echo "$1" >>"$work/list"
}

# hunk_of: the first failure in what patch printed, as "FILE hunk N"
hunk_of() {
	awk '
		/^(checking|patching) file / { file = $3 }
		/can.t find file to patch/ { lost = 1 }
		lost && /^[|]\+\+\+ / { sub("^[^/]*/", "", $2); print $2 " is not in the tree"; exit }
		/^Reversed .or previously applied/ {
			print file " has it already; give a tree without our patches"
			exit
		}
		/^Hunk #[0-9]+ FAILED/ { sub("#", "", $2); print file " hunk " $2; exit }
		/^patch: \*\*\*\* / { sub("^patch: .... ", ""); print; exit }
	' "$work/patch.out"
}

add_patch() {
	sed -n 's,^+++ [^/]*/\([^	]*\).*,\1,p' "$top/$1" >"$work/targets"
	[ -s "$work/targets" ] || die "$1: names no file, not a patch"
	rm -rf "$work/before"
	while read -r target; do
		base "$target"
		echo "$target" >>"$work/list"
		mkdir -p "$work/before/$(dirname "$target")"
		[ ! -e "$work/tree/$target" ] || cp "$work/tree/$target" "$work/before/$target"
	done <"$work/targets"
	patch -d "$work/tree" -p1 --batch --forward --fuzz=0 --reject-file=- --verbose \
		--no-backup-if-mismatch -i "$top/$1" >"$work/patch.out" 2>&1 ||
		die "$1 does not apply to $tree: $(hunk_of)"
	awk -v tree="$work/before" -f "$top/scripts/source/hunks.awk" "$top/$1" "$work/patch.out" >"$work/moved"
	[ ! -s "$work/moved" ] || accept "$1" || sed "s,^,$1: ," "$work/moved" >&2
}

# text_of TREE WHAT: a file of the tree, or a function if WHAT is FILE:FUNCTION
text_of() {
	file=$1/${2%:*}
	[ -e "$file" ] || return 0
	case $2 in
	*:*)
		awk -v names="${2#*:}" -v out="$work/text" -f "$top/scripts/source/functions.awk" "$file" >/dev/null
		cat "$work/text"
		;;
	*) cat "$file" ;;
	esac
}

# is_known WHAT TEXT: was ours made for it?
is_known() {
	grep -qsxF "$(sha256sum <"$2" | cut -d ' ' -f 1)  $1" "$known"
}

# accept WHAT: by the user, or the tree is refused once all of it was looked at
accept() {
	case " ${ACCEPT-} " in
	*" $1 "*) echo "$1" >>"$work/accepted" ;;
	*)
		echo "$1" >>"$work/refused"
		return 1
		;;
	esac
}

# advice: what ACCEPT has to be: what it is, and what was refused
advice() {
	echo "${ACCEPT-}" | tr -s ' ' '\n' | sed '/^$/d' | sort -u - "$work/refused" | paste -sd ' '
}

# check_known WHAT: ours replaces it, and with it any fix that is in it
check_known() {
	text_of "$pristine" "$1" >"$work/theirs"
	! is_known "$1" "$work/theirs" || return 0
	! accept "$1" || return 0
	text_of "$OUT/src/$series/pristine" "$1" >"$work/package"
	if ! is_known "$1" "$work/package"; then
		: >"$work/package"
		echo "overlay: nothing to compare $1 with; make fetch KERNEL=$series gets what ours was made for" >&2
	fi
	diff -u --label "$1, as known" --label "$1, sha256 $(sha256sum <"$work/theirs" | cut -d " " -f 1)" \
		"$work/package" "$work/theirs" >&2 || :
}

# add_replaced LIST: take out the functions that ours replace.  Unlike a patch, this
# does not mind what is around them, which differs among packages of a series.
add_replaced() {
	sed -n 's/^[0-9a-f]*  \(.*:.*\)/\1/p' "$top/$1" | sort -u >"$work/functions"
	while read -r what; do
		check_known "$what"
	done <"$work/functions"
	cut -d : -f 1 "$work/functions" | sort -u >"$work/files"
	while read -r target; do
		base "$target"
		echo "$target" >>"$work/list"
		awk -v names="$(sed -n "s,^$target:,,p" "$work/functions" | paste -sd ' ')" -v out="$work/taken" \
			-f "$top/scripts/source/functions.awk" "$work/tree/$target" >"$work/rest"
		mv "$work/rest" "$work/tree/$target"
	done <"$work/files"
}

# add_first, add_move, add_undo: mm/vmap.c and the heap as they are early in the series,
# see series.sh
add_first() {
	mkdir -p "$work/tree/mm"
	cp "$top/$1" "$work/tree/mm/vmap.c"
	echo mm/vmap.c >>"$work/list"
}

add_move() {
	add_replaced "$1"
	echo | cat - "$work/taken" >>"$work/tree/mm/vmap.c"
}

add_undo() {
	fit="mm/vmap.c any more, run scripts/series/steps.sh"
	case $1 in
	*/steps/heap/*) fit="the system heap any more, run scripts/series/steps.sh heap" ;;
	esac
	(cd "$work/tree" && GIT_CEILING_DIRECTORIES=$work git apply -R "$top/$1") \
		>"$work/patch.out" 2>&1 ||
		die "$1 does not fit $fit: $(head -n 1 "$work/patch.out")"
}

# each COMMAND: call it with the kind and the path of every file of ours
each() {
	entries >"$work/entries"
	while read -r kind path; do
		[ "$kind" != bad ] || die "${manifest##*/}: bad $path"
		found=
		for f in "$top"/$path; do
			[ -f "$f" ] || continue
			found=1
			"$1" "$kind" "${f#"$top"/}"
		done
		case $found$path in
		1* | *"/$series/"*"*"*) ;;
		*) die "${manifest##*/}: $path: no such file" ;;
		esac
	done <"$work/entries"
}

add() {
	"add_$1" "$2"
}

# compute: fill $work/tree and $work/list
compute() {
	each add
	[ ! -e "$work/refused" ] || die "$tree: has changes that ours would overwrite, or that" \
		"shift a hunk of ours, see above; to go on anyway: ACCEPT=\"$(advice)\""
	sort -u "$work/list" -o "$work/list"
}

# link_tree: the first time, a hard-linked copy of pristine
link_tree() {
	[ ! -d "$dst" ] || return 0
	note "$tree/$variant: linked from pristine"
	rm -rf "$src/$variant".part.*
	cp -al "$pristine/." "$src/$variant.part.$$" ||
		die "$src/$variant: $(or_full "cannot be linked")"
	: >"$src/$variant.part.$$/.overlay-dirty"
	rm -f "$src/$variant.part.$$/.vmap-stamp"
	mv -T "$src/$variant.part.$$" "$dst"
}

dirty() {
	[ -e "$dst/.overlay-dirty" ] || : >"$dst/.overlay-dirty"
}

# replace FROM FILE: put a copy in place of the tree's file, by a rename
replace() {
	dirty
	mkdir -p "$dst/$(dirname "$2")"
	if ! cp "$1" "$dst/$2.part.$$" || ! mv -T "$dst/$2.part.$$" "$dst/$2"; then
		rm -f "$dst/$2.part.$$"
		die "$dst/$2: $(or_full "cannot be written")"
	fi
	note "$tree/$variant: $2"
}

drop() {
	dirty
	rm -f "$dst/$1"
	note "$tree/$variant: $1 removed"
}

# restore FILE: what pristine has, which may be nothing
restore() {
	if [ -e "$pristine/$1" ]; then
		cmp -s "$pristine/$1" "$dst/$1" || replace "$pristine/$1" "$1"
	elif [ -e "$dst/$1" ]; then
		drop "$1"
	fi
}

inodes() {
	(cd "$1" && find . -path './build-*' -prune -o -name '.overlay*' -prune -o \
		-name .vmap-stamp -prune -o \( -type f -o -type l \) -printf '%P\t%i\n') | sort
}

# follow_pristine: after pristine was refreshed, every file that is not ours
follow_pristine() {
	newer "$pristine/.vmap-stamp" "$dst/.overlay" || return 0
	inodes "$pristine" >"$work/pristine.inodes"
	inodes "$dst" >"$work/dst.inodes"
	comm -3 "$work/pristine.inodes" "$work/dst.inodes" | sed 's/^\t//; s/\t.*//' |
		sort -u | comm -23 - "$work/list" >"$work/differ"
	while read -r file; do
		restore "$file"
	done <"$work/differ"
}

# install_overlay: the computed files, then those of an earlier overlay
install_overlay() {
	touch -a "$dst/.overlay"
	sort -u "$dst/.overlay" "$work/list" >"$work/union"
	while read -r file; do
		cmp -s "$work/tree/$file" "$dst/$file" || replace "$work/tree/$file" "$file"
	done <"$work/list"
	comm -23 "$work/union" "$work/list" >"$work/gone"
	while read -r file; do
		restore "$file"
	done <"$work/gone"
}

# finish: the new list, with a new time if anything changed
finish() {
	if [ -e "$dst/.overlay-dirty" ] || ! cmp -s "$work/list" "$dst/.overlay" ||
		newer "$pristine/.vmap-stamp" "$dst/.overlay"; then
		cp "$work/list" "$dst/.overlay.part"
		mv "$dst/.overlay.part" "$dst/.overlay"
		rm -f "$dst/.overlay-dirty"
	fi
	rm -f "$dst/.overlay-accepted"
	[ ! -e "$work/accepted" ] || sort -u "$work/accepted" >"$dst/.overlay-accepted"
}

case $#${3-} in
2 | 3--entries | 3--check) ;;
*) die "usage: overlay.sh SERIES VARIANT [--entries|--check]" ;;
esac
series=$1
variant=$2
tree=${TREE:-$series}
manifest=${OVERLAY_LIST:-$top/scripts/source/overlay.list}
src=$OUT/src/$tree
pristine=$src/pristine
known=$top/patches/$series/replaced
dst=$src/$variant
cut -d '#' -f 1 "$manifest" | grep -qE "(^|,)${variant}[, 	]" ||
	die "$variant: no such variant in ${manifest##*/}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "${3-}" = --entries ]; then
	each echo
	exit
fi
[ -d "$pristine" ] || die "$pristine: not there, run scripts/source/fetch.sh $series"
mkdir "$work/tree"
: >"$work/list"
compute
[ $# = 2 ] || exit 0
link_tree
follow_pristine
install_overlay
finish
