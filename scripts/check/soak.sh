#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh SERIES ARCH VARIANT MINUTES [ARG...]: heap_mix for so long, and what it
# says of each minute; ARG as -r SEED, -t THREADS.  A flavour is built first.

set -eu
. "$(dirname "$0")/../lib.sh"

# Seconds that a guest may take for what it does not measure
REST=300

[ $# -ge 4 ] || die "usage: soak.sh SERIES ARCH VARIANT MINUTES [ARG...]"
series=$1
arch=$2
variant=$3
minutes=$4
shift 4
case $variant in
*-*)
	for step in build modules; do
		"$top/scripts/build/build.sh" "$series" "$arch" "$variant" $step
	done
	;;
esac
port=$OUT/${TREE:-$series}-$arch/log/$variant-soak.port

status=0
RUN_LIMIT=$((minutes * 60 + REST)) "$top/scripts/guest/boot.sh" "$series" "$arch" "$variant" \
	wall soak run /kselftest/dmabuf-heaps/heap_mix -s $((minutes * 60)) "$@" || status=$?
grep -E '^# (seed|minute|choices|[-0-9]+ pages lost)' "$port" 2>/dev/null || :
exit $status
