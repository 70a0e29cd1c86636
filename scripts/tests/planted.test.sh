#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Whatever goes wrong in a guest, make check says so, by its name: check.sh, with
# a guest that is made up.  See ../check/planted.sh for a real one.

set -eu
. "$(dirname "$0")/tap.sh"

fake=$top/scripts/tests/fake-qemu
kernel=out.d/6.12-x86_64/patched
mkdir -p bin $kernel/arch/x86/boot
: >out.d/6.12-x86_64/initramfs.cpio
: >$kernel/arch/x86/boot/bzImage
echo 1 >$kernel/.version
PATH=$tmp/bin:$PATH

# check_with SCENARIO [TEST]: make check's script, with a guest that plays that
check_with() {
	printf '#!/bin/sh\nexec %s %s pid "$@"\n' "$fake" "$1" >bin/qemu-system-x86_64
	chmod +x bin/qemu-system-x86_64
	OUT=$tmp/out.d ACCEL=tcg TEST=${2:-kunit} RUN_LIMIT=1 "$top/scripts/check/check.sh" 6.12 x86_64 patched
}

# is_red SCENARIO ERE: it fails, and a line of what failed matches
is_red() {
	run check_with "$1"
	[ "$got" != 0 ] && grep -Eq "^FAILED: .*$2" out &&
		tail -n 1 out | grep -Eq '^[0-9]+ passed, [1-9][0-9]* failed' && return
	echo "(status $got; wanted a line 'FAILED: .*$2')" >>out
	return 1
}

# shows SCENARIO ERE: that is shown when the guest ends, and again before what failed
shows() {
	is_red "$1" '' && [ "$(sed -n '/^FAILED: /q; p' out | grep -Ec "$2")" = 2 ] && return
	echo "(wanted twice before the failures: $2)" >>out
	return 1
}

check "a good guest passes" prints '^4 passed, 0 failed, 1 skipped$' check_with pass
check "a WARN" is_red warn-and-pass 'guest ends well \(kernel splat: stage run: WARNING: CPU: 0 '
check "and the lines around it, once more with the sum" shows warn-and-pass '^   .*after the splat'
check "a panic" is_red panic 'guest ends well \(kernel splat: stage run: Kernel panic'
check "a panic before init" is_red early-panic 'guest ends well \(kernel splat: stage boot: Kernel panic'
check "a hang" is_red hang 'guest ends well \(stage hung: stage run: more than '
check "a leak that kmemleak finds" is_red kmemleak 'guest ends well \(kernel splat: stage kmemleak: kmemleak: 3 new '
check "and its name" is_red kmemleak 'kmemleak: no leak'
check "a leak that a test finds" is_red leak 'no page is lost'
check "a wrong byte" is_red wrong-byte 'someone else wrote to it'
check "a guest that dies in silence" is_red dies 'guest ends well \(guest lost: stage run: '
check "a QEMU that is killed" is_red killed 'guest ends well \(guest lost: stage run: '
check "a verdict that is cut" is_red cut 'guest ends well \(guest lost: stage shutdown: bytes are missing'
check "results that are cut" is_red short-plan 'planned 3 results, found 1'
check "a kselftest that fails" is_red fail 'two: exit=1'
check "a job that crashes" is_red bad-exit 'exit status 139'
check "what failed is run again" eval 'is_red fail "" && prints "^4 passed, 0 failed" check_with pass failed'
check "and if nothing did, that is said" refuses '^check: TEST=failed: nothing failed' check_with pass failed
check "all results are in a JUnit file" grep -q 'testcase classname="./patched-kunit.ktap" name=' \
	out.d/6.12-x86_64/check/junit.xml
check "a guest that does not boot" is_red resets 'guest ends well \(did not boot: QEMU exited '
mkdir -p out.d/src/6.12/patched
echo mm/vmalloc.c:vmap >out.d/src/6.12/patched/.overlay-accepted
check "what was accepted of the tree is in the verdict" \
	prints '^check: accepted, and not what ours was made for: mm/vmalloc.c:vmap$' check_with pass
echo 2 >$kernel/.version
check "an old kernel" is_red pass 'runs the kernel of the last build'
finish
