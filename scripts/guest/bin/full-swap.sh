#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# full-swap: in the guest, swap space in zram that is full, of what cannot be
# compressed: pages of a file in tmpfs, whose group is told to give them up.

set -eu
SIZE_MB=128
group=/sys/fs/cgroup/full-swap

modprobe zram
echo ${SIZE_MB}M >/sys/block/zram0/disksize
mkswap /dev/zram0 >/dev/null
swapon /dev/zram0
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir $group
sh -c "echo \$\$ >$group/cgroup.procs
	exec dd if=/dev/urandom of=/dev/shm/full bs=1M count=$((2 * SIZE_MB)) 2>/dev/null"
# It cannot give up all
echo $((2 * SIZE_MB))M >$group/memory.reclaim 2>/dev/null || :
free=$(sed -n 's/^SwapFree: *\([0-9]*\) kB/\1/p' /proc/meminfo)
printf 'TAP version 13\n1..1\n'
ok=ok
[ "$free" -le 4096 ] || ok="not ok"
echo "$ok 1 - full-swap: $free KiB of $SIZE_MB MiB of swap space are free"
