#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kunit: the results of every KUnit suite

exec cat /sys/kernel/debug/kunit/*/results
