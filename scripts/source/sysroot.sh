#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# sysroot.sh ARCH: have $OUT/sysroot-ARCH, what programs of another architecture
# are built with and what the guest runs: this release's own packages
#
# apt resolves the dependencies in a world of its own, in which nothing is
# installed and ARCH is the only architecture; the packages are unpacked, not
# installed.  So it takes no root, and this machine stays as it is.

set -eu
. "$(dirname "$0")/../lib.sh"

PACKAGES="libc6-dev libdrm-dev mksh toybox coreutils kmod"

# unpack FILE: over links from /bin to /usr/bin and the like, as on a system
unpack() {
	dpkg-deb --fsys-tarfile "$1" | tar -C "$part/root" --keep-directory-symlink -xf - ||
		die "${1##*/} does not unpack: $(or_full "removed, run make again")"
}

[ $# = 1 ] || die "usage: sysroot.sh ARCH"
sysroot=$OUT/sysroot-$1
newer "$0" "$sysroot" || exit 0

rm -rf "$sysroot" "$sysroot".part.*
part=$sysroot.part.$$
mkdir -p "$part/root/usr"
trap 'rm -rf "$part"' EXIT
for dir in bin sbin lib; do
	mkdir "$part/root/usr/$dir"
	ln -s "usr/$dir" "$part/root/$dir"
done
suite=$(release_codename)
private_apt "$part/apt" "$suite" "$(debian_arch "$1")"
say "downloading $1 libraries of $suite"
# shellcheck disable=SC2086 # a list
apt -qq -y --no-install-recommends --download-only install $PACKAGES
for deb in "$part/apt/cache/archives/"*.deb; do
	unpack "$deb"
done
touch "$part/root"
mv "$part/root" "$sysroot"
