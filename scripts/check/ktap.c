// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the results in KTAP or TAP: files, or standard input.
 *
 * Lists every failure with the names of the tests around it. The last line is
 * "N passed, N failed" or "N passed, N failed, N skipped".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <regex.h>

#include "ktap.h"

#define MAX_PATTERNS	64

static const char usage[] =
	"usage: ktap [--no-skip] [--allow-skip ERE]... [--must-run ERE]... [FILE]...\n"
	"  --no-skip         a skipped test is a failure\n"
	"  --allow-skip ERE  like --no-skip, but tests whose path or reason\n"
	"                    matches may be skipped\n"
	"  --must-run ERE    a skipped test is a failure if its path matches\n"
	"Exits with 0 if there were tests and none failed, 1 if not, 2 on misuse.\n";

struct totals {
	unsigned long passed;
	unsigned long failed;
	unsigned long skipped;
};

struct patterns {
	const char *option;
	regex_t regex[MAX_PATTERNS];
	int nr;
};

static bool skips_fail;
static struct patterns allowed = { .option = "--allow-skip" };
static struct patterns must_run = { .option = "--must-run" };

static void add_pattern(struct patterns *p, const char *pattern)
{
	char text[256];
	int ret;

	if (p->nr == MAX_PATTERNS)
		errx(2, "more than %d %s", MAX_PATTERNS, p->option);
	ret = regcomp(&p->regex[p->nr], pattern, REG_EXTENDED | REG_NOSUB);
	if (ret) {
		regerror(ret, &p->regex[p->nr], text, sizeof(text));
		errx(2, "%s '%s': %s", p->option, pattern, text);
	}
	p->nr++;
}

static bool matches(const struct patterns *p, const char *text)
{
	for (int i = 0; i < p->nr; i++)
		if (!regexec(&p->regex[i], text, 0, NULL, 0))
			return true;
	return false;
}

static bool may_skip(const struct ktap_item *item)
{
	if (matches(&must_run, item->path))
		return false;
	return !skips_fail || matches(&allowed, item->path) || matches(&allowed, item->why);
}

/* @file is NULL where there is only one input. */
static void report(const struct ktap *k, const char *file, struct totals *sum)
{
	sum->passed += k->passed;
	for (size_t i = 0; i < k->nr; i++) {
		const struct ktap_item *item = &k->item[i];

		if (item->skip && may_skip(item)) {
			sum->skipped++;
			continue;
		}
		sum->failed++;
		printf("FAILED: %s%s%s%s%s\n", file ? file : "", file ? ": " : "",
		       *item->path ? item->path : "(input)",
		       *item->why ? ": " : "", item->why);
	}
}

static void discard(struct ktap *k)
{
	for (size_t i = 0; i < k->nr; i++) {
		free(k->item[i].path);
		free(k->item[i].why);
	}
	free(k->item);
}

static void count(FILE *in, const char *name, bool alone, struct totals *sum)
{
	struct ktap k = { 0 };
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, in) >= 0) {
		line[strcspn(line, "\r\n")] = 0;
		ktap_line(&k, line);
	}
	if (ferror(in))
		err(2, "%s", name);
	free(line);
	ktap_finish(&k);
	report(&k, alone ? NULL : name, sum);
	if (!k.passed && !k.nr) {
		printf("FAILED: %s: no tests\n", name);
		sum->failed++;
	}
	discard(&k);
}

static void count_file(const char *name, bool alone, struct totals *sum)
{
	FILE *in = fopen(name, "r");

	if (!in)
		err(2, "%s", name);
	count(in, name, alone, sum);
	fclose(in);
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "no-skip", no_argument, NULL, 'n' },
		{ "allow-skip", required_argument, NULL, 'a' },
		{ "must-run", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n') {
			skips_fail = true;
		} else if (c == 'a') {
			add_pattern(&allowed, optarg);
			skips_fail = true;
		} else if (c == 'm') {
			add_pattern(&must_run, optarg);
		} else {
			fputs(usage, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
}

int main(int argc, char **argv)
{
	struct totals sum = { 0 };

	parse_options(argc, argv);
	if (optind == argc)
		count(stdin, "standard input", true, &sum);
	for (int i = optind; i < argc; i++)
		count_file(argv[i], argc - optind == 1, &sum);

	printf("%lu passed, %lu failed", sum.passed, sum.failed);
	if (sum.skipped)
		printf(", %lu skipped", sum.skipped);
	putchar('\n');
	return sum.failed ? 1 : 0;
}
