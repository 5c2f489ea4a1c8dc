// SPDX-License-Identifier: GPL-2.0
/*
 * iova_load: an interrupt that maps for one device, inside the mapping of
 * another device on the same CPU
 *
 * The interrupt is a timer on the CPU of the looping thread. It is armed again
 * from its own end, by a random time, so that it lands everywhere in the loop
 * and the loop still gets on.
 */

#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat.h"
#include "iova_load.h"

enum il_where {
	IL_OUTSIDE,
	IL_IN_MAP,
	IL_IN_UNMAP,
	IL_WHERES,
};

/**
 * struct il_nest - one "nest" command
 * @d: device of the thread
 * @other: device of the interrupt
 * @size: bytes per mapping of the thread
 * @other_size: bytes per mapping of the interrupt
 * @count: pairs of the thread
 * @want: interrupts that have to hit inside a map or unmap
 * @period_ns: shortest time between two interrupts, the longest is twice that
 * @mode: hard or soft interrupt
 * @cpu: where all of it happens
 * @wide: limits of the thread's and the interrupt's device are above 4 GiB
 * @timer: the interrupt
 * @rnd: state of its random numbers
 * @where: what the thread is doing, read by the interrupt on the same CPU
 * @hits: interrupts by what the thread was doing
 * @cnt: counts of the thread
 * @other_cnt: counts of the interrupt
 * @stop: the thread must end
 * @done: the thread has ended
 */
struct il_nest {
	struct il_dev *d;
	struct il_dev *other;
	u64 size;
	u64 other_size;
	u64 count;
	u64 want;
	u64 period_ns;
	enum hrtimer_mode mode;
	u64 cpu;
	bool wide[2];
	struct hrtimer timer;
	u32 rnd;
	enum il_where where;
	u64 hits[IL_WHERES];
	struct il_count cnt;
	struct il_count other_cnt;
	bool stop;
	struct completion done;
};

/* One pair, with a note for the interrupt where it hit. */
static void il_nest_pair(struct il_dev *d, size_t size, bool wide,
			 struct il_count *c, enum il_where *where)
{
	bool sac = il_sac_tried(d, wide);
	dma_addr_t addr;
	bool failed;

	WRITE_ONCE(*where, IL_IN_MAP);
	addr = il_map(d, size);
	WRITE_ONCE(*where, IL_OUTSIDE);

	failed = dma_mapping_error(il_device(d), addr);
	il_count_map(c, size, failed, addr, sac);
	if (failed)
		return;

	WRITE_ONCE(*where, IL_IN_UNMAP);
	il_unmap(d, addr, size);
	WRITE_ONCE(*where, IL_OUTSIDE);
	c->unmaps++;
}

static enum hrtimer_restart il_nest_irq(struct hrtimer *timer)
{
	struct il_nest *n = container_of(timer, struct il_nest, timer);
	enum il_where mine;

	n->hits[READ_ONCE(n->where)]++;
	il_nest_pair(n->other, n->other_size, n->wide[1], &n->other_cnt, &mine);

	n->rnd = n->rnd * 1664525 + 1013904223;
	hrtimer_forward_now(timer, ns_to_ktime(n->period_ns +
					       (n->rnd >> 8) % n->period_ns));
	return HRTIMER_RESTART;
}

static bool il_nest_more(struct il_nest *n, u64 i)
{
	u64 hits = READ_ONCE(n->hits[IL_IN_MAP]) + READ_ONCE(n->hits[IL_IN_UNMAP]);

	if (READ_ONCE(n->stop) || atomic_read(&n->d->stop) ||
	    atomic_read(&n->other->stop))
		return false;
	return i < n->count || hits < n->want;
}

static int il_nest_thread(void *data)
{
	struct il_nest *n = data;
	u64 i;

	il_timer_setup(&n->timer, il_nest_irq, n->mode);
	hrtimer_start(&n->timer, ns_to_ktime(n->period_ns), n->mode);
	for (i = 0; il_nest_more(n, i); i++) {
		il_nest_pair(n->d, n->size, n->wide[0], &n->cnt, &n->where);
		cond_resched();
	}
	hrtimer_cancel(&n->timer);
	complete(&n->done);
	il_thread_park();
	return 0;
}

