#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Builds the guest's initramfs: an uncompressed newc cpio, the same bytes for
# the same input, without root.
#
#	GEN_INIT_CPIO=BUILD/usr/gen_init_cpio \
#		initramfs.sh OUTFILE KSELFTEST_DIR INIT_BINARY [SCRIPT.sh|MODULE.ko]...
#
# GEN_INIT_CPIO	the kernel's own cpio writer, from a build directory
# SYSROOT	where the guest's programs and libraries are taken from; empty
#		for this machine's. It needs mksh, toybox, kmod and libc, and gives
#		tr and dd (coreutils) if it has them. Links in it may be absolute:
#		they lead to its own files.
#
# /bin/sh is mksh, all else in the user land is toybox but for tr, which
# run_kselftest.sh can do without but is better with, dd, and kmod, whose
# modprobe toybox lacks. A script becomes /bin/SCRIPT, a module
# /lib/modules/MODULE.ko.
set -eu

die()
{
	echo "initramfs.sh: $*" >&2
	exit 1
}

[ $# -ge 3 ] || die "usage: initramfs.sh OUTFILE KSELFTEST_DIR INIT_BINARY [SCRIPT.sh|MODULE.ko]..."
out=$1
kselftest=$2
init=$3
shift 3
sysroot=${SYSROOT:-}
writer=${GEN_INIT_CPIO:-}

[ -n "$writer" ] || die "GEN_INIT_CPIO is not set: give it usr/gen_init_cpio of a kernel build"
[ -x "$writer" ] || die "no program $writer: build usr/gen_init_cpio in the kernel tree"
[ -x "$kselftest/run_kselftest.sh" ] || die "$kselftest: no installed kselftest tree"
[ -x "$init" ] || die "$init: no such program"
for extra; do
	[ -f "$extra" ] || die "$extra: no such file"
done

# real PATH: the file in the sysroot that it is in the end. Every link on the way
# is followed, and none leads out of the sysroot.
real()
{
	rest=$1
	path=
	links=0
	while [ "$rest" ]; do
		part=${rest%%/*}
		rest=${rest#"$part"}
		rest=${rest#/}
		case $part in
		'' | .) continue ;;
		..)
			path=${path%/*}
			continue ;;
		esac
		if target=$(readlink "$sysroot$path/$part") && [ $links -lt 40 ]; then
			links=$((links + 1))
			rest=$target/$rest
			case $target in /*) path= ;; esac
		else
			path=$path/$part
		fi
	done
	echo "$sysroot$path"
}

# first_of NAME PATH...: the first that is a file; NAME is what to install
first_of()
{
	package=$1
	shift
	for path; do
		path=$(real "$path")
		[ ! -f "$path" ] || {
			echo "$path"
			return
		}
	done
	die "$path is missing: install $package"
}

mksh=$(first_of mksh /bin/mksh-static /bin/mksh) || exit 1
toybox=$(first_of toybox /usr/bin/toybox /bin/toybox) || exit 1
kmod=$(first_of kmod /usr/sbin/kmod /bin/kmod) || exit 1
# The list of applets comes from the toybox of this machine, which can be run.
command -v toybox >/dev/null || die "toybox is missing: install toybox"

stage=$(mktemp -d)
trap 'rm -rf "$stage" "$out.tmp.$$"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
root=$stage/root

copy_programs()
{
	mkdir -p "$root/bin" "$root/sbin" "$root/usr/bin" "$root/usr/sbin" "$root/root"
	cp "$init" "$root/init"
	cp "$mksh" "$root/bin/mksh"
	ln -s mksh "$root/bin/sh"
	cp "$toybox" "$root/bin/toybox"
	for path in $(toybox --long); do
		[ "$path" = bin/toybox ] || ln -sf /bin/toybox "$root/$path"
	done
	for program in tr dd; do
		path=$(real "/usr/bin/$program")
		[ ! -f "$path" ] || cp "$path" "$root/usr/bin/$program"
	done
	cp "$kmod" "$root/bin/kmod"
	for path in sbin/modprobe sbin/insmod sbin/rmmod sbin/modinfo sbin/lsmod; do
		ln -sf /bin/kmod "$root/$path"
		rm -f "$root/usr/$path" "$root/bin/${path##*/}"
	done
	cp -RL "$kselftest" "$root/kselftest"
}

# copy_extras FILE...
copy_extras()
{
	mkdir -p "$root/lib/modules"
	for extra; do
		name=${extra##*/}
		case $name in
		*.ko) cp "$extra" "$root/lib/modules/$name" ;;
		*) cp "$extra" "$root/bin/${name%.sh}" ;;
		esac
	done
}

