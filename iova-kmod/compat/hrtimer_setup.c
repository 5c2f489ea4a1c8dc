// SPDX-License-Identifier: GPL-2.0
/* Is a timer set up with its function in one call (6.13)? */
#include <linux/hrtimer.h>

static inline enum hrtimer_restart iovp_due(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

static inline void iovp_ask(struct hrtimer *timer)
{
	hrtimer_setup(timer, iovp_due, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
}
