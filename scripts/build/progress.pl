#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-only
#
# progress.pl [OPTION]... -- COMMAND [ARG]...: run a command, keep its output in a log,
# show how far it is.
#
# On a terminal one live line says what runs, how many objects of how many are done,
# for how long, and the current file; elsewhere a short line every minute.  An object
# is a line of kbuild's, "  CC      mm/vmap.o".  When the command fails, the last error
# lines and the path of the log are printed.  The exit status is the command's, but 28
# (ENOSPC) if it failed and said that the disk is full.  A signal that ends this ends
# all that the command has started.
use strict;
use warnings;
use Getopt::Long qw(:config require_order);
use POSIX qw(setpgid ENOSPC);
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my $usage = <<'END';
usage: progress.pl [OPTION]... -- COMMAND [ARG]...
  --title TEXT, --unit NAME  what runs, and what is counted
  --log FILE                 where the output goes
  --expect N, --done N       how many there will be, and are already
  --all-lines                every line is one, but for those of directories
  --quiet-errors             do not show the lines before a failure
  --if-long                  say nothing of a command that took under two seconds
  --verbose                  show all output instead
END
my $LINES = 12;
my $LINE_SIZE = 1023;
my $ERROR = qr/error:|Error |\*\*\*|No space left|undefined reference|fatal:|cannot find|Killed|not found/;

my %opt = (title => 'work', unit => 'objects', expect => 0, done => 0);
GetOptions(\%opt, 'title=s', 'unit=s', 'log=s', 'expect=i', 'done=i', 'all-lines', 'quiet-errors',
	   'if-long', 'verbose') && @ARGV or do {
	print STDERR $usage;
	exit 2;
};
my $log;
if (defined $opt{log} && !open $log, '>', $opt{log}) {
	print STDERR "progress: $opt{log}: $!\n";
	exit 2;
}
$| = 1;
my $tty = -t STDOUT && !$opt{verbose};
my $start = my $shown = clock_gettime(CLOCK_MONOTONIC);
my $current = '';
my (@last, @errors, $no_space, $interrupted);

# width: of the terminal, by TIOCGWINSZ
sub width {
	my $size = "\0" x 8;
	my $columns = ioctl(STDOUT, 0x5413, $size) && (unpack 'S2', $size)[1];
	return $columns >= 20 ? $columns : 80;
}

# status: the estimate comes from an earlier build, so never more than it
sub status {
	my $s = clock_gettime(CLOCK_MONOTONIC) - $start;
	my $of = $opt{expect} && $opt{done} <= $opt{expect};
	return sprintf '%s: %d%s %s,%s %d:%02d', $opt{title}, $opt{done}, $of ? " of $opt{expect}" : '',
		$opt{unit}, $of ? sprintf(' %d%%,', 100 * $opt{done} / $opt{expect}) : '', $s / 60, $s % 60;
}

sub show_if_due {
	my $now = clock_gettime(CLOCK_MONOTONIC);
	return if $opt{verbose} || $now - $shown < ($tty ? 0.2 : 60);
	$shown = $now;
	print $tty ? "\r\e[K" . substr(status() . "  $current", 0, width() - 1) : status() . "\n";
}

sub keep {
	my ($ring, $line) = @_;
	push @$ring, $line;
	shift @$ring if @$ring > $LINES;
}

# take_line: what kbuild, tar or rsync has printed
sub take_line {
	my ($line) = @_;
	print $log "$line\n" if $log;
	print "$line\n" if $opt{verbose};
	if ($opt{'all-lines'} ? $line =~ m{^(.*[^/])$} : $line =~ /^  [A-Z]\S* +(?:\[M\] +)?(.+)/) {
		$opt{done}++;
		$current = $1;
	}
	local $! = ENOSPC;
	$no_space = 1 if index($line, "$!") >= 0;
	keep(\@last, $line);
	# What failed is above a line of make, which is how it went up the makes
	keep(\@errors, $line) if $line =~ $ERROR && $line !~ /^make/;
}

pipe my $from, my $to or die "progress: $!\n";
my $child = fork // die "progress: $!\n";
if (!$child) {
	setpgid(0, 0);
	open STDIN, '<', '/dev/null';
	open STDOUT, '>&', $to;
	open STDERR, '>&', $to;
	no warnings 'exec';
	# It ends with this process, however that ends
	exec 'setpriv', '--pdeathsig', 'TERM', @ARGV;
	print STDERR "setpriv: $!\n";
	POSIX::_exit(127);
}
setpgid($child, $child);
for my $name (qw(INT TERM HUP QUIT)) {
	$SIG{$name} = sub {
		$interrupted = 1;
		kill $name, -$child;
	};
}
$SIG{TSTP} = sub {
	kill 'STOP', -$child, $$;
	kill 'CONT', -$child;
};
close $to;
my $rest = '';
for (;;) {
	my $ready = '';
	vec($ready, fileno $from, 1) = 1;
	if (select($ready, undef, undef, 0.2) > 0) {
		sysread $from, my $data, 16384 or last;
		my @lines = split /\n/, $rest . $data, -1;
		$rest = substr(pop @lines, 0, $LINE_SIZE);
		take_line(substr $_, 0, $LINE_SIZE) for @lines;
	}
	show_if_due();
}
waitpid $child, 0;
my $status = $? && $no_space ? ENOSPC : $? & 127 ? 128 + ($? & 127) : $? >> 8;
close $log if $log;
print "\r\e[K" if $tty;
if (!$status) {
	$opt{expect} = 0;
	print status(), "\n" if !$opt{'if-long'} || clock_gettime(CLOCK_MONOTONIC) - $start > 2;
} elsif ($interrupted) {
	print STDERR "$opt{title}: interrupted\n";
} elsif (!$opt{'quiet-errors'}) {
	print STDERR "  $_\n" for @errors ? @errors : @last;
	print STDERR "$opt{title}: failed with status $status", defined $opt{log} ? ", log: $opt{log}" : '', "\n";
}
exit $status;
