// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a test guest in QEMU and says how it ended.
 *
 * The guest (scripts/guest/init.c) reports over a virtio-serial port; its
 * console is only read for kernel splats. See usage below for the contract.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"

#define TICK_MS		50
#define TICK_BYTES	1048576UL	/* read between two looks at the limits */
#define HEARTBEAT	60.0		/* seconds between lines, not on a terminal */
#define WIDTH		79		/* of these lines */
#define REPAINT		0.2		/* and between changes of the line on one */
#define LINE_SIZE	4096
#define FLOOD_BYTES	(32UL << 20)	/* from the console or the port */
#define BEFORE		3		/* console lines shown before a splat */
#define AFTER		40		/* and from its first line on */
#define MAX_LIMITS	32
#define MAX_EXPECTED	8
#define NAME_SIZE	64

static const char usage[] =
	"usage: vm-run [OPTION]... -- qemu-system-ARCH ARG...\n"
	"       vm-run --deny FILE --scan CONSOLE\n"
	"  --console FILE   what the guest writes to its console\n"
	"  --port FILE      what it writes to its port, org.kernel.vmap.0\n"
	"  --deny FILE      patterns of kernel splats, one ERE a line, # comments; without\n"
	"                   it only panics are found. A time stamp, and what precedes it,\n"
	"                   is cut off a console line before it is matched.\n"
	"                   A line '@@ expect TEXT' on the console, or several, say that what\n"
	"                   has TEXT up to a line '@@ expected' is no splat; if none comes,\n"
	"                   that is one. With '@@ allow TEXT', it need not come. A KUnit test\n"
	"                   allows as much by the lines ': expects warnings of TEXT' and\n"
	"                   ': expects no more warnings'.\n"
	"  --limit STAGE=S  kill the guest after S seconds in STAGE, 0: never; for how long\n"
	"                   QEMU waited for a busy CPU does not count. Defaults:\n"
	"                   boot=120 init=20 kselftest=1800 kunit=120 run=300 shell=0\n"
	"                   shutdown=20 other=300 (other: stages not listed)\n"
	"  --cmd FILE       write the QEMU command to FILE as well\n"
	"  --outcome FILE   and how it ended, with the lines around a first splat\n"
	"  --file NAME=FILE what it writes to another port, NAME; found before the first\n"
	"  --verbose        show the command, the stages, and what QEMU says as well\n"
	"  --quiet          show only failures and the outcome\n"
	"  --scan CONSOLE   print the lines of a console log that match; run nothing\n"
	"Appended to the command, which can be pasted:\n"
	"  -chardev file,id=vmrun_console,path=FILE -serial chardev:vmrun_console\n"
	"  -device virtio-serial-pci -chardev file,id=vmrun_port,path=FILE\n"
	"  -device virtserialport,chardev=vmrun_port,name=org.kernel.vmap.0\n"
	"The last line is 'vm-run: OUTCOME: detail'; the exit status is\n"
	"  0 passed           1 test failed   2 misuse         3 kernel splat\n"
	"  4 guest lost       5 did not boot  6 stage hung     128+N killed by signal N\n";

enum outcome { PASSED, FAILED, MISUSE, SPLAT, LOST, NO_BOOT, HUNG };

struct limit {
	char stage[NAME_SIZE];
	double seconds;
};

static struct limit limits[MAX_LIMITS] = {
	{ "boot", 120 }, { "init", 20 }, { "kselftest", 1800 }, { "kunit", 120 },
	{ "run", 300 }, { "shell", 0 }, { "shutdown", 20 }, { "other", 300 },
};

/*
 * A file that QEMU appends to, read line by line. Lines are cut at LINE_SIZE.
 * @bytes: read so far. @start: offset of the current line.
 */
struct feed {
	const char *path;
	void (*on_line)(char *line, unsigned long start);
	int fd;
	unsigned long bytes;
	unsigned long start;
	size_t len;
	char line[LINE_SIZE];
};

static struct {
	bool quiet, verbose, tty;
	const char *deny, *scan, *cmd, *outcome;
	char *file_port;		/* NAME of --file */
	const char *file;
} opt;

