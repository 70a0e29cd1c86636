#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# ccache.sh COMPILER ARGS...: the compiler, through the cache where that is safe
#
# In depend mode ccache does not see .incbin, and what it takes for the same
# object may have another file inside: an old kernel in a new bzImage, if both
# are of one size after compression.  Files that may do that are not cached.

for last; do :; done
case $last in
*.S | */configs.c | */kheaders.c) exec "$@" ;;
esac
exec ccache "$@"
