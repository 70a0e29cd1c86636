// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the test guest: runs the jobs named on the kernel command line,
 * reports them over a virtio-serial port, and reboots, which ends QEMU when it
 * was started with -no-reboot.
 *
 *	... -- JOB [ARG]... [+ JOB [ARG]...]...
 *
 *	kselftest [ARG]...	/kselftest/run_kselftest.sh ARG...
 *	run CMD [ARG]...	any program
 *	kunit			/bin/kunit: the results of every KUnit suite
 *	shell			/bin/shell: an interactive shell on the console
 *
 * Where the kernel has kmemleak, what that finds is one more, without being named.
 *
 * The kernel passes at most 31 words on, and before them any word of its command
 * line that it does not know, which then fails as an unknown job. Over the port go
 *
 *	@@ stage NAME		"init", then one for each job
 *	@@ exit STATUS		the job has ended (128 + N: killed by signal N)
 *	@@ end BYTES		last line; number of bytes sent before it
 *
 * and between them what the jobs wrote to stdout and stderr, unchanged. A
 * newline is added where the output of a job does not end with one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT_NAME	"org.kernel.vmap.0"
#define PORT_WAIT_MS	5000

#define __printf(a, b)	__attribute__((format(printf, a, b)))

static int port = -1;			/* -1: no port */
static unsigned long long sent;		/* bytes written to the port */
static bool line_open;			/* the last of them was no newline */
static bool echo;			/* copy job output to the console */
static int sigchld;			/* signalfd */

static __printf(1, 2) void console(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	dprintf(STDERR_FILENO, "init: ");
	vdprintf(STDERR_FILENO, fmt, ap);
	dprintf(STDERR_FILENO, "\n");
	va_end(ap);
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= n;
	}
	return true;
}

static void send_bytes(const char *data, size_t size)
{
	if (!size)
		return;
	line_open = data[size - 1] != '\n';
	if (port < 0)
		return;
	if (!write_all(port, data, size)) {
		console("verdict port: %s", strerror(errno));
		close(port);
		port = -1;
		return;
	}
	sent += size;
}

/* Sends a line of init's own; never in the middle of another. */
static __printf(1, 2) void mark(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int len;

	if (line_open)
		send_bytes("\n", 1);
	va_start(ap, fmt);
	len = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	if (len > (int)sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	send_bytes(line, len);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = write_all(fd, text, strlen(text));
	close(fd);
	return ok;
}

/* The kernel's log says where a stage begins, so that a splat has a stage. */
static void begin_stage(const char *name)
{
	char line[128];

	snprintf(line, sizeof(line), "<6>guest: @@ stage %s\n", name);
	if (!echo)
		write_file("/dev/kmsg", line);
	mark("@@ stage %s", name);
}

static void mount_one(const char *type, const char *dir, const char *data)
{
	mkdir(dir, 0755);
	if (!mount(type, dir, type, 0, data))
		return;
	/* ENODEV: the kernel was built without it. ENOENT: so was its mount point. */
	if (errno != ENODEV && errno != ENOENT && errno != EBUSY)
		console("mount %s on %s: %s", type, dir, strerror(errno));
}

static void mount_all(void)
{
	static const struct {
		const char *type;
		const char *dir;
		const char *data;
	} fs[] = {
		{ "proc", "/proc", NULL },
		{ "sysfs", "/sys", NULL },
		{ "devtmpfs", "/dev", NULL },
		{ "devpts", "/dev/pts", "ptmxmode=666" },
		{ "tmpfs", "/dev/shm", "mode=1777" },
		{ "tmpfs", "/tmp", "mode=1777" },
		{ "tmpfs", "/run", "mode=755" },
		{ "debugfs", "/sys/kernel/debug", NULL },
		{ "tracefs", "/sys/kernel/tracing", NULL },
		{ "cgroup2", "/sys/fs/cgroup", NULL },
		{ "configfs", "/sys/kernel/config", NULL },
		{ "binder", "/dev/binderfs", NULL },
	};

	for (size_t i = 0; i < sizeof(fs) / sizeof(*fs); i++)
		mount_one(fs[i].type, fs[i].dir, fs[i].data);
}

static void set_up(void)
{
	umask(022);
	mount_all();
	/* Without a console the kernel starts PID 1 with no descriptors at all. */
	while (fcntl(STDERR_FILENO, F_GETFD) < 0 && open("/dev/null", O_RDWR) >= 0)
		;
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	/* Warnings go to the console; if nobody types there, all but debug messages. */
	write_file("/proc/sys/kernel/printk", echo ? "5 4 1 7" : "7 4 1 7");
	/*
	 * Who reads a maple tree takes no lock, and sees afterwards whether the node has
	 * died meanwhile.  KCSAN reports that, in stock kernels as well.
	 */
	write_file("/sys/kernel/debug/kcsan", "!mas_walk");
	sethostname("guest", 5);
	setenv("PATH", "/bin:/usr/bin:/sbin:/usr/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("SHELL", "/bin/mksh", 1);
	if (chdir("/"))
		console("chdir: %s", strerror(errno));
}

static bool read_line(const char *path, char *line, size_t size)
{
	FILE *in = fopen(path, "re");
	bool ok;

	if (!in)
		return false;
	ok = fgets(line, size, in);
	fclose(in);
	if (ok)
		line[strcspn(line, "\n")] = 0;
	return ok;
}

/* The names that udev gives to ports, for whoever knows one. */
static void link_port(const char *name, const char *device)
{
	char path[512], target[512];

	mkdir("/dev/virtio-ports", 0755);
	snprintf(path, sizeof(path), "/dev/virtio-ports/%s", name);
	snprintf(target, sizeof(target), "../%s", device);
	if (symlink(target, path) && errno != EEXIST)
		console("%s: %s", path, strerror(errno));
}

static int open_port(void)
{
	char path[512], name[128];
	const struct dirent *e;
	DIR *dir = opendir("/sys/class/virtio-ports");
	int fd = -1;

	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
		if (!read_line(path, name, sizeof(name)) || !*name)
			continue;
		link_port(name, e->d_name);
		if (strcmp(name, PORT_NAME))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return fd;
}

/* The driver learns the names of its ports some time after it was probed. */
static void find_port(int max_ms)
{
	for (int ms = 0; ms < max_ms; ms += 5) {
		port = open_port();
		if (port >= 0)
			return;
		usleep(5000);
	}
}

/* Runs in the child; argv[0] is the name of the job. */
static int run_job(char *const *argv)
{
	static const struct {
		const char *job, *program;
	} known[] = {
		{ "kselftest", "/kselftest/run_kselftest.sh" },
		{ "kunit", "/bin/kunit" },
		{ "shell", "/bin/shell" },
	};
	const char *program = NULL;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!strcmp(argv[0], known[i].job))
			program = known[i].program;
	}
	if (!strcmp(argv[0], "run") && argv[1])
		program = *++argv;
	if (program) {
		execvp(program, argv);
		perror(program);
	} else {
		fprintf(stderr, "init: no such job: %s\n", argv[0]);
	}
	return 127;
}

