// SPDX-License-Identifier: GPL-2.0-only
/*
 * serial-sh LINE COMMAND: run a command in a shell that waits at the other end of
 * a serial line, as ssh does over the network
 *
 * LINE is a tty, or the socket that stands for one of a guest. Standard input, if
 * it is no terminal, becomes that of the command, and its output, with what it
 * writes to stderr, ours; the exit status is its own, or 255 if the line is dead.
 *
 * The other end needs sh, base64 and printf. A tty there may echo, and drops what
 * comes faster than it is read: input goes as lines of base64, some at a time,
 * until a word comes back. What marks the output is not found in any echo.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

/* Bytes of a line before base64, and lines until an answer: under 4 KiB */
#define LINE_BYTES	57
#define LINES		40
/* Silence for so long, in ms, and the line is dead */
#define DEAD_MS		600000

static const char *path;

static void die(const char *what)
{
	fprintf(stderr, "serial-sh: %s: %s\n", path, what);
	exit(255);
}

static int open_socket(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(addr.sun_path))
		die("path too long for a socket");
	memcpy(addr.sun_path, path, strlen(path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die(strerror(errno));
	return fd;
}

static int open_line(void)
{
	struct termios tty;
	struct stat st;
	int fd;

	if (stat(path, &st))
		die(strerror(errno));
	if (S_ISSOCK(st.st_mode))
		return open_socket();

	fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		die(strerror(errno));
	if (tcgetattr(fd, &tty))
		die("neither a tty nor a socket");
	/* The speed is what it was set to, by stty */
	cfmakeraw(&tty);
	if (tcsetattr(fd, TCSANOW, &tty))
		die(strerror(errno));
	return fd;
}

static void put(int fd, const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(fd, text, n);

		if (done < 0)
			die(strerror(errno));
		text += done;
		n -= done;
	}
}

/* One line, without what ends it. Returns its length. */
static size_t get_line(int fd, char *line, size_t max)
{
	static char buf[4096];
	static size_t at, have;
	size_t n = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;

		while (at < have) {
			const char c = buf[at++];

			if (c == '\n') {
				line[n] = '\0';
				return n;
			}
			if (c != '\r' && n < max - 1)
				line[n++] = c;
		}
		if (poll(&p, 1, DEAD_MS) <= 0)
			die("no answer");
		got = read(fd, buf, sizeof(buf));
		if (got <= 0)
			die("the other end is gone");
		at = 0;
		have = got;
	}
}

/* Skip lines up to the one that is @word, wherever it begins: a prompt may precede */
static void wait_for(int fd, const char *word)
{
	char line[4096];
	size_t n;

	do {
		n = get_line(fd, line, sizeof(line));
	} while (n < strlen(word) || strcmp(line + n - strlen(word), word));
}

/* @in in base64 to @out, which has room for it. Returns its length. */
static size_t encode(char *out, const unsigned char *in, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *p = out;

	for (size_t i = 0; i < n; i += 3) {
		const size_t left = n - i;
		const unsigned int v = in[i] << 16 | (left > 1 ? in[i + 1] : 0) << 8 |
				       (left > 2 ? in[i + 2] : 0);

		*p++ = digits[v >> 18];
		*p++ = digits[v >> 12 & 63];
		*p++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*p++ = left > 2 ? digits[v & 63] : '=';
	}
	return p - out;
}

/*
 * Have the shell there, which is at its prompt, read a command and its input as
 * base64, and answer. What it types back has no word of ours in one piece.
 */
static void start(int fd, const char *command)
{
	char line[4096];

	if (strlen(command) > 2 * sizeof(line) / 3)
		die("the command is too long");
	dprintf(fd, "\n sh -c 'f=${TMPDIR:-/tmp}/serial.$$; printf \"@@%%s\\n\" go; read -r c; "
		"while read -r l; do case $l in @ack) printf \"@@%%s\\n\" ack >&2;; @eof) break;; "
		"*) echo $l;; esac; done | base64 -d >$f; printf \"@@%%s\\n\" run; "
		"(eval \"$(echo $c | base64 -d)\") <$f 2>&1; printf \"\\n@@%%s $?\\n\" end; rm -f $f'\n");
	wait_for(fd, "@@go");
	line[encode(line, (const unsigned char *)command, strlen(command))] = '\0';
	dprintf(fd, "%s\n", line);
}

static void send_input(int fd)
{
	unsigned char in[LINE_BYTES];
	char out[2 * LINE_BYTES];
	unsigned int lines = 0;
	size_t n, len;

	while (!isatty(STDIN_FILENO) && (n = fread(in, 1, sizeof(in), stdin))) {
		len = encode(out, in, n);
		out[len++] = '\n';
		put(fd, out, len);
		if (++lines % LINES == 0) {
			put(fd, "@ack\n", 5);
			wait_for(fd, "@@ack");
		}
	}
	put(fd, "@eof\n", 5);
}

/* Up to the end, which a newline of ours precedes. Returns the exit status. */
static int copy_output(int fd)
{
	char line[65536];
	bool empty = false;
	int status;

	wait_for(fd, "@@run");
	for (;;) {
		get_line(fd, line, sizeof(line));
		if (sscanf(line, "@@end %d", &status) == 1)
			return status;
		if (empty)
			putchar('\n');
		empty = !*line;
		if (!empty)
			puts(line);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3) {
		fputs("usage: serial-sh LINE COMMAND\n", stderr);
		return 255;
	}
	path = argv[1];
	fd = open_line();
	start(fd, argv[2]);
	send_input(fd);
	return copy_output(fd);
}
