#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# shell: an interactive one on the device behind /dev/console, the last that is listed
#
# TERM and VARIANT can be given on the kernel command line. The kernel's own TERM,
# "linux", is for a screen, and this is a serial line.

tty=/dev/$(sed 's/.* //' /sys/class/tty/console/active 2>/dev/null)
[ -c "$tty" ] || tty=/dev/console
[ "${TERM:-linux}" != linux ] || TERM=xterm
release=$(uname -r)
export TERM PS1="$release${VARIANT:+ $VARIANT}:\$PWD # "
cat >"$tty" <<END

Linux $release ${VARIANT-}

  /kselftest/run_kselftest.sh -l        list the tests
  /kselftest/run_kselftest.sh -c NAME   run a collection, as dmabuf-heaps
  ls /kselftest/*                       the programs, to run one by one
  cat /sys/kernel/debug/kunit/*/results what KUnit found at boot
  ls -l /dev/dma_heap; dmesg | tail     heaps; kernel log
  cd /sys/kernel/tracing                tracing
  toybox                                the other commands
  exit                                  power off

END
# The leader of a session that opens a terminal controls it
# shellcheck disable=SC2016 # for the shell inside
exec setsid -w sh -c 'exec mksh -i <"$0" >"$0" 2>&1' "$tty"
