#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch.sh SERIES: have the pristine kernel tree $OUT/src/$TREE/pristine
# fetch.sh SERIES --check: only look at KERNEL_SRC and the disk
# fetch.sh SERIES --tree: print the name of the tree
# fetch.sh - --series: print the series of KERNEL_SRC, nothing if it is no kernel
#
# The tree comes from Debian's package linux-source-SERIES, of the release that
# this is or of backports, or is a copy of KERNEL_SRC, which is never written to.  Work is done in directories named
# *.part.* that are renamed when complete; a later run removes what an
# interrupted one left.  pristine/.vmap-stamp is newer than every change.

set -eu
. "$(dirname "$0")/../lib.sh"

# Two builds beside the tree: what they need, in MB
SPACE=${SPACE:-8000}

series_of() {
	sed -n 's/^VERSION *= *//p;s/^PATCHLEVEL *= *//p' "$1/Makefile" |
		head -n 2 | paste -sd .
}

# check_src: KERNEL_SRC is a kernel of this series
check_src() {
	[ -e "$KERNEL_SRC" ] || die "KERNEL_SRC=$KERNEL_SRC: no such directory"
	[ -d "$KERNEL_SRC" ] || die "KERNEL_SRC=$KERNEL_SRC: not a directory"
	for f in Makefile Kconfig mm/vmalloc.c; do
		[ -r "$KERNEL_SRC/$f" ] ||
			die "KERNEL_SRC=$KERNEL_SRC: not a kernel tree, it has no $f"
	done
	found=$(series_of "$KERNEL_SRC")
	[ "$found" = "$series" ] ||
		die "KERNEL_SRC=$KERNEL_SRC: a tree of ${found:-an unknown series}, not of $series; leave KERNEL out, it is read from the tree"
}

tree_name() {
	if [ -z "$KERNEL_SRC" ]; then
		echo "$series"
	else
		echo "$series-$(readlink -f "$KERNEL_SRC" | sha256sum | cut -c1-8)"
	fi
}

remove_leftovers() {
	rm -rf "$OUT/dl/"*.part.* "$src/"*.part.*
}

# backports: the suite that has the series where a release has not
backports() {
	case $series in
	7.3) echo trixie-backports ;;
	esac
}

in_lists() {
	apt-cache show "$package" >/dev/null 2>&1
}

# find_package: let apt know it, by what costs least
find_package() {
	in_lists && return
	if [ -z "$(backports)" ]; then
		update_lists
	else
		private_apt "$part/apt" "$(backports)" "$(dpkg --print-architecture)"
	fi
}

# old_lists: has the package gone that apt's lists name?
old_lists() {
	[ -z "${apt_options-}" ] && can_be_root
}

download() {
	command -v apt-get >/dev/null ||
		die "apt-get: not found; give a kernel tree of $series: make KERNEL_SRC=DIR"
	part=$OUT/dl/deb.part.$$
	mkdir -p "$part"
	find_package
	step source "download $package"
	cd "$part"
	as_root=
	if ! try_apt download "$package" && old_lists; then
		update_lists
		as_root=
		apt download "$package"
	fi
	cd "$top"
	for deb in "$part/$package"_*.deb; do
		[ -f "$deb" ] || die "$package cannot be fetched: $(apt_error)"
		mv "$deb" "$OUT/dl/"
	done
	rm -rf "$part"
}

newest_deb() {
	# shellcheck disable=SC2012 # the names are Debian's
	ls -t "$OUT/dl/$package"_*.deb 2>/dev/null | head -n 1
}

# broken WHAT SAID: unpacking went wrong, say why in one line
broken() {
	reason=$(or_full "removed, run make again" "$2")
	rm -rf "$part"
	[ "$reason" = "$OUT is full" ] || rm -f "$deb"
	die "$1: $reason"
}

unpack() {
	part=$src/unpack.part.$$
	mkdir -p "$part"
	step source "unpack $package"
	note "${deb##*/}"
	said=$(dpkg-deb --fsys-tarfile "$deb" 2>&1 >"$part/data.tar") ||
		broken "$deb does not unpack" "$said"
	said=$(tar -C "$part" -xf "$part/data.tar" "./usr/src/$package.tar.xz" 2>&1) ||
		broken "$deb does not hold $package.tar.xz" "$said"
	rm "$part/data.tar"
	run_progress --title "unpack $package" --unit files --expect 90000 --all-lines \
		--quiet-errors -- \
		tar -C "$part" -I 'xz -T0' -xvf "$part/usr/src/$package.tar.xz" ||
		broken "$package.tar.xz does not unpack" $?
	touch "$part/$package/.vmap-stamp"
	mv -T "$part/$package" "$src/pristine"
	rm -rf "$part"
}

from_package() {
	if [ ! -d "$src/pristine" ]; then
		need_space "$SPACE" "the kernel source with two builds"
		deb=$(newest_deb)
		[ -n "$deb" ] || download
		deb=$(newest_deb)
		unpack
	fi
	[ -e "$src/pristine/.vmap-stamp" ] || touch "$src/pristine/.vmap-stamp"
}

