#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of guest/initramfs.sh: the guest's programs are found through any chain of
# links, on this machine and in a sysroot.

set -eu
. "$(dirname "$0")/tap.sh"

# program FILE TEXT: one that needs no library, in the sysroot
program() {
	mkdir -p "root.d/${1%/*}"
	echo "$2" >"root.d/$1"
	chmod +x "root.d/$1"
}

# sysroot: but for mksh, as a Debian has it
sysroot() {
	rm -rf root.d
	mkdir -p root.d/usr/bin root.d/usr/sbin root.d/usr/lib
	for dir in bin sbin lib; do
		ln -s "usr/$dir" "root.d/$dir"
	done
	program usr/bin/toybox toybox
	program usr/bin/kmod kmod
	program usr/lib/musl/bin/mksh "the shell"
}

# build: as make does, with a writer that shows what goes in
build() {
	env "$@" GEN_INIT_CPIO="$tmp/writer" "$top/scripts/guest/initramfs.sh" "$tmp/out.cpio" \
		"$tmp/kselftest" "$tmp/init"
}

# takes WHAT FILE: the guest's FILE is what the sysroot has for it
takes() {
	run build SYSROOT="$tmp/root.d"
	[ "$got" = 0 ] && grep -qxF "$2: $1" out.cpio
}

# takes_shell LINK...: /bin/mksh-static leads there by the links, each TARGET=NAME
takes_shell() {
	sysroot
	for link; do
		mkdir -p "root.d/${link#*=}"
		rmdir "root.d/${link#*=}"
		ln -s "${link%%=*}" "root.d/${link#*=}"
	done
	takes "the shell" /bin/mksh
}

# others_stay_inside: tr and kmod are absolute links as well
others_stay_inside() {
	takes_shell /usr/lib/musl/bin/mksh=usr/bin/mksh-static || return 1
	program opt/tr "its tr"
	program opt/kmod "its kmod"
	ln -s /opt/tr root.d/usr/bin/tr
	ln -sf /opt/kmod root.d/usr/bin/kmod
	takes "its tr" /usr/bin/tr && takes "its kmod" /bin/kmod
}

no_shell() {
	sysroot
	refuses '/usr/bin/mksh is missing: install mksh$' build SYSROOT="$tmp/root.d"
}

dangling() {
	sysroot
	ln -s ../lib/nowhere root.d/usr/bin/mksh-static
	refuses 'mksh is missing: install mksh$' build SYSROOT="$tmp/root.d"
}

loop() {
	sysroot
	ln -s mksh-static root.d/usr/bin/mksh-static
	refuses 'mksh is missing: install mksh$' build SYSROOT="$tmp/root.d"
}

if ! command -v toybox >/dev/null || ! command -v readelf >/dev/null; then
	check "initramfs # SKIP no toybox or no readelf here" true
	finish
	exit
fi
mkdir kselftest
printf '#!/bin/sh\n' >kselftest/run_kselftest.sh
printf 'int main(void) { return 0; }\n' >init.c
cc -static -o init init.c 2>/dev/null || cp "$(command -v toybox)" init
cat >writer <<'END'
#!/bin/sh
# gen_init_cpio -t 0 LIST: the content of small files
while read -r kind name file rest; do
	[ "$kind" = file ] && [ "$(wc -c <"$file")" -lt 100 ] || continue
	echo "$name: $(cat "$file")"
done <"$3"
END
chmod +x writer kselftest/run_kselftest.sh

check "a shell that is a file" takes_shell /usr/lib/musl/bin/mksh=usr/bin/mksh-static
check "a relative link, as in Debian 13" takes_shell ../lib/musl/bin/mksh=usr/bin/mksh-static
check "a chain of links of both kinds" \
	takes_shell sh.1=usr/bin/mksh-static /etc/alternatives/sh=usr/bin/sh.1 \
	../../usr/lib/musl/bin/mksh=etc/alternatives/sh
check "an absolute link to a directory on the way" \
	takes_shell /opt/musl/mksh=usr/bin/mksh-static /usr/lib/musl/bin=opt/musl
check "no mksh-static, as elsewhere" takes_shell ../lib/musl/bin/mksh=usr/bin/mksh
check "the other programs are the sysroot's as well" others_stay_inside
check "no shell" no_shell
check "a link that leads nowhere" dangling
check "a link to itself" loop
finish
