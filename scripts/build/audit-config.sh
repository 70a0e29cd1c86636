#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# audit-config.sh CONFIG FRAGMENT...: is every line of the fragments in CONFIG?
# audit-config.sh --same A B: do two configs agree on every option both know?
#
# kconfig drops an option whose dependencies are not met without a word; this
# names it, what was wanted, what came out, and where it was asked for.

set -eu
prog=audit-config

fragments() {
	awk -v prog="$prog" '
		{ sub(/[ \t]+$/, "") }
		/^CONFIG_[A-Za-z0-9_]+=/ { name = $0; sub(/=.*/, "", name); value = substr($0, length(name) + 2) }
		/^# CONFIG_[A-Za-z0-9_]+ is not set$/ { name = $2; value = "n" }
		!/^CONFIG_[A-Za-z0-9_]+=/ && !/^# CONFIG_[A-Za-z0-9_]+ is not set$/ {
			if (FILENAME != ARGV[1] && $0 !~ /^#/ && NF) {
				printf "%s: %s:%d: not an option: %s\n", prog, FILENAME, FNR, $0
				bad++
			}
			next
		}
		FILENAME == ARGV[1] { got[name] = value; next }
		{ want[name] = value; at[name] = FILENAME ":" FNR }
		END {
			for (name in want) {
				have = name in got ? got[name] : "n"
				if (have == want[name])
					continue
				printf "%s: %s: wanted %s, got %s (%s)\n", prog, name, want[name],
					name in got ? have : "nothing", at[name]
				bad++
			}
			exit bad != 0
		}' "$@"
}

same() {
	awk -v prog="$prog" '
		/^CONFIG_/ { name = $0; sub(/=.*/, "", name); value = substr($0, length(name) + 2) }
		/^# CONFIG_[A-Za-z0-9_]+ is not set$/ { name = $2; value = "n" }
		!/^CONFIG_/ && !/^# CONFIG_.* is not set$/ { next }
		FILENAME == ARGV[1] { one[name] = value; next }
		name in one && one[name] != value {
			printf "%s: %s differs: %s and %s\n", prog, name, one[name], value
			bad++
		}
		END { exit bad != 0 }' "$@"
}

if [ "${1-}" = --same ] && [ $# = 3 ]; then
	shift
	same "$@" >&2
elif [ $# -ge 2 ]; then
	fragments "$@" >&2
else
	echo "usage: audit-config.sh CONFIG FRAGMENT... | --same A B" >&2
	exit 2
fi
