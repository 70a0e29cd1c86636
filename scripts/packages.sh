#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# packages.sh SERIES ARCH [bench|docs|lint|archs|--list]: install the Debian packages that
# are missing, with those that only bench, the documentation, lint or the machines
# of other architectures take
#
# As root, or with a sudo that asks nothing, they are installed; otherwise the
# one line to run is printed and the exit status is 1.

set -eu
. "$(dirname "$0")/lib.sh"

# The list.  git and make brought the user here.
packages() {
	# the kernel and the selftests
	echo gcc libc6-dev make binutils flex bison bc libelf-dev libssl-dev
	echo perl xz-utils lz4 kmod cpio rsync patch ccache pkgconf libdrm-dev
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

missing() {
	# shellcheck disable=SC2046 # a list
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(packages "$1") 2>/dev/null |
		awk '$1 == "installed" { print $2 }' >"$tmp"
	packages "$1" | tr ' ' '\n' | grep -vxFf "$tmp" || true
}

# as_root COMMAND...: run it, if that takes no password
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo -n "$@"
	fi
}

can_be_root() {
	[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

lists_lack() {
	for p in $1; do
		apt-cache policy "$p" | grep -q 'Candidate: [^(]' || return 0
	done
	return 1
}

# update WORD...: apt's lists, unless they know all of that
update() {
	lists_lack "$*" || return 0
	say "apt-get update"
	as_root apt-get -q update >&2 || die "apt-get update failed"
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
	update "$1"
	# shellcheck disable=SC2086 # a list
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
		--no-install-recommends install $1 ||
		die "apt-get could not install: $1"
}

[ $# -ge 2 ] || die "usage: packages.sh SERIES ARCH [bench|docs|lint|archs|--list]"
for=${3-}
if [ "${3-}" = --list ]; then
	packages "$1/$2"
	exit
fi
command -v apt-get >/dev/null ||
	die "apt-get: not found; this runs on Debian"
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
lack=$(missing "$1/$2" | tr '\n' ' ')
lack=${lack% }
[ -n "$lack" ] || exit 0
can_be_root || die "packages are missing; run: apt-get install --no-install-recommends $lack"
if [ "$for" = archs ]; then
	update "$lack"
	# shellcheck disable=SC2086 # a list
	lack=$(known $lack)
	[ -n "$lack" ] || exit 0
fi
say "installing $lack"
install "$lack"
