/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads KTAP and TAP line by line and counts results.
 *
 * Nesting is told by the column at which a line's text begins, once indents
 * (KUnit) and "# " prefixes (the kselftest runner) are stripped:
 *
 *	KTAP version 1			column 0, level 0
 *	1..1
 *	    1..2			column 4, level 1
 *	    ok 1 one
 *	    not ok 2 two
 *	not ok 1 suite			closes level 1, and names it
 *
 * A result that follows a deeper level is the summary of that level and is
 * not counted, unless it contradicts what it sums up.
 */
#ifndef KTAP_H
#define KTAP_H

#include <ctype.h>
#include <err.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KTAP_DEPTH	32

enum ktap_kind { KTAP_OTHER, KTAP_PASS, KTAP_FAIL, KTAP_SKIP };

/**
 * struct ktap_item - one result
 * @path: names from the outermost test to this one, "" for the whole input
 * @why: what the result line said, or what is wrong with the input
 * @kind: passed, failed or skipped
 */
struct ktap_item {
	char *path;
	char *why;
	enum ktap_kind kind;
};

/**
 * struct ktap_level - the results that begin at one column
 * @col: that column
 * @plan: number of results announced, -1 if none were
 * @seen: number of results since the plan or the version line
 * @leaves: results counted here and below
 * @fails: how many of them failed
 * @first: first of ktap.item that belongs here
 */
struct ktap_level {
	int col;
	long plan;
	long seen;
	unsigned long leaves;
	unsigned long fails;
	size_t first;
};

/**
 * struct ktap - the state of one input; all zeroes is the initial state
 * @level: the levels that are open, outermost first
 * @depth: how many are open
 * @item: all results, in order
 * @nr: length of @item
 * @room: allocated length of @item
 * @passed: leaves that passed
 * @first: first of @item that belongs to the stage
 * @stage: the stage of the guest ("@@ stage"), "" if there is none
 * @running: a job of that stage has not reported its exit
 */
struct ktap {
	struct ktap_level level[KTAP_DEPTH];
	int depth;
	struct ktap_item *item;
	size_t nr;
	size_t room;
	unsigned long passed;
	size_t first;
	char stage[64];
	bool running;
};

/* One result line, taken apart. */
struct ktap_result {
	enum ktap_kind kind;
	bool ok;
	const char *name;
	const char *why;
};

static inline char *ktap_format(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int ret;

	va_start(ap, fmt);
	ret = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (ret < 0)
		err(2, "out of memory");
	return text;
}

/* Takes ownership of @why. */
static inline void ktap_add(struct ktap *k, char *why, enum ktap_kind kind)
{
	if (k->nr == k->room) {
		k->room = k->room ? 2 * k->room : 64;
		k->item = reallocarray(k->item, k->room, sizeof(*k->item));
		if (!k->item)
			err(2, "out of memory");
	}
	k->item[k->nr++] = (struct ktap_item){ ktap_format(""), why, kind };
}

/* A failure of the level that is open, or of the input as a whole. */
static inline void ktap_fault(struct ktap *k, char *why)
{
	struct ktap_level *top = k->depth ? &k->level[k->depth - 1] : NULL;

	ktap_add(k, why, KTAP_FAIL);
	if (!top)
		return;
	top->leaves++;
	top->fails++;
}

/* If @skipped, a test has ended early to say that the rest cannot be run. */
static inline void ktap_check_plan(struct ktap *k, bool skipped)
{
	struct ktap_level *top = &k->level[k->depth - 1];
	char *why;

	if (top->plan < 0 || top->seen == top->plan)
		return;
	why = ktap_format("planned %ld results, found %ld", top->plan, top->seen);
	if (!skipped || top->seen > top->plan) {
		ktap_fault(k, why);
		return;
	}
	ktap_add(k, why, KTAP_SKIP);
	top->leaves++;
}

/* Closes the innermost level and adds what it counted to @sum. */
static inline void ktap_pop(struct ktap *k, struct ktap_level *sum, bool skipped)
{
	const struct ktap_level *top = &k->level[k->depth - 1];

	ktap_check_plan(k, skipped);
	sum->leaves += top->leaves;
	sum->fails += top->fails;
	if (top->first < sum->first)
		sum->first = top->first;
	k->depth--;
}

/*
 * Closes every level right of column @col; returns what they counted. @skipped:
 * the result that sums them up is a skip.
 */
