#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# clients: in the guest, what V4L2 and memory do for programs that Debian has, a line
# each, without what differs from run to run; see scripts/check/clients.sh

set -u
SECONDS_EACH=1
STRESSORS="aio bad-altstack bigheap brk dev-shm fork iomix io-uring madvise mcontend
	memcpy memfd memrate memthrash mincore mlock mmap mmapaddr mmapfixed mmapfork
	mmaphuge mmapmany mprotect mremap munmap numa pagemove pageswap physpage pkey
	procfs pthread rawpkt resources ring-pipe secretmem shm stack sysinfo tlb-shootdown
	tmpfs userfaultfd vm vm-addr vm-rw vm-segv vm-splice zero"

v4l2() {
	modprobe -q -a vicodec vim2m vimc
	modprobe -q vivid
	for node in /sys/class/video4linux/video*; do
		device=/dev/${node##*/}
		v4l2-compliance -d "$device" 2>&1 | sed -n -e "s,$device,its node," \
			-e "s,^[ 	]*\(test .*: [A-Z].*\),$(cat "$node/name"): \1,p"
		echo "$(cat "$node/name"): ends"
	done
}

stress() {
	cd /tmp || exit 1
	for name in $STRESSORS; do
		status=0
		stress-ng --"$name" 1 --timeout $SECONDS_EACH --verify --oom-avoid \
			>/tmp/stress.log 2>&1 || status=$?
		# 3 is that it cannot run here
		echo "stress-ng $name: status $status"
		[ $status = 0 ] || [ $status = 3 ] || sed 's/^/# /' /tmp/stress.log
	done
}

v4l2
stress
