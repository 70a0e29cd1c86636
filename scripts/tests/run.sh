#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of the harness itself: run.sh HOSTTOOLS_DIR, where vm-run and ktap are.
# Writes TAP; exits non-zero if a test failed.

set -eu
. "$(dirname "$0")/tap.sh"

tests=$top/scripts/tests
deny=$top/scripts/guest/splat.deny

# --- splat.deny -----------------------------------------------------------

section()
{
	awk -v want="$1" -v sign="$2" '
		/^= / { on = substr($0, 3) == want }
		on && substr($0, 1, 2) == sign " " { print substr($0, 3) }
	' "$tests/splats/cases"
}

# The one pattern finds each of its lines.
hits()
{
	printf '%s\n' "$1" >one.deny
	section "$1" + >lines
	[ -s lines ] || { echo "no line that must match" >out; return 1; }
	"$top/scripts/guest/vm-run.pl" --deny one.deny --scan lines >found || :
	diff found lines >out 2>&1
}

# All patterns together find none of the near-misses.
misses()
{
	section "$1" - >lines
	[ -s lines ] || { echo "no near-miss" >out; return 1; }
	"$top/scripts/guest/vm-run.pl" --deny "$deny" --scan lines >out 2>&1
}

test_deny()
{
	grep -v -e '^#' -e '^$' "$deny" >patterns
	while IFS= read -r pattern; do
		check "splat.deny: finds: $pattern" hits "$pattern"
		check "splat.deny: near-misses: $pattern" misses "$pattern"
	done <patterns
	sed -n 's/^= //p' "$tests/splats/cases" >sections
	check "splat.deny: no case without its pattern" same_patterns
	check "splat.deny: finds nothing in a benign boot" \
		status 0 "$top/scripts/guest/vm-run.pl" --deny "$deny" --scan "$tests/splats/benign"
	printf 'fine\n(open\n' >bad.deny
	check "splat.deny: a broken pattern is named with its line" \
		says 2 'bad\.deny:2: ' "$top/scripts/guest/vm-run.pl" --deny bad.deny --scan lines
}

same_patterns()
{
	diff patterns sections >out 2>&1
}

# --- what a command says --------------------------------------------------

# status N COMMAND...: it exits with N
status()
{
	want=$1
	shift
	got=0
	"$@" >out 2>&1 </dev/null || got=$?
	[ "$got" -eq "$want" ] && return
	echo "exit status $got, not $want" >>out
	return 1
}

# says N ERE COMMAND...: it exits with N, and a line matches
says()
{
	want_text=$2
	status_of=$1
	shift 2
	status "$status_of" "$@" || return 1
	grep -Eq -e "$want_text" out && return
	echo "no line matches: $want_text" >>out
	return 1
}

# --- vm-run ---------------------------------------------------------------

# vm SCENARIO STATUS ERE [OPTION...]: the last line matches
vm()
{
	scenario=$1
	want=$2
	text=$3
	shift 3
	status "$want" "$top/scripts/guest/vm-run.pl" --deny "$deny" --console console --port port "$@" \
		-- "$tests/fake-qemu" "$scenario" pid || return 1
	tail -n 1 out | grep -Eq -e "^vm-run: $text" && return
	echo "the last line does not match: $text" >>out
	return 1
}

vm_and()
{
	also=$1
	shift
	vm "$@" || return 1
	grep -Eq -e "$also" out && return
	echo "no line matches: $also" >>out
	return 1
}

# The process that a hanging guest has started is dead, reaped or not.
guest_is_gone()
{
	sleep 0.1
	if ! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(cat pid)/status" 2>/dev/null; then
		return
	fi
	echo "process $(cat pid) is still there" >>out
	return 1
}

vm_leaves_none()
{
	vm hang 6 'stage hung: stage run: more than 0.3 s' --limit run=0.3 || return 1
	guest_is_gone
}

# busy: on a CPU with others, a guest takes longer than it may, waiting for them
busy()
{
	cpu=$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')
	hogs=
	for _ in 1 2 3 4 5 6 7 8; do
		taskset -c "$cpu" sh -c 'while :; do :; done' &
		hogs="$hogs $!"
	done
	busy_status=0
	taskset -c "$cpu" "$top/scripts/guest/vm-run.pl" --console console --port port --limit run=1 --outcome outcome \
		-- "$tests/fake-qemu" works >out 2>&1 </dev/null || busy_status=$?
	# shellcheck disable=SC2086 # a list
	kill $hogs
	[ "$busy_status" = 0 ] && grep -q 'QEMU waited for a CPU: [1-9]' outcome
}