# A line for each library or interpreter that an ELF file asks for by name.
needs()
{
	LC_ALL=C readelf -ld "$@" 2>/dev/null |
		sed -n -e 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' \
		       -e 's/.*Requesting program interpreter: \(.*\)\]$/\1/p' | sort -u
}

# Debian's name of the guest's architecture, as in /lib/x86_64-linux-gnu.
triplet()
{
	case $(LC_ALL=C readelf -h "$root/init" | sed -n 's/.*Machine: *//p') in
	*X86-64*) echo x86_64-linux-gnu ;;
	AArch64) echo aarch64-linux-gnu ;;
	*) die "$init: not for x86_64 or arm64" ;;
	esac
}

# copy_library NAME: to where it is found, which is where the guest looks, too
copy_library()
{
	for dir in "lib/$arch" "usr/lib/$arch" lib64 usr/lib64 lib usr/lib; do
		[ ! -e "$root/$dir/$1" ] || return 0
		library=$(real "/$dir/$1")
		if [ -f "$library" ]; then
			mkdir -p "$root/$dir"
			cp "$library" "$root/$dir/$1"
			more=yes
			return
		fi
	done
	die "library $1 not found in $sysroot/lib/$arch and $sysroot/usr/lib/$arch"
}

# Copies what is needed and not there yet; sets $more if that was something.
copy_needed()
{
	more=
	find "$root" -type f -exec env LC_ALL=C grep -l -a -m 1 "^.ELF" {} + >"$stage/elf" || :
	# shellcheck disable=SC2046 # file names without blanks, checked below
	for name in $(needs $(cat "$stage/elf")); do
		case $name in
		/*)
			[ ! -e "$root$name" ] || continue
			library=$(real "$name")
			[ -f "$library" ] || die "$sysroot$name: no such file"
			mkdir -p "$root${name%/*}"
			cp "$library" "$root$name"
			more=yes ;;
		*) copy_library "$name" ;;
		esac
	done
}

# What gen_init_cpio is to write: one line for each name, in a fixed order.
list()
{
	echo "dir /dev 755 0 0"
	echo "nod /dev/console 600 0 0 c 5 1"
	for dir in proc sys run tmp; do
		echo "dir /$dir 755 0 0"
	done
	(cd "$root" && find . -mindepth 1 -printf '%y %P\t%l\n') | LC_ALL=C sort -k2 |
	while IFS="$(printf '\t')" read -r entry target; do
		name=${entry#? }
		case $entry in
		d\ *) echo "dir /$name 755 0 0" ;;
		l\ *) echo "slink /$name $target 777 0 0" ;;
		*)
			mode=644
			[ ! -x "$root/$name" ] || mode=755
			echo "file /$name $root/$name $mode 0 0" ;;
		esac
	done
}

copy_programs
copy_extras "$@"
blank=$(find "$root" -name '*[[:space:]]*' | head -n 1)
[ -z "$blank" ] || die "a blank in a file name: ${blank#"$root"}"
arch=$(triplet)
mkdir -p "$root/lib/$arch"
more=yes
while [ "$more" ]; do
	copy_needed
done
list >"$stage/list"
"$writer" -t 0 "$stage/list" >"$out.tmp.$$" || die "$writer failed"
mv "$out.tmp.$$" "$out"
