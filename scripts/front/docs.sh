#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# docs.sh SERIES: our documentation as HTML, by the kernel's own tools
#
# In $OUT/src/$TREE/docs, the patched tree with Documentation/vmap, which is not
# for the kernel.  A warning about a file of ours is a failure; those about others
# are the kernel's.

set -eu
. "$(dirname "$0")/../lib.sh"

[ $# = 1 ] || die "usage: docs.sh SERIES"
series=$1
tree=${TREE:-$series}
src=$OUT/src/$tree/docs
log=$OUT/docs.log
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n 's/^\([a-z]*,\)*patched[, a-z]* \(file\|patch\|replaced\) /docs \2 /p' \
	"$top/scripts/source/overlay.list" >"$work/overlay.list"
echo "docs file Documentation/vmap/*.rst" >>"$work/overlay.list"
OVERLAY_LIST=$work/overlay.list "$top/scripts/source/overlay.sh" "$series" docs
# Debian's Sphinx belongs to Debian's Python
for part in vmap mm; do
	run_progress --title "docs $part" --unit lines --all-lines --log "$log" -- \
		env -u MAKEFLAGS -u MAKELEVEL -u ARCH PATH="/usr/bin:$PATH" \
		make -C "$src" O=build-docs SPHINXDIRS=$part htmldocs ||
		die "sphinx failed, log: $log"
	grep -E 'WARNING|ERROR|warning:|error:' "$log" |
		grep -E 'Documentation/(vmap/|mm/vmap\.)|mm/vmap\.c|linux/vmap\.h' >"$work/ours" || continue
	cat "$work/ours"
	die "warnings about files of ours"
done
say "$src/build-docs/Documentation/output"