# interrupt SIGNAL STATUS
interrupt()
{
	rm -f pid
	"$top/scripts/guest/vm-run.pl" --deny "$deny" --console console --port port \
		-- "$tests/fake-qemu" hang pid >out 2>&1 &
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		[ ! -s pid ] || break
		sleep 0.1
	done
	kill -s "$1" $!
	got=0
	wait $! || got=$?
	[ "$got" -eq "$2" ] && guest_is_gone && return
	echo "exit status $got, not $2, or its guest is still there" >>out
	return 1
}

pasted_runs()
{
	vm pass 0 'passed: ' --cmd cmd --quiet || return 1
	: >console
	: >port
	sh ./cmd >out 2>&1
	grep -q '^@@ end' port
}

another_port()
{
	status 0 "$top/scripts/guest/vm-run.pl" --console console --port port --file org.some.port=here --cmd cmd \
		-- "$tests/fake-qemu" pass || return 1
	grep -q 'path=here .*,name=org.some.port .*,name=org.kernel.vmap.0$' cmd
}

odd_path()
{
	status 0 "$top/scripts/guest/vm-run.pl" --console "a, b" --port "it's" --cmd cmd \
		-- "$tests/fake-qemu" pass || return 1
	rm "a, b" "it's"
	: >"a, b"
	: >"it's"
	sh ./cmd >out 2>&1
	grep -q '^@@ end' "it's"
}

