// SPDX-License-Identifier: GPL-2.0
/* iova_load: exact percentiles */

#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "iova_load.h"

#define IL_CLOCK_TRIES	1001

/*
 * Radix sort, a byte per pass: millions of samples in well under a second even
 * in an emulator, where sort() would keep the CPU for too long.
 */
static void il_sort_pass(u32 *to, const u32 *from, size_t nr, unsigned int shift)
{
	static u32 pos[256];	/* too large for a stack; under il_mutex */
	u32 sum = 0, n;
	size_t i;

	memset(pos, 0, sizeof(pos));
	for (i = 0; i < nr; i++)
		pos[(from[i] >> shift) & 0xff]++;
	for (i = 0; i < ARRAY_SIZE(pos); i++) {
		n = pos[i];
		pos[i] = sum;
		sum += n;
	}
	for (i = 0; i < nr; i++)
		to[pos[(from[i] >> shift) & 0xff]++] = from[i];
}

static int il_sort(u32 *samples, size_t nr)
{
	u32 *tmp = kvmalloc_array(nr, sizeof(*tmp), GFP_KERNEL);
	unsigned int shift;

	if (!tmp)
		return -ENOMEM;
	for (shift = 0; shift < 32; shift += 16) {
		il_sort_pass(tmp, samples, nr, shift);
		cond_resched();
		il_sort_pass(samples, tmp, nr, shift + 8);
		cond_resched();
	}
	kvfree(tmp);
	return 0;
}

/* The smallest sample that at least permille of all are not above. */
static u32 il_quantile(const u32 *sorted, size_t nr, unsigned int permille)
{
	u64 rank = DIV_ROUND_UP_ULL((u64)nr * permille, 1000);

	return sorted[rank ? rank - 1 : 0];
}

/**
 * il_samples_say - report the distribution of samples
 * @r: the answer
 * @prefix: goes before each key
 * @samples: nanoseconds, are sorted in place
 * @nr: how many
 *
 * Return: 0 or -ENOMEM.
 */
int il_samples_say(struct il_result *r, const char *prefix, u32 *samples,
		   size_t nr)
{
	u64 sum = 0;
	size_t i;

	il_say(r, "%s_samples=%zu\n", prefix, nr);
	if (!nr)
		return 0;
	if (il_sort(samples, nr))
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		sum += samples[i];

	il_say(r, "%s_ns_mean=%llu\n", prefix, div64_u64(sum, nr));
	il_say(r, "%s_ns_min=%u\n", prefix, samples[0]);
	il_say(r, "%s_ns_p50=%u\n", prefix, il_quantile(samples, nr, 500));
	il_say(r, "%s_ns_p90=%u\n", prefix, il_quantile(samples, nr, 900));
	il_say(r, "%s_ns_p99=%u\n", prefix, il_quantile(samples, nr, 990));
	il_say(r, "%s_ns_p999=%u\n", prefix, il_quantile(samples, nr, 999));
	il_say(r, "%s_ns_max=%u\n", prefix, samples[nr - 1]);
	return 0;
}

/**
 * il_clock_cost - what two readings of the clock with nothing between show
 *
 * Return: the median in nanoseconds, to be taken off every sample.
 */
u32 il_clock_cost(void)
{
	u32 *cost = kvmalloc_array(IL_CLOCK_TRIES, sizeof(*cost), GFP_KERNEL);
	u32 median = 0;
	unsigned int i;
	u64 start;

	if (!cost)
		return 0;
	for (i = 0; i < IL_CLOCK_TRIES; i++) {
		start = ktime_get_ns();
		cost[i] = ktime_get_ns() - start;
	}
	if (!il_sort(cost, IL_CLOCK_TRIES))
		median = il_quantile(cost, IL_CLOCK_TRIES, 500);
	kvfree(cost);
	return median;
}
