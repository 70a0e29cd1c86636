#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Tests of the harness itself: run.sh HOSTTOOLS_DIR, where vm-run and ktap are.
# Writes TAP; exits non-zero if a test failed.

set -eu
. "$(dirname "$0")/tap.sh"

tests=$top/scripts/tests
deny=$top/scripts/guest/splat.deny
ktap=$top/scripts/guest/ktap.pl
vm_run=$top/scripts/guest/vm-run.pl

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
	"$vm_run" --deny one.deny --scan lines >found || :
	diff found lines >out 2>&1
}

# All patterns together find none of the near-misses.
misses()
{
	section "$1" - >lines
	[ -s lines ] || { echo "no near-miss" >out; return 1; }
	"$vm_run" --deny "$deny" --scan lines >out 2>&1
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
		status 0 "$vm_run" --deny "$deny" --scan "$tests/splats/benign"
	printf 'fine\n(open\n' >bad.deny
	check "splat.deny: a broken pattern is named with its line" \
		says 2 'bad\.deny:2: ' "$vm_run" --deny bad.deny --scan lines
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

# vm STATUS ERE SCRIPT [OPTION...]: a guest that plays SCRIPT ends so, says the last line
vm()
{
	vm_status=$1
	vm_text=$2
	script=$3
	shift 3
	rm -f pid
	status "$vm_status" "$vm_run" --deny "$deny" --console console --port port "$@" \
		-- "$tests/fake-qemu" "$script" || return 1
	tail -n 1 out | grep -Eq -e "^vm-run: $vm_text" && return
	echo "the last line does not match: $vm_text" >>out
	return 1
}

# guest NAME STATUS ERE SCRIPT [OPTION...]: the same as a test
guest()
{
	guest_name=$1
	shift
	check "vm-run: $guest_name" vm "$@"
}

# shows ERE NAME: so does a line of the guest before
shows()
{
	check "vm-run: $2" grep -Eq -e "$1" out
}

# guest_is_gone: the process that a hanging guest has started is dead, reaped or not
guest_is_gone()
{
	for _ in $(seq 100); do
		grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(cat pid)/status" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "process $(cat pid) is still there" >>out
	return 1
}

# shellcheck disable=SC2016 # a script of the guest
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
	taskset -c "$cpu" "$vm_run" --console console --port port --limit run=1 --outcome outcome -- \
		"$tests/fake-qemu" 'boot run; i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done; say "ok 1 one"; end 0' \
		>out 2>&1 </dev/null || busy_status=$?
	# shellcheck disable=SC2086 # a list
	kill $hogs
	[ "$busy_status" = 0 ] && grep -q 'QEMU waited for a CPU: [1-9]' outcome
}

# interrupt SIGNAL STATUS
interrupt()
{
	rm -f pid
	"$vm_run" --deny "$deny" --console console --port port -- "$tests/fake-qemu" 'boot run; hang' >out 2>&1 &
	await_file pid
	kill -s "$1" $!
	got=0
	wait $! || got=$?
	[ "$got" -eq "$2" ] && guest_is_gone && return
	echo "exit status $got, not $2, or its guest is still there" >>out
	return 1
}

# pasted CONSOLE PORT: the command that vm-run has written runs the guest again
pasted()
{
	status 0 "$vm_run" --console "$1" --port "$2" --cmd cmd -- "$tests/fake-qemu" "$pass" || return 1
	: >"$1"
	: >"$2"
	sh ./cmd >out 2>&1
	grep -q '^@@ end' "$2"
}

another_port()
{
	status 0 "$vm_run" --console console --port port --file org.some.port=here --cmd cmd \
		-- "$tests/fake-qemu" "$pass" || return 1
	grep -q 'path=here .*,name=org.some.port .*,name=org.kernel.vmap.0$' cmd
}

# misuse NAME ERE ARG...
misuse()
{
	misuse_name=$1
	misuse_text=$2
	shift 2
	check "vm-run: $misuse_name" says 2 "$misuse_text" "$vm_run" "$@"
}

pass='job 1..2 "ok 1 one" "ok 2 two # SKIP no device"'
fail='job 1..2 "ok 1 one" "not ok 2 two # exit=1"'

