#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of the front door: bad input is refused with one line, and an interrupted
# or failed step leaves nothing half-done.

set -eu
. "$(dirname "$0")/tap.sh"

progress=$top/scripts/build/progress.pl

front() {
	make -s -C "$top" OUT="$tmp/out.d" "$@"
}

fetch() {
	env OUT="$tmp/out.d" "$@" "$top/scripts/source/fetch.sh" 6.12
}

# --- variables ------------------------------------------------------------

# builds VARIANTS ARG...: make would build these kernels
builds() {
	want=$1
	shift
	front -n "$@" 2>&1 | sed -n 's/^scripts.build.build.sh 6.12 x86_64 \([a-z]*\)$/\1/p' >out
	[ "$(paste -sd ' ' out)" = "$want" ]
}

# overlays_first: a tree that is refused costs no build
overlays_first() {
	front -n kernels 2>&1 | grep -oE '^scripts/(source/overlay|build/build)' | uniq >out
	printf '%s\n' scripts/source/overlay scripts/build/build | diff - out >out.diff
}

# spaced ERE GOAL...: this Makefile, in a directory with a space in its name
spaced() {
	mkdir -p "a b"
	cp "$top/Makefile" "a b/"
	ln -sfn "$top/scripts" "a b/scripts"
	make -s -C "a b" "$@"
}

# no_place: a file is where OUT shall be, or above it
no_place() {
	: >a-file
	refuses "OUT=$tmp/a-file: not a directory; name another: make OUT=DIR" \
		make -s -C "$top" OUT="$tmp/a-file" packages &&
		refuses "OUT=$tmp/a-file/out: cannot be written; name another: make OUT=DIR" \
			make -s -C "$top" OUT="$tmp/a-file/out" packages
}

# test_is TEST WORD: make check TEST=WORD is about that
test_is() {
	run front -pn check TEST="$2"
	grep -x "TEST := $1" out >test.out
}

