#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of the front door: bad input is refused with one line, and an interrupted
# or failed step leaves nothing half-done.

set -eu
. "$(dirname "$0")/tap.sh"

front() {
	make -s -C "$top" OUT="$tmp/out.d" "$@"
}

fetch() {
	env OUT="$tmp/out.d" "$@" "$top/scripts/fetch.sh" 6.12
}

# --- variables ------------------------------------------------------------

# builds VARIANTS ARG...: make would build these kernels
builds() {
	want=$1
	shift
	front -n "$@" 2>&1 | sed -n 's/^scripts.build.sh 6.12 x86_64 \([a-z]*\)$/\1/p' >out
	[ "$(paste -sd ' ' out)" = "$want" ]
}

# overlays_first: a tree that is refused costs no build
overlays_first() {
	front -n kernels 2>&1 | grep -oE '^scripts/(overlay|build)' | uniq >out
	printf '%s\n' scripts/overlay scripts/build | diff - out >out.diff
}

test_variables() {
	check "KERNEL=5.10 is refused" refuses 'KERNEL=5.10: not one of 6.12 7.3' front KERNEL=5.10
	check "an empty KERNEL is refused" refuses 'KERNEL=: not one of' front KERNEL=
	check "two kernels are refused" refuses 'not one of' front KERNEL='6.12 7.3'
	check "ARCH=riscv is refused" refuses 'ARCH=riscv: not one of x86_64 arm64' front ARCH=riscv
	check "ACCEL=hvf is refused" refuses 'ACCEL=hvf: not one of auto tcg kvm' front ACCEL=hvf
	check "VARIANT=fast is refused" refuses 'VARIANT=fast: not one of' front shell VARIANT=fast
	check "FLAVOURS=8k is refused" refuses 'FLAVOURS=8k: not some of' front FLAVOURS=8k
	check "TEST=unit is refused" refuses 'TEST=unit: not kunit' front check TEST=unit
	check "V=2 is refused" refuses 'V=2: not one of 0 1' front V=2
	check "OUT with a space is refused" refuses 'OUT=.*without spaces' \
		make -s -C "$top" OUT='a b'
	check "OUT=/ is refused" refuses 'OUT=/: a directory of its own' make -s -C "$top" OUT=/
	check "make help says what there is" prints '^make check' front help
	check "no refusal has made anything" [ ! -e out.d ]
	check "an unknown target is refused" refuses "No rule to make target 'chekc'" front chekc
}

somebodys_out() {
	mkdir -p theirs/src
	refuses 'theirs: not empty and not made by this' make -s -C "$top" OUT="$tmp/theirs" packages &&
		! make -s -C "$top" OUT="$tmp/theirs" distclean >out 2>&1 &&
		grep -q 'theirs: not made by this' out &&
		[ -d theirs/src ]
}

# --- KERNEL_SRC -----------------------------------------------------------

# kernel DIR PATCHLEVEL: what passes for a kernel tree
kernel() {
	mkdir -p "$1/mm"
	printf '# SPDX\nVERSION = 6\nPATCHLEVEL = %s\nSUBLEVEL = 1\n' "$2" >"$1/Makefile"
	echo vmalloc >"$1/mm/vmalloc.c"
	: >"$1/Kconfig"
}

copy_of() {
	find out.d/src -path "*-*/pristine/$1" | grep -q .
}

state() {
	find src.d -printf '%p %i %s %T@\n' | sort
}

copies() {
	state >state.1
	prints . fetch KERNEL_SRC=src.d || silent fetch KERNEL_SRC=src.d || return 1
	state >state.2
	diff state.1 state.2 >out && copy_of mm/vmalloc.c
}

leaves_out_products() {
	for f in .config mm/vmalloc.o .vmlinux.cmd include/generated/x.h; do
		mkdir -p src.d/include/generated
		echo product >"src.d/$f"
	done
	run fetch KERNEL_SRC=src.d
	for f in .config mm/vmalloc.o .vmlinux.cmd include/generated/x.h; do
		if copy_of "$f"; then
			echo "$f was copied" >out
			return 1
		fi
	done
}

