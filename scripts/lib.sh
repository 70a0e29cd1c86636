# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the scripts share: messages, paths, and checks of the disk.
#
# OUT   where everything built goes, default: out/ beside the Makefile
# TREE  name of the source tree below $OUT/src, default: the series; a
#       KERNEL_SRC tree gets a name of its own, see scripts/source/fetch.sh

export LC_ALL=C
# Perl would read characters in place of bytes
unset PERL_UNICODE PERL5OPT
prog=${0##*/}
prog=${prog%.sh}
# shellcheck disable=SC2034 # used by those who read this file
top=$(cd "$(dirname "$0")/../.." && pwd)
# The newest that Debian 12 has
# shellcheck disable=SC2034
CLANG=19
OUT=${OUT:-$top/out}
case $OUT in
/*) ;;
*) OUT=$PWD/$OUT ;;
esac

die() {
	echo "$prog: $*" >&2
	exit 1
}

say() {
	echo "$prog: $*"
}

# note: what only V=1 shows, and $OUT/make.log has otherwise
note() {
	if [ "${V-}" ]; then
		say "$*"
	elif [ -w "$OUT" ]; then
		say "$*" >>"$OUT/make.log"
	fi
}

# step NAME TEXT: what begins now, its position in STEPS, and the time since BEGUN;
# elsewhere, the text alone
step() {
	step_count=0
	step_number=
	for step_name in ${STEPS-}; do
		step_count=$((step_count + 1))
		[ "$step_name" != "$1" ] || step_number=$step_count
	done
	shift
	if [ "$step_number" ]; then
		echo "[$step_number/$step_count $(since "$BEGUN")] $*"
	else
		say "$*"
	fi
}

# since SECONDS: minutes and seconds from then
since() {
	since_s=$(($(date +%s) - $1))
	printf '%d:%02d' $((since_s / 60)) $((since_s % 60))
}

# short PATH: as seen from the working directory, if it is below
short() {
	echo "${1#"$PWD"/}"
}

# owned: is $OUT the default one, or marked by claim?
owned() {
	[ "$OUT" = "$top/out" ] || [ -e "$OUT/.vmap-out" ]
}

# claim: create and mark $OUT, which must not hold somebody's files
claim() {
	[ -d "$OUT" ] || [ ! -e "$OUT" ] || die "OUT=$OUT: not a directory; name another: make OUT=DIR"
	if ! owned && [ -n "$(ls -A "$OUT" 2>/dev/null)" ]; then
		die "OUT=$OUT: not empty and not made by this Makefile; name another: make OUT=DIR"
	fi
	if owned && [ -e "$OUT/.vmap-out" ] && [ -w "$OUT" ]; then
		return
	fi
	if ! mkdir -p "$OUT" 2>/dev/null || ! touch "$OUT/.vmap-out" 2>/dev/null; then
		die "OUT=$OUT: cannot be written; name another: make OUT=DIR"
	fi
}

# need_space MEGABYTES WHAT: stop unless that much is free below $OUT
need_space() {
	free=$(df -Pm "$OUT" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		die "$OUT: $free MB free, $2 needs about $1 MB; free some or set OUT=DIR"
}

# or_full REASON [SAID]: print it, or that the disk is full if that is why: SAID
# is what a command said, or the 28 (ENOSPC) of the progress tool
or_full() {
	case ${2-} in
	28 | *'No space left on device'*)
		echo "$OUT is full"
		return
		;;
	esac
	if [ "$(df -Pm "$OUT" | awk 'NR == 2 { print $4 }')" -lt 16 ]; then
		echo "$OUT is full"
	else
		echo "$1"
	fi
}

# parallel: how many compilers run at a time: one for each CPU, if there is memory
parallel() {
	awk -v cpus="$(nproc)" '$1 == "MemTotal:" {
		fit = int($2 / 1024 / 640)
		print fit < 1 ? 1 : fit < cpus ? fit : cpus
	}' "${MEMINFO:-/proc/meminfo}"
}

# use_cache: the user's compiler cache, or one below $OUT if that cannot be written
use_cache() {
	dir=$(ccache -k cache_dir 2>/dev/null) || dir=
	if [ -z "$dir" ] || ! mkdir -p "$dir" 2>/dev/null || [ ! -w "$dir" ]; then
		export CCACHE_DIR="$OUT/ccache"
		note "the compiler cache is $CCACHE_DIR: ${dir:-that of ccache} cannot be written"
	fi
}

# newer A B: is A newer than B, or B missing?
newer() {
	[ ! -e "$2" ] || [ -n "$(find "$1" -newer "$2")" ]
}

# run_progress ARGS...: the progress tool around a command; when this shell is killed,
# both end
run_progress() {
	setpriv --pdeathsig TERM "$top/scripts/build/progress.pl" ${V:+--verbose} "$@"
}

# lock FILE: until this process ends, and all that it has started; says who has it
lock() {
	exec 9>"$1"
	! flock -n 9 || return 0
	say "waiting for $(holders "$1"), which uses $(short "$1")"
	flock 9
}

# holders FILE: the other processes that have it open
holders() {
	find /proc/[0-9]*/fd -lname "$(readlink -f "$1")" 2>/dev/null | cut -d / -f 3 | grep -vx $$ | sort -un |
		while read -r holder; do
			echo "process $holder ($(cat "/proc/$holder/comm" 2>/dev/null))"
		done | paste -sd ,
}

