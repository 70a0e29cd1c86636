#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# archs.sh SERIES [MACHINE...]: build a small kernel with our change for each machine
# and run the KUnit suites of the walk and of the heap in it, where QEMU can; all
# machines of the series if none is named
# archs.sh SERIES --list [MACHINE...]: print their names
# archs.sh SERIES --packages [MACHINE...]: and the Debian packages that they take
#
# A machine is a file machines/NAME.config: a fragment on top of common.config and
# "make allnoconfig", and lines "#: FIELD: VALUE" that say how it is built and run,
# see Documentation/vmap/portability.rst. Guests are run by the kernel's kunit.py.
#
# Prints KTAP with a line a machine. Logs, and what the suites said, are files of
# its name in $OUT/$TREE-archs.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"
OUT=${OUT:-$top/out}
machines=${MACHINES_DIR:-$here/machines}

# Seconds from starting a guest until it has run all tests
BOOT_LIMIT=${BOOT_LIMIT:-300}
# A build of one machine, in MB
SPACE=300

# field NAME [MACHINE]: what the file of the machine says, or that of its base; a line
# for each time that it does
field() {
	set -- "$1" "${2-$machine}"
	sed -n "s/^#: $1: *//p" "$machines/$2.config" | grep . && return
	case $1 in
	base | series | target) return ;;
	esac
	set -- "$1" "$(field base "$2")"
	[ -z "$2" ] || field "$1" "$2"
}

# of_series MACHINE: is it one of this series?  Most are of all.
of_series() {
	[ -z "$(field series "$1")" ] || field series "$1" | tr ' ' '\n' | grep -qxF "$series"
}

# names: of all machines of the series
names() {
	for file in "$machines"/*.config; do
		name=${file##*/}
		name=${name%.config}
		! of_series "$name" || echo "$name"
	done
}

# check_names MACHINE...: refuse what is none
check_names() {
	for name; do
		[ -f "$machines/$name.config" ] ||
			die "$name: no such machine; there are: $(names | paste -sd ' ')"
		of_series "$name" || die "$name: a machine of Linux $(field series "$name") only"
	done
}

packages() {
	{
		echo python3
		for name; do
			field packages "$name"
		done
	} | tr ' ' '\n' | sort -u
}

# compilers: the words of make that choose them
compilers() {
	if [ "$(field compiler)" = clang ]; then
		echo "LLVM=-$CLANG"
	else
		echo "CROSS_COMPILE=$(field cross)"
	fi
}

compiler() {
	if [ "$(field compiler)" = clang ]; then
		echo "clang-$CLANG"
	else
		echo "$(field cross)gcc"
	fi
}

# kmake TARGET...: the kernel's make in $src, with nothing of ours in its way
kmake() {
	# shellcheck disable=SC2046 # words without blanks
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u KERNEL -u KERNEL_SRC \
		-u ARCH -u VARIANT -u OUT -u V \
		make -C "$src" O="${obj##*/}" ARCH="$(field arch)" $(compilers) \
		CC="$top/scripts/build/ccache.sh $(compiler)" HOSTCC="ccache gcc" -j"$(nproc)" "$@"
}

# fragments VARIANT: in order, each may change what is before it; stock is built
# without what is ours
fragments() {
	base=$(field base)
	cat "$here/common.config" ${base:+"$machines/$base.config"} "$machines/$machine.config" |
		if [ "$1" = stock ]; then
			sed -E '/CONFIG_(DMABUF_VMAP_TEST|VMAP_KUNIT_TEST|DMABUF_HEAPS_SYSTEM_KUNIT_TEST)/d'
		else
			cat
		fi
}

# configure VARIANT: .config keeps its time if it stays as it was
configure() {
	fragments "$1" >"$obj/fragments"
	kmake KCONFIG_CONFIG="$obj/.config.new" KCONFIG_ALLCONFIG="$obj/fragments" allnoconfig || return
	"$top/scripts/build/audit-config.sh" "$obj/.config.new" "$obj/fragments" || return
	cmp -s "$obj/.config.new" "$obj/.config" || mv "$obj/.config.new" "$obj/.config"
	rm -f "$obj/.config.new" "$obj/.config.new.old"
}

