#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# clean.sh [--all]: remove what was built below $OUT, with --all the sources too
#
# Only a directory that fetch.sh --check has marked as ours is touched.

set -eu
. "$(dirname "$0")/../lib.sh"

[ -d "$OUT" ] || exit 0
owned || die "OUT=$OUT: not made by this Makefile, nothing removed"
rm -rf "$OUT/host" "$OUT"/*-x86_64 "$OUT"/*-arm64 "$OUT"/*-archs
for v in stock patched rfc series docs; do
	rm -rf "$OUT"/src/*/$v "$OUT"/src/*/$v.part.*
done
rm -rf "$OUT/make.log" "$OUT/apt.log" "$OUT/series" "$OUT/artifacts" "$OUT/tmp" "$OUT/docs.log" "$OUT"/src/*/series.git
[ "${1-}" = --all ] || exit 0
rm -rf --one-file-system "$OUT/release"
rm -rf "$OUT/src" "$OUT/dl" "$OUT/ccache" "$OUT"/sysroot-* "$OUT/.qemu.lock" "$OUT/.make" "$OUT/.vmap-out"
rmdir --ignore-fail-on-non-empty "$OUT"
