#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a test guest in QEMU and says how it ended.
#
# The guest (scripts/guest/init.c) reports over a virtio-serial port; its console is
# only read for kernel splats. See usage below for the contract.
use strict;
use warnings;
use File::Basename;
use Getopt::Long qw(:config require_order);
use IO::Handle;
use POSIX qw(setpgid WNOHANG);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
use lib dirname(__FILE__);
use Ktap;

my $usage = <<'END';
usage: vm-run.pl [OPTION]... -- qemu-system-ARCH ARG...
       vm-run.pl --deny FILE --scan CONSOLE
  --console FILE   what the guest writes to its console
  --port FILE      what it writes to its port, org.kernel.vmap.0
  --deny FILE      patterns of kernel splats, one ERE a line, # comments; without
                   it only panics are found. A time stamp, and what precedes it,
                   is cut off a console line before it is matched.
                   A line '@@ expect TEXT' on the console, or several, say that what
                   has TEXT up to a line '@@ expected' is no splat; if none comes,
                   that is one. With '@@ allow TEXT', it need not come. A KUnit test
                   allows as much by the lines ': expects warnings of TEXT' and
                   ': expects no more warnings'.
  --limit STAGE=S  kill the guest after S seconds in STAGE, 0: never; for how long
                   QEMU waited for a busy CPU does not count. Defaults:
                   boot=120 init=20 kselftest=1800 kunit=120 run=300 shell=0
                   shutdown=20 other=300 (other: stages not listed)
  --cmd FILE       write the QEMU command to FILE as well
  --outcome FILE   and how it ended, with the lines around a first splat
  --file NAME=FILE what it writes to another port, NAME; found before the first
  --verbose        show the command, the stages, and what QEMU says as well
  --quiet          show only failures and the outcome
  --scan CONSOLE   print the lines of a console log that match; run nothing
Appended to the command, which can be pasted:
  -chardev file,id=vmrun_console,path=FILE -serial chardev:vmrun_console
  -device virtio-serial-pci -chardev file,id=vmrun_port,path=FILE
  -device virtserialport,chardev=vmrun_port,name=org.kernel.vmap.0
The last line is 'vm-run: OUTCOME: detail'; the exit status is
  0 passed           1 test failed   2 misuse         3 kernel splat
  4 guest lost       5 did not boot  6 stage hung     128+N killed by signal N
END

my %status = ('passed' => 0, 'test failed' => 1, 'kernel splat' => 3, 'guest lost' => 4,
	      'did not boot' => 5, 'stage hung' => 6);
my $TICK = 0.05;		# seconds between two looks at the guest
my $TICK_BYTES = 1 << 20;	# and read of each file meanwhile
my $HEARTBEAT = 60;		# seconds between lines, not on a terminal
my $REPAINT = 0.2;		# and between changes of the line on one
my $LINE_SIZE = 4095;		# longer ones are cut
my $FLOOD_BYTES = 32 << 20;	# from the console or the port
my $BEFORE = 3;			# console lines shown before a splat
my $AFTER = 40;			# and from its first line on

my %limit = (boot => 120, init => 20, kselftest => 1800, kunit => 120, run => 300,
	     shell => 0, shutdown => 20, other => 300);
my %opt;
my ($file_port, $file);		# of --file
my $began = now();
my %qemu = (errors => '');
my %guest = (stage => 'boot', since => $began, shown => $began, waited => 0, last => '');
my %splat = (stage => 'boot', text => [], hits => 0, expected => [], found => '');
my $ktap = Ktap->new;
my $tty;

sub refuse {
	print STDERR "vm-run: @_\n";
	exit 2;
}

sub now {
	return clock_gettime(CLOCK_MONOTONIC);
}

# --- showing ---------------------------------------------------------------

# visible: the guest may write anything; a terminal gets only what can be seen
sub visible {
	my ($text) = @_;
	$text =~ tr/\x00-\x08\x0a-\x1f\x7f/?/;
	return $text;
}

sub say_line {
	print $tty ? "\r\e[K" : '', visible($_[0]), "\n";
}

# width: of the terminal, by TIOCGWINSZ
sub width {
	my $size = "\0" x 8;
	return ioctl(STDOUT, 0x5413, $size) && (unpack 'S2', $size)[1] || 80;
}

