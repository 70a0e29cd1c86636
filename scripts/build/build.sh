#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build.sh SERIES ARCH VARIANT [config|build|modules|kselftest]
#
# config     $OUT/src/$TREE/VARIANT/build-ARCH/.config from the fragments
# build      config, then the kernel (the default)
# modules    its modules, as modules.cpio in the same directory: only tests use
#            them, and they are a tenth of a first build; the one that the bench
#            loads is built with the kernel
# kselftest  the kernel's headers and our selftests, installed below
#            $OUT/$TREE-ARCH/kselftest
#
# A variant with a flavour, as patched-16k, has the sources of the variant and
# the options of scripts/build/config/16k.config, and those for a series or an
# architecture, as of 6.12-clang.config and x86_64-iommu.config.  Flavours can be
# joined, as in patched-16k-hugetlb.  Lines "#:" of their files say what else they
# mean, see flavour_says() in lib.sh.
#
# The O= directory is a child of the source tree, so kbuild names sources
# relative to it and the compiler cache serves every tree;
# $OUT/$TREE-ARCH/VARIANT is a link to it.

set -eu
. "$(dirname "$0")/../lib.sh"

# Objects of a first build, until one has been counted
OBJECTS=1720
# A build of one variant, in MB
SPACE=1500
# Our files in a kernel, but for the KUnit tests
COUNTED="vmap vma_map_sg system_heap system_heap_layout system_heap_pool vmap_test vmap_test_attach vmap_test_layout vmap_test_user"

# kmake TARGET...: the kernel's own make, with nothing of ours in its way
kmake() {
	# shellcheck disable=SC2086 # words without blanks
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u KERNEL -u KERNEL_SRC \
		-u VARIANT -u OUT -u V \
		make -C "$src" O="${obj##*/}" ARCH="$arch" CROSS_COMPILE="$cross" $llvm \
		CC="$top/scripts/build/ccache.sh $cc" HOSTCC="ccache gcc" -j"$(parallel)" $counted "$@"
}

# kernels_own: a flavour whose name is one of the kernel's own fragments has that
# as its base.  Not audited: there, lines may be of another architecture.
kernels_own() {
	for f in $flavours; do
		f=$src/kernel/configs/$f.config
		[ ! -e "$f" ] || echo "$f"
	done
}

# fragments: in order; what only a variant knows is in a fragment of its name
fragments() {
	echo "$top/.config.fragment" "$top/scripts/build/config/$arch.config"
	# shellcheck disable=SC2046 # names
	for f in "$series" "$series-$arch" "$base" $(! has_no_users "$flavour" || echo small) \
		$(for part in $flavours; do echo "$part" "$series-$part" "$arch-$part"; done); do
		f=$top/scripts/build/config/$f.config
		[ ! -e "$f" ] || echo "$f"
	done
}

# config_key: what the configuration depends on
config_key() {
	{
		# shellcheck disable=SC2046 # paths without spaces, the Makefile sees to it
		cat $(kernels_own) $(fragments) "$top/scripts/build/build.sh"
		$cc --version
		cd "$src"
		find . -path './build-*' -prune -o -name 'Kconfig*' -type f -print0 | sort -z | xargs -0 cat
	} | sha256sum
}

# merge: the kernel's own script, on a file beside .config
merge() {
	# merge_config.sh calls make; this is how it learns of our compiler
	# shellcheck disable=SC2046
	(cd "$src" && env -u MAKELEVEL -u MAKEOVERRIDES -u V -u OUT -u KERNEL \
		MAKEFLAGS="-- CC=ccache\\ $cc HOSTCC=ccache\\ gcc CROSS_COMPILE=$cross $llvm" \
		ARCH="$arch" \
		KCONFIG_CONFIG="$obj/.config.new" \
		scripts/kconfig/merge_config.sh -n -O "${obj##*/}" /dev/null $(kernels_own) $(fragments)) \
		>"$log" 2>&1 || {
		tail -n 5 "$log" >&2
		die "$what: merge_config.sh failed, log: $log"
	}
}

# audit FILE: kconfig kept every line of the fragments
audit() {
	# shellcheck disable=SC2046
	"$top/scripts/build/audit-config.sh" "$1" $(fragments) ||
		die "$what: kconfig did not keep the options above"
}

# begin_flavour: as a copy of the variant's build, so that only what the options
# of the flavour touch is built again
begin_flavour() {
	[ -n "$flavour" ] && [ ! -e "$obj" ] && [ -e "$src/build-$arch/.built" ] || return 0
	rm -rf "$obj".part.*
	cp -a "$src/build-$arch" "$obj.part.$$" || die "$what: $(or_full "cannot be copied")"
	rm -f "$obj.part.$$/.built" "$obj.part.$$/.config.key"
	mv "$obj.part.$$" "$obj"
}

configure() {
	key=$(config_key)
	if [ -e "$obj/.config" ] && [ "$(cat "$obj/.config.key" 2>/dev/null)" = "$key" ]; then
		audit "$obj/.config"
		return
	fi
	note "$what: configuring"
	log=$logs/$variant-config.log
	merge
	audit "$obj/.config.new"
	cmp -s "$obj/.config.new" "$obj/.config" || mv "$obj/.config.new" "$obj/.config"
	rm -f "$obj/.config.new" "$obj/.config.new.old"
	echo "$key" >"$obj/.config.key"
}