static struct {
	pid_t pid;			/* QEMU, leader of its process group */
	int status;			/* its wait status */
	bool ended;
	bool expired, flooded;		/* why it was killed */
	int signal;			/* that stopped vm-run */
	char errors[2048];		/* end of QEMU's stderr */
	double began;
} qemu;

static struct {
	char stage[NAME_SIZE];		/* on the port */
	double since;
	double waited;			/* of QEMU, until then */
	bool booted;			/* init was seen */
	bool ended, garbled;		/* so was "@@ end"; it does not fit */
	struct ktap ktap;
	char last[LINE_SIZE];		/* KTAP line, for show */
	double shown;
} guest = { .stage = "boot" };

static void judge_line(const char *line);
static double waited_for_cpu(void);

static struct {
	regex_t regex;
	char stage[NAME_SIZE];		/* on the console */
	char *text[BEFORE + AFTER];	/* the first splat and lines around it */
	int nr, first;			/* lines in text, index of the splat */
	char found[NAME_SIZE];		/* stage of the first splat */
	unsigned long hits;
	struct {
		char text[NAME_SIZE];
		bool seen;
	} expected[MAX_EXPECTED];
	int nr_expected;
	char held[LINE_SIZE];		/* a line that may be cut */
	bool holds;
	void (*judge)(const char *line);
} splat = { .stage = "boot", .judge = judge_line };

static void on_console(char *line, unsigned long start);
static void on_port(char *line, unsigned long start);

static struct feed console = { .on_line = on_console };
static struct feed port = { .on_line = on_port };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* --- showing ------------------------------------------------------------ */

static void clear_status(void)
{
	if (opt.tty)
		fputs("\r\033[K", stdout);
}

/* The guest may write anything; a terminal gets only what can be seen. */
static void put_visible(FILE *out, const char *text, int width)
{
	for (; *text && width > 0; text++, width--)
		fputc(iscntrl((unsigned char)*text) && *text != '\t' ? '?' : *text, out);
}

static void say_line(const char *text)
{
	clear_status();
	put_visible(stdout, text, INT_MAX);
	putchar('\n');
	fflush(stdout);
}

static void show_status(void)
{
	const double t = now();
	struct winsize size = { .ws_col = 80 };
	char head[NAME_SIZE + 32];

	if (opt.quiet || t - guest.shown < (opt.tty ? REPAINT : HEARTBEAT))
		return;
	guest.shown = t;
	snprintf(head, sizeof(head), "[%s %.0fs] ", guest.stage, t - guest.since);
	if (opt.tty) {
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
		clear_status();
	}
	fputs(head, stdout);
	put_visible(stdout, guest.last,
		    (opt.tty ? size.ws_col - 1 : WIDTH) - (int)strlen(head));
	if (!opt.tty)
		putchar('\n');
	fflush(stdout);
}

static void enter_stage(const char *name)
{
	char text[NAME_SIZE + 64];

	snprintf(guest.stage, sizeof(guest.stage), "%s", name);
	guest.since = now();
	guest.waited = waited_for_cpu();
	guest.shown = guest.since;
	guest.last[0] = 0;
	if (!opt.verbose)
		return;
	snprintf(text, sizeof(text), "vm-run: %5.1f s: %s", guest.since - qemu.began, name);
	say_line(text);
}

/* --- the console -------------------------------------------------------- */

/* "[   12.345678] ", and "[   12.345678][    T1] " */
static const char *skip_stamp(const char *p)
{
	const char *q = p + 1 + strspn(p + 1, " ");
	const size_t seconds = strspn(q, "0123456789");

	if (!seconds || q[seconds] != '.')
		return p;
	q += seconds + 1;
	q += strspn(q, "0123456789");
	if (*q != ']')
		return p;
	q++;
	if (*q == '[')
		q += strcspn(q, "]") + 1;
	return *q == ' ' ? q + 1 : q;
}

/* The kernel's text: what follows the last time stamp, or the whole line. */
static const char *kernel_text(const char *line)
{
	const char *text = line;

	for (const char *p = line; (p = strchr(p, '[')); p++) {
		const char *q = skip_stamp(p);

		if (q != p)
			text = q;
	}
	return text;
}

