#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# planted.sh SERIES ARCH VARIANT: what goes wrong in a real guest is found, and
# called by its name.  Writes TAP.  See tests/planted.test.sh for the rest.

set -eu
. "$(dirname "$0")/../lib.sh"

count=0

# ends STATUS ERE JOB...: a guest with these jobs ends so
ends() {
	want=$1
	text=$2
	shift 2
	status=0
	RUN_LIMIT=10 "$top/scripts/guest/boot.sh" "$series" "$arch" "$variant" wall planted "$@" \
		>"$log" 2>&1 || status=$?
	count=$((count + 1))
	if [ $status = "$want" ] && tail -n 1 "$log" | grep -Eq "^vm-run: $text"; then
		echo "ok $count - a guest that is to end as '$text'"
		return
	fi
	sed 's/^/# /' "$log"
	echo "not ok $count - a guest that is to end as '$text', status $status"
}

[ $# = 3 ] || die "usage: planted.sh SERIES ARCH VARIANT"
series=$1
arch=$2
variant=$3
log=$OUT/${TREE:-$series}-$arch/log/$variant-planted.out

echo "TAP version 13"
ends 0 'passed' run true
ends 3 'kernel splat: stage run: WARNING: ' run plant splat
ends 3 'kernel splat: stage run: Kernel panic' run plant panic
ends 4 'guest lost: stage run' run plant death
ends 6 'stage hung: stage run' run plant hang
ends 1 'test failed: 0 passed, 1 failed' run plant failure
ends 1 'test failed: 0 passed, 1 failed' run plant crash
ends 1 'test failed: 1 passed, 1 failed' run plant cut
echo "1..$count"
