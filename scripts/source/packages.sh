#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# packages.sh SERIES ARCH [bench|docs|lint|archs|--missing]: install the Debian
# packages that are missing, with those that only bench, the documentation, lint or
# the machines of other architectures take; or print those that are missing
#
# What counts is that commands, headers and libraries are here, from wherever: with
# all of them no package tool is needed.  Without apt, those that are not are named.
# As root, or with a sudo that asks nothing, packages are installed; otherwise
# the one line to run is printed and the exit status is 1.

set -eu
. "$(dirname "$0")/../lib.sh"

# The list.  git and make brought the user here.
packages() {
	# the kernel and the selftests
	echo gcc libc6-dev make binutils flex bison bc libelf-dev libssl-dev
	echo perl util-linux xz-utils lz4 kmod cpio rsync patch ccache pkgconf libdrm-dev
	# the guest's userland
	echo mksh toybox
	# the picture that it draws, and the figures that it has
	echo netpbm jq
	# the machine
	case $1 in
	*/x86_64) echo qemu-system-x86 ;;
	*/arm64) echo qemu-system-arm ;;
	esac
	case $for in
	bench) echo gnuplot-nox ;;
	docs) echo python3-sphinx ;;
	lint) echo sparse shellcheck ;;
	archs)
		# shellcheck disable=SC2086 # names
		"$top/scripts/archs/archs.sh" "${1%/*}" --packages ${MACHINES-}
		;;
	esac
	case $(cross_of "${1#*/}") in
	aarch64*) echo gcc-aarch64-linux-gnu ;;
	x86_64*) echo gcc-x86-64-linux-gnu ;;
	esac
}

# wants PACKAGE: what is taken of it, which may come from elsewhere
wants() {
	case $1 in
	binutils) echo ld readelf ;;
	libc6-dev) echo stdio.h linux/types.h libc.a ;;
	libelf-dev) echo gelf.h ;;
	libssl-dev) echo openssl/ssl.h ;;
	libdrm-dev) echo libdrm.pc ;;
	perl) echo File::Find Time::HiRes MIME::Base64 ;;
	util-linux) echo setpriv ;;
	xz-utils) echo xz ;;
	pkgconf) echo pkg-config ;;
	netpbm) echo pnmtopng ;;
	gnuplot-nox) echo gnuplot ;;
	python3-sphinx) echo sphinx-build ;;
	qemu-system-x86) echo qemu-system-x86_64 ;;
	qemu-system-arm) echo qemu-system-aarch64 ;;
	gcc-*-linux-gnu*) echo "${1#gcc-}-gcc" ;;
	*) echo "$1" ;;
	esac
}

# here THING: a header, a library, a Perl module or a command
here() {
	case $1 in
	*.h) echo "#include <$1>" | gcc -E - ;;
	*.a) [ -e "$(gcc -print-file-name="$1")" ] ;;
	*.pc) pkg-config --exists "${1%.pc}" ;;
	*::*) perl -M"$1" -e 1 ;;
	*) command -v "$1" ;;
	esac >/dev/null 2>&1
}

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing: packages of which something is not here, and what that is
missing() {
	for package in $(packages "$1"); do
		for thing in $(wants "$package"); do
			here "$thing" || installed "$package" || echo "$package $thing"
		done
	done
}

lists_lack() {
	for p in $1; do
		apt-cache policy "$p" | grep -q 'Candidate: [^(]' || return 0
	done
	return 1
}

# update WORD...: apt's lists, unless they know all of that
update() {
	! lists_lack "$*" || update_lists
}

# known PACKAGE...: those that this release has
known() {
	for p; do
		if lists_lack "$p"; then
			say "$p: not in this release, machines that need it are skipped" >&2
		else
			printf '%s ' "$p"
		fi
	done
}

install() {
	updated=
	if lists_lack "$1"; then
		update_lists
		updated=1
	fi
	# shellcheck disable=SC2086 # a list
	set -- -y --no-install-recommends install $1
	try_apt "$@" && return
	# lists that are old name files that are gone
	[ "$updated" ] || {
		update_lists
		try_apt "$@" && return
	}
	die "packages cannot be installed: $(apt_error)"
}

[ $# -ge 2 ] || die "usage: packages.sh SERIES ARCH [bench|docs|lint|archs|--missing]"
for=${3-}
lacking=$(missing "$1/$2")
[ "$for" != --missing ] || {
	echo "$lacking"
	exit
}
[ -n "$lacking" ] || exit 0
lack=$(echo "$lacking" | cut -d ' ' -f 1 | uniq | paste -sd ' ')
command -v apt-get >/dev/null ||
	die "not found, please install: $(echo "$lacking" | cut -d ' ' -f 2 | paste -sd ' ')"
can_be_root || die "packages are missing; run: apt-get install --no-install-recommends $lack"
if [ "$for" = archs ]; then
	update "$lack"
	# shellcheck disable=SC2086 # a list
	lack=$(known $lack)
	[ -n "$lack" ] || exit 0
fi
step packages "install $(echo "$lack" | wc -w) packages"
note "installing $lack"
install "$lack"
