#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Whatever goes wrong in a guest, make check says so, by its name: check.sh, with
# a guest that is made up.  See ../check/planted.sh for a real one.

set -eu
. "$(dirname "$0")/tap.sh"

kernel=out.d/6.12-x86_64/patched
mkdir -p bin $kernel/arch/x86/boot
: >out.d/6.12-x86_64/initramfs.cpio
: >$kernel/arch/x86/boot/bzImage
echo 1 >$kernel/.version
PATH=$tmp/bin:$PATH

# check_with SCRIPT [TEST]: make check's script, with a guest that plays that, see fake-qemu
check_with() {
	echo "$1" >script
	OUT=$tmp/out.d ACCEL=tcg TEST=${2:-kunit} RUN_LIMIT=1 "$top/scripts/check/check.sh" 6.12 x86_64 patched
}

# is_red ERE SCRIPT: it fails, and a line of what failed matches
is_red() {
	run check_with "$2"
	[ "$got" != 0 ] && grep -Eq "^FAILED: .*$1" out &&
		tail -n 1 out | grep -Eq '^[0-9]+ passed, [1-9][0-9]* failed' && return
	echo "(status $got; wanted a line 'FAILED: .*$1')" >>out
	return 1
}

# red NAME ERE SCRIPT: the same as a test
red() {
	check "$1" is_red "$2" "$3"
}

# shown_twice ERE: when the guest ended, and again before what failed
shown_twice() {
	[ "$(sed -n '/^FAILED: /q; p' out | grep -Ec "$1")" = 2 ]
}

# shellcheck disable=SC2016 # for the script of the guest
printf '#!/bin/sh\nexec %s "$(cat script)" "$@"\n' "$top/scripts/tests/fake-qemu" >bin/qemu-system-x86_64
chmod +x bin/qemu-system-x86_64
pass='job 1..2 "ok 1 one" "ok 2 two # SKIP no device"'
fail='job 1..2 "ok 1 one" "not ok 2 two # exit=1"'
ends='guest shuts down cleanly \('

# ends_with_make: the guest of a check that is killed
ends_with_make() {
	rm -f pid
	echo 'boot run; hang' >script
	OUT_HELD=$tmp/out.d OUT=$tmp/out.d ACCEL=tcg TEST=kunit "$top/scripts/check/check.sh" 6.12 x86_64 patched >out 2>&1 &
	await_file pid
	kill $!
	is_gone "$(cat pid)"
}

check "a good guest passes" prints '^4 passed, 0 failed, 1 skipped$' check_with "$pass"
red "a WARN" "${ends}kernel splat: stage run: WARNING: CPU: 0 " 'boot run; splat; end 0'
check "and the lines around it, once more with the sum" shown_twice '^   .*after the splat'
red "a panic" "${ends}kernel splat: stage run: Kernel panic" 'boot run; con "Kernel panic - not syncing: Attempted"'
red "a panic before init" "${ends}kernel splat: stage boot: Kernel panic" 'con "Kernel panic - not syncing: VFS"'
red "a hang" "${ends}stage hung: stage run: more than " 'boot run; say "ok 1 one"; hang'
red "a leak that kmemleak finds" "${ends}kernel splat: stage kmemleak: kmemleak: 3 new " \
	'boot kmemleak; con "kmemleak: 3 new suspected memory leaks"; say 1..1 "not ok 1 - kmemleak: no leak"; end 0'
check "and its name" grep -Eq '^FAILED: .*kmemleak: no leak' out
red "a leak that a test finds" 'no page is lost' 'job 1..2 "ok 1 every buffer is zero" "not ok 2 no page is lost"'
red "a wrong byte" 'someone else wrote to it' 'job 1..5 "Bail out! mmap: someone else wrote to it: Success"'
red "a guest that dies in silence" "${ends}guest lost: stage run: " 'boot run; say "ok 1 one"'
# shellcheck disable=SC2016 # for the script of the guest
red "a QEMU that is killed" "${ends}guest lost: stage run: " 'boot run; kill -9 $$'
# shellcheck disable=SC2016 # for the script of the guest
red "a verdict that is cut" "${ends}guest lost: stage shutdown: bytes are missing" \
	'job "ok 1 one"; say "@@ end $(($(wc -c <"$port") + 8))"'
red "results that are cut" 'planned 3 results, found 1' 'job 1..3 "ok 1 one"'
red "a kselftest that fails" 'two: exit=1' "$fail"
red "a job that crashes" 'exit status 139' 'boot run; end 139'
# shellcheck disable=SC2016 # for eval
check "what failed is run again" eval 'is_red "" "$fail" && prints "^4 passed, 0 failed" check_with "$pass" failed'
# in_flavour: the same for a flavour of the kernel
in_flavour() {
	mkdir -p out.d/6.12-x86_64/check-debug
	cp -r "$kernel" out.d/6.12-x86_64/patched-debug
	echo patched-debug kunit >out.d/6.12-x86_64/check-debug/failed
	FLAVOURS=debug check_with "$fail" failed
}
check "in a flavour as well" eval 'run in_flavour; grep -qx "4 passed, 1 failed" out'
check "and how is said" grep -qx 'check: .* make check TEST=failed KERNEL=6.12 ARCH=x86_64 FLAVOURS="debug"' out
check "and if nothing did, that is said" refuses '^check: TEST=failed: nothing failed' check_with "$pass" failed
check "all results are in a JUnit file" grep -q 'testcase classname="./patched-kunit.ktap" name=' \
	out.d/6.12-x86_64/check/junit.xml
check "a guest that does not boot" is_red "${ends}did not boot: QEMU exited " 'con "Linux version 6.12"'
mkdir -p out.d/src/6.12/patched
echo mm/vmalloc.c:vmap >out.d/src/6.12/patched/.overlay-accepted
check "what was accepted of the tree is in the verdict" \
	prints '^check: differs from what ours was made for, as ACCEPT allows: mm/vmalloc.c:vmap$' check_with "$pass"
check "the guest of a check that is killed" ends_with_make
echo 2 >$kernel/.version
check "an old kernel" is_red 'runs the kernel of the last build' "$pass"
finish
