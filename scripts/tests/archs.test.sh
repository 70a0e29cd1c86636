#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of check-archs: what it refuses, and that a machine passes only if it builds
# and all of its suites do.  The kernel tree, its kunit.py and the machines are fakes.

set -eu
. "$(dirname "$0")/tap.sh"

export OUT="$tmp/out.d" MACHINES_DIR="$tmp/machines"

# tree VARIANT: its make gives what CONFIG_TEST_BUILD says, its guest does what
# CONFIG_TEST_RUN says
tree() {
	mkdir -p "out.d/src/6.12/$1/tools/testing/kunit"
	cat >"out.d/src/6.12/$1/Makefile" <<-'END'
		.RECIPEPREFIX = >
		allnoconfig:
		>@sed '/=lost/d' $(KCONFIG_ALLCONFIG) >$(KCONFIG_CONFIG)
		all vmlinux modules:
		>@! grep 'TEST_BUILD=.*@VARIANT@' $(O)/.config || { \
		>	echo "mm/vmap.c:7:1: error: no such thing"; \
		>	! grep TEST_OBJECT $(O)/.config || echo "make[1]: *** [M:1: mm/vmap.o] Error 1"; \
		>	exit 1; }
	END
	sed -i "s/@VARIANT@/$1/" "out.d/src/6.12/$1/Makefile"
	cat >"out.d/src/6.12/$1/tools/testing/kunit/kunit.py" <<-'END'
		#!/bin/sh
		dir=$3
		printf '%s\n' "$*" >>"$dir/kunit.args"
		say() { printf '%s\n' "$@" | tee -a "$dir/test.log"; }
		say "KTAP version 1" "1..2" "ok 1 one"
		case $(cat "$dir/.config") in
		*'RUN="dies'*) ;;
		*'RUN="fails'*) say "not ok 2 two" ;;
		*'RUN="splats'*) say "ok 2 two" "BUG: Bad page state in process swapper" ;;
		*'RUN="silent'*) : >"$dir/test.log" ;;
		*) say "ok 2 two" ;;
		esac
	END
	chmod +x "out.d/src/6.12/$1/tools/testing/kunit/kunit.py"
}

# machine NAME LINE...: a machine that kunit.py can run
machine() {
	file=machines/$1.config
	shift
	printf '%s\n' '#: arch: i386' '#: packages: gcc' '#: kunit: i386' "$@" >"$file"
}

archs() {
	"$top/scripts/archs/archs.sh" 6.12 "$@"
}

# ends STATUS LAST ERE MACHINE...: with that status and last line; a line matches
ends() {
	want_status=$1
	last=$2
	want=$3
	shift 3
	run archs "$@"
	[ "$got" = "$want_status" ] && [ "$(tail -n 1 out)" = "$last" ] && grep -Eq -e "$want" out
}

test_names() {
	check "a machine that is none is refused" refuses 'vax: no such machine; there are: .*good' \
		archs vax
	check "so it is before anything is made" refuses 'vax: no such machine' \
		make -s -C "$top" OUT="$tmp/other" check-archs MACHINES=vax
	check "a machine of another series is refused" refuses 'next: a machine of Linux 7.3 only' \
		archs next
	check "--list leaves that out" prints '^good$' archs --list
	check "--packages has each once" prints '^gcc$' archs --packages good good
}

test_runs() {
	check "passes a machine whose suites pass" ends 0 '1 passed, 0 failed' \
		'^ok 1 - good: built in .*, 3 passed, 0 failed$' good
	check "fails one whose suite fails" ends 1 '0 passed, 1 failed' '^# FAILED.*two' fails
	check "fails one whose guest dies" ends 1 '0 passed, 1 failed' '^not ok 1 - dies' dies
	check "fails one whose guest says nothing" ends 1 '0 passed, 1 failed' \
		'^not ok 1 - silent' silent
	check "fails one with a splat on the console" ends 1 '0 passed, 1 failed' \
		'^# FAILED.*Bad page state' splats
	check "runs each line of QEMU's arguments" ends 0 '1 passed, 0 failed' '6 passed, 0 failed' \
		twice
	check "with those" [ "$(grep -c 'qemu_args=-cpu [ab]$' \
		out.d/src/6.12/patched/build-archs-twice/kunit.args)" = 2 ]
	check "has a configuration of its own for QEMU" ends 0 '1 passed, 0 failed' 'run in' own
	check "with the fields of the machine" grep -q "kernel_path='arch/x/boot/Image'" \
		out.d/src/6.12/patched/build-archs-own/qemu_config.py
}