/* Has a test announced this line? */
static bool is_expected(const char *text)
{
	for (int i = 0; i < splat.nr_expected; i++) {
		if (strstr(text, splat.expected[i].text))
			return splat.expected[i].seen = true;
	}
	return false;
}

/*
 * "@@ expect TEXT" or "@@ allow TEXT", which counts as seen; where there is no room,
 * TEXT stays a splat. A console that goes from one CPU to the other may repeat a line.
 */
static void expect(const char *text, bool seen)
{
	if (splat.nr_expected == MAX_EXPECTED || !*text)
		return;
	for (int i = 0; i < splat.nr_expected; i++) {
		if (!strcmp(text, splat.expected[i].text))
			return;
	}
	splat.expected[splat.nr_expected].seen = seen;
	snprintf(splat.expected[splat.nr_expected++].text, NAME_SIZE, "%s", text);
}

/* "@@ expected": returns whether all of it has come. */
static bool all_came(void)
{
	char line[2 * NAME_SIZE];
	bool all = true;

	while (splat.nr_expected--) {
		if (splat.expected[splat.nr_expected].seen)
			continue;
		snprintf(line, sizeof(line), "vm-run: expected, but did not come: %s",
			 splat.expected[splat.nr_expected].text);
		say_line(line);
		all = false;
	}
	splat.nr_expected = 0;
	return all;
}

/* A line that must not be there, or that ends a wait in vain for one. */
static bool is_splat(const char *line)
{
	static const char *const allow[] = { "@@ allow ", ": expects warnings of " };
	static const char mark[] = "@@ expect";
	const char *text = kernel_text(line), *at;

	for (size_t i = 0; i < sizeof(allow) / sizeof(*allow); i++) {
		at = strstr(text, allow[i]);
		if (at) {
			expect(at + strlen(allow[i]), true);
			return false;
		}
	}
	if (strstr(text, ": expects no more warnings"))
		return !all_came();
	at = strstr(text, mark);
	if (!at)
		return !regexec(&splat.regex, text, 0, NULL, 0) && !is_expected(text);
	at += strlen(mark);
	if (!strcmp(at, "ed"))
		return !all_came();
	if (*at == ' ')
		expect(at + 1, false);
	return false;
}

/* Until the first splat, keeps the last lines; then, the lines that follow. */
static void keep_line(const char *line)
{
	if (!splat.hits && splat.nr == BEFORE) {
		free(splat.text[0]);
		memmove(splat.text, splat.text + 1, (BEFORE - 1) * sizeof(*splat.text));
		splat.nr--;
	}
	if (splat.nr < BEFORE + AFTER)
		splat.text[splat.nr++] = ktap_format("%s", line);
}

static void judge_line(const char *line)
{
	static const char mark[] = "guest: @@ stage ";
	const char *text = kernel_text(line);

	if (!strncmp(text, mark, strlen(mark)))
		snprintf(splat.stage, sizeof(splat.stage), "%.*s", NAME_SIZE - 1,
			 text + strlen(mark));
	if (!is_splat(line)) {
		keep_line(line);
		return;
	}
	if (!splat.hits) {
		splat.first = splat.nr < BEFORE ? splat.nr : BEFORE - 1;
		snprintf(splat.found, sizeof(splat.found), "%s", splat.stage);
		say_line("vm-run: kernel splat:");
		say_line(line);
	}
	keep_line(line);
	splat.hits++;
}

/* No more lines: the last one counts as it is. */
static void release_line(void)
{
	if (splat.holds)
		splat.judge(splat.held);
	splat.holds = false;
}

/*
 * A console that goes from one CPU to the other may cut a line, and say it once more.
 * So each is held until the next line tells.
 */
static void on_console(char *line, unsigned long start)
{
	(void)start;
	if (strstr(line, "** replaying previous printk message **"))
		splat.holds = false;
	release_line();
	memcpy(splat.held, line, strlen(line) + 1);
	splat.holds = true;
}

