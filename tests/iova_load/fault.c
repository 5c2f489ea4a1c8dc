// SPDX-License-Identifier: GPL-2.0
/*
 * iova_load: faults that nothing caused, reported from several threads at once
 *
 * A thread does what an IOMMU's driver does in the thread of its interrupt, such
 * as amd_iommu_report_page_fault() (drivers/iommu/amd/iommu.c): it calls
 * report_iommu_fault(), which fires the tracepoint iommu:io_page_fault.
 */

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "compat.h"
#include "iova_load.h"

#define IL_FAULT_THREADS	16U
#define IL_FAULT_BURST		256U	/* between two looks at the clock */

/**
 * struct il_faults - one "faults" command
 * @d: device that is blamed
 * @domain: its domain
 * @address: where it is said to have been
 * @end: jiffies to stop at
 * @stop: threads must end
 * @reported: faults of all threads
 * @running: threads that have not ended, and one more
 * @done: @running became 0
 */
struct il_faults {
	struct il_dev *d;
	struct iommu_domain *domain;
	u64 address;
	unsigned long end;
	bool stop;
	atomic64_t reported;
	atomic_t running;
	struct completion done;
};

static bool il_faults_more(struct il_faults *f)
{
	return !READ_ONCE(f->stop) && !atomic_read(&f->d->stop) &&
	       time_before(jiffies, f->end);
}

static int il_faults_thread(void *data)
{
	struct il_faults *f = data;
	u64 reported = 0;
	unsigned int i;

	while (il_faults_more(f)) {
		for (i = 0; i < IL_FAULT_BURST; i++)
			report_iommu_fault(f->domain, il_device(f->d), f->address,
					   IOMMU_FAULT_WRITE);
		reported += i;
		cond_resched();
	}
	atomic64_add(reported, &f->reported);
	if (atomic_dec_and_test(&f->running))
		complete(&f->done);
	il_thread_park();
	return 0;
}

static int il_faults_start(struct il_faults *f, struct task_struct **task,
			   unsigned int nr)
{
	*task = kthread_create(il_faults_thread, f, "iova_load/f%u", nr);
	if (IS_ERR(*task))
		return PTR_ERR(*task);
	get_task_struct(*task);
	atomic_inc(&f->running);
	wake_up_process(*task);
	return 0;
}

/* Returns with no thread running. */
static int il_faults_run(struct il_faults *f, unsigned int threads)
{
	struct task_struct *task[IL_FAULT_THREADS];
	unsigned int started = 0;
	int ret = 0;

	atomic_set(&f->running, 1);
	init_completion(&f->done);
	while (started < threads && !ret) {
		ret = il_faults_start(f, &task[started], started);
		started += !ret;
	}
	if (ret)
		WRITE_ONCE(f->stop, true);

	if (!atomic_dec_and_test(&f->running) &&
	    wait_for_completion_interruptible(&f->done)) {
		WRITE_ONCE(f->stop, true);
		wait_for_completion(&f->done);
		ret = ret ?: -EINTR;
	}
	while (started--) {
		kthread_stop(task[started]);
		put_task_struct(task[started]);
	}
	return ret;
}

int il_cmd_faults(struct il_args *a, struct il_result *r)
{
	struct il_faults f = { .d = il_dev_arg(a, "dev") };
	u64 threads, ms;
	int ret;

	if (IS_ERR(f.d))
		return PTR_ERR(f.d);
	ret = il_arg_u64(a, "threads", &threads, 1, 1, IL_FAULT_THREADS);
	if (!ret)
		ret = il_arg_u64(a, "ms", &ms, 1000, 1, 600000);
	if (!ret)
		ret = il_arg_u64(a, "address", &f.address, 0xdead000, 0, U64_MAX);
	if (!ret)
		ret = il_args_end(a);
	if (ret)
		return ret;
	f.domain = iommu_get_domain_for_dev(il_device(f.d));
	if (!f.domain)
		return -ENODEV;

	f.end = jiffies + msecs_to_jiffies(ms);
	ret = il_faults_run(&f, threads);
	il_say(r, "reported=%lld\n", atomic64_read(&f.reported));
	il_say(r, "stopped=%d\n", ret == -EINTR || atomic_read(&f.d->stop));
	return ret;
}
