#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# gcov: in the guest, prints what gcov has counted since boot, for coverage.sh.

set -eu
cd /sys/kernel/debug/gcov
find . -name '*.gcda' | while read -r file; do
	echo "gcda ${file#./}"
	base64 "$file"
	echo "gcda"
done