refreshes() {
	echo changed >src.d/mm/vmalloc.c
	echo new >src.d/mm/new.c
	prints 'refreshed from .*: 2 files' fetch KERNEL_SRC=src.d || return 1
	rm src.d/mm/new.c
	prints 'refreshed from .*: 1 files' fetch KERNEL_SRC=src.d || return 1
	! copy_of mm/new.c && grep -q changed out.d/src/*-*/pristine/mm/vmalloc.c
}

git_tree() {
	kernel git.d 12
	echo '*.o' >git.d/.gitignore
	: >git.d/mm/x.o
	git -c init.defaultBranch=main init -q git.d
	git -C git.d add .
	: >git.d/mm/untracked.c
	run fetch KERNEL_SRC=git.d
	copy_of mm/untracked.c && ! copy_of mm/x.o
}

test_kernel_src() {
	kernel src.d 12
	kernel other.d 6
	mkdir empty.d
	check "KERNEL_SRC that is missing" refuses 'KERNEL_SRC=.*/nowhere: no such directory' \
		front KERNEL_SRC="$tmp/nowhere" packages
	check "KERNEL_SRC that is a file" refuses 'KERNEL_SRC=.*: not a directory' \
		front KERNEL_SRC="$top/Makefile" packages
	check "KERNEL_SRC that is not a kernel" refuses 'not a kernel tree, it has no Makefile' \
		front KERNEL_SRC="$tmp/empty.d" packages
	check "KERNEL_SRC of another series" refuses 'a tree of 6.6, not of 6.12' \
		front KERNEL_SRC="$tmp/other.d" packages
	check "KERNEL_SRC is copied, and not written to" copies
	check "copied again, nothing changes" silent fetch KERNEL_SRC=src.d
	check "what a build has made is not copied" leaves_out_products
	check "a changed KERNEL_SRC is copied again" refreshes
	check "of a git tree, what git does not ignore is copied" git_tree
}

# --- the package ----------------------------------------------------------

# An apt that knows no package, and one whose package is not there
no_apt() {
	mkdir -p apt.d/lists/partial apt.d/cache/archives/partial apt.d/state
	: >apt.d/sources
	cat >apt.conf <<-END
		Dir::Etc::SourceList "$tmp/apt.d/sources";
		Dir::Etc::SourceParts "/dev/null";
		Dir::State::Lists "$tmp/apt.d/lists";
		Dir::Cache "$tmp/apt.d/cache";
		APT::Update::Error-Mode "any";
	END
}

gone_source() {
	mkdir -p repo.d
	cat >repo.d/Packages <<-END
		Package: linux-source-6.12
		Version: 6.12.1
		Architecture: all
		Maintainer: nobody
		Filename: ./gone.deb
		Size: 1
		SHA256: 0000000000000000000000000000000000000000000000000000000000000000
		Description: gone
	END
	echo "deb [trusted=yes] file:$tmp/repo.d ./" >apt.d/sources
	APT_CONFIG=$tmp/apt.conf apt-get -q update >out 2>&1
}

# one_error ERE COMMAND...: on stderr there is one line, which matches
one_error() {
	want=$1
	shift
	got=0
	"$@" >said 2>out </dev/null || got=$?
	[ "$got" != 0 ] && [ "$(wc -l <out)" = 1 ] && grep -Eq -e "$want" out && nothing_half_done
}

nothing_half_done() {
	run fetch KERNEL_SRC=src.d
	find out.d -name '*.part.*' >out
	[ ! -s out ] && [ ! -e out.d/src/6.12/pristine ]
}

# fake_deb FILE: a package that holds what passes for the kernel's source
fake_deb() {
	rm -rf deb.d linux-source-6.12
	kernel linux-source-6.12 12
	mkdir -p deb.d/DEBIAN deb.d/usr/src
	tar -cJf deb.d/usr/src/linux-source-6.12.tar.xz linux-source-6.12
	printf 'Package: linux-source-6.12\nVersion: 6.12.1\nArchitecture: all\nMaintainer: nobody\nDescription: none\n' \
		>deb.d/DEBIAN/control
	dpkg-deb -b deb.d "$1" >/dev/null 2>&1
}

