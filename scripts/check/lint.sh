#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lint.sh SERIES ARCH: look at our own sources; a line per tool, passed, failed
# or skipped, what it found above it

set -eu
. "$(dirname "$0")/../lib.sh"

failures=0

# verdict NAME STATUS: what a tool printed is in $work/found
verdict() {
	if [ "$2" = 0 ] && [ ! -s "$work/found" ]; then
		echo "$1: passed"
		return
	fi
	cat "$work/found"
	echo "$1: failed"
	failures=$((failures + 1))
}

skipped() {
	echo "$1: skipped ($2)"
}

ours() {
	cd "$top"
	for f in "$@"; do
		[ ! -f "$f" ] || echo "$f"
	done
}

kernel_c() {
	ours include/linux/*.h include/trace/events/*.h mm/*.[ch] mm/tests/*.[ch] drivers/dma-buf/*.[ch] drivers/dma-buf/heaps/*.[ch] \
		drivers/dma-buf/heaps/tests/*.[ch]
}

user_c() {
	ours tools/testing/selftests/dmabuf-heaps/*.[ch] scripts/*/*.[ch]
}

# patches: every one of the series
patches() {
	cd "$top"
	find "patches/$series" patches/common -name '*.patch' | sort
}

# lint_licence: every file has its line, but the licence and the sample of a console
lint_licence() {
	(cd "$top" && git ls-files | grep -vE '^LICENSES/|/splats/benign$' | while read -r f; do
		head -n 6 "$f" | grep -q 'SPDX-License-Identifier: GPL-2.0-only' || echo "$f"
	done) >"$work/found" 2>&1
	verdict "SPDX-License-Identifier" 0
}

lint_checkpatch() {
	status=0
	checkpatch="$top/scripts/check/checkpatch.sh $pristine"
	# shellcheck disable=SC2046,SC2086 # lists of words
	(
		cd "$top"
		$checkpatch -f $(kernel_c)
		$checkpatch --programs -f $(user_c)
	) >"$work/found" || status=1
	for f in $(patches); do
		$checkpatch --patch --ignore COMMIT_MESSAGE,DIFF_IN_COMMIT_MSG - <"$top/$f" >"$work/one" ||
			status=1
		sed "s,^-:,$f:," "$work/one" >>"$work/found"
	done
	rm -f "$top"/.checkpatch-camelcase.*
	verdict "checkpatch --strict" $status
}

lint_kernel_doc() {
	status=0
	# shellcheck disable=SC2046
	(cd "$top" && "$pristine/scripts/kernel-doc" -none -Wall -Werror $(kernel_c)) \
		>"$work/found" 2>&1 || status=1
	verdict kernel-doc $status
}

lint_shell() {
	command -v shellcheck >/dev/null || {
		skipped shellcheck "not installed"
		return
	}
	status=0
	# shellcheck disable=SC2046
	(cd "$top" && shellcheck $(ours scripts/*/*.sh scripts/guest/bin/*.sh .ci/run)) \
		>"$work/found" 2>&1 || status=1
	verdict shellcheck $status
}

lint_perl() {
	(cd "$top" && for f in scripts/*/*.p[lm]; do
		perl -I "${f%/*}" -wc "$f" 2>&1 | grep -vx "$f syntax OK" || :
	done) >"$work/found"
	verdict "perl -w" 0
}

lint_fragments() {
	status=0
	for variant in stock patched; do
		"$top/scripts/build/build.sh" "$series" "$arch" $variant config || status=1
	done >"$work/found" 2>&1
	verdict "fragment audit" $status
}

objects() {
	kernel_c | sed -n 's/\.c$/.o/p'
	# mm/kmsan is only built with KMSAN
	patches | xargs sed -n 's,^+++ b/\(.*\)\.c$,\1.o,p' | grep -v '^mm/kmsan/'
}

# about_ours: of what a compiler printed, the lines on our files
about_ours() {
	kernel_c | sed 's,^,/,' >"$work/names"
	sed 's,^\(\.\./\)*,/,' | grep -F -f "$work/names" | grep -E 'warning|error' || true
}

# kmake VARIANT ARGS...: make our objects in the tree of the variant
kmake() {
	variant=$1
	shift
	# shellcheck disable=SC2046
	"$top/scripts/build/build.sh" "$series" "$arch" "$variant" kmake "$@" $(objects) >"$work/log" 2>&1
}

# compiled NAME STATUS: what it said of ours, and why it failed
compiled() {
	about_ours <"$work/log" >"$work/found"
	[ "$2" = 0 ] || tail -n 5 "$work/log" >>"$work/found"
	verdict "$1" "$2"
}

lint_w1() {
	status=0
	kmake patched W=1 || status=1
	compiled "W=1" $status
}

lint_w1_clang() {
	command -v clang-$CLANG >/dev/null || {
		skipped "W=1, clang" "clang-$CLANG is not installed"
		return
	}
	status=0
	"$top/scripts/build/build.sh" "$series" "$arch" patched-clang config >"$work/log" 2>&1 &&
		kmake patched-clang W=1 || status=1
	compiled "W=1, clang" $status
}

lint_sparse() {
	command -v sparse >/dev/null || {
		skipped sparse "not installed"
		return
	}
	status=0
	kmake patched C=2 || status=1
	if grep -qiE 'sparse.*(skipp|not supported|too old)' "$work/log"; then
		skipped sparse "the kernel says it cannot use this version"
		return
	fi
	# It cannot follow pte_offset_map_lock(), which may fail, and says so of stock's
	# mm/madvise.c, mprotect.c, mremap.c and migrate.c as well
	sed -i "/context imbalance in 'fault_table' - unexpected unlock/d" "$work/log"
	compiled sparse $status
}

[ $# = 2 ] || die "usage: lint.sh SERIES ARCH"
series=$1
arch=$2
pristine=$OUT/src/${TREE:-$series}/pristine
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
lint_licence
lint_checkpatch
lint_kernel_doc
lint_shell
lint_perl
lint_fragments
say "compiling our objects with W=1 and sparse"
lint_w1
lint_w1_clang
lint_sparse
[ $failures = 0 ] || die "$failures failed"