static int il_nest_run(struct il_nest *n)
{
	struct task_struct *task;
	int ret = 0;

	task = kthread_create(il_nest_thread, n, "iova_load/nest");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, n->cpu);
	get_task_struct(task);
	init_completion(&n->done);
	wake_up_process(task);

	if (wait_for_completion_interruptible(&n->done)) {
		WRITE_ONCE(n->stop, true);
		wait_for_completion(&n->done);
		ret = -EINTR;
	}
	kthread_stop(task);
	put_task_struct(task);
	return ret;
}

static void il_nest_say(struct il_nest *n, struct il_result *r, bool exact)
{
	il_count_add(&n->d->total, &n->cnt);
	il_count_add(&n->other->total, &n->other_cnt);
	il_say(r, "dev=%s\n", n->d->name);
	il_count_say(r, "", &n->cnt);
	il_say(r, "other=%s\n", n->other->name);
	il_count_say(r, "other_", &n->other_cnt);
	il_say(r, "sac_exact=%d\n", exact);
	il_say(r, "interrupts=%llu\n", n->other_cnt.maps);
	il_say(r, "nested_map=%llu\n", n->hits[IL_IN_MAP]);
	il_say(r, "nested_unmap=%llu\n", n->hits[IL_IN_UNMAP]);
	il_say(r, "outside=%llu\n", n->hits[IL_OUTSIDE]);
}

static int il_nest_args(struct il_args *a, struct il_nest *n)
{
	const char *context = il_arg(a, "context");
	int ret;

	n->mode = HRTIMER_MODE_REL_PINNED_HARD;
	if (context && !strcmp(context, "soft"))
		n->mode = HRTIMER_MODE_REL_PINNED_SOFT;
	else if (context && strcmp(context, "hard"))
		return il_bad(a, "context: not hard or soft");
	else if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return il_bad(a, "context: hard interrupts can't map here");

	ret = il_arg_u64(a, "size", &n->size, PAGE_SIZE, 1, il_buffer_size);
	if (!ret)
		ret = il_arg_u64(a, "other_size", &n->other_size, PAGE_SIZE, 1,
				 il_buffer_size);
	if (!ret)
		ret = il_arg_u64(a, "count", &n->count, 0, 1, U32_MAX);
	if (!ret)
		ret = il_arg_u64(a, "nested", &n->want, 0, 0, U32_MAX);
	if (!ret)
		ret = il_arg_u64(a, "period_ns", &n->period_ns, 20000, 1000, NSEC_PER_SEC);
	if (!ret)
		ret = il_arg_u64(a, "cpu", &n->cpu, 0, 0, nr_cpu_ids - 1);
	if (!ret && !cpu_online(n->cpu))
		return il_bad(a, "cpu: not online");
	return ret;
}

int il_cmd_nest(struct il_args *a, struct il_result *r)
{
	struct il_nest *n;
	int ret, flag, other_flag;
	bool exact;

	n = kzalloc_obj(*n);
	if (!n)
		return -ENOMEM;
	n->d = il_dev_arg(a, "dev");
	n->other = il_dev_arg(a, "other");
	ret = PTR_ERR_OR_ZERO(n->d) ?: PTR_ERR_OR_ZERO(n->other);
	if (!ret)
		ret = il_nest_args(a, n);
	if (!ret)
		ret = il_args_mask_end(a, n->d);
	if (ret)
		goto out;

	n->wide[0] = il_dev_limit(n->d, false) >= IL_4G;
	n->wide[1] = il_dev_limit(n->other, false) >= IL_4G;
	flag = il_sac_flag(il_device(n->d));
	other_flag = il_sac_flag(il_device(n->other));
	ret = il_nest_run(n);

	/* The two may share their space: either's failure shows in the other. */
	exact = flag == il_sac_flag(il_device(n->d)) &&
		other_flag == il_sac_flag(il_device(n->other));
	if (!exact) {
		n->d->sac_unsure = true;
		n->other->sac_unsure = true;
	}
	il_nest_say(n, r, exact);
	il_say(r, "stopped=%d\n", !!ret);
out:
	kfree(n);
	return ret;
}