static void print_splat(FILE *out)
{
	fprintf(out, "vm-run: first of %lu lines of %s that match:\n", splat.hits, console.path);
	for (int i = 0; i < splat.nr; i++) {
		fputs(i == splat.first ? " > " : "   ", out);
		put_visible(out, splat.text[i], INT_MAX);
		fputc('\n', out);
	}
}

static void add_pattern(char *all, size_t size, const char *pattern, int lineno)
{
	const size_t len = strlen(all);
	regex_t one;
	char text[256];
	int ret;

	ret = regcomp(&one, pattern, REG_EXTENDED | REG_NOSUB);
	if (ret) {
		regerror(ret, &one, text, sizeof(text));
		errx(MISUSE, "%s:%d: %s", opt.deny, lineno, text);
	}
	regfree(&one);
	if (snprintf(all + len, size - len, "%s(%s)", len ? "|" : "", pattern) >=
	    (int)(size - len))
		errx(MISUSE, "%s:%d: too many patterns", opt.deny, lineno);
}

/* All patterns become one expression: one pass over each line. */
static void load_deny(void)
{
	char all[16384] = "", line[512];
	int lineno = 0;
	FILE *in;

	if (opt.deny) {
		in = fopen(opt.deny, "re");
		if (!in)
			err(MISUSE, "%s", opt.deny);
		while (fgets(line, sizeof(line), in)) {
			lineno++;
			line[strcspn(line, "\n")] = 0;
			if (*line && *line != '#')
				add_pattern(all, sizeof(all), line, lineno);
		}
		fclose(in);
		if (!*all)
			errx(MISUSE, "%s: no patterns", opt.deny);
	}
	if (regcomp(&splat.regex, *all ? all : "^Kernel panic - not syncing",
		    REG_EXTENDED | REG_NOSUB))
		errx(MISUSE, "%s: the patterns do not go together", opt.deny);
}

/* --- the port ----------------------------------------------------------- */

static void on_mark(const char *text, unsigned long start)
{
	unsigned long bytes;

	if (!strncmp(text, "stage ", 6)) {
		guest.booted = true;
		enter_stage(text + 6);
	} else if (sscanf(text, "end %lu", &bytes) == 1) {
		guest.ended = true;
		guest.garbled |= bytes != start;
		enter_stage("shutdown");
	}
}

static void say_exit(const char *text)
{
	char line[2 * NAME_SIZE];

	snprintf(line, sizeof(line), "vm-run: stage %s: %.32s", guest.stage, text);
	say_line(line);
}

static void on_port(char *line, unsigned long start)
{
	char copy[LINE_SIZE];

	/* Nothing may follow the end. */
	guest.garbled |= guest.ended;
	memcpy(copy, line, strlen(line) + 1);
	switch (ktap_line(&guest.ktap, copy)) {
	case KTAP_FAIL:
		if (strncmp(line, "@@ ", 3))
			say_line(line);
		else
			say_exit(line + 3);
		break;
	case KTAP_PASS:
	case KTAP_SKIP:
		memcpy(guest.last, line, strlen(line) + 1);
		break;
	case KTAP_OTHER:
		break;
	}
	if (!strncmp(line, "@@ ", 3))
		on_mark(line + 3, start);
}

/* --- reading ------------------------------------------------------------ */

static void feed_byte(struct feed *f, char c)
{
	f->bytes++;
	if (c != '\n') {
		if (f->len < sizeof(f->line) - 1)
			f->line[f->len++] = c ?: '?';
		return;
	}
	while (f->len && f->line[f->len - 1] == '\r')
		f->len--;
	f->line[f->len] = 0;
	f->on_line(f->line, f->start);
	f->len = 0;
	f->start = f->bytes;
}