# refused: make with these arguments is, and says so
test_refused() {
	# shellcheck disable=SC2034 # for eval
	while IFS='|' read -r args text; do
		check "make $args is refused" eval "refuses \"\$text\" front -n $args"
	done <<-'END'
		KERNEL=5.10|KERNEL=5.10: not one of 6.12 7.3
		KERNEL=|KERNEL=: not one of
		KERNEL='6.12 7.3'|not one of
		ARCH=riscv|ARCH=riscv: not one of x86_64 arm64
		ACCEL=hvf|ACCEL=hvf: not one of auto tcg kvm
		shell VARIANT=fast|VARIANT=fast: not one of
		V=2|V=2: not one of 0 1
		check-all FULL=yes|FULL=yes: not one of 0 1
		check FLAVOURS=8k|FLAVOURS=8k: unknown name, known are
		check FLAVOURS='debug 16k-hugetlb'|FLAVOURS=debug 16k-hugetlb: 16k is only for ARCH=arm64
		check FLAVOURS=16k-64k ARCH=arm64|FLAVOURS=16k-64k: names a flavour, or a size of pages, twice
		check FLAVOURS='debug 64k-numa-16k' ARCH=arm64|FLAVOURS=64k-numa-16k: names
		check FLAVOURS=clang-clang|FLAVOURS=clang-clang: names
		check TEST=unit|TEST=unit: no such test; nearest: kunit
		check TEST=dmabuf-heaps:vmp|TEST=dmabuf-heaps:vmp: no such test; nearest: dmabuf-heaps:vmap
		check TEST=heap_charg|TEST=heap_charg: no such test; nearest: dmabuf-heaps:heap_charge
		check TEST=everything|TEST=everything: no such test; there are kunit host
		check TEST='kunit host'|TEST=kunit host: no such
		bench TEST=kunit|TEST=kunit: not used by make bench, only by make check check-all
		check-shapes FLAVOURS=debug|FLAVOURS=debug: not used by make check-shapes, only by
		MINUTES=5|MINUTES=5: not used by make all, only by make soak
		check VARIANT=stock|VARIANT=stock: not used by make check, only by make shell
		VARIANT=stock|VARIANT=stock: not used by make all, only by make shell
		check ARGS='-t x'|ARGS=-t x: needs TEST=PROGRAM
		check-shapes SHAPES='256m round'|SHAPES=256m round: unknown name, known are swiotlb 256m
		check-all CHECKED=foo|CHECKED=foo: unknown name, known are 6.12-x86_64 6.12-arm64 7.3-x86_64 7.3-arm64
		check-all CHECKED=|CHECKED=: unknown name, known are
		check-all ALSO='lint foo'|ALSO=lint foo: unknown name, known are lint check-series
		check-all KERNEL=7.3|KERNEL=7.3: not used by make check-all, which tests the kernels
		check-all KERNEL_SRC=/src|KERNEL_SRC=/src: not used by make check-all
		soak MINUTES=abc|MINUTES=abc: not a number from 1 to 9999
		soak MINUTES=0|MINUTES=0: not a number
		soak MINUTES=12345|MINUTES=12345: not a number
		remote|DEVICE=: not ssh:
		remote DEVICE=usb|DEVICE=usb: not ssh:
		remote DEVICE=adb STEPS=boot|STEPS=boot: unknown name, known are bench kselftest
		KERNEL_SRC="/a'b"|KERNEL_SRC=/a'b: move it
		OUT="a'b"|OUT=a'b: name a path without
		OUT='a%b'|OUT=a%b: name a path without
		OUT='a#b'|OUT=a#b: name a path without
		OUT='a b'|OUT=a b: name a path without spaces and any of
		OUT=/|OUT=/: a directory of its own
		fetch chekc|no target chekc; nearest: check; make help lists all
		deploy|no target deploy; make help lists all
	END
	check "a clone in a path with a space" refuses '/a b: clone to a path without spaces and any of' spaced
	check "make help in such a clone" prints '^make check' spaced help
	check "says nothing else there" [ "$(grep -ci 'makefile\|error' out)" = 0 ]
	check "another locale" refuses 'KERNEL=5.10: not one of 6.12 7.3' \
		env LC_ALL=tr_TR.UTF-8 LANGUAGE=de:tr make -s -C "$top" OUT="$tmp/out.d" KERNEL=5.10
	check "make help says what there is" prints '^make check' front help
	check "no refusal has made anything" [ ! -e out.d ]
	check "OUT that is a file, or below one" no_place
	check "a program without its collection" test_is dmabuf-heaps:heap_pool heap_pool
	check "one of another collection" test_is drivers/dma-buf:udmabuf udmabuf
}

somebodys_out() {
	mkdir -p theirs/src
	refuses 'theirs: not empty and not made by this' make -s -C "$top" OUT="$tmp/theirs" packages &&
		! make -s -C "$top" OUT="$tmp/theirs" distclean >out 2>&1 &&
		grep -q 'theirs: not made by this' out &&
		[ -d theirs/src ] && [ ! -e theirs/.make ]
}

# uses GOAL: a make that takes $tmp/out.d until $tmp/go is there
uses() {
	cat >busy.mk <<-END
		include $top/Makefile
		wait:
		>@until [ -e $tmp/go ]; do sleep 0.1; done
	END
	sed -i 's/^>/\t/' busy.mk
	make -s -C "$top" -f "$tmp/busy.mk" OUT="$tmp/out.d" TARGETS=wait wait &
	holder=$!
	await_file out.d/.make
}

# one_at_a_time: until the first make ends, and whatever it leaves
one_at_a_time() {
	rm -f go
	uses wait
	ok=yes
	refuses "out.d: process $holder, make wait, has used it since ..:..; wait until it ends, or name another: make OUT=DIR" \
		front plan || ok=
	refuses "out.d: process $holder, make wait, has used" front distclean || ok=
	prints 'make check' front help || ok=
	prints . front OUT_HELD="$tmp/out.d" plan || ok=
	touch go
	wait "$holder"
	[ "$ok" ] && [ -d out.d ] && prints . front plan
}

