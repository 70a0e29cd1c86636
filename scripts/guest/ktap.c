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
	"usage: ktap [--junit FILE] [--must-run ERE]... [FILE]...\n"
	"  --junit FILE      write all results to FILE as well, as JUnit XML\n"
	"  --must-run ERE    a skipped test is a failure if its path matches\n"
	"Exits with 0 if there were tests and none failed, 1 if not, 2 on misuse.\n";

struct totals {
	unsigned long passed;
	unsigned long failed;
	unsigned long skipped;
};

static regex_t must_run[MAX_PATTERNS];
static int nr_must_run;

static void add_pattern(const char *pattern)
{
	char text[256];
	int ret;

	if (nr_must_run == MAX_PATTERNS)
		errx(2, "more than %d --must-run", MAX_PATTERNS);
	ret = regcomp(&must_run[nr_must_run], pattern, REG_EXTENDED | REG_NOSUB);
	if (ret) {
		regerror(ret, &must_run[nr_must_run], text, sizeof(text));
		errx(2, "--must-run '%s': %s", pattern, text);
	}
	nr_must_run++;
}

static FILE *junit;

static void put_xml(const char *text)
{
	for (; *text; text++) {
		if (*text == '<' || *text == '>' || *text == '&' || *text == '"')
			fprintf(junit, "&#%d;", *text);
		else
			putc((unsigned char)*text < ' ' ? ' ' : *text, junit);
	}
}

/* @result is the element for what is no pass, or NULL. */
static void put_case(const char *file, const struct ktap_item *item, const char *result)
{
	fputs("<testcase classname=\"", junit);
	put_xml(file);
	fputs("\" name=\"", junit);
	put_xml(*item->path ? item->path : "(input)");
	fputs("\">", junit);
	if (result) {
		fprintf(junit, "<%s message=\"", result);
		put_xml(item->why);
		fputs("\"/>", junit);
	}
	fputs("</testcase>\n", junit);
}

static bool may_skip(const struct ktap_item *item)
{
	for (int i = 0; i < nr_must_run; i++)
		if (!regexec(&must_run[i], item->path, 0, NULL, 0))
			return false;
	return true;
}

/* @file is NULL where there is only one input. */
static void report(const struct ktap *k, const char *file, struct totals *sum)
{
	sum->passed += k->passed;
	for (size_t i = 0; i < k->nr; i++) {
		const struct ktap_item *item = &k->item[i];
		const bool skipped = item->kind == KTAP_SKIP && may_skip(item);

		if (junit)
			put_case(file ?: "input", item, item->kind == KTAP_PASS ? NULL :
				 skipped ? "skipped" : "failure");
		sum->skipped += skipped;
		if (skipped || item->kind == KTAP_PASS)
			continue;
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
		{ "junit", required_argument, NULL, 'j' },
		{ "must-run", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'm') {
			add_pattern(optarg);
		} else if (c == 'j' && !junit) {
			junit = fopen(optarg, "w");
			if (!junit)
				err(2, "%s", optarg);
			fputs("<testsuite name=\"check\">\n", junit);
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

	if (junit) {
		fputs("</testsuite>\n", junit);
		if (fclose(junit))
			err(2, "--junit");
	}
	printf("%lu passed, %lu failed", sum.passed, sum.failed);
	if (sum.skipped)
		printf(", %lu skipped", sum.skipped);
	putchar('\n');
	return sum.failed ? 1 : 0;
}
