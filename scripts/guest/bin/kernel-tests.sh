#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel-tests: in the guest, the kernel's own tests that are modules, as TAP, but
# for test_vmalloc.  See Documentation/vmap/kernel-tests.rst.
#
# KUnit suites run when their module is loaded, and report in debugfs; init's job
# "kunit" prints that.

set -u
count=0
log=/tmp/kernel-tests.log

# result ok|"not ok" NAME
result() {
	count=$((count + 1))
	echo "$1 $count - $2"
}

# load MODULE ARG...: its exit status is that of modprobe; what the kernel said
# meanwhile is in $log
load() {
	dmesg -C
	modprobe "$@"
	status=$?
	dmesg >"$log"
	return $status
}

dma_buf() {
	status=0
	load dmabuf_selftests || status=$?
	sed -n 's,.*dma-buf: Running \([a-z_]*/[a-z_0-9]*\)$,\1,p' "$log" >"$log.names"
	while read -r name; do
		ok=ok
		! grep -q "dma-buf/${name%/*}: ${name#*/} failed" "$log" || ok="not ok"
		result "$ok" "dmabuf_selftests: $name"
	done <"$log.names"
	ok=ok
	[ $status -eq 0 ] || ok="not ok"
	result "$ok" "dmabuf_selftests end with status 0"
}

# A flavour does without some
kunit() {
	for module; do
		ok=ok
		skip=" # SKIP not in this kernel"
		if modinfo "$module" >/dev/null 2>&1; then
			skip=
			load "$module" || ok="not ok"
		fi
		result "$ok" "$module is loaded$skip"
	done
}

echo "TAP version 13"
# Since 7.3, dma-buf's are KUnit tests as well
if modinfo dmabuf_selftests >/dev/null 2>&1; then
	dma_buf
else
	kunit dmabuf_kunit
fi
kunit drm_gem_shmem_test drm_format_helper_test
echo "1..$count"
