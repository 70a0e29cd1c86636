#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of shapes.sh with guests that are made up, and of shapes.list.

set -eu
. "$(dirname "$0")/tap.sh"

mkdir -p t/scripts/check t/scripts/guest t/scripts/build out.d/6.12-x86_64/log
cp "$top/scripts/check/shapes.sh" t/scripts/check
cp "$top"/scripts/guest/[Kk]tap.p[lm] t/scripts/guest
cp "$top/scripts/lib.sh" t/scripts
cat >t/scripts/check/shapes.list <<'END'
# a comment
one | - | - | 256M | -numa a,b -numa c | swiotlb=force | heap vmap | must

two | x86_64 | numa | 2G | | | /bin/setup heap |
two | arm64 | 64k | 2G | | | heap |
END
# What a guest has said is in a file of its name
cat >t/scripts/guest/boot.sh <<'END'
#!/bin/sh
echo "$MEMORY $TOUCHED|$QEMU_ARGS|$APPEND|$*" >>booted
log=$OUT/6.12-x86_64/log/$3-$5
echo "vm-run: ended" >"$log.outcome"
cp "$5" "$log.port"
exit "$(cat status)"
END
cat >t/scripts/build/build.sh <<'END'
#!/bin/sh
echo "$*" >>built
[ ! -e unbuilt ]
END
chmod +x t/scripts/*/*.sh

shapes() {
	rm -f booted built
	: >booted
	OUT=$tmp/out.d t/scripts/check/shapes.sh 6.12 x86_64 patched "$@"
}

# ends LINE STATUS SHAPE...: that is the last line, and that the status
ends() {
	want=$1
	status=$2
	shift 2
	run shapes "$@"
	[ "$(tail -n 1 out)" = "$want" ] && [ "$got" = "$status" ] && return
	echo "(status $got; wanted $status, and at last: $want)" >>out
	return 1
}

# lines_of_the_list: eight fields each, of which the last may have | in it, and tests
# that there are
lines_of_the_list() {
	sed -e 's/#.*//' "$top/scripts/check/shapes.list" | awk -F '|' 'NF && NF < 8 { print; bad = 1 } END { exit bad }' >out ||
		return 1
	sed -e 's/#.*//' "$top/scripts/check/shapes.list" | cut -d '|' -f 7 | tr ' ' '\n' | sort -u >tests
	while read -r t; do
		case $t in
		'') ;;
		/bin/*) [ -e "$top/scripts/guest/bin/${t#/bin/}.sh" ] ;;
		*) [ -e "$top/tools/testing/selftests/dmabuf-heaps/$t.c" ] ;;
		esac || {
			echo "$t: no such test" >>out
			return 1
		}
	done <tests
}

printf 'TAP version 13\n1..1\nok 1 - must\n' >shape-one
printf 'TAP version 13\n1..1\nok 1 - b\n' >shape-two
echo 0 >status
check "all that apply" ends "4 passed, 0 failed" 0
check "each has its memory, and arguments" grep -qxF \
	"256M 256|-numa a,b -numa c|swiotlb=force|6.12 x86_64 patched wall shape-one kselftest -o 3000 -t dmabuf-heaps:heap -t dmabuf-heaps:vmap" booted
check "commands come before tests" grep -qxF \
	"2G 2000|||6.12 x86_64 patched-numa wall shape-two run /bin/setup + kselftest -o 3000 -t dmabuf-heaps:heap" booted
check "a flavour is built" grep -qx "6.12 x86_64 patched-numa" built
check "one of them" ends "2 passed, 0 failed" 0 one
check "and no other" eval '! grep -q shape-two booted'
check "an unknown one is refused" refuses '^shapes: three: no shape for x86_64; there are one two$' shapes three
printf 'TAP version 13\n1..1\nok 1 - must # SKIP none\n' >shape-one
check "a test that must run is skipped" ends "3 passed, 1 failed" 1
printf 'TAP version 13\n1..1\nok 1 - must\n' >shape-one
printf 'TAP version 13\n1..1\nnot ok 1 - b\n' >shape-two
echo 1 >status
check "a test fails" ends "3 passed, 1 failed" 1
echo 3 >status
check "a guest ends badly" ends "1 passed, 1 failed" 1 one
: >unbuilt
check "a kernel is not built" ends "0 passed, 1 failed" 1 two
check "every line of the list" lines_of_the_list
finish
