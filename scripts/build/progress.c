// SPDX-License-Identifier: GPL-2.0-only
/*
 * progress: run a command, keep its output in a log, show how far it is.
 *
 * On a terminal one live line says what runs, how many objects of how many are
 * done, for how long, and the current file; elsewhere a short line every minute.
 * With --if-long, nothing is said of a command that took under two seconds.
 * An object is a line of kbuild's, "  CC      mm/vmap.o".  When the command
 * fails, the last error lines and the path of the log are printed.  The exit
 * status is the command's, but 28 (ENOSPC) if it failed and said that the disk
 * is full.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LINES		12
#define LINE_MAX_LEN	1024
#define PIPE_PERIOD	60.0	/* seconds between lines when not on a terminal */
#define TTY_PERIOD	0.2
#define STATUS_FULL	ENOSPC	/* exit status when the disk was full */

struct ring {
	char line[LINES][LINE_MAX_LEN];
	unsigned int count;
};

static struct {
	const char *title;
	const char *unit;
	const char *log_path;
	FILE *log;
	unsigned long expect;
	unsigned long done;
	bool all_lines;
	bool verbose;
	bool quiet_errors;
	bool if_long;
	bool no_space;
	bool tty;
	double start;
	double shown;
	char current[256];
} job = { .title = "work", .unit = "objects" };

static struct ring last_lines, error_lines;
static pid_t child;
static volatile sig_atomic_t interrupted;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void ring_add(struct ring *ring, const char *line)
{
	snprintf(ring->line[ring->count++ % LINES], LINE_MAX_LEN, "%s", line);
}

static void ring_print(const struct ring *ring)
{
	unsigned int i = ring->count > LINES ? ring->count - LINES : 0;

	for (; i < ring->count; i++)
		fprintf(stderr, "  %s\n", ring->line[i % LINES]);
}

static bool is_error(const char *line)
{
	static const char * const marks[] = {
		"error:", "Error ", "***", "No space left", "undefined reference",
		"fatal:", "cannot find", "Killed", "not found", NULL
	};

	/* What failed is above; this is how it went up the makes */
	if (!strncmp(line, "make", 4))
		return false;
	for (const char * const *mark = marks; *mark; mark++)
		if (strstr(line, *mark))
			return true;
	return false;
}

/* The file that a line of kbuild, tar or rsync is about; NULL if there is none. */
static const char *object_of(const char *line)
{
	const char *p = line + 2;

	if (job.all_lines)
		return *line && line[strlen(line) - 1] != '/' ? line : NULL;
	if (strncmp(line, "  ", 2) || *p < 'A' || *p > 'Z')
		return NULL;
	p += strcspn(p, " ");
	p += strspn(p, " ");
	if (!strncmp(p, "[M] ", 4))
		p += 4 + strspn(p + 4, " ");
	return *p ? p : NULL;
}

static int terminal_width(void)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || ws.ws_col < 20)
		return 80;
	return ws.ws_col;
}

static int format_status(char *buf, size_t size)
{
	unsigned int sec = now() - job.start;

	/* The estimate comes from an earlier build: never show more than it. */
	if (job.expect && job.done <= job.expect)
		return snprintf(buf, size, "%s: %lu of %lu %s, %lu%%, %u:%02u", job.title,
				job.done, job.expect, job.unit,
				job.done * 100 / job.expect, sec / 60, sec % 60);
	return snprintf(buf, size, "%s: %lu %s, %u:%02u", job.title, job.done, job.unit,
			sec / 60, sec % 60);
}

/* Behind what is done, the file at hand */
static const char *with_current(char *buf, size_t size)
{
	const size_t len = strlen(buf);

	snprintf(buf + len, size - len, "  %s", job.current);
	return buf;
}

static void show(void)
{
	char buf[1024];

	format_status(buf, sizeof(buf));
	if (job.tty)
		printf("\r\033[K%.*s", terminal_width() - 1, with_current(buf, sizeof(buf)));
	else
		puts(buf);
	fflush(stdout);
	job.shown = now();
}

static void show_if_due(void)
{
	if (job.verbose)
		return;
	if (now() - job.shown >= (job.tty ? TTY_PERIOD : PIPE_PERIOD))
		show();
}

