#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# boot.sh SERIES ARCH VARIANT MODE NAME JOB...: run jobs in a guest
# boot.sh SERIES ARCH VARIANT shell: an interactive guest
# boot.sh SERIES ARCH VARIANT serve SOCKET: the same, its serial line at a socket
# boot.sh SERIES ARCH VARIANT accel: say what ACCEL comes to here
#
# MODE: icount  one CPU, emulated, 1 ns of guest time is one instruction
#       wall    two CPUs, as fast as this machine can
# MEMORY is that of the guest, 2G unless set.  RUN_LIMIT is how many seconds a
# job "run" may take, 300 unless set.  APPEND is more of the kernel's command line,
# as nohugevmap or page_owner=on.  QEMU_ARGS are more arguments of QEMU, and TOUCHED
# is how many MB of its memory the guest will use, 2000 unless set.  INITRAMFS is
# another than the one of the tests, and MODULES=no leaves out what was built of them.
# The logs are $OUT/$TREE-ARCH/log/VARIANT-NAME.{console,port,cmd,outcome}, and .ppm for
# the picture of drm_vkms, if kselftest is one of the jobs.
# The exit status is that of vm-run.  Guests run one at a time.

set -eu
. "$(dirname "$0")/../lib.sh"

MEMORY=${MEMORY:-2G}
TOUCHED=${TOUCHED:-2000}
# Only words that the kernel knows: init takes the others for jobs.  A guest is there
# for the tests, so those that use up all memory may.
CMDLINE='panic=-1 oops=panic random.trust_cpu=on FILL_MEMORY=1'
# The port over which drm_vkms hands out what vkms has composed
PICTURE_PORT=org.kernel.vmap.picture

kvm_can() {
	case $arch/$(uname -m) in
	x86_64/x86_64) grep -qwE 'vmx|svm' /proc/cpuinfo ;;
	arm64/aarch64) ;;
	*) false ;;
	esac && [ -w /dev/kvm ] && kvm_trial
}

# kvm_trial: boot once with kvm; a /dev/kvm that opens may still not run a guest
kvm_trial() {
	trial=$out/kvm-trial
	if [ ! -e "$trial" ]; then
		[ -e "$image" ] && [ -e "$initramfs" ] || return 0
		result=no
		# shellcheck disable=SC2046 # a list of arguments
		"$top/scripts/guest/vm-run.pl" --quiet --limit boot=20 --limit run=20 \
			--console "$logs/kvm-trial.console" --port "$logs/kvm-trial.port" -- \
			"$qemu" -accel kvm -smp 2 $(machine) -kernel "$image" -initrd "$initramfs" \
			-append "console=$console $CMDLINE -- run true" \
			>"$logs/kvm-trial.out" 2>&1 </dev/null && result=yes
		echo $result >"$trial"
	fi
	[ "$(cat "$trial")" = yes ]
}

# accel: tcg or kvm, for a wall time run
accel() {
	case $ACCEL in
	tcg) echo tcg ;;
	auto) if kvm_can; then echo kvm; else echo tcg; fi ;;
	kvm)
		kvm_can || die "ACCEL=kvm: /dev/kvm cannot run a guest here, use ACCEL=auto or ACCEL=tcg"
		echo kvm
		;;
	*) die "ACCEL=$ACCEL: not one of auto, tcg, kvm" ;;
	esac
}

machine() {
	case $arch in
	x86_64) echo "-machine q35 -cpu max" ;;
	# a counter of ns, as fine as the instructions under icount
	arm64) echo "-machine virt$(flavour_says machine "$variant" | sed "s/^/,/") -cpu max,pauth-impdef=on,cntfrq=1000000000" ;;
	esac
	echo "-m $MEMORY -nodefaults -no-user-config -display none -no-reboot ${QEMU_ARGS-}"
}

# speed MODE: the arguments that decide how guest time passes
speed() {
	if [ "$1" = icount ]; then
		echo "-accel tcg,thread=single -icount shift=0,sleep=off -seed 1 -smp 1"
		return
	fi
	how=$(accel) || exit 1
	[ "$how" = kvm ] || how=tcg,thread=multi
	# An x86 kernel without ACPI reads the MP table, which has a CPU per socket
	echo "-accel $how -smp 2,sockets=2"
}

# clock MODE: kernel parameters that spare an emulated x86 guest from measuring
# its time stamp counter, from checking it against a clock of ticks, and from
# waiting for some of these, which all fail on a busy machine.  Under icount it
# counts ns, else it is this machine's.  There, the local APIC's timer is
# calibrated in a loop of pauses, each of which takes QEMU microseconds: half a
# minute in all.
clock() {
	[ "$arch" = x86_64 ] || return 0
	if [ "$1" = icount ]; then
		echo "tsc_early_khz=1000000 tsc=reliable nolapic_timer"
	elif [ "$(accel)" = tcg ] && khz=$("$OUT/host/tsc-khz" 2>/dev/null); then
		echo "tsc_early_khz=$khz tsc=reliable no_timer_check"
	fi
}

# suites JOB...: KUnit runs at boot, so only where its results are asked for;
# autorun is for 7.3, and ignored by 6.12.
# The selftests look at who is charged for a buffer, which 7.3 does if asked to.
# They find buffers zero only if the heap has seen to it itself.
suites() {
	case " $* " in
	*" kunit "*) echo "kunit.enable=1 kunit.autorun=1" ;;
	*" kselftest "*) echo "dma_heap.mem_accounting=$(accounting "$@") init_on_alloc=0" ;;
	esac
}