# shellcheck disable=SC2016 # scripts of the guest
test_vm()
{
	guest "passed" 0 'passed: 1 passed, 0 failed, 1 skipped in ' "$pass"
	guest "test failed" 1 'test failed: 1 passed, 1 failed' "$fail"
	guest "shows, if quiet," 1 'test failed' "$fail" --quiet
	shows '^not ok 2 two # exit=1$' "the line that failed"
	guest "a short plan has failed" 1 'test failed: 1 passed, 1 failed' 'job 1..3 "ok 1 one"'
	guest "a job's exit status has failed" 1 'test failed: 0 passed, 1 failed' 'boot run; end 139'
	shows 'stage run: exit status 139' "and says which"
	guest "a job without an exit has failed" 1 'test failed' 'boot run; end'
	shows 'stage run: has not ended' "and says so"
	guest "panic" 3 'kernel splat: stage run: Kernel panic - not' \
		'boot run; say "ok 1 one"; con "Kernel panic - not syncing: Attempted to kill init!"'
	guest "panic before init" 3 'kernel splat: stage boot: Kernel panic' \
		'con "Kernel panic - not syncing: VFS: Unable to mount root fs"'
	guest "a splat beats a pass, and has its stage" 3 'kernel splat: stage run: WARNING: CPU: 0 PID: 81 at' \
		'boot run; splat; say "@@ exit 0"; stage kunit; end 0'
	shows '^   .*before the splat' "shows the lines before a splat"
	shows '^   .*after the splat' "shows the lines after a splat"
	shows 'first of 2 lines' "counts the lines that match"
	guest "a splat beats a failure" 3 'kernel splat: stage init: WARN' \
		'boot; splat; stage run; say "not ok 1 one"; end 0'
	guest "a splat beats a hang" 3 'kernel splat: stage init: WARN' 'boot; splat; stage run; sleep 60' --limit run=0.3
	guest "splats that were announced are none" 0 'passed: 1 passed' \
		'boot run; expect mm/vmalloc.c: "BUG: a second"; splat; splat; con "guest: @@ expected"; say "ok 1 one"; end 0'
	guest "a line that was cut and said again counts once" 0 'passed: 0 passed' \
		'boot run; expect mm/vmal; con "** replaying previous printk message **"
		expect mm/vmalloc.c: "BUG: a second"; con "WARNING: CPU: 0 PID: 81 at mm/vm"
		con "** replaying previous printk message **"; splat; con "guest: @@ expected"; end 0'
	guest "another one is, all the same" 3 'kernel splat: stage run: BUG: a second one' \
		'boot run; expect mm/vmalloc.c:; splat; con "guest: @@ expected"; end 0'
	guest "so is one that comes after the end" 3 'kernel splat: stage run: WARNING: CPU: 0' \
		'boot run; expect mm/vmalloc.c: "BUG: a second"; splat; con "guest: @@ expected"; splat; end 0'
	shows 'first of 2 lines' "and its second line"
	guest "and one that was announced and did not come" 3 'kernel splat' \
		'boot run; expect mm/vmalloc.c: "WARNING: never"; con "$WARN" "guest: @@ expected"; end 0'
	shows 'expected, but did not come: WARNING: never$' "which is named"
	guest "one that is only allowed need not come" 0 'passed: 1 passed' \
		'boot run; con "guest: @@ allow WARNING: never" "guest: @@ allow mm/vmalloc.c:" "$WARN" "guest: @@ expected"
		say "ok 1 one"; end 0'
	guest "and allows no other" 3 'kernel splat: stage run: BUG: a second one' \
		'boot run; con "guest: @@ allow mm/vmalloc.c:"; splat; con "guest: @@ expected"; end 0'
	kunit='con "# test: expects warnings of mm/vma"'
	guest "nor one that a KUnit test allows" 0 'passed: 1 passed' \
		"boot run; $kunit \"\$WARN\" '# test: expects no more warnings'; $kunit '# test: expects no more warnings'
		say 'ok 1 one'; end 0"
	guest "which it does for a while" 3 'kernel splat: stage run: WARNING: CPU: 0' \
		"boot run; $kunit '# test: expects no more warnings' \"\$WARN\"; end 0"
	guest "announcements without an end" \
		3 "kernel splat: .*no '@@ expected' after '@@ expect mm/vmalloc.c:'" \
		'boot run; expect mm/vmalloc.c: "BUG: a second"; splat; end 0'
	guest "a hang names its stage" 6 'stage hung: stage run: more than 0.3 s' \
		'boot run; say "ok 1 one"; hang' --limit run=0.3
	check "vm-run: and all its processes are killed" guest_is_gone
	if [ -r /proc/self/schedstat ]; then
		check "vm-run: a busy machine is no guest that hangs" busy
	fi
	guest "a hang at the end" 6 'stage hung: stage shutdown: ' 'job "ok 1 one"; sleep 60' --limit shutdown=0.3
	guest "the limit of other stages" 5 'did not boot: init reported nothing' \
		'con "Linux version 6.12"; sleep 60' --limit boot=0.3 --limit other=9
	guest "never boots, quietly reset" 5 'did not boot: QEMU exited with status 0' 'con "Linux version 6.12"'
	guest "guest lost" 4 'guest lost: stage run: the port ended without @@ end' 'boot run; say "ok 1 one"'
	guest "guest lost, QEMU killed" 4 'guest lost: .*killed by signal 9' 'boot run; kill -9 $$'
	guest "bytes missing from the port" 4 'guest lost: .*bytes are missing' \
		'job "ok 1 one"; say "@@ end $(($(wc -c <"$port") + 8))"'
	guest "bytes after the end" 4 'guest lost: .*bytes are missing' 'job "ok 1 one"; say "ok 2 two"'
	guest "half an end" 4 'guest lost: ' 'boot run; say "ok 1 one" "@@ exit 0"; printf "@@ en" >>"$port"'
	guest "an end without a count" 4 'guest lost: ' 'boot run; say "ok 1 one" "@@ exit 0" "@@ end"'
	guest "QEMU refuses an option" 5 'did not boot: .*-foo: invalid option' \
		'echo "fake-qemu: -foo: invalid option" >&2; exit 1'
	check "vm-run: no such QEMU" says 5 'did not boot: .*/nowhere/qemu: No such file' \
		"$vm_run" --console console --port port -- /nowhere/qemu
	guest "floods the port" 6 'stage hung: stage run: .*output on the port' 'boot run; flood "$port"' --limit run=5
	guest "floods the console" 6 'stage hung: stage init: .*output on the console' \
		'boot; flood "$console"' --limit init=5
	guest "floods the port with empty lines" 6 'stage hung: stage run: .*output on the port' \
		'boot run; yes "" | head -c 300000000 >>"$port"; sleep 60'
	guest "a very long line" 0 'passed: 1 passed' \
		'boot run; head -c 300000 /dev/zero | tr "\0" x >>"$port"; say "" "ok 1 one"; end 0'
	guest "bytes that are no text" 0 'passed: 1 passed' \
		'boot run; printf "a\0b\n\0\n\033[31mok 7\n" >>"$port"; say "ok 1 one"; end 0'
	guest "a splat behind a NUL" 3 'kernel splat: stage init: WARN' \
		'boot; printf "\0" >>"$console"; splat; stage run; say "ok 1 one"; end 0'
	check "vm-run: SIGINT" interrupt INT 130
	check "vm-run: SIGTERM" interrupt TERM 143
	check "vm-run: the command can be pasted" pasted console port
	check "vm-run: commas, blanks and quotes in paths" pasted "a, b" "it's"
	check "vm-run: another port, before the first" another_port
	misuse "another port without a name" 'not .=here' --file =here -- true
	misuse "a log that has no name" 'usage: ' --console console -- true
	misuse "no command" 'usage: ' --console console --port port
	misuse "no patterns" 'no patterns' --deny /dev/null --console console --port port -- true
	misuse "a limit that is no number" 'not .run=soon' --limit run=soon -- true
	misuse "a limit without a stage" 'not .=3' --limit =3 -- true
	misuse "a log that cannot be written" '/nowhere/log' --console /nowhere/log --port port -- true
}

