#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# artifacts.sh SERIES ARCH VARIANT: what was built, in $OUT/artifacts/TREE-ARCH-VARIANT
# under the names that tuxrun, LAVA and KernelCI users expect
#
# ARTIFACTS_URL is where they will be found, for the LAVA job.

set -eu
. "$(dirname "$0")/../lib.sh"

# Of what a tarball holds only that should matter
TAR_SAME="--sort=name --owner=0 --group=0 --numeric-owner --mtime=@0"

# modules: out of the cpio that the guests get
modules() {
	mkdir "$part/modules"
	(cd "$part/modules" && cpio -idm --quiet) <"$obj/modules.cpio"
	# shellcheck disable=SC2086 # options
	tar -C "$part/modules" $TAR_SAME -cJf "$part/modules.tar.xz" .
	rm -rf "$part/modules"
}

# lava_job: the template with what is known here
lava_job() {
	sed -e "s|@NAME@|vmap $variant $series $arch|" -e "s|@ARCH@|$arch|" \
		-e "s|@IMAGE@|$image|" -e "s|@CONSOLE@|$console|" -e "s|@MACHINE@|$machine|" \
		-e "s|@CPU@|$cpu|" -e "s|@URL@|${ARTIFACTS_URL:-file://$dst}|" "$top/scripts/lab/lava-job.yaml.in"
}

[ $# = 3 ] || die "usage: artifacts.sh SERIES ARCH VARIANT"
series=$1
arch=$2
variant=$3
out=$OUT/${TREE:-$series}-$arch
obj=$out/$variant
dst=$OUT/artifacts/${TREE:-$series}-$arch-$variant
case $arch in
x86_64) image=bzImage boot=arch/x86/boot/bzImage console=ttyS0 machine=q35 cpu=max ;;
arm64) image=Image.gz boot=arch/arm64/boot/Image console=ttyAMA0 machine=virt cpu=max,pauth-impdef=on ;;
esac
for f in "$obj/$boot" "$obj/modules.cpio" "$obj/.config" "$out/initramfs.cpio" "$out/kselftest"; do
	[ -e "$f" ] || die "$f: not there, run make modules initramfs"
done
mkdir -p "$OUT/artifacts"
part=$dst.part.$$
rm -rf "$dst".part.*
mkdir "$part"
trap 'rm -rf "$part"' EXIT
case $image in
*.gz) gzip -9nc "$obj/$boot" >"$part/$image" ;;
*) cp "$obj/$boot" "$part/$image" ;;
esac
cp "$obj/.config" "$part/config"
cp "$obj/System.map" "$part/"
# the tests load modules, wherever they run
cat "$out/initramfs.cpio" "$obj/modules.cpio" | gzip -9nc >"$part/rootfs.cpio.gz"
# shellcheck disable=SC2086
tar -C "$out/kselftest" $TAR_SAME -cJf "$part/kselftest.tar.xz" .
modules
lava_job >"$part/lava-job.yaml"
(cd "$part" && sha256sum -- * >"$OUT/artifacts/sums.$$" && mv "$OUT/artifacts/sums.$$" sha256sums.txt)
rm -rf "$dst"
mv "$part" "$dst" || die "$dst: $(or_full "cannot be written")"
say "$dst"