static void take_line(const char *line)
{
	const char *object = object_of(line);

	if (job.log)
		fprintf(job.log, "%s\n", line);
	if (job.verbose)
		puts(line);
	if (object) {
		job.done++;
		snprintf(job.current, sizeof(job.current), "%.255s", object);
	}
	if (strstr(line, strerror(ENOSPC)))
		job.no_space = true;
	ring_add(&last_lines, line);
	if (is_error(line))
		ring_add(&error_lines, line);
	show_if_due();
}

static void take_bytes(const char *bytes, size_t len)
{
	static char line[LINE_MAX_LEN];
	static size_t used;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			if (used < sizeof(line) - 1)
				line[used++] = bytes[i];
			continue;
		}
		line[used] = '\0';
		used = 0;
		take_line(line);
	}
}

static void follow(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char bytes[16384];
	ssize_t len;

	for (;;) {
		if (poll(&pfd, 1, 200) <= 0) {
			show_if_due();
			continue;
		}
		len = read(fd, bytes, sizeof(bytes));
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return;
		take_bytes(bytes, len);
	}
}

static void pass_on(int sig)
{
	interrupted = 1;
	if (child > 0)
		kill(child, sig);
}

static int start(char **argv)
{
	int fds[2];

	if (pipe(fds))
		return -1;
	child = fork();
	if (child < 0)
		return -1;
	if (!child) {
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(fds[1]);
	return fds[0];
}

static int wait_status(void)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (status && job.no_space)
		return STATUS_FULL;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void finish(int status)
{
	char buf[512];

	format_status(buf, sizeof(buf));
	if (job.tty && !job.verbose)
		printf("\r\033[K");
	if (!status) {
		job.expect = 0;
		format_status(buf, sizeof(buf));
		if (!job.if_long || now() - job.start > 2)
			puts(buf);
		return;
	}
	fflush(stdout);
	if (interrupted) {
		fprintf(stderr, "%s: interrupted\n", job.title);
		return;
	}
	if (job.quiet_errors)
		return;
	ring_print(error_lines.count ? &error_lines : &last_lines);
	fprintf(stderr, "%s: failed with status %d%s%s\n", job.title, status,
		job.log_path ? ", log: " : "", job.log_path ? job.log_path : "");
}

static void misuse(void)
{
	fputs("usage: progress [--title TEXT] [--unit NAME] [--log FILE] [--expect N] [--done N]\n"
	      "                [--all-lines] [--quiet-errors] [--if-long] [--verbose] -- COMMAND [ARG...]\n",
	      stderr);
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "title", required_argument, NULL, 't' },
		{ "unit", required_argument, NULL, 'u' },
		{ "log", required_argument, NULL, 'l' },
		{ "expect", required_argument, NULL, 'e' },
		{ "done", required_argument, NULL, 'd' },
		{ "all-lines", no_argument, NULL, 'a' },
		{ "if-long", no_argument, NULL, 'i' },
		{ "quiet-errors", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ }
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 't':
			job.title = optarg;
			break;
		case 'u':
			job.unit = optarg;
			break;
		case 'l':
			job.log_path = optarg;
			break;
		case 'e':
			job.expect = strtoul(optarg, NULL, 10);
			break;
		case 'd':
			job.done = strtoul(optarg, NULL, 10);
			break;
		case 'a':
			job.all_lines = true;
			break;
		case 'i':
			job.if_long = true;
			break;
		case 'q':
			job.quiet_errors = true;
			break;
		case 'v':
			job.verbose = true;
			break;
		default:
			misuse();
		}
	}
	if (optind == argc)
		misuse();
}

int main(int argc, char **argv)
{
	const struct sigaction forward = { .sa_handler = pass_on };
	int fd, status;

	parse(argc, argv);
	if (job.log_path) {
		job.log = fopen(job.log_path, "w");
		if (!job.log) {
			fprintf(stderr, "progress: %s: %s\n", job.log_path, strerror(errno));
			return 2;
		}
	}
	job.tty = isatty(STDOUT_FILENO);
	job.start = now();
	job.shown = job.start;
	sigaction(SIGINT, &forward, NULL);
	sigaction(SIGTERM, &forward, NULL);
	sigaction(SIGHUP, &forward, NULL);
	fd = start(argv + optind);
	if (fd < 0) {
		perror("progress");
		return 2;
	}
	follow(fd);
	status = wait_status();
	if (job.log)
		fclose(job.log);
	finish(status);
	return status;
}
