/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random choices that a seed repeats, and options that are numbers.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/types.h>

/* SplitMix64: any seed is as good as any other. */
static inline __u64 random_number(__u64 *seed)
{
	__u64 z = *seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static inline unsigned int below(__u64 *seed, unsigned int n)
{
	return (random_number(seed) >> 32) % n;
}

/* Ends the program if @text is no number up to @max. */
static inline unsigned long long parse_number(const char *program, const char *text,
					      unsigned long long max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (!errno && *text >= '0' && *text <= '9' && !*end && n <= max)
		return n;
	fprintf(stderr, "%s: must be a number, at most %llu: %s\n", program, max, text);
	exit(2);
}

#endif /* RANDOM_H */
