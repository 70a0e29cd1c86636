#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Tests of remote.sh with an ssh and an adb that run commands here, and of
# serial-sh with a shell behind a socket.

set -eu
. "$(dirname "$0")/tap.sh"

out=$tmp/out.d/6.12-x86_64
dev=$tmp/dev
mkdir -p bin "$out/kselftest/dmabuf-heaps" "$dev/debug/dma_buf" "$dev/dma_heap" "$out/log"

# The device is this machine, with other paths
cat >bin/ssh <<'END'
#!/bin/sh
echo "${0##*/} $*" >>"$CALLS"
for last; do :; done
export PATH="$DEV/bin:$PATH"
exec sh -c "$(echo "$last" | sed "s,/sys/kernel/debug,$DEV/debug,g; s,/dev/dma_heap,$DEV/dma_heap,g
	s,/proc/kallsyms,$DEV/kallsyms,g")"
END
chmod +x bin/ssh
cp bin/ssh bin/adb
mkdir "$dev/bin"
# shellcheck disable=SC2016 # of another script
printf '#!/bin/sh\n[ "$1" = -m ] && echo x86_64 || echo 6.12.99\n' >"$dev/bin/uname"
chmod +x "$dev/bin/"*
touch "$dev/debug/dma_buf_vmap_test" "$dev/dma_heap/system"

# What it is to run
cat >"$out/kselftest/dmabuf-heaps/vmap_bench" <<'END'
#!/bin/sh
printf 'bench\tkernel\tfresh\tvmap\t134217728\t9\t%s\t%s\t%s\n' $(cat "$DEV/ns") $(cat "$DEV/ns") $(cat "$DEV/ns")
END
printf '#!/bin/sh\n' >"$out/kselftest/dmabuf-heaps/vmap_layouts"
printf '#!/bin/sh\nprintf "TAP version 13\\n1..2\\nok 1 one\\nnot ok 2 two\\n"\n' >"$out/kselftest/run_kselftest.sh"
chmod +x "$out/kselftest/dmabuf-heaps/"* "$out/kselftest/run_kselftest.sh"

remote() {
	env PATH="$tmp/bin:$PATH" CALLS="$tmp/calls" DEV="$dev" OUT="$tmp/out.d" DEVICE_DIR="$tmp/there" \
		DEVICE="$1" "$top/scripts/lab/remote.sh" 6.12 x86_64 "$2" "$3"
}

# says_and_fails ERE COMMAND...
says_and_fails() {
	want=$1
	shift
	run "$@"
	[ "$got" != 0 ] && grep -Eq -e "$want" out
}

: >"$dev/kallsyms"
echo 5000000 >"$dev/ns"
check "ssh: the bench on the stock kernel" prints 'with that of the other kernel there is a table$' remote ssh:board stock bench
check "ssh: asks nobody for a password" grep -q '^ssh -o BatchMode=yes board ' calls
echo 'ffffffff81 T vmap_sg' >"$dev/kallsyms"
echo 20000 >"$dev/ns"
check "ssh: on the patched one, and the table" \
	prints '^128 MiB +fresh +vmap +[|] +5.00 ms +20.00 us +250.0x$' remote ssh:board patched bench
check "results are of the device" jq -e '.jobs.remote | startswith("6.12.99 x86_64: vmap_bench -r 9 ")' "$out/remote.json"
check "as Markdown" grep -qE '^[|] 128 MiB +[|] vmap +[|] +5.00 ms [|] +20.00 us [|]' "$out/remote.md"
check "adb: a device of several" prints '250.0x$' remote adb:1234 patched bench
check "adb: by its serial number" grep -q '^adb -s 1234 shell -T ' calls
check "the kselftests are summed" says_and_fails '^1 passed, 1 failed$' remote ssh:board patched kselftest
check "another kernel than was said" refuses '^remote: DEVICE=ssh:board: its kernel has vmap_sg, is not stock$' \
	remote ssh:board stock bench
: >"$dev/kallsyms"
check "and the other way round" refuses ': its kernel is not patched$' remote ssh:board patched bench
rm "$dev/dma_heap/system"
check "no heap" refuses ': no .*/dma_heap/system$' remote ssh:board stock bench
touch "$dev/dma_heap/system"
# shellcheck disable=SC2016 # for the uname there
printf '#!/bin/sh\n[ "$1" = -m ] && echo aarch64 || echo 6.12.99\n' >"$dev/bin/uname"
check "another architecture" refuses ': runs 6.12.99 aarch64, not ARCH=x86_64$' remote ssh:board stock bench
printf '#!/bin/sh\necho 6.6.1\n' >"$dev/bin/uname"
check "another series" refuses ': runs 6.6.1 6.6.1, not 6.12$' remote ssh:board stock bench
printf '#!/bin/sh\nexit 255\n' >bin/ssh
check "nobody there" refuses '^remote: DEVICE=ssh:board: cannot run a command there$' remote ssh:board stock bench
check "no such way" refuses 'DEVICE=usb: not ssh:' remote usb stock bench

# --- serial-sh ------------------------------------------------------------

serial() {
	"$top/scripts/lab/serial-sh.pl" "$tmp/line" "$@"
}

# same_bytes: what goes in comes out
same_bytes() {
	head -c 20000 /dev/urandom >bytes
	serial 'base64 -w 70' <bytes >encoded
	base64 -d encoded | cmp - bytes >out 2>&1
}

# A shell on a terminal, behind a socket
perl -MIO::Socket::UNIX -e '
	my $line = IO::Socket::UNIX->new(Local => "line", Listen => 1) or die;
	while (my $end = $line->accept) {
		next if fork;
		open STDIN, "<&", $end;
		open STDOUT, ">&", $end;
		exec "script", "-qfc", "sh -i", "/dev/null";
	}' 2>/dev/null &
trap 'kill $!; rm -rf "$tmp"' EXIT
for _ in 1 2 3 4 5 6 7 8 9; do
	[ -S line ] || sleep 0.1
done
# shellcheck disable=SC2016 # for eval
check "serial-sh: output and status" eval 'run serial "echo one; echo two >&2; exit 3"
	[ "$got" = 3 ] && printf "one\ntwo\n" | cmp - out'
check "serial-sh: quotes and dollars" prints "^it's \"1\" \\\$x\$" serial "x=1; echo \"it's \\\"\$x\\\" \\\$x\""
check "serial-sh: no newline at the end, empty lines" eval \
	'run serial "printf \"a\n\n\nb\""; printf "a\n\n\nb\n" | cmp - out'
check "serial-sh: input, more than a tty holds" same_bytes
check "serial-sh: a command that a terminal would cut" refuses 'the command is too long$' \
	serial ": $(printf '%04000d' 0)"
check "serial-sh: no line" refuses '^serial-sh: /nowhere: No such file' "$top/scripts/lab/serial-sh.pl" /nowhere true
finish
