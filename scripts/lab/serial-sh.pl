#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-only
#
# serial-sh.pl LINE COMMAND: run a command in a shell that waits at the other end of a
# serial line, as ssh does over the network
#
# LINE is a tty, or the socket that stands for one of a guest. Standard input, if it is
# no terminal, becomes that of the command, and its output, with what it writes to
# stderr, ours; the exit status is its own, or 255 if the line is dead.
#
# The other end needs sh, base64 and printf. A tty there may echo, and drops what comes
# faster than it is read: input goes as lines of base64, some at a time, until a word
# comes back. What marks the output is not found in any echo.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use MIME::Base64;

my $BYTES = 57;			# of a line before base64
my $LINES = 40;			# until an answer: under 4 KiB
my $DEAD = 600;			# seconds of silence, and the line is dead

@ARGV == 2 or do {
	print STDERR "usage: serial-sh.pl LINE COMMAND\n";
	exit 255;
};
my ($path, $command) = @ARGV;
my ($line, $buffer) = (undef, '');
$| = 1;

sub refuse {
	print STDERR "serial-sh: $path: @_\n";
	exit 255;
}

sub put {
	my ($text) = @_;
	while ($text ne '') {
		my $n = syswrite $line, $text or refuse($!);
		substr($text, 0, $n) = '';
	}
}

# get_line: the next one, without what ends it
sub get_line {
	my $end;
	while (($end = index $buffer, "\n") < 0) {
		IO::Select->new($line)->can_read($DEAD) or refuse('no answer');
		sysread $line, $buffer, 4096, length $buffer or refuse('the other end is gone');
	}
	my $text = substr $buffer, 0, $end + 1, '';
	return $text =~ tr/\r\n//dr;
}

# wait_for: a line that ends with that word: a prompt may precede it
sub wait_for {
	my ($word) = @_;
	1 until get_line() =~ /\Q$word\E$/;
}

# What a terminal takes as one line, in base64
length $command <= 3069 or refuse('the command is too long');
-e $path or refuse($!);
if (-S $path) {
	$line = IO::Socket::UNIX->new($path) or refuse($!);
} else {
	open $line, '+<', $path or refuse($!);
	# The speed is what it was set to, by stty
	system('stty', '-F', $path, 'raw', '-echo', '-iexten', 'cs8', '-parenb') == 0 or refuse('neither a tty nor a socket');
}

# The shell there, at its prompt, reads a command and its input, and answers.  What it
# types back has no word of ours in one piece.
put("\n sh -c 'f=\${TMPDIR:-/tmp}/serial.\$\$; printf \"@@%s\\n\" go; read -r c; " .
    'while read -r l; do case $l in @ack) printf "@@%s\n" ack >&2;; @eof) break;; ' .
    '*) echo $l;; esac; done | base64 -d >$f; printf "@@%s\n" run; ' .
    "(eval \"\$(echo \$c | base64 -d)\") <\$f 2>&1; printf \"\\n@@%s \$?\\n\" end; rm -f \$f'\n");
wait_for('@@go');
put(encode_base64($command, '') . "\n");
for (my $n = 1; !-t STDIN && read STDIN, my($in), $BYTES; $n++) {
	put(encode_base64($in, '') . "\n");
	next if $n % $LINES;
	put("\@ack\n");
	wait_for('@@ack');
}
put("\@eof\n");
wait_for('@@run');

# A newline of ours precedes the end
my $empty;
for (;;) {
	my $text = get_line();
	exit $1 if $text =~ /^\@\@end (\d+)/;
	print "\n" if $empty;
	$empty = $text eq '';
	print "$text\n" if !$empty;
}
