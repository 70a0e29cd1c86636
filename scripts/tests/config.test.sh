#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of audit-config.sh.

set -eu
. "$(dirname "$0")/tap.sh"

audit=$top/scripts/build/audit-config.sh
cat >config <<'END'
CONFIG_SMP=y
CONFIG_ZRAM=m
CONFIG_NR_CPUS=8
CONFIG_LSM="selinux, yama"
# CONFIG_KSM is not set
CONFIG_SMP_LONGER=y
END

# wants LINE: a fragment of a comment, an empty line, and this one
wants() {
	printf '# a comment\n\n%s\n' "$1" >fragment
}

for line in CONFIG_SMP=y CONFIG_ZRAM=m CONFIG_NR_CPUS=8 'CONFIG_LSM="selinux, yama"' \
	'# CONFIG_KSM is not set' '# CONFIG_ABSENT is not set'; do
	wants "$line"
	check "kept: $line" silent "$audit" config fragment
done

wants CONFIG_TEST_VMALLOC=m
check "dropped: names option, wanted, got and line" \
	refuses '^audit-config: CONFIG_TEST_VMALLOC: wanted m, got nothing \(fragment:3\)$' \
	"$audit" config fragment
wants CONFIG_ZRAM=y
check "demoted to a module" refuses 'CONFIG_ZRAM: wanted y, got m' "$audit" config fragment
wants CONFIG_NR_CPUS=4
check "another number" refuses 'CONFIG_NR_CPUS: wanted 4, got 8' "$audit" config fragment
wants 'CONFIG_LSM="selinux"'
check "another string" refuses 'CONFIG_LSM: wanted "selinux", got "selinux, yama"' \
	"$audit" config fragment
wants CONFIG_KSM=y
check "not set" refuses 'CONFIG_KSM: wanted y, got n' "$audit" config fragment
wants '# CONFIG_SMP is not set'
check "set, but unwanted" refuses 'CONFIG_SMP: wanted n, got y' "$audit" config fragment
wants CONFIG_SMP_LONG=y
check "a name that begins another" refuses 'CONFIG_SMP_LONG: wanted y, got nothing' \
	"$audit" config fragment
wants 'CONFG_SMP=y'
check "a line that is no option" refuses 'fragment:3: not an option: CONFG_SMP=y' \
	"$audit" config fragment
wants CONFIG_SMP=y
echo CONFIG_SMP=n >second
check "a later fragment wins" refuses 'CONFIG_SMP: wanted n, got y \(second:1\)' \
	"$audit" config fragment second

grep -v ZRAM config >other
check "same: an option that only one knows" silent "$audit" --same config other
sed 's/ZRAM=m/ZRAM=y/' config >other
check "same: an option that differs" refuses '^audit-config: CONFIG_ZRAM differs: m and y$' \
	"$audit" --same config other
check "misuse" refuses '^usage' "$audit" config
finish