# target: of make.  A machine that runs takes the file that QEMU wants, and no tools that
# other files of the kernel take.
target() {
	if [ -n "$(field target)" ]; then
		field target
	elif runs && [ "$(field qemu | cut -d ' ' -f 2)" != vmlinux ]; then
		echo all
	else
		echo vmlinux
	fi
}

# build VARIANT TARGET...: what make says is in the log.  A configuration that does
# not become what the fragments say is our fault, whatever the variant.
build() {
	src=$OUT/src/$tree/$1
	obj=$src/build-archs-$machine
	log=$out/$machine-$1.log
	mkdir -p "$obj"
	configure "$1" >"$log" 2>&1 || return 2
	shift
	kmake "$@" >>"$log" 2>&1 || return 1
}

# stock_breaks: does stock not build what patched did not?  That is the object that
# make could not make, or all.
stock_breaks() {
	object=$(sed -n 's/^make.*: \([^]: ]*\)\.o\] Error .*/\1/p' "$log" | head -n 1)
	[ -z "$object" ] || [ -e "$OUT/src/$tree/pristine/$object.c" ] || return 1
	# shellcheck disable=SC2046 # words
	! build stock ${object:+"$object.o"} $([ -n "$object" ] || target)
}

# first_error: what make, the compiler or the linker said in the log, in one line
first_error() {
	grep -m 1 -E 'error: |ERROR|undefined reference|command not found|wanted .*, got|No rule to make' "$log" |
		sed -E -e 's,^[^ ]*\.\./,,' -e 's/^[^ ]*ld: //' | tr '#' ' ' | cut -c 1-160
}

# runs: can QEMU run it, and is there something to run?
runs() {
	[ -z "$(field target)" ] && [ -n "$(field kunit)$(field qemu)" ]
}

# qemu_config: as kunit.py takes it, the kernel's own or one made of the field
# "qemu: SYSTEM KERNEL COMMAND_LINE..."
qemu_config() {
	if [ -n "$(field kunit)" ]; then
		echo "$src/tools/testing/kunit/qemu_configs/$(field kunit).py"
		return
	fi
	field qemu | {
		read -r system kernel command_line
		cat >"$obj/qemu_config.py" <<-END
			from ..qemu_config import QemuArchParams

			QEMU_ARCH = QemuArchParams(linux_arch='$(field arch)', kconfig='',
						   qemu_arch='$system', kernel_path='$kernel',
						   kernel_command_line='$command_line',
						   extra_qemu_params=[])
		END
	}
	echo "$obj/qemu_config.py"
}

# boot ARGS: one guest, ARGS are of its QEMU; what the suites say goes to stdout
boot() {
	: >"$obj/test.log"
	(
		cd "$src"
		PYTHONDONTWRITEBYTECODE=1 tools/testing/kunit/kunit.py exec --build_dir "$obj" \
			--qemu_config "$(qemu_config)" --timeout "$BOOT_LIMIT" --raw_output \
			--kernel_args="$(field kernel_args)" ${1:+--qemu_args="$1"} </dev/null
	) 2>>"$log" || :
	cat "$obj/test.log" >>"$out/$machine.console"
}

# console: the test that nothing on the guest's console is a splat
console() {
	"$top/scripts/guest/vm-run.pl" --deny "$top/scripts/guest/splat.deny" --scan "$obj/test.log" \
		>"$obj/splats" 2>&1 || :
	ok=ok
	[ ! -s "$obj/splats" ] || ok="not ok"
	printf 'TAP version 13\n1..1\n%s 1 - no splat on the console%s\n' "$ok" \
		"$(sed -n '1s/^/: /p' "$obj/splats" | tr '#()' '   ')"
}

