# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What the scripts share: messages, paths, and checks of the disk.
#
# OUT   where everything built goes, default: out/ beside the Makefile
# TREE  name of the source tree below $OUT/src, default: the series; a
#       KERNEL_SRC tree gets a name of its own, see scripts/fetch.sh

export LC_ALL=C
prog=${0##*/}
prog=${prog%.sh}
# shellcheck disable=SC2034 # used by those who read this file
top=$(cd "$(dirname "$0")/.." && pwd)
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

# owned: is $OUT the default one, or marked by claim?
owned() {
	[ "$OUT" = "$top/out" ] || [ -e "$OUT/.vmap-out" ]
}

# claim: create and mark $OUT, which must not hold somebody's files
claim() {
	if ! owned && [ -n "$(ls -A "$OUT" 2>/dev/null)" ]; then
		die "OUT=$OUT: not empty and not made by this Makefile; name a directory of its own"
	fi
	owned && [ -e "$OUT/.vmap-out" ] && return
	if ! mkdir -p "$OUT" 2>/dev/null || ! touch "$OUT/.vmap-out" 2>/dev/null; then
		die "OUT=$OUT: cannot be written"
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

# newer A B: is A newer than B, or B missing?
newer() {
	[ ! -e "$2" ] || [ -n "$(find "$1" -newer "$2")" ]
}

# run_progress ARGS...: the progress tool around a command
run_progress() {
	"$OUT/host/progress" ${V:+--verbose} "$@"
}

# show_outcomes DIR...: how the guests of these results ended that did not end well
show_outcomes() {
	find "$@" -name '*.outcome' -exec cat {} +
}

# accepted: the file of what ACCEPT let ours replace in the patched kernel; see overlay.sh
accepted() {
	echo "$OUT/src/${TREE:-$series}/patched/.overlay-accepted"
}

# show_accepted: so that no verdict is without it
show_accepted() {
	[ ! -s "$(accepted)" ] ||
		say "accepted, and not what ours was made for: $(paste -sd ' ' "$(accepted)")"
}

# has_no_users FLAVOUR: is it built without the drivers that map dma-bufs?
has_no_users() {
	case $1 in
	16k* | clang* | hugetlb* | ptdump*) ;;
	*) return 1 ;;
	esac
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

# archive: where apt takes this release from
archive() {
	# shellcheck disable=SC2016 # apt's variable
	apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" \
		"Origin: Debian" "Codename: $(release_codename)" | head -n 1
}

# private_apt DIR SUITE ARCH: have apt, below, look at one suite of Debian's
# archive and at nothing that is installed, with lists of its own in DIR.  Its
# signature is verified with the distribution's own key.
private_apt() {
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
	say "apt-get update, $2 for $3 alone"
	apt -qq update -o APT::Update::Error-Mode=any
}

# apt COMMAND...: its first error becomes our one line
apt() {
	# shellcheck disable=SC2086 # options without spaces
	{
		said=$(apt-get ${apt_options-} -o APT::Sandbox::User=root "$@" 2>&1 >&3) && return
	} 3>&1
	why=$(echo "$said" | sed -n 's/^E: //p' | head -n 1)
	die "${package-packages} cannot be fetched: ${why:-apt-get $1 failed}"
}

update_lists() {
	[ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
		die "apt's lists are missing or old; run: apt-get update"
	say "apt-get update"
	if [ "$(id -u)" = 0 ]; then
		apt -q update
	else
		sudo -n apt-get -q update || die "apt-get update failed"
	fi
}