sub show_status {
	my $t = now();
	return if $opt{quiet} || $t - $guest{shown} < ($tty ? $REPAINT : $HEARTBEAT);
	$guest{shown} = $t;
	my $line = sprintf '[%s %.0fs] %s', $guest{stage}, $t - $guest{since}, visible($guest{last});
	print $tty ? "\r\e[K" : '', substr($line, 0, $tty ? width() - 1 : 79), $tty ? '' : "\n";
}

sub enter_stage {
	my ($name) = @_;
	$guest{stage} = $name;
	$guest{since} = $guest{shown} = now();
	$guest{waited} = waited_for_cpu();
	$guest{last} = '';
	say_line(sprintf 'vm-run: %5.1f s: %s', $guest{since} - $began, $name) if $opt{verbose};
}

# --- the console -----------------------------------------------------------

# kernel_text: what follows the last time stamp, as "[   12.345678] " or
# "[   12.345678][    T1] ", or the whole line
sub kernel_text {
	my ($line) = @_;
	$line =~ s/^.*\[ *\d+\.\d*\](?:\[[^]]*\])? ?//;
	return $line;
}

# all_came: "@@ expected"; returns whether all of it has
sub all_came {
	my @missing = grep { !$_->{seen} } @{$splat{expected}};
	say_line("vm-run: expected, but did not come: $_->{text}") for @missing;
	$splat{expected} = [];
	return !@missing;
}

# expect: a console that goes from one CPU to the other may repeat a line
sub expect {
	my ($text, $seen) = @_;
	push @{$splat{expected}}, { text => $text, seen => $seen }
		if !grep { $_->{text} eq $text } @{$splat{expected}};
	return 0;
}

# is_splat: a line that must not be there, or that ends a wait in vain for one
sub is_splat {
	my $text = kernel_text($_[0]);
	return expect($1, 1) if $text =~ /(?:\@\@ allow |: expects warnings of )(.+)/;
	return !all_came() if $text =~ /: expects no more warnings|\@\@ expected$/;
	return expect($1, 0) if $text =~ /\@\@ expect (.+)/;
	return 0 if $text !~ $splat{regex};
	my ($expected) = grep { index($text, $_->{text}) >= 0 } @{$splat{expected}};
	$expected->{seen} = 1 if $expected;
	return !$expected;
}

# judge_line: until the first splat, keeps the last lines; then, those that follow
sub judge_line {
	my ($line) = @_;
	$splat{stage} = $1 if kernel_text($line) =~ /^guest: \@\@ stage (.*)/;
	my $bad = is_splat($line);
	my $text = $splat{text};
	shift @$text if !$splat{hits} && @$text == $BEFORE;
	if ($bad && !$splat{hits}++) {
		$splat{first} = @$text;
		$splat{found} = $splat{stage};
		say_line('vm-run: kernel splat:');
		say_line($line);
	}
	push @$text, $line if @$text < $BEFORE + $AFTER;
}

sub scan_line {
	my ($line) = @_;
	return if !is_splat($line);
	print "$line\n";
	$splat{hits}++;
}

# A console that goes from one CPU to the other may cut a line, and say it once more.
# So each is held until the next line tells.
my $held;
my $judge = \&judge_line;

sub release_line {
	$judge->($held) if defined $held;
	undef $held;
}

sub on_console {
	my ($line) = @_;
	undef $held if index($line, '** replaying previous printk message **') >= 0;
	release_line();
	$held = $line;
}

