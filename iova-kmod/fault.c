// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the guard inside the kernel
 *
 * While a lease is open, an IOMMU fault of its device ends it at once. Faults
 * come through the tracepoint iommu:io_page_fault, which is exported and fired by
 * report_iommu_fault() (drivers/iommu/iommu.c): by AMD-Vi since 6.1 and by several
 * Arm IOMMUs. VT-d and virtio-iommu only print; there it is up to whoever holds
 * the lease to watch, and to abort it with IOVA_POLICY_C_FAULT. The tracepoint of
 * PCIe errors, ras:aer_event, is not exported.
 */

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/tracepoint.h>
#include <trace/events/iommu.h>

#include "iovp.h"

/* Probes of tracepoints run with preemption off, also on PREEMPT_RT. */
static DEFINE_RAW_SPINLOCK(iovp_watch_lock);
static LIST_HEAD(iovp_watched);

/* The tracepoint costs nothing while there is no lease. */
static DEFINE_MUTEX(iovp_hook_lock);
static atomic_t iovp_hook_users = ATOMIC_INIT(0);
static bool iovp_hooked;

void iovp_fault_work(struct work_struct *work)
{
	struct iovp_dev *d = container_of(work, struct iovp_dev, watch.work);
	struct iova_policy_evidence evidence = {};
	bool fault;

	iovp_lock(d);
	raw_spin_lock_irq(&iovp_watch_lock);
	fault = d->watch.fault;
	d->watch.fault = false;
	evidence.address = d->watch.address;
	raw_spin_unlock_irq(&iovp_watch_lock);

	/* One of an earlier lease is not this one's. */
	if (fault)
		iovp_lease_end(d, IOVA_POLICY_C_FAULT, true, &evidence);
	iovp_unlock(d);
	iovp_dev_put(d);
}

static void iovp_on_fault(void *data, struct device *dev, unsigned long iova,
			  int flags)
{
	unsigned long irq_flags;
	struct iovp_dev *d;

	raw_spin_lock_irqsave(&iovp_watch_lock, irq_flags);
	list_for_each_entry(d, &iovp_watched, watch.node) {
		if (iovp_device(d) == dev && !d->watch.fault) {
			d->watch.fault = true;
			d->watch.address = iova;
			kref_get(&d->ref);
			/* Queued for an earlier lease it has a reference of its own. */
			if (!queue_work(iovp_wq, &d->watch.work))
				iovp_dev_put(d);
		}
	}
	raw_spin_unlock_irqrestore(&iovp_watch_lock, irq_flags);
}

/* A lease of this device is open. */
void iovp_watch(struct iovp_dev *d)
{
	raw_spin_lock_irq(&iovp_watch_lock);
	d->watch.fault = false;
	list_add(&d->watch.node, &iovp_watched);
	raw_spin_unlock_irq(&iovp_watch_lock);
}

void iovp_unwatch(struct iovp_dev *d)
{
	raw_spin_lock_irq(&iovp_watch_lock);
	list_del(&d->watch.node);
	raw_spin_unlock_irq(&iovp_watch_lock);
}

/* There will be a lease: from here on faults are seen. */
void iovp_fault_get(void)
{
	mutex_lock(&iovp_hook_lock);
	if (atomic_inc_return(&iovp_hook_users) == 1) {
		iovp_hooked = !register_trace_io_page_fault(iovp_on_fault, NULL);
		if (!iovp_hooked)
			pr_warn_once("iova_policy: can't see IOMMU faults\n");
	}
	mutex_unlock(&iovp_hook_lock);
}

void iovp_fault_put(void)
{
	mutex_lock(&iovp_hook_lock);
	if (atomic_dec_and_test(&iovp_hook_users) && iovp_hooked)
		unregister_trace_io_page_fault(iovp_on_fault, NULL);
	mutex_unlock(&iovp_hook_lock);
}

/* No lease is left, but a probe may still run. */
void iovp_fault_exit(void)
{
	tracepoint_synchronize_unregister();
}