test_vm()
{
	check "vm-run: passed" vm pass 0 'passed: 1 passed, 0 failed, 1 skipped in '
	check "vm-run: test failed" vm fail 1 'test failed: 1 passed, 1 failed'
	check "vm-run: shows the line that failed" \
		vm_and '^not ok 2 two # exit=1$' fail 1 'test failed' --quiet
	check "vm-run: a short plan has failed" vm short-plan 1 'test failed: 1 passed, 1 failed'
	check "vm-run: a job's exit status has failed" \
		vm_and 'stage run: exit status 139' bad-exit 1 'test failed: 0 passed, 1 failed'
	check "vm-run: a job without an exit has failed" \
		vm_and 'stage run: has not ended' no-job 1 'test failed'
	check "vm-run: panic" vm panic 3 'kernel splat: stage run: Kernel panic - not'
	check "vm-run: panic before init" vm early-panic 3 'kernel splat: stage boot: Kernel panic'
	check "vm-run: a splat beats a pass, and has its stage" \
		vm warn-and-pass 3 'kernel splat: stage run: WARNING: CPU: 0 PID: 81 at'
	check "vm-run: a splat beats a failure" vm warn-and-fail 3 'kernel splat: stage init: WARN'
	check "vm-run: a splat beats a hang" \
		vm warn-and-hang 3 'kernel splat: stage init: WARN' --limit run=0.3
	check "vm-run: shows the lines before a splat" \
		vm_and '^   .*before the splat' warn-and-pass 3 'kernel splat'
	check "vm-run: shows the lines after a splat" \
		vm_and '^   .*after the splat' warn-and-pass 3 'kernel splat'
	check "vm-run: counts the lines that match" \
		vm_and 'first of 2 lines' warn-and-pass 3 'kernel splat'
	check "vm-run: splats that were announced are none" vm expected 0 'passed: 1 passed'
	check "vm-run: a line that was cut and said again counts once" \
		vm expected-cut 0 'passed: 0 passed'
	check "vm-run: another one is, all the same" \
		vm expected-other 3 'kernel splat: stage run: BUG: a second one'
	check "vm-run: so is one that comes after the end" \
		vm_and 'first of 2 lines' expected-late 3 'kernel splat: stage run: WARNING: CPU: 0'
	check "vm-run: and one that was announced and did not come" \
		vm_and 'expected, but did not come: WARNING: never$' expected-in-vain 3 'kernel splat'
	check "vm-run: one that is only allowed need not come" vm allowed 0 'passed: 1 passed'
	check "vm-run: and allows no other" \
		vm allowed-other 3 'kernel splat: stage run: BUG: a second one'
	check "vm-run: nor one that a KUnit test allows" vm allowed-kunit 0 'passed: 1 passed'
	check "vm-run: which it does for a while" \
		vm allowed-kunit-late 3 'kernel splat: stage run: WARNING: CPU: 0'
	check "vm-run: announcements without an end" \
		vm expected-open 3 "kernel splat: .*no '@@ expected' after '@@ expect mm/vmalloc.c:'"
	check "vm-run: a hang names its stage, and all its processes are killed" vm_leaves_none
	if [ -r /proc/self/schedstat ]; then
		check "vm-run: a busy machine is no guest that hangs" busy
	fi
	check "vm-run: a hang at the end" \
		vm hang-at-end 6 'stage hung: stage shutdown: ' --limit shutdown=0.3
	check "vm-run: the limit of other stages" \
		vm no-boot 5 'did not boot: no word from init' --limit boot=0.3 --limit other=9
	check "vm-run: never boots, quietly reset" vm resets 5 'did not boot: QEMU exited with status 0'
	check "vm-run: guest lost" vm dies 4 'guest lost: stage run: the port ended without @@ end'
	check "vm-run: guest lost, QEMU killed" vm killed 4 'guest lost: .*killed by signal 9'
	check "vm-run: bytes missing from the port" vm cut 4 'guest lost: .*bytes are missing'
	check "vm-run: bytes after the end" vm after-end 4 'guest lost: .*bytes are missing'
	check "vm-run: half an end" vm half-end 4 'guest lost: '
	check "vm-run: an end without a count" vm empty-end 4 'guest lost: '
	check "vm-run: QEMU refuses an option" vm bad-option 5 'did not boot: .*-foo: invalid option'
	check "vm-run: no such QEMU" says 5 'did not boot: .*/nowhere/qemu: No such file' \
		"$top/scripts/guest/vm-run.pl" --console console --port port -- /nowhere/qemu
	check "vm-run: floods the port" \
		vm flood-port 6 'stage hung: stage run: .*output on the port' --limit run=5
	check "vm-run: floods the console" \
		vm flood-console 6 'stage hung: stage init: .*output on the console' --limit init=5
	check "vm-run: a very long line" vm long-line 0 'passed: 1 passed'
	check "vm-run: bytes that are no text" vm nul-bytes 0 'passed: 1 passed'
	check "vm-run: a splat behind a NUL" vm nul-then-splat 3 'kernel splat: stage init: WARN'
	check "vm-run: SIGINT" interrupt INT 130
	check "vm-run: SIGTERM" interrupt TERM 143
	check "vm-run: the command can be pasted" pasted_runs
	check "vm-run: commas, blanks and quotes in paths" odd_path
	check "vm-run: another port, before the first" another_port
	check "vm-run: another port without a name" says 2 'not .=here' \
		"$top/scripts/guest/vm-run.pl" --file =here -- true
	check "vm-run: a log that has no name" says 2 'usage: ' "$top/scripts/guest/vm-run.pl" --console console -- true
	check "vm-run: no command" status 2 "$top/scripts/guest/vm-run.pl" --console console --port port
	check "vm-run: no patterns" status 2 "$top/scripts/guest/vm-run.pl" --deny /dev/null --console console --port port -- true
	check "vm-run: a limit that is no number" says 2 'not .run=soon' \
		"$top/scripts/guest/vm-run.pl" --limit run=soon -- true
	check "vm-run: a limit without a stage" status 2 "$top/scripts/guest/vm-run.pl" --limit =3 -- true
	check "vm-run: a log that cannot be written" says 2 '/nowhere/log' \
		"$top/scripts/guest/vm-run.pl" --console /nowhere/log --port port -- true
}

# --- ktap -----------------------------------------------------------------

# ktap NAME STATUS LAST_LINE ERE [OPTION...] <INPUT
ktap()
{
	ktap_name=$1
	ktap_want=$2
	ktap_last=$3
	ktap_text=$4
	shift 4
	cat >input
	ktap_got=0
	"$top/scripts/guest/ktap.pl" "$@" input >out 2>&1 || ktap_got=$?
	ktap_ok=0
	[ "$ktap_got" -eq "$ktap_want" ] || ktap_ok=1
	[ "$(tail -n 1 out)" = "$ktap_last" ] || ktap_ok=1
	grep -Eq -e "$ktap_text" out || ktap_ok=1
	echo "(wanted exit status $ktap_want, not $ktap_got; '$ktap_last'; '$ktap_text')" >>out
	check "ktap: $ktap_name" [ $ktap_ok = 0 ]
}

