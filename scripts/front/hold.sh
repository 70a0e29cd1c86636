#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# hold.sh PID [GOAL...]: let that make use $OUT, unless another one does
#
# $OUT/.make has its process, when that began, as another may get its number, the
# time of day, and its goals.

set -eu
. "$(dirname "$0")/../lib.sh"

# began PID: in ticks since boot, nothing if there is no such process
began() {
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

[ $# -ge 1 ] || die "usage: hold.sh PID [GOAL...]"
if [ ! -d "$OUT" ] || ! owned; then
	exit 0
fi
pid=$1
shift
exec 9>>"$OUT/.make"
flock 9
if read -r other start clock goals <"$OUT/.make" && [ "$(began "$other")" = "$start" ] &&
	[ "$other" != "$pid" ]; then
	die "OUT=$OUT: process $other, make${goals:+ $goals}, has used it since $clock;" \
		"wait until it ends, or name another: make OUT=DIR"
fi
echo "$pid $(began "$pid") $(date +%H:%M) $*" >"$OUT/.make"