static inline struct ktap_level ktap_close(struct ktap *k, int col, bool skipped)
{
	struct ktap_level sum = { .first = k->nr };

	while (k->depth && k->level[k->depth - 1].col > col)
		ktap_pop(k, &sum, skipped);
	return sum;
}

/* The level at column @col, opened if need be. */
static inline struct ktap_level *ktap_open(struct ktap *k, int col)
{
	struct ktap_level *top = k->depth ? &k->level[k->depth - 1] : NULL;

	if (top && (top->col == col || k->depth == KTAP_DEPTH))
		return top;
	top = &k->level[k->depth++];
	*top = (struct ktap_level){ .col = col, .plan = -1, .first = k->nr };
	return top;
}

/* Levels left open right of @col have lost the result that sums them up. */
static inline void ktap_orphans(struct ktap *k, int col)
{
	const struct ktap_level sum = ktap_close(k, col, false);
	struct ktap_level *top = k->depth ? &k->level[k->depth - 1] : NULL;

	if (!sum.leaves || !top)
		return;
	top->leaves += sum.leaves;
	top->fails += sum.fails;
	ktap_fault(k, ktap_format("subtests without a result of their parent"));
}

/* A second version line or plan at one column begins a second document. */
static inline void ktap_begin(struct ktap *k, int col, long plan)
{
	struct ktap_level *top;

	ktap_orphans(k, col);
	top = ktap_open(k, col);
	if (plan < 0 || top->plan >= 0) {
		ktap_check_plan(k, false);
		top->seen = 0;
	}
	top->plan = plan;
}

static inline void ktap_prefix(struct ktap *k, size_t first, const char *name)
{
	for (size_t i = first; i < k->nr; i++) {
		char *path = k->item[i].path;

		k->item[i].path = ktap_format("%s%s%s", name, *path ? " > " : "", path);
		free(path);
	}
}

/* A summary counts only where it contradicts its subtests. */
static inline void ktap_on_summary(struct ktap *k, const struct ktap_result *r,
				   struct ktap_level *sum)
{
	char *why = NULL;

	if (r->ok && sum->fails)
		why = ktap_format("ok, though %lu below failed", sum->fails);
	else if (r->kind == KTAP_FAIL && !sum->fails)
		why = ktap_format("not ok, though nothing below failed%s%s",
				  *r->why ? ": " : "", r->why);
	if (!why)
		return;
	ktap_add(k, why, KTAP_FAIL);
	sum->leaves++;
	sum->fails++;
}

static inline void ktap_on_leaf(struct ktap *k, const struct ktap_result *r,
				struct ktap_level *sum)
{
	sum->leaves++;
	sum->fails += r->kind == KTAP_FAIL;
	k->passed += r->kind == KTAP_PASS;
	ktap_add(k, ktap_format("%s", r->why), r->kind);
}

static inline void ktap_on_result(struct ktap *k, int col, const struct ktap_result *r)
{
	struct ktap_level sum = ktap_close(k, col, r->kind == KTAP_SKIP);
	struct ktap_level *top = ktap_open(k, col);

	if (sum.leaves)
		ktap_on_summary(k, r, &sum);
	else
		ktap_on_leaf(k, r, &sum);
	ktap_prefix(k, sum.first, r->name);
	top->seen++;
	top->leaves += sum.leaves;
	top->fails += sum.fails;
}

/* Cuts a directive ("# SKIP why") off the name that precedes it. */
static inline char *ktap_cut_directive(char *text)
{
	static const char *const word[] = {
		"SKIP", "TODO", "XFAIL", "TIMEOUT", "ERROR", "exit=",
	};

	for (char *hash = text; (hash = strchr(hash, '#')); hash++) {
		char *why = hash + 1 + strspn(hash + 1, " ");

		if (hash != text && hash[-1] != ' ')
			continue;
		for (size_t i = 0; i < sizeof(word) / sizeof(*word); i++) {
			if (strncasecmp(why, word[i], strlen(word[i])))
				continue;
			for (*hash = 0; hash > text && hash[-1] == ' '; )
				*--hash = 0;
			return why;
		}
	}
	return text + strlen(text);
}

static inline bool ktap_starts(const char *text, const char *word)
{
	return !strncasecmp(text, word, strlen(word));
}