# same_config: stock is the yardstick for every other variant, but for flavours
same_config() {
	stock=$out/stock/.config
	[ "$variant" != stock ] && [ -z "$flavour" ] && [ -e "$stock" ] || return 0
	"$top/scripts/build/audit-config.sh" --same "$stock" "$obj/.config" ||
		die "$what: not the same config as stock"
}

objects() {
	find "$obj" -name '.*.cmd' | wc -l
}

build() {
	configure
	same_config
	[ -e "$obj/.built" ] || need_space $SPACE "$what"
	log=$logs/$variant-build.log
	step "build-$variant" "build the $variant kernel"
	if [ -e "$obj/.built" ]; then
		set -- --done 0
	else
		set -- --done "$(objects)" --expect "$(cat "$out/objects" 2>/dev/null || echo $OBJECTS)"
	fi
	# modules are of one kernel
	rm -f "$obj/.built" "$obj/modules.cpio"
	run_progress --title "build $what" --log "$log" "$@" -- \
		"$0" "$series" "$arch" "$variant" kmake "$image" lib/test_vmalloc.ko ||
		die "$what: $(or_full "the build failed" $?), log: $log"
	objects >"$out/objects"
	: >"$obj/.built"
}

# pack_modules: what modules_install has put below modules.part
pack_modules() {
	(
		cd "$obj/modules.part"
		find lib -type d -printf 'dir /%p 755 0 0\n' | sort
		find lib -type f -printf "file /%p $PWD/%p 644 0 0\n" | sort
	) >"$obj/modules.list"
	"$obj/usr/gen_init_cpio" -t 0 "$obj/modules.list" >"$obj/modules.cpio.part" ||
		die "$what: $(or_full "the modules cannot be packed")"
	mv "$obj/modules.cpio.part" "$obj/modules.cpio"
}

modules() {
	log=$logs/$variant-modules.log
	step "modules-$variant" "build the modules of $variant"
	rm -rf "$obj/modules.part"
	run_progress --title "modules $what" --log "$log" -- \
		"$0" "$series" "$arch" "$variant" kmake modules ||
		die "$what: $(or_full "the modules failed" $?), log: $log"
	kmake modules_install INSTALL_MOD_PATH="$obj/modules.part" INSTALL_MOD_STRIP=1 \
		>>"$log" 2>&1 ||
		die "$what: $(or_full "modules_install failed"), log: $log"
	pack_modules
	rm -rf "$obj/modules.part"
}

# With the libraries of the guest's architecture, if that is another
kselftest() {
	if [ -n "$cross" ]; then
		export USERCFLAGS="--sysroot=$sysroot" PKG_CONFIG_SYSROOT_DIR="$sysroot"
		export PKG_CONFIG_LIBDIR="$sysroot/usr/lib/${cross%-}/pkgconfig"
	fi
	log=$logs/kselftest.log
	step programs "build the guest's programs"
	rm -rf "$out/kselftest.part"
	run_progress --title "kselftest $series $arch" --log "$log" -- \
		"$0" "$series" "$arch" "$variant" kmake headers kselftest-install \
		TARGETS="dmabuf-heaps drivers/dma-buf" FORCE_TARGETS=1 KSFT_INSTALL_PATH="$out/kselftest.part" ||
		die "kselftest: $(or_full "the build failed" $?), log: $log"
	rm -rf "$out/kselftest"
	mv "$out/kselftest.part" "$out/kselftest"
}

[ $# -ge 3 ] || die "usage: build.sh SERIES ARCH VARIANT [config|build|modules|kselftest]"
series=$1
arch=$2
variant=$3
step=${4:-build}
tree=${TREE:-$series}
base=${variant%%-*}
flavour=${variant#"$base"}
src=$OUT/src/$tree/$base
obj=$src/build-$arch$flavour
flavour=${flavour#-}
flavours=$(echo "$flavour" | tr - ' ')
out=$OUT/$tree-$arch
logs=$out/log
what="$variant $series $arch"
case $arch in
x86_64) image=bzImage ;;
*) image=Image ;;
esac
cross=$(cross_of "$arch")
cc=${cross}gcc
llvm=
counted=
if [ "$(flavour_says compiler "$variant" | head -n 1)" = clang ]; then
	cc=clang-$CLANG
	llvm=LLVM=-$CLANG
	for tool in "$cc" "ld.lld-$CLANG" "llvm-ar-$CLANG"; do
		command -v "$tool" >/dev/null || die \
			"$tool: not found; run: apt-get install clang-$CLANG lld-$CLANG llvm-$CLANG"
	done
fi
if [ "$(flavour_says counted "$variant")" ]; then
	for file in $COUNTED; do
		counted="$counted GCOV_PROFILE_$file.o=y"
	done
fi
sysroot=$OUT/sysroot-$arch
[ -d "$src" ] || die "$src: not there, run scripts/source/overlay.sh $series $base"
begin_flavour
mkdir -p "$obj" "$logs"
ln -sfn "../src/$tree/$base/${obj##*/}" "$out/$variant"

# The same everywhere, so that ccache serves both trees and builds repeat
export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 1970'
export KBUILD_BUILD_USER=vmap KBUILD_BUILD_HOST=vmap
# Depend mode spares the preprocessor, a quarter of a first build
use_cache
export CCACHE_DEPEND=1 CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE="${CCACHE_MAXSIZE:-10G}"

case $step in
config)
	configure
	same_config
	;;
build) build ;;
modules) modules ;;
kselftest) kselftest ;;
kmake)
	shift 4
	kmake "$@"
	;;
*) die "$step: no such step" ;;
esac
