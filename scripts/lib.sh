# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the scripts share: messages, paths, and checks of the disk.
#
# OUT   where everything built goes, default: out/ beside the Makefile
# TREE  name of the source tree below $OUT/src, default: the series; a
#       KERNEL_SRC tree gets a name of its own, see scripts/fetch.sh

export LC_ALL=C
prog=${0##*/}
prog=${prog%.sh}
# shellcheck disable=SC2034 # used by those who read this file
top=$(cd "$(dirname "$0")/.." && pwd)
OUT=${OUT:-$top/out}
case $OUT in
/*) ;;
*) OUT=$PWD/$OUT ;;
esac

die() {
	echo "$prog: $*" >&2
	exit 1
}

say() {
	echo "$prog: $*"
}

# owned: is $OUT the default one, or marked by claim?
owned() {
	[ "$OUT" = "$top/out" ] || [ -e "$OUT/.vmap-out" ]
}

# claim: create and mark $OUT, which must not hold somebody's files
claim() {
	if ! owned && [ -n "$(ls -A "$OUT" 2>/dev/null)" ]; then
		die "OUT=$OUT: not empty and not made by this Makefile; name a directory of its own"
	fi
	owned && [ -e "$OUT/.vmap-out" ] && return
	if ! mkdir -p "$OUT" 2>/dev/null || ! touch "$OUT/.vmap-out" 2>/dev/null; then
		die "OUT=$OUT: cannot be written"
	fi
}

# need_space MEGABYTES WHAT: stop unless that much is free below $OUT
need_space() {
	free=$(df -Pm "$OUT" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		die "$OUT: $free MB free, $2 needs about $1 MB; free some or set OUT=DIR"
}

# or_full REASON [SAID]: print it, or that the disk is full if that is why: SAID
# is what a command said, or the 28 (ENOSPC) of the progress tool
or_full() {
	case ${2-} in
	28 | *'No space left on device'*)
		echo "$OUT is full"
		return
		;;
	esac
	if [ "$(df -Pm "$OUT" | awk 'NR == 2 { print $4 }')" -lt 16 ]; then
		echo "$OUT is full"
	else
		echo "$1"
	fi
}

# newer A B: is A newer than B, or B missing?
newer() {
	[ ! -e "$2" ] || [ -n "$(find "$1" -newer "$2")" ]
}

# run_progress ARGS...: the progress tool around a command
run_progress() {
	"$OUT/host/progress" ${V:+--verbose} "$@"
}
