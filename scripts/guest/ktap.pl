#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-only
#
# Counts the results in KTAP or TAP: files, or standard input.
#
# Lists every failure with the names of the tests around it. The last line is
# "N passed, N failed" or "N passed, N failed, N skipped".
use strict;
use warnings;
use File::Basename;
use Getopt::Long;
use lib dirname(__FILE__);
use Ktap;

my $usage = <<'END';
usage: ktap.pl [--junit FILE] [--must-run ERE]... [FILE]...
  --junit FILE      write all results to FILE as well, as JUnit XML
  --must-run ERE    a skipped test is a failure if its path matches
Exits with 0 if there were tests and none failed, 1 if not, 2 on misuse.
END

sub refuse {
	print STDERR "ktap: @_\n";
	exit 2;
}

sub xml {
	my ($text) = @_;
	$text =~ s/([<>&"])/'&#' . ord($1) . ';'/ge;
	$text =~ tr/\x00-\x1f/ /;
	return $text;
}

my ($junit_file, @must_run, $junit);
GetOptions('junit=s' => \$junit_file, 'must-run=s' => \@must_run) or do {
	print STDERR $usage;
	exit 2;
};
for my $pattern (@must_run) {
	eval { qr/$pattern/ } or refuse("--must-run '$pattern': $@");
}
if (defined $junit_file) {
	open $junit, '>', $junit_file or refuse("$junit_file: $!");
	print $junit "<testsuite name=\"check\">\n";
}

my %sum = (pass => 0, fail => 0, skip => 0);

# report FILE ITEM: FILE is '' where there is only one input
sub report {
	my ($file, $item) = @_;
	my ($path, $why, $kind) = @$item{qw(path why kind)};
	$kind = 'fail' if $kind eq 'skip' && grep { $path =~ /$_/ } @must_run;
	$path = '(input)' if $path eq '';
	if ($junit) {
		my %result = (pass => '', skip => 'skipped', fail => 'failure');
		printf $junit "<testcase classname=\"%s\" name=\"%s\">%s</testcase>\n",
			xml($file || 'input'), xml($path),
			$result{$kind} && "<$result{$kind} message=\"" . xml($why) . '"/>';
	}
	$sum{$kind}++;
	print 'FAILED: ', $file && "$file: ", $path, $why ne '' && ": $why", "\n"
		if $kind eq 'fail';
}

# Each file, or standard input
@ARGV = ('standard input') if !@ARGV;
for my $name (@ARGV) {
	my $ktap = Ktap->new;
	my $in = *STDIN;
	$name eq 'standard input' or open $in, '<', $name or refuse("$name: $!");
	while (<$in>) {
		s/[\r\n].*//s;
		$ktap->line($_);
	}
	close $in or refuse("$name: $!");
	$ktap->end_stage;
	report(@ARGV == 1 ? '' : $name, $_) for @{$ktap->{items}};
	next if @{$ktap->{items}};
	print "FAILED: $name: no tests\n";
	$sum{fail}++;
}
if ($junit) {
	print $junit "</testsuite>\n";
	close $junit or refuse("$junit_file: $!");
}
print "$sum{pass} passed, $sum{fail} failed", $sum{skip} ? ", $sum{skip} skipped" : "", "\n";
exit($sum{fail} ? 1 : 0);