# reused: the number of its process may be that of another program
reused() {
	echo "$$ 1 09:00 check" >out.d/.make
	prints . front plan
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

# of_another_series: without KERNEL, the series is that of the tree
of_another_series() {
	kernel seven.d 3
	sed -i 's/^VERSION = 6/VERSION = 7/' seven.d/Makefile
	prints '^scripts/source/fetch.sh 7.3$' front -n KERNEL_SRC="$tmp/seven.d" fetch
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
	check "KERNEL_SRC of another series" refuses \
		'a tree of 6.6, not of 6.12 7.3; see Documentation/vmap/backporting.rst' \
		front KERNEL_SRC="$tmp/other.d" packages
	check "and KERNEL as well" refuses \
		'a tree of 6.6, not of 6.12 7.3; see Documentation/vmap/backporting.rst' \
		front KERNEL=6.12 KERNEL_SRC="$tmp/other.d" packages
	check "KERNEL is that of KERNEL_SRC" of_another_series
	check "KERNEL_SRC of another series than KERNEL" refuses \
		'a tree of 7.3, not of 6.12; leave KERNEL out, it is read from the tree' \
		front KERNEL=6.12 KERNEL_SRC="$tmp/seven.d" packages
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
	prints 'unpack ' fetch A=1 || return 1
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

# old_lists: they name a package that is gone, and its successor is there
old_lists() {
	fake_deb repo.d/new.deb
	cat >repo.d/Packages <<-END
		Package: linux-source-6.12
		Version: 6.12.2
		Architecture: all
		Maintainer: nobody
		Filename: ./new.deb
		Size: $(wc -c <repo.d/new.deb)
		SHA256: $(sha256sum <repo.d/new.deb | cut -d ' ' -f 1)
		Description: new
	END
	prints 'unpack linux-source-6.12' fetch APT_CONFIG="$tmp/apt.conf" || return 1
	[ -e out.d/src/6.12/pristine/mm/vmalloc.c ] || return 1
	rm -rf out.d/src/6.12/pristine out.d/dl/*
}

# unreachable: an archive that nothing answers for
unreachable() {
	echo "deb [trusted=yes] http://127.0.0.1:9/ ./" >apt.d/sources
	rm -rf apt.d/lists apt.d/cache
	mkdir -p apt.d/lists/partial apt.d/cache/archives/partial
	one_error 'linux-source-6.12 cannot be fetched: Failed to fetch .*127.0.0.1' \
		fetch APT_CONFIG="$tmp/apt.conf"
}

# busy_apt: another one has the lock of the lists, for two seconds
busy_apt() {
	: >apt.d/sources
	rm -f held
	perl -MFcntl -e 'open F, ">>", "apt.d/lists/lock" or die;
		my $lock = pack("s s x4 q q i x4", F_WRLCK, 0, 0, 0, 0);
		fcntl(F, F_SETLK, $lock) or die;
		open H, ">", "held"; sleep 2' &
	holder=$!
	sleep 0.5
	[ -e held ] || return 1
	run fetch APT_CONFIG="$tmp/apt.conf"
	wait $holder
	grep -q 'waiting for another apt' out && ! grep -q 'lock' out &&
		grep -q 'linux-source-6.12 cannot be fetched: ' out
}

test_package() {
	no_apt
	check "a package that apt does not know" one_error 'linux-source-6.12 cannot be fetched: ' \
		fetch APT_CONFIG="$tmp/apt.conf"
	check "a package of backports, and an apt that does not know where from" \
		one_error 'apt does not know where this release comes from$' \
		env OUT="$tmp/out.d" APT_CONFIG="$tmp/apt.conf" "$top/scripts/source/fetch.sh" 7.3
	gone_source
	check "a package that cannot be downloaded" one_error 'linux-source-6.12 cannot be fetched: ' \
		fetch APT_CONFIG="$tmp/apt.conf"
	if [ "$(id -u)" = 0 ]; then
		check "lists that are old are read again" old_lists
		check "an archive that cannot be reached" unreachable
		check "another apt that has the lists is waited for" busy_apt
	fi
	check "an interrupted fetch and unpack is cleared and repeated" continues
	check "a package that is cut short" broken_deb
}

# --- the disk -------------------------------------------------------------

# small_disk COMMAND...: with a few MB at $tmp/disk, where that may be mounted
small_disk() {
	mkdir -p disk
	unshare -m sh -c 'mount -t tmpfs -o size=4m tmpfs disk && exec "$@"' sh "$@"
}

# fills_up: the disk is too small for a copy of KERNEL_SRC, and nothing knew
fills_up() {
	kernel big.d 12
	head -c 6000000 /dev/zero >big.d/mm/big.c
	# shellcheck disable=SC2016 # for the shell inside
	refuses 'KERNEL_SRC=.*big.d: .*disk is full$' small_disk sh -c '
		SPACE=1 OUT=$PWD/disk KERNEL_SRC=$PWD/big.d "$1/scripts/source/fetch.sh" 6.12 | grep -v "^fetch: copy"
		[ ! -e disk/src/6.12-*/pristine ] && exit 1' sh "$top"
}

test_disk() {
	if ! small_disk true 2>/dev/null; then
		check "a full disk # SKIP needs mount" true
		return
	fi
	check "a full disk" refuses 'disk: [0-9]+ MB free, the kernel source with two builds needs about' \
		small_disk make -s -C "$top" OUT="$tmp/disk" packages
	check "a disk that fills up half-way" fills_up
}

# --- packages -------------------------------------------------------------

# path_without NAME...: $tmp/bin has all commands but these
path_without() {
	rm -rf bin
	mkdir bin
	for dir in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
		ln -s $dir/* bin/ 2>/dev/null || :
	done
	for command; do
		rm -f bin/"$command"
	done
}

packages() {
	env PATH="$tmp/bin" OUT="$tmp/out.d" "$top/scripts/source/packages.sh" 6.12 x86_64
}

# fake NAME: the text of that command comes from standard input
fake() {
	rm -f "bin/$1"
	cat >"bin/$1"
	chmod +x "bin/$1"
}

# fake_apt: flex is not here, and apt-get takes the words of what it is to do
fake_apt() {
	path_without flex dpkg-query sudo
	rm -f updated tried
	echo 'echo "  Candidate: 1"' | fake apt-cache
	fake apt-get
}

gets_flex='ln -s /bin/true bin/flex'

busy_dpkg() {
	fake_apt <<-END
		#!/bin/sh
		[ -e tried ] || { touch tried; echo "E: Could not get lock /var/lib/dpkg/lock-frontend" >&2; exit 100; }
		$gets_flex
	END
	prints '^packages: waiting for another apt or dpkg to end$' packages && [ -e bin/flex ]
}

old_package_lists() {
	fake_apt <<-END
		#!/bin/sh
		case "\$*" in *update*) touch updated; exit ;; esac
		[ -e updated ] || { echo "E: Failed to fetch flex.deb  404" >&2; exit 100; }
		$gets_flex
	END
	prints 'install 1 packages' packages && [ -e bin/flex ]
}

no_network() {
	fake_apt <<-END
		#!/bin/sh
		echo "Err:1 flex" >&2
		echo "E: Failed to fetch flex.deb  Could not connect" >&2
		exit 100
	END
	one_error '^packages: .*: Failed to fetch flex.deb  Could not connect$' packages
}

no_sudo() {
	fake_apt <<-END
		#!/bin/sh
		exit 100
	END
	echo 'echo 1000' | fake id
	refuses '^packages: packages are missing; run: apt-get install --no-install-recommends flex$' packages
}

test_packages() {
	if ! "$top/scripts/source/packages.sh" 6.12 x86_64 </dev/null >/dev/null 2>&1; then
		check "packages # SKIP some are missing here" true
		return
	fi
	path_without apt-get apt-cache dpkg dpkg-query dpkg-deb
	check "no package tool, and all is here" silent packages
	check "no package tool, and no kernel source" \
		refuses 'apt-get: not found; give a kernel tree of 6.12: make KERNEL_SRC=DIR$' \
		fetch PATH="$tmp/bin"
	rm bin/flex bin/bison
	check "no package tool, and something is missing" \
		refuses '^packages: not found, please install: flex bison$' packages
	check "no root, no sudo" no_sudo
	check "no network" no_network
	check "lists of packages that are old" old_package_lists
	check "another dpkg is waited for" busy_dpkg
}

# --- new systems ----------------------------------------------------------

# release ARG...: as root, as far as check-release.sh can tell
release() {
	env PATH="$tmp/bin:$PATH" OUT="$tmp/out.d" "$top/scripts/check/check-release.sh" "$@"
}

test_release() {
	rm -rf bin
	mkdir bin
	echo 'echo 1000' | fake id
	check "a new system takes root" refuses '^check-release: a debootstrap takes root$' release
	echo 'echo 0' | fake id
	if command -v debootstrap >/dev/null; then
		check "a release that is none" refuses '^check-release: sarge-ng: debootstrap does not know it$' \
			release sarge-ng
	else
		check "no debootstrap" \
			refuses '^check-release: debootstrap: not found; run: apt-get install debootstrap$' release
	fi
}

# --- small and busy machines ----------------------------------------------

# lib COMMAND...: of lib.sh
lib() {
	# shellcheck disable=SC2016 # for the shell inside
	OUT=$tmp/out.d sh -c '. "${0%/*}/../lib.sh"; "$@"' "$top/scripts/tests/x" "$@"
}

# memory MB: of a machine, all of it free
memory() {
	printf 'MemTotal: %d kB\nMemAvailable: %d kB\nSwapFree: 0 kB\n' $(($1 * 1024)) $(($1 * 1024)) >meminfo
	export MEMINFO="$tmp/meminfo"
}

one_core() {
	# shellcheck disable=SC2016 # for the shell inside
	OUT=$tmp/out.d taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')" \
		sh -c '. "${0%/*}/../lib.sh"; parallel' "$top/scripts/tests/x"
}

test_small() {
	memory 64000
	check "one core" prints '^1$' one_core
	memory 800
	check "little memory: one compiler at a time" prints '^1$' lib parallel
	mkdir -p out.d/6.12-x86_64/patched/arch/x86/boot
	: >out.d/6.12-x86_64/initramfs.cpio
	: >out.d/6.12-x86_64/patched/arch/x86/boot/bzImage
	check "too little memory for a guest" \
		refuses '^boot: a guest needs 2000 MB of memory, only 800 MB are available$' \
		env OUT="$tmp/out.d" ACCEL=tcg "$top/scripts/guest/boot.sh" 6.12 x86_64 patched icount x run true
	unset MEMINFO
}

cache() {
	# shellcheck disable=SC2016 # for the shell inside
	env -u CCACHE_DIR "$@" OUT="$tmp/out.d" sh -c '. "${0%/*}/../lib.sh"; use_cache; ccache -k cache_dir' \
		"$top/scripts/tests/x"
}

test_home() {
	check "a home that can be written" prints "^$tmp/home/" cache HOME="$tmp/home"
	check "a home that cannot" prints "^$tmp/out.d/ccache\$" cache HOME=/proc/nobody
	check "no home" prints "^$tmp/out.d/ccache\$" cache HOME=/nonexistent/home XDG_CACHE_HOME=/proc/x
}

# --- terminals ------------------------------------------------------------

# narrow COMMAND: on a terminal of 60 columns; its lines, without what moves the cursor
narrow() {
	script -qec "stty cols 60; $1" /dev/null </dev/null | tr '\r' '\n' | sed 's/\x1b\[K//g'
}

compiling="printf '  CC      a/very/long/directory/for/a/file/of/the/kernel/whose/name/is/long.o\n'; sleep 0.5; echo"

fits_narrow() {
	narrow "$progress --title 'build stock 6.12 x86_64' --expect 1720 -- sh -c \"$compiling\"" >out
	grep -q '1 of 1720 objects' out && ! grep -qE '.{61}' out
}

# plain COMMAND...: no control characters in what it prints
plain() {
	run "$@"
	[ "$got" = 0 ] && ! tr -d '\n' <out | grep -q '[[:cntrl:]]'
}

plan() {
	OUT=$tmp/none.d "$top/scripts/front/plan.sh" "$1" 6.12 x86_64 "stock patched" ${2+"$2"}
}

says_how_long() {
	prints '^make: about [0-9]+ minutes, of which [0-9]+ minutes to build$' plan all || return 1
	! grep -qE '.{61}' out || return 1
	prints '^make check: about [0-9]+ minutes, of which ' plan check
}

counts_steps() {
	STEPS=$(plan all --steps) BEGUN=$(date +%s)
	export STEPS BEGUN
	prints '^\[4/7 0:0[0-9]\] build$' lib step build-patched build
	result=$?
	unset STEPS BEGUN
	return $result
}

test_terminals() {
	check "no terminal: no control characters" plain \
		"$progress" --title "build stock" --expect 9 -- sh -c "$compiling"
	if command -v script >/dev/null; then
		check "a terminal of 60 columns" fits_narrow
	fi
	check "says how long it is likely to take" says_how_long
	check "says which step of how many it is" counts_steps
	check "other steps have no number" prints '^x: here$' lib step none here
}

# --- interrupted -----------------------------------------------------------

# nothing_goes_on: when the shell that make has started is killed, as make does
nothing_goes_on() {
	# shellcheck disable=SC2016 # for the shells inside
	sh -c '. "${0%/*}/../lib.sh"; run_progress -- sh -c "sleep 60 & echo \$! >pid; wait"; :' \
		"$top/scripts/tests/x" >out 2>&1 &
	await_file pid
	kill $!
	is_gone "$(cat pid)"
}

# says_who: has a lock
says_who() {
	flock busy.lock sh -c 'echo $$ >holder; until [ -s waits ]; do sleep 0.1; done' &
	await_file holder
	lib lock "$tmp/busy.lock" >waits
	cp waits out
	grep -Eq "^x: waiting for process .*process $(cat holder) \(sh\).*, which uses busy.lock\$" out
}

test_interrupted() {
	check "a step that is killed leaves nothing running" nothing_goes_on
	check "says who has a lock" says_who
}

# --- the accelerator ------------------------------------------------------

test_accel() {
	check "ACCEL=tcg" prints '^tcg$' env OUT="$tmp/out.d" ACCEL=tcg \
		"$top/scripts/guest/boot.sh" 6.12 x86_64 patched accel
	if grep -qwE 'vmx|svm' /proc/cpuinfo; then
		check "kvm that cannot run a guest # SKIP it can here" true
		return
	fi
	check "ACCEL=auto falls back to emulation" prints '^tcg$' env OUT="$tmp/out.d" ACCEL=auto \
		"$top/scripts/guest/boot.sh" 6.12 x86_64 patched accel
	check "ACCEL=kvm where kvm cannot run a guest" refuses 'ACCEL=kvm: .*cannot run a guest here' \
		front ACCEL=kvm
}

test_refused
mkdir -p out.d
touch out.d/.vmap-out
check "VARIANT=rfc takes the place of ours" builds 'stock rfc' kernels VARIANT=rfc
check "VARIANT=stock is for a shell" builds 'stock patched' kernels VARIANT=stock
check "make bench compares all" builds 'stock rfc patched' bench
check "every tree is made before the first build" overlays_first
check "an OUT that holds somebody's files is neither used nor cleaned" somebodys_out
check "two makes in one OUT" one_at_a_time
check "a make that has ended, and its number has another" reused
test_kernel_src
test_package
test_disk
test_packages
test_release
test_small
test_home
test_terminals
test_interrupted
test_accel
finish
