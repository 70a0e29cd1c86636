#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# plant WHAT: in the guest, something that scripts/check/planted.sh has to find.

set -eu
case $1 in
splat) echo '<4>WARNING: CPU: 0 PID: 1 at planted' >/dev/kmsg ;;
panic) echo c >/proc/sysrq-trigger ;;
death) echo b >/proc/sysrq-trigger ;;
hang) sleep 1000 ;;
failure) echo 'not ok 1 planted' ;;
crash) kill -SEGV $$ ;;
cut) printf '1..2\nok 1 planted\n' ;;
esac
