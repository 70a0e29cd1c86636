# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# For the *.test.sh beside this file: each is called with the directory of the
# host tools, works in a new directory, and writes TAP.

top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck disable=SC2034 # for those who read this
tools=$(readlink -m "${1:-$top/out/host}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$tmp" || exit 1
count=0
failed=0
# What make has left in the environment must not reach the makes under test
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES KERNEL KERNEL_SRC ARCH ACCEL VARIANT OUT OUT_HELD TREE V STEPS BEGUN TEST ARGS SCOPE FLAVOURS

# check NAME COMMAND...: a test passes when the command does; it writes ./out
check() {
	name=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count - $name"
		return
	fi
	failed=$((failed + 1))
	echo "not ok $count - $name"
	sed 's/^/#   /' out
}

# run COMMAND...: keep what it prints in ./out, its status in $got
run() {
	got=0
	"$@" >out 2>&1 </dev/null || got=$?
}

# refuses ERE COMMAND...: it fails with one line, which matches
refuses() {
	want=$1
	shift
	run "$@"
	[ "$got" != 0 ] && [ "$(wc -l <out)" = 1 ] && grep -Eq -e "$want" out && return
	echo "(status $got; wanted one line that matches: $want)" >>out
	return 1
}

# prints ERE COMMAND...: it succeeds, and a line matches
prints() {
	want=$1
	shift
	run "$@"
	[ "$got" = 0 ] && grep -Eq -e "$want" out && return
	echo "(status $got; wanted a line that matches: $want)" >>out
	return 1
}

# silent COMMAND...: it succeeds and says nothing
silent() {
	run "$@"
	[ "$got" = 0 ] && [ ! -s out ] && return
	echo "(status $got; wanted no output)" >>out
	return 1
}

# is_gone PID: soon
is_gone() {
	for _ in $(seq 100); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "process $1 is still there" >out
	return 1
}

# await_file FILE: until there is something in it, or ten seconds
await_file() {
	for _ in $(seq 100); do
		[ ! -s "$1" ] || return 0
		sleep 0.1
	done
}

# finish: the plan, and whether all passed
finish() {
	echo "1..$count"
	[ "$failed" = 0 ]
}