# load_deny: all patterns become one expression, for one pass over each line
sub load_deny {
	my @patterns;
	if (defined $opt{deny}) {
		open my $in, '<', $opt{deny} or refuse("$opt{deny}: $!");
		while (<$in>) {
			chomp;
			next if /^(#|$)/;
			my $pattern = $_;
			eval { qr/$pattern/ } or refuse("$opt{deny}:$.: $@");
			push @patterns, "(?:$pattern)";
		}
		refuse("$opt{deny}: no patterns") if !@patterns;
	}
	my $all = join('|', @patterns) || '^Kernel panic - not syncing';
	$splat{regex} = qr/$all/;
}

# --- the port --------------------------------------------------------------

sub on_port {
	my ($line, $start) = @_;
	# Nothing may follow the end.
	$guest{garbled} = 1 if $guest{ended};
	my $kind = $ktap->line($line);
	if ($kind eq 'fail') {
		say_line($line =~ /^@@ (.*)/ ? "vm-run: stage $guest{stage}: exit status" .
			 substr($1, length 'exit') : $line);
	} elsif ($kind ne '') {
		$guest{last} = $line;
	}
	if ($line =~ /^@@ stage (.*)/) {
		$guest{booted} = 1;
		enter_stage($1);
	} elsif ($line =~ /^@@ end (\d+)/) {
		$guest{ended} = 1;
		$guest{garbled} = 1 if $1 != $start;
		enter_stage('shutdown');
	}
}

# --- reading ---------------------------------------------------------------

# A file that QEMU appends to: how many bytes were read, what there is of a line, and
# where in the file that began
my %console = (on_line => \&on_console, bytes => 0, rest => '', start => 0);
my %port = (on_line => \&on_port, bytes => 0, rest => '', start => 0);

sub open_feed {
	my ($feed, $path) = @_;
	open $feed->{fh}, '+>', $path or refuse("$path: $!");
}

sub end_line {
	my ($feed, $line) = @_;
	$line = substr($feed->{rest} . $line, 0, $LINE_SIZE);
	$line =~ tr/\0/?/;
	$line =~ s/\r+$//;
	$feed->{rest} = '';
	$feed->{on_line}->($line, $feed->{start});
}

# drain: what is there, but no more bytes than that
sub drain {
	my ($feed, $max) = @_;
	my $data;
	while ($max > 0 && !$qemu{signal} && (my $n = sysread $feed->{fh}, $data, 65536)) {
		$max -= $n;
		while ($data =~ /\G([^\n]*)\n/gc) {
			end_line($feed, $1);
			$feed->{start} = $feed->{bytes} + pos $data;
		}
		$feed->{rest} = substr($feed->{rest} . substr($data, pos($data) // 0), 0, $LINE_SIZE);
		$feed->{bytes} += $n;
	}
}

sub drain_all {
	my ($feed) = @_;
	drain($feed, $FLOOD_BYTES);
	end_line($feed, '') if $feed->{rest} ne '';
}

sub floods {
	return -s $_[0]{fh} > $FLOOD_BYTES;
}

# read_errors: QEMU's stdout and stderr, of which the end is kept; returns whether
# there may be more
sub read_errors {
	my ($fh) = @_;
	my $n;
	while ($n = sysread $fh, my $data, 1024) {
		print $tty ? "\r\e[K" : '', $data if $opt{verbose};
		$qemu{errors} = substr($qemu{errors} . $data, -2048) if 2048 < length "$qemu{errors}$data";
		$qemu{errors} .= $data if 2048 >= length "$qemu{errors}$data";
	}
	return !defined $n;
}

# --- running ---------------------------------------------------------------

# cpu_use: what QEMU's threads had of the CPUs, as far as the kernel says: for how many
# seconds one was ready and had none, the most of any; ns that all ran; and whether one
# runs, or waits for a CPU.  What a thread has waited is counted when it gets a CPU,
# and not before.
sub cpu_use {
	my ($most, $all, $ready) = (0, 0, 0);
	for my $task (glob "/proc/$qemu{pid}/task/*") {
		open my $in, '<', "$task/schedstat" or next;
		my ($ran, $waited) = split ' ', <$in> // '';
		next if !defined $waited;
		$all += $ran;
		$most = $waited / 1e9 if $waited / 1e9 > $most;
		open $in, '<', "$task/stat" or next;
		$ready = 1 if (<$in> // '') =~ /\) R /;
	}
	return ($most, $all, $ready);
}

my $most_waited = 0;

sub waited_for_cpu {
	my ($waited) = cpu_use();
	$most_waited = $waited if $waited > $most_waited;
	return $most_waited;
}

# waits_for_cpu: it is ready right now, and does not get on
sub waits_for_cpu {
	my (undef, $before, $ready) = cpu_use();
	select undef, undef, undef, $TICK;
	return $ready && (cpu_use())[1] == $before;
}

# is_over: a machine that is busy with other things is no guest that hangs
sub is_over {
	my ($limit) = @_;
	my $passed = now() - $guest{since};
	my $over = sub { $passed - (waited_for_cpu() - $guest{waited}) > $limit };
	return $limit > 0 && $passed > $limit && $over->() && !waits_for_cpu() && $over->();
}

sub limit_of {
	return $limit{$_[0]} // $limit{other};
}

sub kill_qemu {
	kill 'KILL', -$qemu{pid};
}

sub check_limits {
	return if $qemu{expired} || $qemu{flooded};
	if (floods(\%console) || floods(\%port)) {
		$qemu{flooded} = 1;
	} elsif (is_over(limit_of($guest{stage}))) {
		$qemu{expired} = 1;
	} else {
		return;
	}
	kill_qemu();
}

sub follow {
	my ($errors) = @_;
	my $open = 1;
	for (;;) {
		my $ready = '';
		vec($ready, fileno $errors, 1) = $open;
		$open = read_errors($errors) if select($ready, undef, undef, $TICK) > 0;
		my $ended = waitpid($qemu{pid}, WNOHANG) == $qemu{pid};
		$qemu{status} = $? if $ended;
		# Before lines are read: there may be millions, of no length
		check_limits() if !$ended && (floods(\%console) || floods(\%port));
		drain(\%console, $TICK_BYTES);
		drain(\%port, $TICK_BYTES);
		last if $ended;
		kill_qemu() if $qemu{signal};
		check_limits();
		show_status();
	}
	kill_qemu();		# what it may have left behind
	read_errors($errors);
	if (!$qemu{flooded}) {
		drain_all(\%console);
		drain_all(\%port);
	}
	release_line();
	$ktap->end_stage;
	print "\r\e[K" if $tty;
}

# run_qemu: it dies with this process, however that ends
sub run_qemu {
	my @command = ('setpriv', '--pdeathsig', 'KILL', @_);
	pipe my $errors, my $theirs or refuse("cannot start: $!");
	$SIG{CHLD} = sub { };	# ends a wait
	for my $name (qw(INT TERM HUP)) {
		$SIG{$name} = sub { $qemu{signal} = $name };
	}
	$began = $guest{since} = $guest{shown} = now();
	$qemu{pid} = fork // refuse("fork: $!");
	if (!$qemu{pid}) {
		$SIG{$_} = 'DEFAULT' for qw(CHLD INT TERM HUP);
		setpgid(0, 0);
		open STDIN, '<', '/dev/null';
		open STDOUT, '>&', $theirs;
		open STDERR, '>&', $theirs;
		no warnings 'exec';
		exec { $command[0] } @command;
		print STDERR "$command[0]: $!\n";
		POSIX::_exit(127);
	}
	setpgid($qemu{pid}, $qemu{pid});
	close $theirs;
	$errors->blocking(0);
	follow($errors);
}

# --- the command -----------------------------------------------------------

# chardev: in a QEMU option a comma is written twice
sub chardev {
	my ($id, $path) = @_;
	$path =~ s/,/,,/g;
	return ('-chardev', "file,id=$id,path=$path");
}

# full_command: the guest learns of its ports in this order
sub full_command {
	return (@_, chardev('vmrun_console', $opt{console}), '-serial', 'chardev:vmrun_console',
		'-device', 'virtio-serial-pci',
		defined $file ? (chardev('vmrun_file', $file),
				 '-device', "virtserialport,chardev=vmrun_file,name=$file_port") : (),
		chardev('vmrun_port', $opt{port}),
		'-device', 'virtserialport,chardev=vmrun_port,name=org.kernel.vmap.0');
}

sub quoted {
	my ($word) = @_;
	return $word if $word =~ m{^[\w+=:,./@%-]+$}a;
	$word =~ s/'/'\\''/g;
	return "'$word'";
}

sub write_file {
	my ($path, $text) = @_;
	open my $out, '>', $path or refuse("$path: $!");
	print $out $text;
	close $out or refuse("$path: $!");
}

# --- the outcome -----------------------------------------------------------

sub finish {
	my ($outcome, $detail) = @_;
	my $text = '';
	if ($splat{hits}) {
		$text = "vm-run: first of $splat{hits} lines of $opt{console} that match:\n";
		for my $i (0 .. $#{$splat{text}}) {
			$text .= ($i == $splat{first} ? ' > ' : '   ') . visible($splat{text}[$i]) . "\n";
		}
	}
	$text .= "vm-run: $outcome: $detail\n";
	print $text;
	# As of when the last stage began.
	write_file($opt{outcome}, sprintf("vm-run: QEMU waited for a CPU: %.3f s\n", $guest{waited}) . $text)
		if defined $opt{outcome};
	exit $status{$outcome};
}

sub how_qemu_ended {
	return 'QEMU was killed by signal ' . ($qemu{status} & 127) if $qemu{status} & 127;
	my ($last) = $qemu{errors} =~ /([^\n]+)\n*$/;
	return 'QEMU exited with status ' . ($qemu{status} >> 8) . (defined $last ? ": $last" : '');
}

# unfinished: a guest that did not report to the end
sub unfinished {
	my $stage = "stage $guest{stage}";
	my $limit = limit_of($guest{stage});
	finish('stage hung', sprintf '%s: more than %d MiB of output on the %s', $stage, $FLOOD_BYTES >> 20,
	       floods(\%port) ? 'port' : 'console') if $qemu{flooded};
	finish('did not boot', $qemu{expired} ? "init reported nothing in $limit s" : how_qemu_ended())
		if !$guest{booted};
	finish('stage hung', "$stage: more than $limit s") if $qemu{expired};
	finish('guest lost', "$stage: " . ($guest{garbled} ?
	       "bytes are missing from the port or are not the guest's" :
	       'the port ended without @@ end') . ': ' . how_qemu_ended());
}

sub conclude {
	my $passed = now() - $began;
	my %count = (pass => 0, fail => 0, skip => 0);
	for my $item (@{$ktap->{items}}) {
		print "vm-run: failed:\n" if $item->{kind} eq 'fail' && !$count{fail};
		$count{$item->{kind}}++;
		print '  ', visible($item->{path}), $item->{why} ne '' && ': ', visible($item->{why}), "\n"
			if $item->{kind} eq 'fail';
	}
	finish('kernel splat', "stage $splat{found}: " .
	       visible(kernel_text($splat{text}[$splat{first}]))) if $splat{hits};
	unfinished() if !$guest{ended} || $guest{garbled} || $qemu{expired} || $qemu{flooded};
	finish('kernel splat', "stage $splat{stage}: no '\@\@ expected' after '\@\@ expect " .
	       "$splat{expected}[0]{text}'") if @{$splat{expected}};
	finish($count{fail} ? 'test failed' : 'passed',
	       sprintf '%d passed, %d failed, %d skipped in %.1f s', @count{qw(pass fail skip)}, $passed);
}

# --- options ---------------------------------------------------------------

sub set_limit {
	my ($name, $value) = @_;
	$value =~ /^([^=]+)=(\d+\.?\d*|\.\d+)$/ or refuse("--limit takes STAGE=SECONDS, not '$value'");
	$limit{$1} = $2 + 0;
}

sub set_file {
	my ($name, $value) = @_;
	$value =~ /^([^=,]+)=(.+)$/s or refuse("--file takes NAME=FILE, not '$value'");
	($file_port, $file) = ($1, $2);
}

STDOUT->autoflush;
GetOptions(\%opt, 'console=s', 'port=s', 'deny=s', 'limit=s' => \&set_limit, 'cmd=s', 'outcome=s',
	   'file=s' => \&set_file, 'scan=s', 'quiet', 'verbose', 'help') or $opt{misuse} = 1;
if ($opt{help}) {
	print $usage;
	exit;
}
if ($opt{misuse} || !defined $opt{scan} && (!@ARGV || !defined $opt{console} || !defined $opt{port})) {
	print STDERR $usage;
	exit 2;
}
load_deny();
if (defined $opt{scan}) {
	$judge = \&scan_line;
	open $console{fh}, '<', $opt{scan} or refuse("$opt{scan}: $!");
	drain(\%console, 1 << 40);
	drain_all(\%console);
	release_line();
	exit($splat{hits} ? 3 : 0);
}
$tty = -t STDOUT && !$opt{quiet};
open_feed(\%console, $opt{console});
open_feed(\%port, $opt{port});
my @command = full_command(@ARGV);
my $command = join(' ', map { quoted($_) } @command) . "\n";
write_file($opt{cmd}, $command) if defined $opt{cmd};
print $command if $opt{verbose};
run_qemu(@command);
if ($qemu{signal}) {
	print "vm-run: interrupted: stage $guest{stage}: SIG$qemu{signal}\n";
	my %number = (HUP => 1, INT => 2, TERM => 15);
	exit 128 + $number{$qemu{signal}};
}
print $command if !$opt{verbose} && !defined $opt{cmd} && ($splat{hits} || !$guest{ended});
conclude();