static pid_t start_job(char *const *argv, int out)
{
	const pid_t pid = fork();
	sigset_t none;
	int in;

	if (pid)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A shell has the console, and a session of its own. */
	if (strcmp(argv[0], "shell")) {
		setpgid(0, 0);
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
		dup2(in, STDIN_FILENO);
		dup2(out, STDOUT_FILENO);
		dup2(out, STDERR_FILENO);
	}
	exit(run_job(argv));
}

/* Reaps all children that have ended; true if the job is one of them. */
static bool reap(pid_t job, int *status)
{
	struct signalfd_siginfo info;
	bool ended = false;
	pid_t pid;
	int ret;

	while (read(sigchld, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &ret, WNOHANG)) > 0) {
		if (pid != job)
			continue;
		*status = WIFEXITED(ret) ? WEXITSTATUS(ret) : 128 + WTERMSIG(ret);
		ended = true;
	}
	return ended;
}

/*
 * Forwards what the job writes until nobody is left who could write more. What
 * the job has left running in the background is killed when the job ends, so
 * that every job starts on a quiet machine.
 */
static int forward(int in, pid_t job)
{
	struct pollfd fds[] = {
		{ .fd = in, .events = POLLIN },
		{ .fd = sigchld, .events = POLLIN },
	};
	static char buf[32768];
	int status = 0;
	ssize_t n;

	while (fds[0].fd >= 0 || job) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents) {
			n = read(in, buf, sizeof(buf));
			send_bytes(buf, n > 0 ? n : 0);
			if (echo && n > 0)
				write_all(STDOUT_FILENO, buf, n);
			if (!n)
				fds[0].fd = -1;
		}
		if (fds[1].revents && reap(job, &status)) {
			job = 0;
			kill(-1, SIGKILL);
		}
	}
	return status;
}

static int do_job(char *const *argv)
{
	int fds[2], status;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC)) {
		console("pipe: %s", strerror(errno));
		return 126;
	}
	pid = start_job(argv, fds[1]);
	close(fds[1]);
	if (pid > 0) {
		status = forward(fds[0], pid);
	} else {
		console("fork: %s", strerror(errno));
		status = 126;
	}
	close(fds[0]);
	return status;
}

/* Splits the words at "+"; an empty job is none. */
static void do_jobs(char **word)
{
	while (*word) {
		char **end = word;
		char **next;

		while (*end && strcmp(*end, "+"))
			end++;
		next = *end ? end + 1 : end;
		*end = NULL;
		if (*word) {
			begin_stage(*word);
			mark("@@ exit %d", do_job(word));
		}
		word = next;
	}
}

/* A job of its own after all others, in kernels that know what is lost. */
static void look_for_leaks(void)
{
	static char *const job[] = { "run", "kmemleak", NULL };

	if (access("/sys/kernel/debug/kmemleak", W_OK))
		return;
	begin_stage("kmemleak");
	mark("@@ exit %d", do_job(job));
}

static bool has_shell(char **word)
{
	for (bool first = true; *word; word++) {
		if (first && !strcmp(*word, "shell"))
			return true;
		first = !strcmp(*word, "+");
	}
	return false;
}

static void watch_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigchld = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
	if (getpid() != 1) {
		console("this is PID 1 of a test guest, not a command");
		return 2;
	}
	echo = has_shell(argv + 1);
	set_up();
	watch_children();
	/* A shell needs no verdict. */
	find_port(echo ? PORT_WAIT_MS / 10 : PORT_WAIT_MS);
	if (port < 0 && !echo)
		console("no virtio-serial port named " PORT_NAME);
	if (port >= 0 || echo) {
		begin_stage("init");
		if (argc < 2)
			mark("@@ exit 127");
		do_jobs(argv + 1);
		if (!echo)
			look_for_leaks();
		mark("@@ end %llu", sent);
	}
	sync();
	reboot(RB_AUTOBOOT);
	console("reboot: %s", strerror(errno));
	for (;;)
		pause();
}