# show_outcomes DIR...: how the guests of these results ended that did not end well
show_outcomes() {
	find "$@" -name '*.outcome' -exec cat {} +
}

# accepted VARIANT: the file of what ACCEPT let ours replace in that kernel, see
# overlay.sh
accepted() {
	echo "$OUT/src/${TREE:-$series}/$1/.overlay-accepted"
}

# show_accepted VARIANT: so that no verdict is without it
show_accepted() {
	[ ! -s "$(accepted "$1")" ] ||
		say "differs from what ours was made for, as ACCEPT allows: $(paste -sd " " "$(accepted "$1")")"
}

# flavour_says FIELD VARIANT: the values of lines "#: FIELD: VALUE" in the fragments
# of its flavours
#
# users: no	it is built without the drivers that map dma-bufs
# slow: yes	it checks itself, so everything takes longer
# arch: ARCH	only there
# compiler: clang
# tests: NAME...	these of the selftests, all unless said
# must-run: ERE	of these tests, none may be skipped
# append: WORD...	for the kernel's command line
# machine: OPTION	for QEMU's -machine
# faults: yes	what heap_faults has made fail is looked at, see faults.awk
# counted: yes	our files count which of their lines run
flavour_says() {
	for flavour_part in $(echo "$2" | tr - ' '); do
		sed -n "s/^#: $1: //p" "$top/scripts/build/config/$flavour_part.config" 2>/dev/null || :
	done
}

# has_no_users VARIANT
has_no_users() {
	flavour_says users "$1" | grep -qx no
}

# debian_arch ARCH: what Debian calls it
debian_arch() {
	case $1 in
	x86_64) echo amd64 ;;
	*) echo "$1" ;;
	esac
}

# cross_of ARCH: what the names of its compiler and its tools begin with, nothing
# where this machine's own will do
cross_of() {
	case $1/$(uname -m) in
	x86_64/x86_64 | arm64/aarch64) ;;
	x86_64/*) echo x86_64-linux-gnu- ;;
	arm64/*) echo aarch64-linux-gnu- ;;
	esac
}

release_codename() {
	sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# archive [security]: where apt takes this release from, or its security updates
archive() {
	# shellcheck disable=SC2016 # apt's variable
	apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" \
		"Origin: Debian" "Codename: $(release_codename)${1:+-$1}" | head -n 1
}

# private_apt DIR SUITE ARCH: have apt, below, look at one suite of Debian's
# archive and at nothing that is installed, with lists of its own in DIR.  Its
# signature is verified with the distribution's own key.
private_apt() {
	command -v apt-get >/dev/null || die "apt-get: not found; $2 needs a Debian"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -e "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"
	[ -n "$(archive)" ] || update_lists
	uri=$(archive)
	[ -n "$uri" ] || die "apt does not know where this release comes from"
	mkdir -p "$1/lists/partial" "$1/cache/archives/partial"
	: >"$1/status"
	echo "deb [signed-by=$keyring] $uri $2 main" >"$1/sources.list"
	apt_options="-o Dir::Etc::SourceList=$1/sources.list -o Dir::Etc::SourceParts=/dev/null
		-o Dir::State::Lists=$1/lists -o Dir::State::Status=$1/status -o Dir::Cache=$1/cache
		-o APT::Architecture=$3 -o APT::Architectures=$3"
	note "apt-get update, $2 for $3 alone"
	as_root=
	apt update -o APT::Update::Error-Mode=any
}

# what could not be had when the lists were read, see update_lists
unreached=

can_be_root() {
	as_root=
	[ "$(id -u)" != 0 ] || return 0
	as_root="sudo -n"
	sudo -n true 2>/dev/null
}

# try_apt COMMAND...: apt-get, by $as_root.  What it prints goes to $OUT/apt.log and
# to $said.  Another apt or dpkg is waited for, for APT_WAIT seconds.
try_apt() {
	waited=0
	# shellcheck disable=SC2086 # words without spaces
	until said=$(${as_root-} env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get \
		${apt_options-} -o APT::Sandbox::User=root -o Acquire::Retries=2 \
		"$@" 2>&1 </dev/null); do
		keep_said
		case $said in
		*'Could not get lock'* | *'Unable to lock'* | *'locked by another process'*) ;;
		*) return 1 ;;
		esac
		[ $waited -lt "${APT_WAIT:-900}" ] || return 1
		[ $waited != 0 ] || say "waiting for another apt or dpkg to end"
		sleep 2
		waited=$((waited + 2))
	done
	keep_said
}

keep_said() {
	[ ! -w "$OUT" ] || echo "$said" >>"$OUT/apt.log"
	[ -z "${V-}" ] || echo "$said"
}

# apt_error: why the last one failed, which may be that no lists could be had before
apt_error() {
	error=$(echo "$said" | sed -n 's/^E\(rror\)\{0,1\}: //p' | head -n 1)
	echo "${unreached:-${error:-apt-get failed, log: $OUT/apt.log}}"
}

# apt COMMAND...: its first error becomes our one line
apt() {
	try_apt "$@" || die "${package-packages} cannot be fetched: $(apt_error)"
}

update_lists() {
	can_be_root || die "apt's lists are missing or old; run: apt-get update"
	note "apt-get update"
	apt update
	unreached=$(echo "$said" | sed -n 's/^W\(arning\)\{0,1\}: \(Failed to fetch .*\)/\2/p' | head -n 1)
}
