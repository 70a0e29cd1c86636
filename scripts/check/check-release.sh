#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check-release.sh [CODENAME...]: make and make check, as who tries them first: from a
# clone of HEAD, in a fresh debootstrap of each release, as root, with an empty compiler
# cache.  Then both again, with stress-ng --cpu 8 beside them.  Says how long each took,
# how much it printed, and shows the last screen.
#
# LOAD=N      stress-ng --cpu N; with 0, no second time
# CCACHE=DIR  with a copy of that compiler cache instead of an empty one
# GOALS=...   other goals of make than "all check"
#
# Only make reaches the network, and only by apt: make check runs without one.  All
# mounts and processes are in namespaces that end with the command, however that
# ends.  Logs are $OUT/release/CODENAME.GOAL.log, the report is $OUT/release/report.

set -eu
. "$(dirname "$0")/../lib.sh"

RELEASES="bookworm trixie"
# A debootstrap with what make installs and builds, in MB
SPACE=12000
SCREEN=24
LOAD=${LOAD-8}

stress=
inside=
tidy() {
	[ -z "$stress" ] || kill "$stress" 2>/dev/null || :
	# unshare ignores other signals, and takes all that is inside with it
	[ -z "$inside" ] || kill -KILL "$inside" 2>/dev/null || :
}

# settings: what apt has to know to reach the archive from here
settings() {
	apt-config dump | grep -E '^Acquire::(Check-Valid-Until|Check-Date|https?::Proxy) ' || :
}

# begin CODENAME: a new system with a clone in it
begin() {
	rm -rf --one-file-system "$root"
	say "$1: debootstrap, log: $(short "$dir/$1.debootstrap.log")"
	unshare --mount debootstrap --variant=minbase --include=make,git --keyring="$keyring" \
		"$1" "$root" "$uri" >"$dir/$1.debootstrap.log" 2>&1 ||
		die "$1: $(or_full "debootstrap failed"), log: $dir/$1.debootstrap.log"
	settings >"$root/etc/apt/apt.conf.d/99release"
	# As the installer leaves it.  Debian 12 has its later kernels among the security updates.
	cat >"$root/etc/apt/sources.list" <<-END
		deb $uri $1 main
		deb $uri $1-updates main
		deb $security $1-security main
	END
	git -c safe.directory='*' clone -q "$top" "$root/root/vmap" || die "$top: cannot be cloned"
	[ -z "${CCACHE-}" ] || {
		mkdir -p "$root/root/.cache"
		cp -a "$CCACHE" "$root/root/.cache/ccache"
	}
}

# enter COMMAND [OPTION]: as a new machine would; OPTION is of unshare
enter() {
	# shellcheck disable=SC2016 # for the shell inside
	setsid unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" ${2+"$2"} sh -euc '
		mount -t devpts -o newinstance,ptmxmode=0666 devpts "$0/dev/pts"
		mount -t tmpfs -o mode=1777 tmpfs "$0/dev/shm"
		exec chroot "$0" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			sh -c "cd /root/vmap && exec $1"' "$root" "$1" </dev/null &
	inside=$!
	ended=0
	wait $inside || ended=$?
	inside=
	return $ended
}

# try CODENAME GOAL: fails if make does
try() {
	log=$dir/$1.$2${stress:+.busy}.log
	say "$1: make $2${stress:+, load $LOAD}, log: $(short "$log")"
	start=$(date +%s)
	status=0
	case $2 in
	check) enter "make check" --net ;;
	*) enter "make $2" ;;
	esac >"$log" 2>&1 || status=$?
	[ $status = 0 ] || failed=1
	{
		echo "== $1, make $2${stress:+, load $LOAD}: $(since "$start"), $(wc -l <"$log") lines, status $status"
		tail -n $SCREEN "$log"
	} | tee -a "$dir/report"
	[ $status = 0 ]
}

# try_all CODENAME: up to the first that fails
try_all() {
	for goal in ${GOALS:-all check}; do
		try "$1" "$goal" || return
	done
}

[ "$(id -u)" = 0 ] || die "a debootstrap takes root"
# shellcheck disable=SC2086 # a list
[ $# -gt 0 ] || set -- $RELEASES
[ "$LOAD" -ge 0 ] 2>/dev/null || die "LOAD=$LOAD: want a number of processes"
for tool in debootstrap unshare git stress-ng; do
	command -v "$tool" >/dev/null || die "$tool: not found; run: apt-get install $tool"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keyring" ] || die "$keyring is missing: install debian-archive-keyring"
uri=$(archive)
security=$(archive security)
if [ -z "$uri" ] || [ -z "$security" ]; then
	die "apt does not know where this release comes from; run: apt-get update"
fi
for release; do
	[ -e "/usr/share/debootstrap/scripts/$release" ] || die "$release: debootstrap does not know it"
done
claim
need_space $SPACE "a debootstrap with a build"
git -C "$top" -c safe.directory='*' diff --quiet HEAD || say "what is not committed is not in the clone"
dir=$OUT/release
mkdir -p "$dir"
rm -f "$dir/report"
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
failed=
for release; do
	root=$dir/$release.root
	begin "$release"
	try_all "$release" || continue
	if [ "$LOAD" != 0 ]; then
		setsid stress-ng --quiet --cpu "$LOAD" &
		stress=$!
		try_all "$release" || :
		kill $stress
		wait $stress 2>/dev/null || :
		stress=
	fi
	[ "$failed" ] || rm -rf --one-file-system "$root"
done
[ -z "$failed" ] || die "failed, report: $dir/report"
say "report: $(short "$dir/report")"
