#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shapes.sh SERIES ARCH VARIANT [SHAPE...]: tests of the heap and of its users on
# machines of other shapes, a guest for each line of shapes.list; the last line is
# "N passed, N failed[, N skipped]"
#
# Results are KTAP files in $OUT/$TREE-ARCH/shapes, of which ktap makes NAME.sum.  The logs of a
# guest are $OUT/$TREE-ARCH/log/VARIANT-shape-NAME.*.

set -eu
. "$(dirname "$0")/../lib.sh"

list=$top/scripts/check/shapes.list
# Seconds that a program of the selftests may take in a kernel that checks itself, as in
# check.sh
LIMIT=3000

# rows: the lines of the list that apply here, without what is only for people
rows() {
	sed -e 's/#.*//' -e 's/[ 	]*|[ 	]*/|/g' -e 's/^[ 	]*//' -e 's/[ 	]*$//' "$list" |
		awk -F '|' -v arch="$arch" 'NF && ($2 == "-" || $2 == arch)'
}

# names: of all shapes that apply here
names() {
	rows | cut -d '|' -f 1
}

# jobs TEST...: the words for init
jobs() {
	before=
	tests=
	for t; do
		case $t in
		/*) before="$before run $t +" ;;
		*) tests="$tests -t dmabuf-heaps:$t" ;;
		esac
	done
	echo "$before kselftest -o $LIMIT$tests"
}

# touched MEMORY: MB of the memory of a guest that its tests use
touched() {
	case $1 in
	*M) echo "${1%M}" ;;
	*G) echo $((${1%G} * 1000)) ;;
	esac
}

# ended SHAPE STATUS: vm-run's 1 is a failed test, counted elsewhere
ended() {
	ok=ok
	case $2 in
	0 | 1) ;;
	*)
		ok="not ok"
		cp "$out/log/$kernel-shape-$1.outcome" "$results/$1.outcome" 2>/dev/null || :
		;;
	esac
	printf 'TAP version 13\n1..1\n%s 1 - %s: guest shuts down cleanly\n' "$ok" "$1" >"$results/$1-guest.tap"
	[ ! -e "$out/log/$kernel-shape-$1.port" ] ||
		cp "$out/log/$kernel-shape-$1.port" "$results/$1.ktap"
}

# sum SHAPE: what its guest has found; what fails comes first, a line each
sum() {
	(cd "$results" && "$top/scripts/guest/ktap.pl" --must-run "$must" "$1"*.*tap >"$1.sum") || failed=yes
	sed '$d' "$results/$1.sum"
	say "$1: $(tail -n 1 "$results/$1.sum"), $(since "$start")"
}

# shape ROW: boot it, and run its tests
shape() {
	IFS='|' read -r name _ flavour memory qemu append tests must <<-END
		$1
	END
	kernel=$variant
	[ "$flavour" = - ] || kernel=$variant-$flavour
	start=$(date +%s)
	if [ "$flavour" != - ] && ! "$top/scripts/build/build.sh" "$series" "$arch" "$kernel"; then
		printf 'TAP version 13\n1..1\nnot ok 1 - %s: the kernel is built\n' "$name" >"$results/$name.tap"
	else
		note "$kernel $series $arch, $name: $tests"
		status=0
		# shellcheck disable=SC2046,SC2086 # lists
		MEMORY=$memory TOUCHED=$(touched "$memory") QEMU_ARGS=$qemu APPEND=$append \
			"$top/scripts/guest/boot.sh" "$series" "$arch" "$kernel" wall "shape-$name" \
			$(jobs $tests) || status=$?
		ended "$name" "$status"
	fi
	sum "$name"
}

[ $# -ge 3 ] || die "usage: shapes.sh SERIES ARCH VARIANT [SHAPE...]"
series=$1
arch=$2
variant=$3
shift 3
out=$OUT/${TREE:-$series}-$arch
results=$out/shapes
failed=
for name; do
	names | grep -qxF -e "$name" ||
		die "$name: no shape for $arch; there are $(names | paste -sd ' ')"
done
rm -rf "$results"
mkdir -p "$results"
rows >"$results/rows"
while read -r row <&3; do
	case " ${*:-${row%%|*}} " in
	*" ${row%%|*} "*) shape "$row" ;;
	esac
done 3<"$results/rows"
cd "$results"
show_outcomes .
show_accepted patched
tail -qn 1 ./*.sum | awk '{ passed += $1; failed += $3; skipped += $5 }
	END { printf "%d passed, %d failed%s\n", passed, failed,
		skipped ? ", " skipped " skipped" : "" }'
[ -z "$failed" ]