/* Reads what is there, but no more than @max bytes. */
static void drain(struct feed *f, unsigned long max)
{
	char buf[65536];
	ssize_t n;

	while (max >= sizeof(buf) && (n = read(f->fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			feed_byte(f, buf[i]);
		max -= n;
	}
}

static void drain_all(struct feed *f, unsigned long max)
{
	drain(f, max);
	if (f->len)
		feed_byte(f, '\n');
}

static bool floods(const struct feed *f)
{
	struct stat st;

	return !fstat(f->fd, &st) && (unsigned long)st.st_size > FLOOD_BYTES;
}

/* QEMU's stdout and stderr: the end is kept. */
static void read_errors(int fd)
{
	char buf[1024];
	size_t len = strlen(qemu.errors);
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (opt.verbose) {
			clear_status();
			fwrite(buf, 1, n, stdout);
		}
		if (len + n >= sizeof(qemu.errors)) {
			len = sizeof(qemu.errors) / 4;
			memmove(qemu.errors, qemu.errors + strlen(qemu.errors) - len, len);
		}
		memcpy(qemu.errors + len, buf, n);
		len += n;
		qemu.errors[len] = 0;
	}
}

/* --- running ------------------------------------------------------------ */

static double limit_of(const char *stage)
{
	double other = 0;

	for (int i = 0; i < MAX_LIMITS && *limits[i].stage; i++) {
		if (!strcmp(limits[i].stage, stage))
			return limits[i].seconds;
		if (!strcmp(limits[i].stage, "other"))
			other = limits[i].seconds;
	}
	return other;
}

/*
 * What QEMU's threads had of the CPUs, as far as the kernel says.  What a thread has
 * waited is counted when it gets a CPU, and not before.
 */
struct cpu_use {
	double waited;			/* seconds: ready to run, without a CPU; the most of any */
	unsigned long long ran;		/* nanoseconds, of all */
	bool ready;			/* one runs, or waits for a CPU */
};

static void add_thread(struct cpu_use *use, const char *tid)
{
	unsigned long long ran, waited;
	char path[64 + NAME_MAX], state;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", qemu.pid, tid);
	in = fopen(path, "re");
	if (!in)
		return;
	if (fscanf(in, "%llu %llu", &ran, &waited) == 2) {
		use->ran += ran;
		if (waited / 1e9 > use->waited)
			use->waited = waited / 1e9;
	}
	fclose(in);

	snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", qemu.pid, tid);
	in = fopen(path, "re");
	if (!in)
		return;
	if (fscanf(in, "%*[^)]) %c", &state) == 1 && state == 'R')
		use->ready = true;
	fclose(in);
}

static struct cpu_use cpu_use(void)
{
	struct cpu_use use = {};
	const struct dirent *e;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", qemu.pid);
	tasks = opendir(path);
	while (tasks && (e = readdir(tasks))) {
		if (*e->d_name != '.')
			add_thread(&use, e->d_name);
	}
	if (tasks)
		closedir(tasks);
	return use;
}

/* For how many seconds QEMU was ready to run and had no CPU, so far. */
static double waited_for_cpu(void)
{
	static double most;
	const double waited = cpu_use().waited;

	if (waited > most)
		most = waited;
	return most;
}

/* QEMU waits for a CPU right now: it is ready, and does not get on. */
static bool waits_for_cpu(void)
{
	const struct cpu_use before = cpu_use();

	poll(NULL, 0, TICK_MS);
	return before.ready && cpu_use().ran == before.ran;
}

/* A machine that is busy with other things is no guest that hangs. */
static bool is_over(double limit)
{
	const double passed = now() - guest.since;

	return limit > 0 && passed > limit &&
	       passed - (waited_for_cpu() - guest.waited) > limit && !waits_for_cpu() &&
	       passed - (waited_for_cpu() - guest.waited) > limit;
}

static void kill_qemu(void)
{
	kill(-qemu.pid, SIGKILL);
}

static void check_limits(void)
{
	if (qemu.expired || qemu.flooded)
		return;
	if (floods(&console) || floods(&port))
		qemu.flooded = true;
	else if (is_over(limit_of(guest.stage)))
		qemu.expired = true;
	else
		return;
	kill_qemu();
}

static void on_signals(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD) {
			qemu.signal = info.ssi_signo;
			kill_qemu();
		} else if (waitpid(qemu.pid, &qemu.status, WNOHANG) == qemu.pid) {
			qemu.ended = true;
		}
	}
}