# suites: boot once for each line of QEMU's arguments, and sum
suites() {
	rm -f "$out/$machine.console" "$out/$machine".boot-*
	n=0
	{ field qemu_args | grep . || echo; } >"$obj/boots"
	while IFS= read -r args; do
		n=$((n + 1))
		boot "$args" >"$out/$machine.boot-$n.ktap"
		console >"$out/$machine.boot-$n.tap"
	done <"$obj/boots"
	(cd "$out" && "$top/scripts/guest/ktap.pl" "$machine".boot-*) >"$out/$machine.sum" 2>&1
}

# program: what is linked with objects of the kernel, "program: SYSTEM SOURCE OBJECT...",
# and run by qemu-SYSTEM as the tests of a machine that QEMU has not.  The program
# defines what it needs of the symbols that the objects refer to.
program() {
	# shellcheck disable=SC2046 # words
	set -- $(field program)
	system=$1
	source=$here/$2
	shift 2
	rm -f "$out/$machine".boot-*
	(cd "$obj" && "$(compiler)" -O2 -Wall -static -o program "$source" "$@" \
		-Wl,--unresolved-symbols=ignore-all,--no-warn-mismatch,-z,noexecstack) >>"$log" 2>&1 ||
		return
	"qemu-$system" "$obj/program" >"$out/$machine.boot-1.tap" 2>>"$log" </dev/null || :
	(cd "$out" && "$top/scripts/guest/ktap.pl" "$machine.boot-1.tap") >"$out/$machine.sum" 2>&1
}

# result OK TEXT: the line of the machine
result() {
	echo "$1 $count - $machine$2"
}

# run_machine: its line, and below it what failed
run_machine() {
	command -v "$(compiler)" >/dev/null || {
		result ok " # SKIP $(compiler): not found"
		return
	}
	begin=$(date +%s)
	# shellcheck disable=SC2046 # words
	build patched $(target) || {
		status=$?
		why=$(first_error)
		if [ $status = 1 ] && stock_breaks; then
			result ok " # SKIP nor does stock build: $(first_error)"
		else
			result "not ok" ": does not build: ${why:-see $log}"
		fi
		return
	}
	end=$(date +%s)
	what=": built in $((end - begin)) s"
	tests=suites
	[ -z "$(field program)" ] || tests=program
	runs || [ $tests = program ] || {
		result ok "$what"
		return
	}
	ok=ok
	echo "1 failed" >"$out/$machine.sum"
	$tests || ok="not ok"
	result "$ok" "$what, run in $(($(date +%s) - end)) s, $(tail -n 1 "$out/$machine.sum")"
	sed -n 's/^FAILED/# &/p' "$out/$machine.sum" | head -n 5
}

[ $# -ge 1 ] || die "usage: archs.sh SERIES [--list|--packages] [MACHINE...]"
series=$1
tree=${TREE:-$series}
out=$OUT/$tree-archs
shift
step=run
case ${1-} in
--list | --packages)
	step=$1
	shift
	;;
esac
check_names "$@"
# shellcheck disable=SC2046 # names
[ $# -gt 0 ] || set -- $(names)
case $step in
--list)
	printf '%s\n' "$@"
	exit
	;;
--packages)
	packages "$@"
	exit
	;;
esac
for variant in patched stock; do
	[ -d "$OUT/src/$tree/$variant" ] ||
		die "$OUT/src/$tree/$variant: not there, run scripts/source/overlay.sh $series $variant"
done
need_space $((SPACE * $#)) "builds for $# machines"
# The same everywhere, so that ccache serves both trees, see build.sh
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
export KBUILD_BUILD_USER=vmap KBUILD_BUILD_HOST=vmap
export CCACHE_DEPEND=1 CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE="${CCACHE_MAXSIZE:-10G}"
mkdir -p "$out"
count=0
{
	echo "KTAP version 1"
	echo "1..$#"
	for machine; do
		count=$((count + 1))
		run_machine
	done
} | tee "$out/archs.ktap"
"$top/scripts/guest/ktap.pl" "$out/archs.ktap"