test_builds() {
	check "fails a machine that only stock builds for" ends 1 '0 passed, 1 failed' \
		'^not ok 1 - broken: does not build: mm/vmap.c:7:1: error: no such thing$' broken
	check "skips one that stock does not build for" ends 0 '0 passed, 0 failed, 1 skipped' \
		'^ok 1 - ancient # SKIP nor does stock build: .*error' ancient
	check "fails one for which tests alone break stock" ends 1 '0 passed, 1 failed' \
		'^not ok 1 - test: does not build' test
	check "fails one where stock has no such file" ends 1 '0 passed, 1 failed' \
		'^not ok 1 - object: does not build: mm/vmap.c' object
	check "skips one without a compiler" ends 0 '0 passed, 0 failed, 1 skipped' \
		'SKIP nowhere-gcc: not found' exotic
	check "fails one whose options are lost" ends 1 '0 passed, 1 failed' \
		'CONFIG_GONE: wanted' lost
	check "only builds one that QEMU does not run" ends 0 '1 passed, 0 failed' \
		'^ok 1 - builds: built in [0-9]* s$' builds
	check "has the options and the fields of its base" ends 1 '0 passed, 1 failed' \
		'2 passed, 1 failed' based
	check "makes a target instead of running" ends 0 '1 passed, 0 failed' \
		'^ok 1 - module: built in [0-9]* s$' module
	check "runs a program with objects of the kernel" ends 0 '1 passed, 0 failed' \
		'^ok 1 - program: built in .*, 1 passed, 0 failed$' program
	check "fails if the program does" ends 1 '0 passed, 1 failed' '^# FAILED.*leaves' bad-program
	check "or cannot be linked" ends 1 '0 passed, 1 failed' '^not ok 1 - no-program' no-program
	check "sums several" ends 1 '2 passed, 1 failed, 1 skipped' '^1..4$' good builds fails exotic
}

mkdir -p machines out.d
touch out.d/.vmap-out
tree patched
tree stock
machine good
machine next '#: series: 7.3'
for what in fails dies silent splats; do
	machine $what "CONFIG_TEST_RUN=\"$what\""
done
machine twice '#: qemu_args: -cpu a' '#: qemu_args: -cpu b'
machine broken 'CONFIG_TEST_BUILD="patched"'
machine lost 'CONFIG_GONE=lost'
machine object 'CONFIG_TEST_BUILD="patched stock"' 'CONFIG_TEST_OBJECT=y'
machine test 'CONFIG_DMABUF_VMAP_TEST_BUILD="patched stock"'
machine based '#: base: fails' '# CONFIG_GONE is not set'
sed -i '/kunit/d' machines/based.config
machine module '#: target: vmlinux modules'
machine exotic '#: cross: nowhere-'
machine builds
sed -i '/kunit/d' machines/builds.config
machine own '#: qemu: x arch/x/boot/Image console=ttyX0'
sed -i '/kunit/d' machines/own.config
# Its compiler links, unless there is no such object; its emulator says how it went
mkdir bin
PATH=$tmp/bin:$PATH
cat >bin/fake-gcc <<'END'
#!/bin/sh
case $* in
*missing.o*) exit 1 ;;
esac
: >program
END
cat >bin/qemu-good <<'END'
#!/bin/sh
printf '%s\n' 'TAP version 13' 1..1 "${NOT-}ok 1 - leaves"
END
{ echo '#!/bin/sh' && echo "NOT='not ' exec qemu-good"; } >bin/qemu-bad
chmod +x bin/*
machine program '#: cross: fake-' '#: program: good ppc-8xx.c mm/vmap.o'
machine bad-program '#: cross: fake-' '#: program: bad ppc-8xx.c mm/vmap.o'
machine no-program '#: cross: fake-' '#: program: good ppc-8xx.c missing.o'
sed -i '/kunit/d' machines/*program.config
machine ancient 'CONFIG_TEST_BUILD="patched stock"'
test_names
test_runs
test_builds
finish