test_ktap_plain()
{
	ktap "counts passes" 0 "2 passed, 0 failed" '' <<-'END'
		KTAP version 1
		1..2
		ok 1 one
		ok 2 - two
	END
	ktap "lists a failure with what it said" 1 "1 passed, 1 failed" \
		'^FAILED: two: exit=7$' <<-'END'
		TAP version 13
		1..2
		ok 1 one
		not ok 2 two # exit=7
	END
	ktap "counts skips apart" 0 "1 passed, 0 failed, 3 skipped" '' <<-'END'
		1..4
		ok 1 one # SKIP no device
		ok 2 # SKIP two
		not ok 3 three # skip: too small
		ok 4 four
	END
	ktap "what is expected to fail may" 0 "1 passed, 0 failed, 2 skipped" '' <<-'END'
		1..3
		not ok 1 one # TODO not written
		not ok 2 two # XFAIL no such leaf
		ok 3 # XFAIL three
	END
	ktap "truncated plan" 1 "1 passed, 1 failed" 'planned 3 results, found 1' <<-'END'
		1..3
		ok 1 one
	END
	ktap "more results than planned" 1 "2 passed, 1 failed" 'planned 1 results, found 2' <<-'END'
		1..1
		ok 1 one
		ok 2 two
	END
	ktap "plan at the end" 1 "2 passed, 1 failed" 'planned 3 results, found 2' <<-'END'
		ok 1 one
		ok 2 two
		1..3
	END
	ktap "bails out" 1 "1 passed, 1 failed" 'Bail out! no heap' <<-'END'
		1..3
		ok 1 one
		Bail out! no heap
	END
	ktap "empty input" 1 "0 passed, 1 failed" 'no tests' </dev/null
	ktap "input without results" 1 "0 passed, 1 failed" 'no tests' <<-'END'
		KTAP version 1
		nothing to see
	END
	ktap "a plan without results" 1 "0 passed, 1 failed" 'planned 2 results, found 0' <<-'END'
		1..2
	END
	ktap "lines that only look like results" 0 "1 passed, 0 failed" '' <<-'END'
		1..1
		# PASSED: 4 / 5 tests passed.
		# Totals: pass:4 fail:1 xfail:0 xpass:0 skip:0 error:0
		okay 3
		ok so far
		not ok at all
		ok  twice
		# not okay
		ok 1x
		#            OK  global.one
		1..9 things
		ok 1 one
	END
	ktap "a name with a #" 1 "0 passed, 1 failed" '^FAILED: map #4 of 8$' <<-'END'
		1..1
		not ok 1 map #4 of 8
	END
	ktap "a second document that is cut" 1 "2 passed, 1 failed" 'planned 2 results, found 1' <<-'END'
		TAP version 13
		1..1
		ok 1 one
		TAP version 13
		1..2
		ok 1 one
	END
	ktap "a first document that is cut" 1 "2 passed, 1 failed" 'planned 2 results, found 1' <<-'END'
		1..2
		ok 1 one
		1..1
		ok 1 one
	END
	printf '1..1\r\nnot ok 1 one\r\n' >crlf
	ktap "carriage returns" 1 "0 passed, 1 failed" '^FAILED: one$' <crlf
	printf '1..1\nnot ok 1 one' >no-newline
	ktap "no newline at the end" 1 "0 passed, 1 failed" 'one$' <no-newline
}