static inline enum ktap_kind ktap_kind_of(bool ok, const char *why)
{
	if (ktap_starts(why, "SKIP"))
		return KTAP_SKIP;
	if (ok)
		return KTAP_PASS;
	/* Expected to fail: neither a pass nor a failure. */
	if (ktap_starts(why, "TODO") || ktap_starts(why, "XFAIL"))
		return KTAP_SKIP;
	return KTAP_FAIL;
}

/* "ok 1 - name # SKIP why", "not ok 2 name"; modifies @text. */
static inline bool ktap_parse_result(char *text, struct ktap_result *r)
{
	char *name;

	r->ok = strncmp(text, "not ", 4);
	if (!r->ok)
		text += 4;
	if (strncmp(text, "ok ", 3) || !isdigit((unsigned char)text[3]))
		return false;
	strtoul(text + 3, &name, 10);
	if (*name && *name != ' ')
		return false;
	name += strspn(name, " ");
	if (name[0] == '-' && name[1] == ' ')
		name += 2;
	r->why = ktap_cut_directive(name);
	r->kind = ktap_kind_of(r->ok, r->why);
	/* kselftest.h puts the name of a skipped test behind the directive */
	r->name = *name ? name : *r->why ? r->why : text;
	return true;
}

static inline bool ktap_parse_plan(const char *text, long *plan)
{
	char *end;

	if (strncmp(text, "1..", 3) || !isdigit((unsigned char)text[3]))
		return false;
	*plan = strtol(text + 3, &end, 10);
	end += strspn(end, " ");
	return !*end || *end == '#';
}

/* The stage ends, and with it all that its job has printed. */
static inline void ktap_end_stage(struct ktap *k)
{
	if (k->depth) {
		ktap_orphans(k, k->level[0].col);
		ktap_close(k, -1, false);
	}
	if (k->running)
		ktap_fault(k, ktap_format("has not ended"));
	k->running = false;
	for (size_t i = k->first; i < k->nr && *k->stage; i++) {
		if (*k->item[i].path)
			continue;
		free(k->item[i].path);
		k->item[i].path = ktap_format("stage %s", k->stage);
	}
	k->first = k->nr;
}

/* "@@ stage NAME", "@@ exit STATUS"; the stage "init" is no job. */
static inline enum ktap_kind ktap_on_mark(struct ktap *k, const char *text)
{
	int status;

	if (sscanf(text, "exit %d", &status) == 1) {
		k->running = false;
		if (status)
			ktap_add(k, ktap_format("exit status %d", status), KTAP_FAIL);
		ktap_end_stage(k);
		return status ? KTAP_FAIL : KTAP_OTHER;
	}
	if (strncmp(text, "stage ", 6))
		return KTAP_OTHER;
	ktap_end_stage(k);
	snprintf(k->stage, sizeof(k->stage), "%.63s", text + 6);
	k->running = strcmp(k->stage, "init");
	return KTAP_OTHER;
}

static inline int ktap_column(const char *line)
{
	int col = 0;

	for (;;) {
		if (line[col] == ' ' || line[col] == '\t')
			col++;
		else if (line[col] == '#' && line[col + 1] == ' ')
			col += 2;
		else
			return col;
	}
}

/**
 * ktap_line() - read one line
 * @k: what was read so far
 * @line: without its newline; modified
 *
 * Return: the kind of result the line holds, KTAP_OTHER if it holds none.
 */
static inline enum ktap_kind ktap_line(struct ktap *k, char *line)
{
	const int col = ktap_column(line);
	struct ktap_result result;
	char *text = line + col;
	long plan;

	if (!strncmp(line, "@@ ", 3))
		return ktap_on_mark(k, line + 3);
	if (ktap_starts(text, "KTAP version ") || ktap_starts(text, "TAP version ")) {
		ktap_begin(k, col, -1);
	} else if (ktap_parse_plan(text, &plan)) {
		ktap_begin(k, col, plan);
	} else if (!strncmp(text, "Bail out!", 9)) {
		ktap_close(k, col, false);
		ktap_open(k, col)->plan = -1;
		ktap_fault(k, ktap_format("%s", text));
		return KTAP_FAIL;
	} else if (ktap_parse_result(text, &result)) {
		ktap_on_result(k, col, &result);
		return result.kind;
	}
	return KTAP_OTHER;
}

/**
 * ktap_finish() - the input has ended
 * @k: what was read; its items and counts are final afterwards
 */
static inline void ktap_finish(struct ktap *k)
{
	ktap_end_stage(k);
}

#endif