# accounting JOB...: what is charged goes past the pool of the heap, so the test of the
# pool by itself wants none
accounting() {
	case " $* " in
	*" -c "* | *" -t "*" -t "*) echo 1 ;;
	*":heap_pool "*) echo 0 ;;
	*) echo 1 ;;
	esac
}

# side_by_side: what is asked of a guest whose CPUs run at the same time.  The tests
# take the others offline while the kernel changes its code, see trace_util.c.  And DRM
# leaves vblanks on: 6.12's vkms switches them off under a lock that the function of
# its timer takes, and waits for that; ended by 74afeb812850 ("drm/vblank: Add vblank
# timer").
side_by_side() {
	[ "$mode" != icount ] || return 0
	echo "drm.vblankoffdelay=0"
	[ "$(accel)" != tcg ] || echo "TRACE_ALONE=1"
}

# patience: everything takes longer in a kernel that checks itself
patience() {
	[ -z "$(flavour_says slow "$variant")" ] ||
		echo "--limit boot=1800 --limit kunit=3600 --limit kselftest=7200 --limit run=3600"
	echo "${RUN_LIMIT:+--limit run=$RUN_LIMIT}"
}

# have_memory: is there what a guest touches, of whatever MEMORY it has?
have_memory() {
	free=$(awk '$1 == "MemAvailable:" || $1 == "SwapFree:" { kb += $2 }
		END { print int(kb / 1024) }' "${MEMINFO:-/proc/meminfo}")
	[ "$free" -ge "$TOUCHED" ] ||
		die "a guest needs $TOUCHED MB of memory, only $free MB are available"
}

have_parts() {
	for f in "$image" "$initramfs"; do
		[ -e "$f" ] || die "$f: not there, run make"
	done
}

# add_modules: what was built of them, see build.sh, unless MODULES=no
add_modules() {
	[ "${MODULES-}" != no ] || return 0
	[ -e "$out/$variant/modules.cpio" ] || return 0
	cat "$initramfs" "$out/$variant/modules.cpio" >"$out/initramfs-$variant.cpio" ||
		die "$out/initramfs-$variant.cpio: $(or_full "cannot be written")"
	initramfs=$out/initramfs-$variant.cpio
}

run_jobs() {
	log=$logs/$variant-$name
	rm -f "$log.console" "$log.port" "$log.cmd" "$log.outcome" "$log.ppm"
	add_modules
	how=$(speed "$mode") || exit 1
	file=
	environment=
	case " $* " in
	*" kselftest "*)
		file="--file $PICTURE_PORT=$log.ppm"
		environment="VKMS_PICTURE=/dev/virtio-ports/$PICTURE_PORT"
		;;
	esac
	# shellcheck disable=SC2086,SC2046 # lists of arguments
	# below make, a guest ends with the script that has started it
	set -- ${OUT_HELD:+setpriv --pdeathsig TERM} "$top/scripts/guest/vm-run.pl" --console "$log.console" --port "$log.port" \
		--cmd "$log.cmd" --outcome "$log.outcome" --deny "$top/scripts/guest/splat.deny" \
		${V:+--verbose} $(patience) $file -- \
		"$qemu" $how $(machine) -kernel "$image" -initrd "$initramfs" \
		-append "console=$console $CMDLINE ${APPEND-} $(clock "$mode") $(suites "$@") $(flavour_says append "$variant") $(side_by_side) $environment -- $*"
	exec "$@"
}

# interactive OPTION...: a shell on the serial line, which OPTION says where it is
interactive() {
	add_modules
	how=$(speed wall) || exit 1
	# shellcheck disable=SC2086,SC2046
	exec "$qemu" $how $(machine) -kernel "$image" -initrd "$initramfs" "$@" -serial chardev:console \
		-append "console=$console quiet $CMDLINE $(clock wall) $(side_by_side) VARIANT=$variant TERM=${TERM:-vt100} -- shell"
}

[ $# -ge 4 ] || die "usage: boot.sh SERIES ARCH VARIANT icount|wall|shell|serve|accel [NAME JOB...]"
series=$1
arch=$2
variant=$3
mode=$4
shift 4
ACCEL=${ACCEL:-auto}
out=$OUT/${TREE:-$series}-$arch
logs=$out/log
initramfs=${INITRAMFS:-$out/initramfs.cpio}
mkdir -p "$logs"
case $arch in
x86_64)
	qemu="qemu-system-x86_64"
	console=ttyS0
	image=$out/$variant/arch/x86/boot/bzImage
	;;
arm64)
	qemu="qemu-system-aarch64"
	console=ttyAMA0
	image=$out/$variant/arch/arm64/boot/Image
	;;
*) die "ARCH=$arch: not one of x86_64, arm64" ;;
esac

case $mode,$# in
accel,*)
	accel
	exit
	;;
icount,[01] | wall,[01]) die "a name and a job are needed" ;;
icount,* | wall,* | shell,* | serve,1) ;;
serve,*) die "a socket is needed" ;;
*) die "$mode: not one of icount, wall, shell, serve, accel" ;;
esac
have_parts
lock "$OUT/.qemu.lock"
have_memory
case $mode in
shell)
	echo "A shell in the $variant $series kernel; exit leaves it, ctrl-a x kills it."
	interactive -chardev stdio,id=console,mux=on,signal=off -mon chardev=console,mode=readline
	;;
# for scripts/lab/remote.sh, as if it were a board
serve) interactive -chardev "socket,id=console,path=$1,server=on,wait=off" ;;
esac
name=$1
shift
run_jobs "$@"
