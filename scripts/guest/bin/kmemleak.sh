#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kmemleak: in the guest, what kmemleak has found since boot, as TAP.  init runs it
# after all jobs.
#
# What is new is no leak yet, so it waits as long as kmemleak does.  Only what two
# scans have found without a reference, and unchanged, is reported.

set -eu
report=/sys/kernel/debug/kmemleak

sleep 6
echo scan >$report
echo scan >$report
cat $report >/tmp/kmemleak
ok=ok
[ ! -s /tmp/kmemleak ] || ok="not ok"
echo "TAP version 13"
echo "1..1"
sed 's/^/# /' /tmp/kmemleak
echo "$ok 1 - kmemleak: no leak"
