# SPDX-License-Identifier: GPL-2.0-only
#
# Reads KTAP and TAP line by line and counts results.
#
# Nesting is told by the column at which a line's text begins, once indents (KUnit)
# and "# " prefixes (the kselftest runner) are stripped:
#
#	KTAP version 1			column 0, level 0
#	1..1
#	    1..2			column 4, level 1
#	    ok 1 one
#	    not ok 2 two
#	not ok 1 suite			closes level 1, and names it
#
# A result that follows a deeper level is the summary of that level and is not
# counted, unless it contradicts what it sums up.
#
# An item is one result: its path from the outermost test, why it is so, and its kind:
# pass, fail or skip.  A level has its column and plan, the results seen since that,
# those counted here and below (leaves, fails), and the first item that belongs to it.
# "@@ stage NAME" and "@@ exit STATUS" are init's, see init.c.
package Ktap;
use strict;
use warnings;

sub new {
	return bless { levels => [], items => [], first => 0, stage => '',
		       running => 0 }, shift;
}

sub add {
	my ($k, $why, $kind) = @_;
	push @{$k->{items}}, { path => '', why => $why, kind => $kind };
}

# fault: a failure of the level that is open, or of the input as a whole
sub fault {
	my ($k, $why) = @_;
	$k->add($why, 'fail');
	my $top = $k->{levels}[-1] or return;
	$top->{leaves}++;
	$top->{fails}++;
}

# check_plan: if skipped, a test has ended early to say that the rest cannot be run
sub check_plan {
	my ($k, $skipped) = @_;
	my $top = $k->{levels}[-1];
	return if !defined $top->{plan} || $top->{seen} == $top->{plan};
	my $why = "planned $top->{plan} results, found $top->{seen}";
	return $k->fault($why) if !$skipped || $top->{seen} > $top->{plan};
	$k->add($why, 'skip');
	$top->{leaves}++;
}

# close_level: every one right of that column; returns what they counted
sub close_level {
	my ($k, $col, $skipped) = @_;
	my $sum = { leaves => 0, fails => 0, first => scalar @{$k->{items}} };
	while (@{$k->{levels}} && $k->{levels}[-1]{col} > $col) {
		$k->check_plan($skipped);
		my $top = pop @{$k->{levels}};
		$sum->{$_} += $top->{$_} for qw(leaves fails);
		$sum->{first} = $top->{first} if $top->{first} < $sum->{first};
	}
	return $sum;
}

# open_level: the one at that column
sub open_level {
	my ($k, $col) = @_;
	my $top = $k->{levels}[-1];
	return $top if $top && $top->{col} == $col;
	push @{$k->{levels}}, { col => $col, seen => 0, leaves => 0, fails => 0,
				first => scalar @{$k->{items}} };
	return $k->{levels}[-1];
}

# orphans: levels left open right of that column have lost the result that sums them up
sub orphans {
	my ($k, $col) = @_;
	my $sum = $k->close_level($col);
	my $top = $k->{levels}[-1];
	return if !$sum->{leaves} || !$top;
	$top->{$_} += $sum->{$_} for qw(leaves fails);
	$k->fault('subtests without a result of their parent');
}

# begin: a second version line or plan at one column begins a second document
sub begin {
	my ($k, $col, $plan) = @_;
	$k->orphans($col);
	my $top = $k->open_level($col);
	if (!defined $plan || defined $top->{plan}) {
		$k->check_plan;
		$top->{seen} = 0;
	}
	$top->{plan} = $plan;
}

# result: the summary of what is below it counts only where it contradicts that
sub result {
	my ($k, $col, $ok, $kind, $name, $why) = @_;
	my $sum = $k->close_level($col, $kind eq 'skip');
	my $top = $k->open_level($col);
	if (!$sum->{leaves}) {
		$k->add($why, $kind);
		$sum->{leaves} = 1;
		$sum->{fails} = $kind eq 'fail';
	} elsif ($ok ? $sum->{fails} : $kind eq 'fail' && !$sum->{fails}) {
		$k->add($ok ? "ok, though $sum->{fails} below failed" :
			'not ok, though nothing below failed' . ($why ne '' && ": $why"), 'fail');
		$sum->{$_}++ for qw(leaves fails);
	}
	for my $item (@{$k->{items}}[$sum->{first} .. $#{$k->{items}}]) {
		$item->{path} = $item->{path} eq '' ? $name : "$name > $item->{path}";
	}
	$top->{seen}++;
	$top->{$_} += $sum->{$_} for qw(leaves fails);
}

# end_stage: and with it all that its job has printed
sub end_stage {
	my ($k) = @_;
	if (@{$k->{levels}}) {
		$k->orphans($k->{levels}[0]{col});
		$k->close_level(-1);
	}
	$k->fault('has not ended') if $k->{running};
	$k->{running} = 0;
	for my $item (@{$k->{items}}[$k->{first} .. $#{$k->{items}}]) {
		$item->{path} = "stage $k->{stage}" if $item->{path} eq '' && $k->{stage} ne '';
	}
	$k->{first} = @{$k->{items}};
}

# mark: the stage "init" is no job
sub mark {
	my ($k, $text) = @_;
	if ($text =~ /^exit (-?\d+)/) {
		$k->{running} = 0;
		$k->add("exit status $1", 'fail') if $1;
		$k->end_stage;
		return $1 ? 'fail' : '';
	}
	if ($text =~ /^stage (.*)/) {
		$k->end_stage;
		$k->{stage} = $1;
		$k->{running} = $1 ne 'init';
	}
	return '';
}

# line: without its newline; returns the kind of result that it holds, '' if none
sub line {
	my ($k, $line) = @_;
	return $k->mark($1) if $line =~ /^@@ (.*)/;
	my ($indent, $text) = $line =~ /^((?:[ \t]|# )*)(.*)/;
	my $col = length $indent;
	if ($text =~ /^K?TAP version /i) {
		$k->begin($col);
	} elsif ($text =~ /^1\.\.(\d+) *(?:#|$)/) {
		$k->begin($col, $1);
	} elsif ($text =~ /^Bail out!/) {
		$k->close_level($col);
		delete $k->open_level($col)->{plan};
		$k->fault($text);
		return 'fail';
	} elsif ($text =~ /^(not )?(ok \d+(?: +(?:- )?(.*)|$))/) {
		my ($ok, $name, $why) = (!$1, $3 // '', '');
		my $whole = $2;
		# a name may have a # in it
		$why = $1 if $name =~ s/(?:^|(?<= ))# *((?:SKIP|TODO|XFAIL|TIMEOUT|ERROR|exit=).*)//i;
		$name =~ s/ +$//;
		my $kind = $why =~ /^SKIP/i ? 'skip' : $ok ? 'pass' :
			# expected to fail: neither a pass nor a failure
			$why =~ /^(?:TODO|XFAIL)/i ? 'skip' : 'fail';
		# kselftest.h puts the name of a skipped test behind the directive
		$k->result($col, $ok, $kind, $name ne '' ? $name : $why ne '' ? $why : $whole, $why);
		return $kind;
	}
	return '';
}

1;
