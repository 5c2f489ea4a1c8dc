// SPDX-License-Identifier: GPL-2.0
/*
 * iova_load: what happens inside an allocation, counted by kprobes
 *
 * It says what can't be derived from the outside, and shares nothing with a
 * tracer that hooks the same functions by other means. Calls for the watched
 * domain are counted, whoever makes them. With F calls of alloc_iova_fast() with
 * flush and S without it (below 4 GiB first), a device that is alone in its
 * domain and has a wide limit has:
 *
 *	sac_attempts = S
 *	sac_failed = F, as long as every map tries below 4 GiB first
 *	slow = T - R: each call of alloc_iova_fast() that reached the tree, with
 *		T calls of alloc_iova() and R second tries after a cache flush
 */

#include <linux/atomic.h>
#include <linux/iova.h>
#include <linux/kprobes.h>
#include <linux/ptrace.h>

#include "snap.h"

static struct iova_domain *il_watched;

static atomic64_t il_fast_sac;
static atomic64_t il_fast_full;
static atomic64_t il_tree;
static atomic64_t il_flushed;

static int il_on_fast(struct kprobe *p, struct pt_regs *regs)
{
	if (regs_get_kernel_argument(regs, 0) != (unsigned long)il_watched)
		return 0;
	/* Only the low byte of a bool argument means anything. */
	if (regs_get_kernel_argument(regs, 3) & 0xff)
		atomic64_inc(&il_fast_full);
	else
		atomic64_inc(&il_fast_sac);
	return 0;
}

static int il_on_tree(struct kprobe *p, struct pt_regs *regs)
{
	if (regs_get_kernel_argument(regs, 0) == (unsigned long)il_watched)
		atomic64_inc(&il_tree);
	return 0;
}

/* Called once per online CPU in a flush: count the first. */
static int il_on_flush(struct kprobe *p, struct pt_regs *regs)
{
	if (regs_get_kernel_argument(regs, 1) == (unsigned long)il_watched &&
	    (u32)regs_get_kernel_argument(regs, 0) == cpumask_first(cpu_online_mask))
		atomic64_inc(&il_flushed);
	return 0;
}

static struct kprobe il_probes[] = {
	{ .symbol_name = "alloc_iova_fast", .pre_handler = il_on_fast },
	{ .symbol_name = "alloc_iova", .pre_handler = il_on_tree },
	{ .symbol_name = "free_cpu_cached_iovas", .pre_handler = il_on_flush },
};

static bool il_probes_on;

static void il_probes_off(unsigned int nr)
{
	while (nr--) {
		unregister_kprobe(&il_probes[nr]);
		/* A probe that is registered again must not look used. */
		il_probes[nr].addr = NULL;
		il_probes[nr].flags = 0;
	}
	il_probes_on = false;
}

static int il_probes_start(struct iova_domain *iovad)
{
	unsigned int i;
	int ret;

	if (il_probes_on)
		il_probes_off(ARRAY_SIZE(il_probes));
	il_watched = iovad;
	atomic64_set(&il_fast_sac, 0);
	atomic64_set(&il_fast_full, 0);
	atomic64_set(&il_tree, 0);
	atomic64_set(&il_flushed, 0);
	for (i = 0; i < ARRAY_SIZE(il_probes); i++) {
		il_probes[i].nmissed = 0;
		ret = register_kprobe(&il_probes[i]);
		if (ret) {
			il_probes_off(i);
			return ret;
		}
	}
	il_probes_on = true;
	return 0;
}

static void il_probes_say(struct il_result *r)
{
	unsigned long missed = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(il_probes); i++)
		missed += il_probes[i].nmissed;
	il_say(r, "probe_sac=%lld\n", atomic64_read(&il_fast_sac));
	il_say(r, "probe_full=%lld\n", atomic64_read(&il_fast_full));
	il_say(r, "probe_tree=%lld\n", atomic64_read(&il_tree));
	il_say(r, "probe_flushes=%lld\n", atomic64_read(&il_flushed));
	il_say(r, "probe_slow=%lld\n",
	       atomic64_read(&il_tree) - atomic64_read(&il_flushed));
	il_say(r, "probe_missed=%lu\n", missed);
}

int il_cmd_probe(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	bool on = il_arg_flag(a, "on");
	bool off = il_arg_flag(a, "off");
	bool read = il_arg_flag(a, "read");
	struct il_space space;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = il_args_end(a) ?: il_space_find(d, &space);
	if (ret)
		return ret;
	if (on + off + read != 1)
		return il_bad(a, "one of on, off and read");
	if (on)
		return il_probes_start(space.iovad);
	if (!il_probes_on || space.iovad != il_watched)
		return il_bad(a, "probe: not on for this device");

	if (off)
		il_probes_off(ARRAY_SIZE(il_probes));
	il_probes_say(r);
	return 0;
}

void il_probe_exit(void)
{
	if (il_probes_on)
		il_probes_off(ARRAY_SIZE(il_probes));
}