static void follow(int signals, int errors)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = errors, .events = POLLIN },
	};

	while (!qemu.ended) {
		poll(fds, 2, TICK_MS);
		if (fds[1].revents & POLLIN)
			read_errors(errors);
		else if (fds[1].revents)
			fds[1].fd = -1;
		on_signals(signals);
		drain(&console, TICK_BYTES);
		drain(&port, TICK_BYTES);
		check_limits();
		show_status();
	}
	kill_qemu();		/* what it may have left behind */
	read_errors(errors);
	drain_all(&console, FLOOD_BYTES);
	drain_all(&port, FLOOD_BYTES);
	ktap_finish(&guest.ktap);
	clear_status();
}

static void exec_qemu(char **argv, int errors)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(errors, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int block_signals(void)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigaddset(&set, signals[i]);
		signal(signals[i], SIG_DFL);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void run_qemu(char **argv)
{
	const int signals = block_signals();
	int fds[2];

	if (signals < 0 || pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		err(MISUSE, "cannot start");
	qemu.began = now();
	guest.since = qemu.began;
	guest.shown = qemu.began;
	fflush(stdout);
	qemu.pid = fork();
	if (qemu.pid < 0)
		err(MISUSE, "fork");
	if (!qemu.pid)
		exec_qemu(argv, fds[1]);
	setpgid(qemu.pid, qemu.pid);
	close(fds[1]);
	follow(signals, fds[0]);
}

/* --- the command -------------------------------------------------------- */

static void open_feed(struct feed *f)
{
	const int flags = O_RDONLY | O_CREAT | O_TRUNC | O_CLOEXEC;

	f->fd = open(f->path, flags, 0644);
	if (f->fd < 0)
		err(MISUSE, "%s", f->path);
}

/* In a QEMU option a comma is written twice. */
static char *chardev(const char *id, const char *path)
{
	char twice[8192];
	size_t n = 0;

	for (; *path && n < sizeof(twice) - 2; path++) {
		if (*path == ',')
			twice[n++] = ',';
		twice[n++] = *path;
	}
	twice[n] = 0;
	return ktap_format("file,id=%s,path=%s", id, twice);
}

static char **full_command(char **argv, int argc)
{
	const char *const first[] = {
		"-chardev", chardev("vmrun_console", console.path),
		"-serial", "chardev:vmrun_console",
		"-device", "virtio-serial-pci",
	};
	const char *const file[] = {
		"-chardev", chardev("vmrun_file", opt.file ?: ""),
		"-device", ktap_format("virtserialport,chardev=vmrun_file,name=%s",
				       opt.file_port ?: ""),
	};
	const char *const last[] = {
		"-chardev", chardev("vmrun_port", port.path),
		"-device", "virtserialport,chardev=vmrun_port,name=org.kernel.vmap.0",
		NULL
	};
	char **full = calloc(argc + (sizeof(first) + sizeof(file) + sizeof(last)) /
			     sizeof(*full), sizeof(*full));
	char **end = full;

	if (!full)
		err(MISUSE, "out of memory");
	end = mempcpy(end, argv, argc * sizeof(*full));
	end = mempcpy(end, first, sizeof(first));
	/* The guest learns of its ports in this order. */
	if (opt.file)
		end = mempcpy(end, file, sizeof(file));
	memcpy(end, last, sizeof(last));
	return full;
}

static bool is_plain(const char *word)
{
	const char *c = word;

	while (isalnum((unsigned char)*c) || (*c && strchr("_-+=:,./@%", *c)))
		c++;
	return c != word && !*c;
}

static void put_quoted(FILE *out, const char *word)
{
	if (is_plain(word)) {
		fputs(word, out);
		return;
	}
	putc('\'', out);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\'", out);
		putc(*word, out);
	}
	putc('\'', out);
}

static void print_command(FILE *out, char **argv)
{
	for (int i = 0; argv[i]; i++) {
		if (i)
			putc(' ', out);
		put_quoted(out, argv[i]);
	}
	putc('\n', out);
}

static void save_command(char **argv)
{
	FILE *out;

	if (!opt.cmd)
		return;
	out = fopen(opt.cmd, "we");
	if (!out)
		err(MISUSE, "%s", opt.cmd);
	print_command(out, argv);
	if (fclose(out))
		err(MISUSE, "%s", opt.cmd);
}

/* --- the outcome -------------------------------------------------------- */

static unsigned long print_failures(void)
{
	const struct ktap *k = &guest.ktap;
	unsigned long failed = 0;

	for (size_t i = 0; i < k->nr; i++) {
		if (k->item[i].kind != KTAP_FAIL)
			continue;
		if (!failed++)
			puts("vm-run: failed:");
		fputs("  ", stdout);
		put_visible(stdout, k->item[i].path, INT_MAX);
		fputs(*k->item[i].why ? ": " : "", stdout);
		put_visible(stdout, k->item[i].why, INT_MAX);
		putchar('\n');
	}
	return failed;
}

static const char *how_qemu_ended(void)
{
	static char text[256];
	char *last = qemu.errors;
	size_t len = strlen(last);

	while (len && last[len - 1] == '\n')
		last[--len] = 0;
	if (strrchr(last, '\n'))
		last = strrchr(last, '\n') + 1;
	if (WIFSIGNALED(qemu.status))
		snprintf(text, sizeof(text), "QEMU was killed by signal %d",
			 WTERMSIG(qemu.status));
	else
		snprintf(text, sizeof(text), "QEMU exited with status %d%s%.180s",
			 WEXITSTATUS(qemu.status), *last ? ": " : "", last);
	return text;
}

static void print_outcome(FILE *out, enum outcome outcome, const char *detail)
{
	static const char *const name[] = {
		"passed", "test failed", "misuse", "kernel splat",
		"guest lost", "did not boot", "stage hung",
	};

	if (splat.hits)
		print_splat(out);
	fprintf(out, "vm-run: %s: %s\n", name[outcome], detail);
}

static enum outcome finish(enum outcome outcome, const char *detail)
{
	FILE *out;

	print_outcome(stdout, outcome, detail);
	if (!opt.outcome)
		return outcome;

	out = fopen(opt.outcome, "we");
	if (!out)
		err(MISUSE, "%s", opt.outcome);
	/* As of when the last stage began. */
	fprintf(out, "vm-run: QEMU waited for a CPU: %.3f s\n", guest.waited);
	print_outcome(out, outcome, detail);
	if (fclose(out))
		err(MISUSE, "%s", opt.outcome);
	return outcome;
}

/* A guest that did not report to the end. */
static enum outcome unfinished(void)
{
	const char *stage = guest.stage;
	char text[512];

	if (qemu.flooded) {
		snprintf(text, sizeof(text), "stage %s: more than %lu MiB of output on the %s",
			 stage, FLOOD_BYTES >> 20,
			 floods(&port) ? "port" : "console");
		return finish(HUNG, text);
	}
	if (!guest.booted && qemu.expired) {
		snprintf(text, sizeof(text), "no word from init in %g s", limit_of(stage));
		return finish(NO_BOOT, text);
	}
	if (!guest.booted)
		return finish(NO_BOOT, how_qemu_ended());
	if (qemu.expired) {
		snprintf(text, sizeof(text), "stage %s: more than %g s", stage,
			 limit_of(stage));
		return finish(HUNG, text);
	}
	snprintf(text, sizeof(text), "stage %s: %s: %s", stage,
		 guest.garbled ? "bytes are missing from the port or are not the guest's" :
				 "the port ended without @@ end",
		 how_qemu_ended());
	return finish(LOST, text);
}

static enum outcome conclude(void)
{
	const unsigned long failed = print_failures();
	const double passed = now() - qemu.began;
	unsigned long skipped = 0;
	char text[512];

	release_line();
	if (splat.hits) {
		snprintf(text, sizeof(text), "stage %s: %.300s", splat.found,
			 kernel_text(splat.text[splat.first]));
		return finish(SPLAT, text);
	}
	if (!guest.ended || guest.garbled || qemu.expired || qemu.flooded)
		return unfinished();
	if (splat.nr_expected) {
		snprintf(text, sizeof(text), "stage %s: no '@@ expected' after '@@ expect %s'",
			 splat.stage, splat.expected[0].text);
		return finish(SPLAT, text);
	}
	for (size_t i = 0; i < guest.ktap.nr; i++)
		skipped += guest.ktap.item[i].kind == KTAP_SKIP;
	snprintf(text, sizeof(text), "%lu passed, %lu failed, %lu skipped in %.1f s",
		 guest.ktap.passed, failed, skipped, passed);
	return finish(failed ? FAILED : PASSED, text);
}

/* --- options ------------------------------------------------------------ */

static void set_limit(const char *arg)
{
	const char *equals = strchr(arg, '=');
	const int len = equals ? equals - arg : 0;
	char *end = NULL;
	double seconds = 0;
	int i = 0;

	if (equals)
		seconds = strtod(equals + 1, &end);
	if (!len || len >= NAME_SIZE || end == equals + 1 || *end || !(seconds >= 0))
		errx(MISUSE, "--limit takes STAGE=SECONDS, not '%s'", arg);
	while (i < MAX_LIMITS && *limits[i].stage &&
	       (strncmp(limits[i].stage, arg, len) || limits[i].stage[len]))
		i++;
	if (i == MAX_LIMITS)
		errx(MISUSE, "more than %d stages with limits", MAX_LIMITS);
	snprintf(limits[i].stage, NAME_SIZE, "%.*s", len, arg);
	limits[i].seconds = seconds;
}

static void set_file(char *arg)
{
	char *equals = strchr(arg, '=');

	if (!equals || equals == arg || !equals[1] || strcspn(arg, ",") < (size_t)(equals - arg))
		errx(MISUSE, "--file takes NAME=FILE, not '%s'", arg);
	*equals = 0;
	opt.file_port = arg;
	opt.file = equals + 1;
}

static void help(bool wanted)
{
	fputs(usage, wanted ? stdout : stderr);
	exit(wanted ? 0 : MISUSE);
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "console", required_argument, NULL, 'c' },
		{ "port", required_argument, NULL, 'p' },
		{ "deny", required_argument, NULL, 'd' },
		{ "limit", required_argument, NULL, 'l' },
		{ "cmd", required_argument, NULL, 'm' },
		{ "outcome", required_argument, NULL, 'o' },
		{ "file", required_argument, NULL, 'f' },
		{ "scan", required_argument, NULL, 's' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			console.path = optarg;
			break;
		case 'p':
			port.path = optarg;
			break;
		case 'd':
			opt.deny = optarg;
			break;
		case 'l':
			set_limit(optarg);
			break;
		case 'm':
			opt.cmd = optarg;
			break;
		case 'o':
			opt.outcome = optarg;
			break;
		case 'f':
			set_file(optarg);
			break;
		case 's':
			opt.scan = optarg;
			break;
		case 'q':
			opt.quiet = true;
			break;
		case 'v':
			opt.verbose = true;
			break;
		default:
			help(c == 'h');
		}
	}
	if (!opt.scan && (optind == argc || !console.path || !port.path))
		help(false);
}

