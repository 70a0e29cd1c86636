#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# series-check.sh SERIES ARCH: each patch of the series builds on those before it
# and passes checkpatch.pl, and someone maintains each file; TAP
#
# The configuration is a small one, of which each patch knows as much as it has
# brought.  What a patch has changed is built without a warning under W=1.
#
# SCOPE	brief: build only what this and earlier patches have changed, and the whole
#	kernel after the last one

set -eu
. "$(dirname "$0")/../lib.sh"

# result NAME: of what $work/found holds, nothing if all is well
result() {
	count=$((count + 1))
	if [ ! -s "$work/found" ]; then
		echo "ok $count - $1"
		return
	fi
	failed=1
	echo "not ok $count - $1"
	sed 's/^/# /' "$work/found"
}

kmake() {
	"$top/scripts/build/build.sh" "$series" "$arch" series kmake "$@"
}

# changed PATCH: C files that it adds or changes, as objects; mm/kmsan is only
# built with KMSAN
changed() {
	sed -n 's,^+++ b/\(.*\)\.c$,\1.o,p' "$1" | grep -vE '^(tools|mm/kmsan)/' || true
}

# build PATCH: the kernel, then what the patch has changed
build() {
	: >"$work/found"
	goal=$image
	[ "${SCOPE-}" != brief ] || [ "$1" = "$last" ] || goal=prepare
	kmake KCONFIG_ALLCONFIG="$config" allnoconfig >"$work/log" 2>&1 &&
		kmake "$goal" >"$work/log" 2>&1 ||
		grep -E 'error|Error' "$work/log" >"$work/found" || tail -n 5 "$work/log" >"$work/found"
	[ ! -s "$work/found" ] || return 0
	objects=$(changed "$1")
	# Of a header that has changed as well, kbuild knows who includes it
	[ "${SCOPE-}" != brief ] || so_far=$(printf '%s\n' "$so_far" "$objects" | sort -u)
	objects=${so_far:-$objects}
	[ -n "$objects" ] || return 0
	# shellcheck disable=SC2086 # a list
	kmake W=1 $objects >"$work/log" 2>&1 || tail -n 5 "$work/log" >"$work/found"
	# The kernel has functions that are described in part: only what the patch adds
	grep -E 'warning:' "$work/log" | grep -F -f "$work/names" | awk '
		NR == FNR { added = added (/^\+/ ? $0 : ""); next }
		{ name = $NF; gsub(/[^A-Za-z_0-9]/, "", name) }
		!/Function parameter/ || index(added, name "(")
	' "$1" - >>"$work/found"
}

# check_patch PATCH: a warning about a program is not one about the kernel
check_patch() {
	programs=
	! grep -q '^+++ b/tools/' "$1" || programs=--programs
	# shellcheck disable=SC2086 # none or one
	(cd "$work" && "$top/scripts/check/checkpatch.sh" "$pristine" $programs --patch - <"$1") \
		>"$work/found" || true
}

# pure_move PATCH: what it takes away it adds elsewhere, and nothing else
pure_move() {
	for sign in - +; do
		sed -n "/^diff --git /,\$s/^[$sign]//p" "$1" | grep -vE '^($|-- |\+\+ )' | sort >"$work/lines$sign"
	done
	diff "$work/lines-" "$work/lines+" >"$work/found" || :
}

# maintained: no new file is left to those who look after the rest
maintained() {
	cd "$src/series"
	sed -n '/^--- .dev.null$/{n;s,^+++ b/,,p}' "$patches"/0*.patch |
		while read -r file; do
			perl scripts/get_maintainer.pl --no-git --no-git-fallback --no-email \
				--sections -f "$file" 2>/dev/null | grep -vE '^(	|$|THE REST)' |
				grep -q . || echo "$file: not in MAINTAINERS"
		done >"$work/found" 2>&1
}

[ $# = 2 ] || die "usage: series-check.sh SERIES ARCH"
series=$1
arch=$2
tree=${TREE:-$series}
src=$OUT/src/$tree
pristine=$src/pristine
patches=$OUT/series/$tree
config=$top/scripts/series/smallest.config
case $arch in
x86_64) image=bzImage ;;
*) image=Image ;;
esac
[ -d "$patches" ] || die "$patches: not there, run make series"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
so_far=
last=$(find "$patches" -name '0*.patch' | sort | tail -n 1)
count=0
failed=0
n=0
for patch in "$patches"/0*.patch; do
	name=${patch##*/}
	name=${name%.patch}
	[ "${name%%-*}" != 0000 ] || continue
	n=$((n + 1))
	"$top/scripts/series/series.sh" "$series" --tree $n
	mkdir -p "$src/series/build-$arch"
	# with what is in front of them: a name may end like another
	changed "$patch" | sed 's,^,/,; s/\.o$/.c/' >"$work/names"
	if grep -q '^Subject: .*move functions' "$patch"; then
		# and checkpatch.pl was asked about its lines when they were new
		pure_move "$patch"
		result "$name: moves lines, and changes none"
	else
		check_patch "$patch"
		result "$name: checkpatch.pl --strict"
	fi
	build "$patch"
	result "$name: builds"
done
(maintained)
result "every new file is in MAINTAINERS"
echo "1..$count"
exit $failed
