// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints the frequency of this machine's time stamp counter, in kHz.
 *
 * QEMU's emulated x86 CPUs pass the counter on.  Their kernel measures it with
 * the PIT, in vain where the machine is busy, and is left with the clock of
 * ticks; tsc_early_khz= on its command line tells it.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define MEASURE_NS	50000000ULL
#define TRIES		5

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>

struct stamp {
	uint64_t ns;
	uint64_t ticks;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Both clocks at one moment: the closest of several readings. */
static struct stamp stamp(void)
{
	struct stamp best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < TRIES; i++) {
		const uint64_t before = __rdtsc(), ns = now_ns();
		const uint64_t after = __rdtsc();

		if (after - before >= least)
			continue;
		least = after - before;
		best = (struct stamp){ ns, before + least / 2 };
	}
	return best;
}

int main(void)
{
	const struct stamp start = stamp();
	struct stamp end;

	nanosleep(&(struct timespec){ .tv_nsec = MEASURE_NS }, NULL);
	end = stamp();
	printf("%llu\n", (unsigned long long)
	       ((end.ticks - start.ticks) * 1000000ULL / (end.ns - start.ns)));
	return 0;
}
#else
int main(void)
{
	fprintf(stderr, "tsc-khz: this machine has no time stamp counter\n");
	return 1;
}
#endif
