// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <glob.h>

#include "trace_util.h"

/* Some files take one word of @text at a time. */
int fgraph_set(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	for (; *text && n >= 0; text += n > 0 ? n : 0)
		n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

void fgraph_stop(void)
{
	fgraph_set(TRACEFS "tracing_on", "0");
}

static bool fgraph_is_on(void)
{
	return count_lines(TRACEFS "current_tracer", "function_graph");
}

/* Takes all CPUs but the first offline, or back. */
int fgraph_set_cpus(const char *online)
{
	glob_t cpus;
	int ret = 0;

	if (glob("/sys/devices/system/cpu/cpu[1-9]*/online", 0, NULL, &cpus)) {
		errno = ENODEV;
		return -1;
	}
	for (size_t i = 0; i < cpus.gl_pathc; i++)
		ret |= fgraph_set(cpus.gl_pathv[i], online);
	globfree(&cpus);
	return ret;
}

/*
 * Has the kernel change its code. Where QEMU before 8.1 emulates several CPUs, one
 * that translates what another is changing may keep it, an int3 for example, and run
 * into that at any time later: ended by QEMU's deba78709a ("accel/tcg: Always lock
 * pages before translation"). With TRACE_ALONE in the environment, there is no other
 * CPU meanwhile.
 */
static int fgraph_set_tracer(const char *tracer)
{
	const bool alone = getenv("TRACE_ALONE");
	int ret = 0;

	if (alone)
		ret = fgraph_set_cpus("0");
	if (!ret)
		ret = fgraph_set(TRACEFS "current_tracer", tracer);
	if (alone && fgraph_set_cpus("1")) {
		printf("Bail out! CPUs stay offline: %s\n", strerror(errno));
		fflush(stdout);
		_exit(1);
	}
	return ret;
}

/*
 * Forgets what was traced, and lets the kernel run at its own speed again: when a
 * program begins, as the last may have been killed, and ends.
 */
__attribute__((constructor, destructor)) void fgraph_end(void)
{
	if (!fgraph_is_on())
		return;
	fgraph_set_tracer("nop");
	fgraph_set(TRACEFS "set_ftrace_filter", "");
	fgraph_set(TRACEFS "tracing_on", "1");
}

/*
 * Traces @functions, separated by blanks, and none that they call.  They are the same
 * each time: it is the first call that has the kernel's code changed, which takes a
 * while.
 */
int fgraph_start(const char *functions)
{
	fgraph_stop();
	if (fgraph_is_on()) {
		if (fgraph_set(TRACEFS "trace", ""))
			return -1;
	} else if (fgraph_set(TRACEFS "set_ftrace_filter", functions) ||
		   fgraph_set(TRACEFS "options/funcgraph-tail", "1") ||
		   fgraph_set_tracer("function_graph")) {
		return -1;
	}
	return fgraph_set(TRACEFS "tracing_on", "1");
}

/*
 * The time in a line of the trace, in ns, if @function ends there, else 0:
 *  0) ! 123.456 us  |  function();
 *  0) * 12345.67 us |  } / * function * /
 */
static __u64 fgraph_line_ns(const char *line, const char *function)
{
	const char *p = strchr(line, ')'), *name = strstr(line, function);
	__u64 ns, unit = 1000;
	char *end;

	if (!p || !name || isalnum(name[strlen(function)]) || name[strlen(function)] == '_')
		return 0;
	p += strcspn(p, "0123456789|");
	ns = strtoull(p, &end, 10) * 1000;
	if (end == p)
		return 0;
	for (p = end + (*end == '.'); isdigit(*p); p++) {
		unit /= 10;
		ns += (*p - '0') * unit;
	}
	return strncmp(p, " us", 3) ? 0 : ns;
}

/* Times of the calls of @function, at most @max. Returns their number. */
int fgraph_read(const char *function, __u64 *ns, int max)
{
	char line[256];
	int n = 0;
	FILE *in = fopen(TRACEFS "trace", "re");

	if (!in)
		return -1;
	while (n < max && fgets(line, sizeof(line), in)) {
		ns[n] = fgraph_line_ns(line, function);
		n += !!ns[n];
	}
	fclose(in);
	return n;
}

int time_user(struct user *user, __u64 *map, __u64 *unmap, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		__u64 start;

		if (user->ready && user->ready(user))
			return -1;
		start = now_ns();
		if (user->map(user))
			return -1;
		map[i] = now_ns() - start;
		start = now_ns();
		if (user->unmap(user))
			return -1;
		unmap[i] = now_ns() - start;
	}
	return 0;
}

/*
 * Prints how long @user takes for a buffer of @bytes, and what the heap has of that.
 * Times first, since the tracer costs time, and once before that to warm up.  Fails
 * with ERANGE if the heap does not map and unmap once each time.  Flushed, for a test
 * ends with _exit().
 */
int measure_user(struct user *user, size_t bytes)
{
	__u64 map[ROUNDS], unmap[ROUNDS], traced_map[ROUNDS], unused[ROUNDS];
	__u64 heap_map[ROUNDS + 1], heap_unmap[ROUNDS + 1];
	int ret, maps, unmaps;

	if (time_user(user, map, unmap, 1) || time_user(user, map, unmap, ROUNDS) ||
	    fgraph_start("system_heap_vmap system_heap_vunmap"))
		return -1;
	ret = time_user(user, traced_map, unused, ROUNDS);
	fgraph_stop();
	maps = fgraph_read("system_heap_vmap", heap_map, ROUNDS + 1);
	unmaps = fgraph_read("system_heap_vunmap", heap_unmap, ROUNDS + 1);
	fgraph_end();
	if (ret)
		return -1;
	if (maps != ROUNDS || unmaps != ROUNDS) {
		printf("# %s: the heap maps %d times in %d rounds, and unmaps %d times\n",
		       user->name, maps, ROUNDS, unmaps);
		errno = ERANGE;
		return -1;
	}
	print_times(user->name, "fresh", "map", bytes, map, ROUNDS);
	print_times(user->name, "fresh", "unmap", bytes, unmap, ROUNDS);
	print_times(user->name, "fresh", "heap-vmap", bytes, heap_map, ROUNDS);
	print_times(user->name, "fresh", "heap-vunmap", bytes, heap_unmap, ROUNDS);
	printf("share\t%s\t%zu\t%.1f\n", user->name, bytes,
	       100.0 * median(heap_map, ROUNDS) / median(traced_map, ROUNDS));
	return fflush(stdout);
}
