#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# checkpatch.sh TREE [--programs] [--patch] ARGS...: checkpatch.pl --strict of a
# kernel tree, less what cannot be; it prints what is left, one line each
#
# What it says of MAINTAINERS is left to get_maintainer.pl, which knows patterns;
# _Pragma is an operator of C.  Without a git directory it does not ask for
# Python modules.

set -eu
tree=$1
shift
ignore=FILE_PATH_CHANGES
if [ "$1" = --programs ]; then
	# these have signal handlers, the types of C, a machine to run on, and
	# libraries with names of their own
	ignore=$ignore,VOLATILE,PREFER_KERNEL_TYPES,ARCH_DEFINES,PREFER_DEFINED_ATTRIBUTE_MACRO,CAMELCASE
	shift
fi
if [ "$1" = --patch ]; then
	# the lines around a change are not ours to align, a sign-off not ours to give,
	# and Kconfig sources Kconfig.vmap_test
	ignore=$ignore,PARENTHESIS_ALIGNMENT,EMBEDDED_FILENAME
	shift
	set -- --no-signoff "$@"
fi
# It keeps notes of what it has read, in the tree
trap 'rm -f "$tree"/.checkpatch-camelcase.*' EXIT
# 1 is the status of findings
said=$(GIT_DIR=/nonexistent perl "$tree/scripts/checkpatch.pl" --root="$tree" --strict --terse \
	--no-summary --ignore "$ignore" "$@" 2>&1) || [ $? = 1 ]
! echo "$said" | grep -v -e '^$' -e 'Avoid CamelCase: <_Pragma>'