static void scan_line(const char *line)
{
	if (!is_splat(line))
		return;
	puts(line);
	splat.hits++;
}

static enum outcome scan(void)
{
	struct feed f = { .path = opt.scan, .on_line = on_console };

	splat.judge = scan_line;
	f.fd = open(f.path, O_RDONLY | O_CLOEXEC);
	if (f.fd < 0)
		err(MISUSE, "%s", f.path);
	drain_all(&f, -1UL);
	release_line();
	return splat.hits ? SPLAT : PASSED;
}

int main(int argc, char **argv)
{
	enum outcome outcome;
	char **command;

	parse_options(argc, argv);
	load_deny();
	if (opt.scan)
		return scan();
	opt.tty = isatty(STDOUT_FILENO) && !opt.quiet;
	open_feed(&console);
	open_feed(&port);
	command = full_command(argv + optind, argc - optind);
	save_command(command);
	if (opt.verbose)
		print_command(stdout, command);

	run_qemu(command);
	if (qemu.signal) {
		printf("vm-run: interrupted: stage %s: %s\n", guest.stage,
		       strsignal(qemu.signal));
		return 128 + qemu.signal;
	}
	if (!opt.verbose && !opt.cmd && (splat.hits || !guest.ended))
		print_command(stdout, command);
	outcome = conclude();
	fflush(stdout);
	return outcome;
}