test_ktap_nested()
{
	ktap "kselftest: leaves count, with their path" 1 "2 passed, 1 failed, 1 skipped" \
		'^FAILED: selftests: heaps: vmap > big\.fails$' <<-'END'
		TAP version 13
		1..2
		# timeout set to 45
		# selftests: heaps: vmap
		# TAP version 13
		# 1..3
		# # Starting 3 tests from 2 test cases.
		# ok 1 big.passes
		# not ok 2 big.fails
		# ok 3 small.passes
		# # FAILED: 2 / 3 tests passed.
		not ok 1 selftests: heaps: vmap # exit=1
		# timeout set to 45
		# 1..0 # SKIP no heap
		ok 2 selftests: heaps: bench # SKIP
	END
	ktap "KUnit: three levels" 1 "3 passed, 1 failed" \
		'^FAILED: vmap > leaves > 2 MiB$' <<-'END'
		KTAP version 1
		1..1
		    KTAP version 1
		    # Subtest: vmap
		    1..3
		    ok 1 empty
		        KTAP version 1
		        # Subtest: leaves
		        ok 1 4 KiB
		        not ok 2 2 MiB
		    # leaves: pass:1 fail:1 skip:0 total:2
		    not ok 2 leaves
		    ok 3 unmap
		# vmap: pass:2 fail:1 skip:0 total:3
		not ok 1 vmap
	END
	ktap "a test killed half-way" 1 "1 passed, 1 failed" \
		'^FAILED: heaps: vmap: planned 3 results, found 1$' <<-'END'
		1..1
		# 1..3
		# ok 1 one
		not ok 1 heaps: vmap # exit=139
	END
	ktap "a parent that hides a failure" 1 "1 passed, 2 failed" \
		'^FAILED: parent: ok, though 1 below failed$' <<-'END'
		1..1
		    1..2
		    ok 1 one
		    not ok 2 two
		ok 1 parent
	END
	ktap "a parent that fails by itself" 1 "2 passed, 1 failed" \
		'^FAILED: parent: not ok, though nothing below failed: exit=1$' <<-'END'
		1..1
		# 1..2
		# ok 1 one
		# ok 2 two
		not ok 1 parent # exit=1
	END
	ktap "a parent that is missing" 1 "2 passed, 2 failed" 'without a result of their parent' <<-'END'
		1..1
		    1..2
		    ok 1 one
		    ok 2 two
	END
	ktap "a child that bails out" 1 "1 passed, 1 failed" '^FAILED: parent: Bail out! gone' <<-'END'
		1..1
		# 1..4
		# ok 1 one
		# Bail out! gone
		not ok 1 parent # exit=1
	END
	ktap "a parent with skipped children" 0 "0 passed, 0 failed, 2 skipped" '' <<-'END'
		1..1
		    1..2
		    ok 1 one # SKIP
		    ok 2 two # SKIP
		ok 1 parent # SKIP all
	END
}

test_ktap_options()
{
	ktap "a parent that skips the rest" 0 "1 passed, 0 failed, 1 skipped" '' <<-'END'
		1..1
		# 1..3
		# ok 1 one
		ok 1 parent # SKIP
	END
	ktap "a parent that skips the rest, but not less than it" 1 "2 passed, 2 failed" \
		'^FAILED: parent: planned 1 results, found 2$' <<-'END'
		1..1
		# 1..1
		# ok 1 one
		# ok 2 two
		ok 1 parent # SKIP
	END
	printf '1..3\nok 1 one # SKIP no device\nok 2 two # SKIP small\nok 3 three\n' >skips
	ktap "--must-run" 1 "1 passed, 1 failed, 1 skipped" '^FAILED: two: SKIP small' \
		--must-run 'tw' <skips
	check "ktap: --must-run takes an ERE" says 2 'must-run' "$top/scripts/guest/ktap.pl" --must-run '(' skips
}

test_ktap_guest()
{
	ktap "a guest's port" 0 "2 passed, 0 failed" '' <<-'END'
		@@ stage init
		@@ stage kunit
		1..1
		ok 1 one
		@@ exit 0
		@@ stage kselftest
		TAP version 13
		1..1
		ok 1 one
		@@ exit 0
		@@ end 104
	END
	ktap "a job that has failed" 1 "1 passed, 1 failed" \
		'^FAILED: stage run: exit status 139$' <<-'END'
		@@ stage run
		ok 1 one
		@@ exit 139
		@@ end 31
	END
	ktap "a job that has not ended" 1 "1 passed, 1 failed" \
		'^FAILED: stage run: has not ended$' <<-'END'
		@@ stage run
		ok 1 one
	END
	ktap "a plan that a job left open" 1 "2 passed, 1 failed" \
		'^FAILED: stage kunit: planned 2 results, found 1$' <<-'END'
		@@ stage kunit
		1..2
		ok 1 one
		@@ exit 0
		@@ stage run
		ok 2 two
		@@ exit 0
	END
}

several()
{
	printf 'not ok 1 one\nok 2 two\n' >other
	says 1 '^FAILED: other: one$' "$top/scripts/guest/ktap.pl" skips other || return 1
	[ "$(tail -n 1 out)" = "2 passed, 1 failed, 2 skipped" ]
}

test_deny
test_vm
test_ktap_plain
test_ktap_nested
test_ktap_options
check "ktap: several files are summed and named" several
check "ktap: no such file" says 2 '/nowhere/ktap' "$top/scripts/guest/ktap.pl" /nowhere/ktap
check "ktap: misuse" says 2 '^usage: ktap' "$top/scripts/guest/ktap.pl" --frobnicate
test_ktap_guest
finish