# --- ktap -----------------------------------------------------------------

# sums NAME STATUS LAST_LINE ERE [OPTION...]: the file input
sums()
{
	sums_name=$1
	sums_want=$2
	sums_last=$3
	sums_text=$4
	shift 4
	run "$ktap" "$@" input
	sums_ok=0
	[ "$got" -eq "$sums_want" ] || sums_ok=1
	[ "$(tail -n 1 out)" = "$sums_last" ] || sums_ok=1
	grep -Eq -e "$sums_text" out || sums_ok=1
	echo "(wanted exit status $sums_want, not $got; '$sums_last'; '$sums_text')" >>out
	check "ktap: $sums_name" [ $sums_ok = 0 ]
}

# ktap NAME STATUS LAST_LINE ERE LINE...: these lines
ktap()
{
	ktap_name=$1
	ktap_want=$2
	ktap_last=$3
	ktap_text=$4
	shift 4
	printf '%s\n' "$@" >input
	sums "$ktap_name" "$ktap_want" "$ktap_last" "$ktap_text"
}

test_ktap()
{
	ktap "counts passes" 0 "2 passed, 0 failed" '' \
		'KTAP version 1' 1..2 'ok 1 one' 'ok 2 - two'
	ktap "lists a failure with what it said" 1 "1 passed, 1 failed" '^FAILED: two: exit=7$' \
		'TAP version 13' 1..2 'ok 1 one' 'not ok 2 two # exit=7'
	ktap "counts skips apart" 0 "1 passed, 0 failed, 3 skipped" '' \
		1..4 'ok 1 one # SKIP no device' 'ok 2 # SKIP two' 'not ok 3 three # skip: too small' \
		'ok 4 four'
	ktap "what is expected to fail may" 0 "1 passed, 0 failed, 2 skipped" '' \
		1..3 'not ok 1 one # TODO not written' 'not ok 2 two # XFAIL no such leaf' \
		'ok 3 # XFAIL three'
	ktap "truncated plan" 1 "1 passed, 1 failed" 'planned 3 results, found 1' \
		1..3 'ok 1 one'
	ktap "more results than planned" 1 "2 passed, 1 failed" 'planned 1 results, found 2' \
		1..1 'ok 1 one' 'ok 2 two'
	ktap "plan at the end" 1 "2 passed, 1 failed" 'planned 3 results, found 2' \
		'ok 1 one' 'ok 2 two' 1..3
	ktap "bails out" 1 "1 passed, 1 failed" 'Bail out! no heap' \
		1..3 'ok 1 one' 'Bail out! no heap'
	: >input
	sums "empty input" 1 "0 passed, 1 failed" 'no tests'
	ktap "input without results" 1 "0 passed, 1 failed" 'no tests' \
		'KTAP version 1' 'nothing to see'
	ktap "a plan without results" 1 "0 passed, 1 failed" 'planned 2 results, found 0' \
		1..2
	ktap "lines that only look like results" 0 "1 passed, 0 failed" '' \
		1..1 '# PASSED: 4 / 5 tests passed.' \
		'# Totals: pass:4 fail:1 xfail:0 xpass:0 skip:0 error:0' 'okay 3' 'ok so far' \
		'not ok at all' 'ok  twice' '# not okay' 'ok 1x' '#            OK  global.one' '1..9 things' \
		'ok 1 one'
	ktap "a name with a #" 1 "0 passed, 1 failed" '^FAILED: map #4 of 8$' \
		1..1 'not ok 1 map #4 of 8'
	ktap "a second document that is cut" 1 "2 passed, 1 failed" 'planned 2 results, found 1' \
		'TAP version 13' 1..1 'ok 1 one' 'TAP version 13' 1..2 'ok 1 one'
	ktap "a first document that is cut" 1 "2 passed, 1 failed" 'planned 2 results, found 1' \
		1..2 'ok 1 one' 1..1 'ok 1 one'
	printf '1..1\r\nnot ok 1 one\r\n' >input
	sums "carriage returns" 1 "0 passed, 1 failed" '^FAILED: one$'
	printf '1..1\nnot ok 1 one' >input
	sums "no newline at the end" 1 "0 passed, 1 failed" 'one$'
	ktap "kselftest: leaves count, with their path" 1 "2 passed, 1 failed, 1 skipped" '^FAILED: selftests: heaps: vmap > big\.fails$' \
		'TAP version 13' 1..2 '# timeout set to 45' '# selftests: heaps: vmap' '# TAP version 13' \
		'# 1..3' '# # Starting 3 tests from 2 test cases.' '# ok 1 big.passes' \
		'# not ok 2 big.fails' '# ok 3 small.passes' '# # FAILED: 2 / 3 tests passed.' \
		'not ok 1 selftests: heaps: vmap # exit=1' '# timeout set to 45' '# 1..0 # SKIP no heap' \
		'ok 2 selftests: heaps: bench # SKIP'
	ktap "KUnit: three levels" 1 "3 passed, 1 failed" '^FAILED: vmap > leaves > 2 MiB$' \
		'KTAP version 1' 1..1 '    KTAP version 1' '    # Subtest: vmap' '    1..3' '    ok 1 empty' \
		'        KTAP version 1' '        # Subtest: leaves' '        ok 1 4 KiB' \
		'        not ok 2 2 MiB' '    # leaves: pass:1 fail:1 skip:0 total:2' '    not ok 2 leaves' \
		'    ok 3 unmap' '# vmap: pass:2 fail:1 skip:0 total:3' 'not ok 1 vmap'
	ktap "a test killed half-way" 1 "1 passed, 1 failed" '^FAILED: heaps: vmap: planned 3 results, found 1$' \
		1..1 '# 1..3' '# ok 1 one' 'not ok 1 heaps: vmap # exit=139'
	ktap "a parent that hides a failure" 1 "1 passed, 2 failed" '^FAILED: parent: ok, though 1 below failed$' \
		1..1 '    1..2' '    ok 1 one' '    not ok 2 two' 'ok 1 parent'
	ktap "a parent that fails by itself" 1 "2 passed, 1 failed" '^FAILED: parent: not ok, though nothing below failed: exit=1$' \
		1..1 '# 1..2' '# ok 1 one' '# ok 2 two' 'not ok 1 parent # exit=1'
	ktap "a parent that is missing" 1 "2 passed, 2 failed" 'without a result of their parent' \
		1..1 '    1..2' '    ok 1 one' '    ok 2 two'
	ktap "a child that bails out" 1 "1 passed, 1 failed" '^FAILED: parent: Bail out! gone' \
		1..1 '# 1..4' '# ok 1 one' '# Bail out! gone' 'not ok 1 parent # exit=1'
	ktap "a parent with skipped children" 0 "0 passed, 0 failed, 2 skipped" '' \
		1..1 '    1..2' '    ok 1 one # SKIP' '    ok 2 two # SKIP' 'ok 1 parent # SKIP all'
	ktap "a parent that skips the rest" 0 "1 passed, 0 failed, 1 skipped" '' \
		1..1 '# 1..3' '# ok 1 one' 'ok 1 parent # SKIP'
	ktap "a parent that skips the rest, but not less than it" 1 "2 passed, 2 failed" '^FAILED: parent: planned 1 results, found 2$' \
		1..1 '# 1..1' '# ok 1 one' '# ok 2 two' 'ok 1 parent # SKIP'
	printf '1..3\nok 1 one # SKIP no device\nok 2 two # SKIP small\nok 3 three\n' >skips
	cp skips input
	sums "--must-run" 1 "1 passed, 1 failed, 1 skipped" '^FAILED: two: SKIP small' --must-run 'tw'
	check "ktap: --must-run takes an ERE" says 2 'must-run' "$ktap" --must-run '(' skips
	ktap "a guest's port" 0 "2 passed, 0 failed" '' \
		'@@ stage init' '@@ stage kunit' 1..1 'ok 1 one' '@@ exit 0' '@@ stage kselftest' \
		'TAP version 13' 1..1 'ok 1 one' '@@ exit 0' '@@ end 104'
	ktap "a job that has failed" 1 "1 passed, 1 failed" '^FAILED: stage run: exit status 139$' \
		'@@ stage run' 'ok 1 one' '@@ exit 139' '@@ end 31'
	ktap "a job that has not ended" 1 "1 passed, 1 failed" '^FAILED: stage run: has not ended$' \
		'@@ stage run' 'ok 1 one'
	ktap "a plan that a job left open" 1 "2 passed, 1 failed" '^FAILED: stage kunit: planned 2 results, found 1$' \
		'@@ stage kunit' 1..2 'ok 1 one' '@@ exit 0' '@@ stage run' 'ok 2 two' '@@ exit 0'
	check "ktap: several files are summed and named" several
	check "ktap: no such file" says 2 '/nowhere/ktap' "$ktap" /nowhere/ktap
	check "ktap: misuse" says 2 '^usage: ktap' "$ktap" --frobnicate
}

several()
{
	printf 'not ok 1 one\nok 2 two\n' >other
	says 1 '^FAILED: other: one$' "$ktap" skips other || return 1
	[ "$(tail -n 1 out)" = "2 passed, 1 failed, 2 skipped" ]
}

test_deny
test_vm
test_ktap
finish