# source_files: the files of KERNEL_SRC that are source, NUL separated.  In a
# git tree git knows; elsewhere leave out what a build makes.
source_files() {
	if [ -e "$KERNEL_SRC/.git" ]; then
		GIT_OPTIONAL_LOCKS=0 git -c safe.directory='*' -C "$KERNEL_SRC" \
			ls-files -z -co --exclude-standard
	else
		(cd "$KERNEL_SRC" && find . \( -name '*.o' -o -name '*.ko' -o -name '*.a' \
			-o -name '*.cmd' -o -name '*.mod' -o -name '*.mod.c' -o -name '*.order' \
			-o -name '*.so' -o -name '*.so.dbg' -o -name '.tmp_*' -o -name '*.symvers' \
			-o -name '.vmap-stamp' -o -name '.overlay*' \
			-o -name vmlinux -o -name 'vmlinux.bin*' -o -name bzImage \
			-o -path './build-*' -o -path ./include/generated \
			-o -path './arch/*/include/generated' -o -path ./include/config \
			-o -path ./.config \) -prune -o \( -type f -o -type l \) -printf '%P\0')
	fi
}

built_in() {
	[ ! -e "$KERNEL_SRC/.git" ] && [ -e "$KERNEL_SRC/include/config/auto.conf" ]
}

# stamps DIR: path, size, mode and time of the files named on standard input
stamps() {
	# shellcheck disable=SC2185 # the paths are read
	(cd "$1" && find -files0-from - -maxdepth 0 -printf '%p\t%s\t%m\t%T@\n' 2>/dev/null) | sort
}

# compare DIR: what of KERNEL_SRC is not in DIR goes to $list.new, and what DIR
# has beside it to $list.gone
compare() {
	source_files >"$list"
	[ -s "$list" ] || die "KERNEL_SRC=$KERNEL_SRC: its files cannot be listed"
	stamps "$KERNEL_SRC" <"$list" >"$list.theirs"
	(cd "$1" && find . -path ./.vmap-stamp -prune -o \( -type f -o -type l \) -printf '%P\0') |
		stamps "$1" >"$list.mine"
	comm -23 "$list.theirs" "$list.mine" | cut -f 1 >"$list.new"
	cut -f 1 "$list.theirs" | sort >"$list.paths"
	cut -f 1 "$list.mine" | sort | comm -13 "$list.paths" - >"$list.gone"
}

# copy_to DIR: make DIR hold the files that compare listed
copy_to() {
	(cd "$1" && xargs -rd '\n' rm -f) <"$list.gone"
	run_progress --title "copy $KERNEL_SRC" --unit files --all-lines --quiet-errors --if-long \
		--expect "$(wc -l <"$list.new")" --log "$list.out" -- \
		rsync -aI --files-from="$list.new" --out-format=%n "$KERNEL_SRC/" "$1/" ||
		die "KERNEL_SRC=$KERNEL_SRC: $(or_full "$(grep "^rsync" "$list.out" | head -n 1)" $?)"
}

clean_copy() {
	built_in || return 0
	env -u MAKEFLAGS -u MAKELEVEL -u ARCH make -s -C "$1" mrproper >/dev/null ||
		die "make mrproper failed in the copy of $KERNEL_SRC"
}

first_copy() {
	need_space "$SPACE" "a copy of KERNEL_SRC with two builds"
	part=$src/copy.part.$$
	mkdir -p "$part"
	step source "copy $KERNEL_SRC"
	compare "$part"
	copy_to "$part"
	clean_copy "$part"
	touch "$part/.vmap-stamp"
	mv -T "$part" "$src/pristine"
}

refresh_copy() {
	compare "$src/pristine"
	[ -s "$list.new" ] || [ -s "$list.gone" ] || [ ! -e "$src/pristine/.vmap-stamp" ] || return 0
	rm -f "$src/pristine/.vmap-stamp"
	copy_to "$src/pristine"
	clean_copy "$src/pristine"
	say "refreshed from $KERNEL_SRC: $(cat "$list.new" "$list.gone" | wc -l) files"
	touch "$src/pristine/.vmap-stamp"
}

from_dir() {
	list=$src/list.part.$$
	if [ -d "$src/pristine" ]; then
		refresh_copy
	else
		first_copy
	fi
}

[ $# -ge 1 ] || die "usage: fetch.sh SERIES [--check|--tree|--series]"
series=$1
KERNEL_SRC=${KERNEL_SRC-}
package=linux-source-$series
src=$OUT/src/$(tree_name)

case ${2-} in
--tree)
	tree_name
	exit
	;;
--series)
	[ ! -r "$KERNEL_SRC/Makefile" ] || series_of "$KERNEL_SRC"
	exit
	;;
--check)
	[ -z "$KERNEL_SRC" ] || check_src
	claim
	[ -d "$src/pristine" ] || need_space "$SPACE" "the kernel source with two builds"
	exit
	;;
esac

mkdir -p "$OUT/dl" "$src"
lock "$src/.fetch.lock"
remove_leftovers
if [ -z "$KERNEL_SRC" ]; then
	from_package
else
	check_src
	from_dir
fi
rm -rf "$src/"*.part.*