continues() {
	mkdir -p out.d/dl/deb.part.1 out.d/src/6.12/unpack.part.1/linux-source-6.12
	: >out.d/dl/deb.part.1/half
	fake_deb out.d/dl/linux-source-6.12_6.12.1_all.deb
	prints 'unpacking' fetch A=1 || return 1
	find out.d -name '*.part.*' >out
	[ ! -s out ] && [ -e out.d/src/6.12/pristine/mm/vmalloc.c ] &&
		silent fetch A=1
}

broken_deb() {
	rm -rf out.d/src/6.12/pristine
	head -c 600 out.d/dl/*.deb >cut.deb
	mv cut.deb out.d/dl/linux-source-6.12_6.12.1_all.deb
	one_error 'does not unpack: removed, run make again' fetch A=1 &&
		[ ! -e out.d/dl/linux-source-6.12_6.12.1_all.deb ]
}

test_package() {
	no_apt
	check "a package that apt does not know" one_error 'linux-source-6.12 cannot be fetched: ' \
		fetch APT_CONFIG="$tmp/apt.conf"
	check "a package of backports, and an apt that does not know where from" \
		one_error 'apt does not know where this release comes from$' \
		env OUT="$tmp/out.d" APT_CONFIG="$tmp/apt.conf" "$top/scripts/fetch.sh" 7.3
	gone_source
	check "a package that cannot be downloaded" one_error 'linux-source-6.12 cannot be fetched: ' \
		fetch APT_CONFIG="$tmp/apt.conf"
	check "an interrupted fetch and unpack is cleared and repeated" continues
	check "a package that is cut short" broken_deb
}

# --- the disk -------------------------------------------------------------

# small_disk COMMAND...: with a few MB at $tmp/disk, where that may be mounted
small_disk() {
	mkdir -p disk
	unshare -m sh -c 'mount -t tmpfs -o size=4m tmpfs disk && exec "$@"' sh "$@"
}

test_disk() {
	if ! small_disk true 2>/dev/null; then
		check "a full disk # SKIP needs mount" true
		return
	fi
	check "a full disk" refuses 'disk: [0-9]+ MB free, the kernel source with two builds needs about' \
		small_disk make -s -C "$top" OUT="$tmp/disk" packages
}

# --- the accelerator ------------------------------------------------------

test_accel() {
	check "ACCEL=tcg" prints '^tcg$' env OUT="$tmp/out.d" ACCEL=tcg \
		"$top/scripts/boot.sh" 6.12 x86_64 patched accel
	if grep -qwE 'vmx|svm' /proc/cpuinfo; then
		check "kvm that cannot run a guest # SKIP it can here" true
		return
	fi
	check "ACCEL=auto falls back to emulation" prints '^tcg$' env OUT="$tmp/out.d" ACCEL=auto \
		"$top/scripts/boot.sh" 6.12 x86_64 patched accel
	check "ACCEL=kvm where kvm cannot run a guest" refuses 'ACCEL=kvm: .*cannot run a guest here' \
		front ACCEL=kvm
}

test_variables
mkdir -p out.d/host
touch out.d/.vmap-out
cp "$tools/progress" out.d/host/
check "VARIANT=rfc takes the place of ours" builds 'stock rfc' kernels VARIANT=rfc
check "VARIANT=stock is for a shell" builds 'stock patched' kernels VARIANT=stock
check "make bench compares all" builds 'stock rfc patched' bench
check "every tree is made before the first build" overlays_first
check "minutes to soak that are no number" \
	refuses '^soak: MINUTES=soon: not a number' "$top/scripts/soak.sh" 6.12 x86_64 patched soon
check "an OUT that holds somebody's files is neither used nor cleaned" somebodys_out
test_kernel_src
test_package
test_disk
test_accel
finish
