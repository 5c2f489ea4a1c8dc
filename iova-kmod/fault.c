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

#include <linux/spinlock.h>
#include <linux/tracepoint.h>
#include <trace/events/iommu.h>

#include "iovp.h"

static LIST_HEAD(iovp_watched);
static DEFINE_SPINLOCK(iovp_watch_lock);	/* taken in hard interrupts */
static bool iovp_hooked;

/* A device with a fault to see to, taken off the list of such; the caller puts it. */
static struct iovp_dev *iovp_faulted(u64 *address)
{
	struct iovp_dev *d, *found = NULL;

	spin_lock_irq(&iovp_watch_lock);
	list_for_each_entry(d, &iovp_watched, watch.node) {
		if (d->watch.fault) {
			d->watch.fault = false;
			*address = d->watch.address;
			kref_get(&d->ref);
			found = d;
			break;
		}
	}
	spin_unlock_irq(&iovp_watch_lock);
	return found;
}

static void iovp_fault_work(struct work_struct *work)
{
	struct iova_policy_evidence evidence = {};
	struct iovp_dev *d;

	while ((d = iovp_faulted(&evidence.address))) {
		mutex_lock(&d->lock);
		iovp_lease_end(d, IOVA_POLICY_C_FAULT, true, &evidence);
		mutex_unlock(&d->lock);
		iovp_dev_put(d);
	}
}

static DECLARE_WORK(iovp_fault, iovp_fault_work);

static void iovp_on_fault(void *data, struct device *dev, unsigned long iova,
			  int flags)
{
	unsigned long irq_flags;
	struct iovp_dev *d;

	spin_lock_irqsave(&iovp_watch_lock, irq_flags);
	list_for_each_entry(d, &iovp_watched, watch.node) {
		if (iovp_device(d) == dev && !d->watch.fault) {
			d->watch.fault = true;
			d->watch.address = iova;
			queue_work(iovp_wq, &iovp_fault);
		}
	}
	spin_unlock_irqrestore(&iovp_watch_lock, irq_flags);
}

/* A lease of this device is open. */
void iovp_watch(struct iovp_dev *d)
{
	spin_lock_irq(&iovp_watch_lock);
	d->watch.fault = false;
	list_add(&d->watch.node, &iovp_watched);
	spin_unlock_irq(&iovp_watch_lock);
}

void iovp_unwatch(struct iovp_dev *d)
{
	spin_lock_irq(&iovp_watch_lock);
	list_del(&d->watch.node);
	spin_unlock_irq(&iovp_watch_lock);
}

void iovp_fault_init(void)
{
	iovp_hooked = !register_trace_io_page_fault(iovp_on_fault, NULL);
	if (!iovp_hooked)
		pr_warn("iova_policy: can't see IOMMU faults\n");
}

void iovp_fault_exit(void)
{
	if (iovp_hooked)
		unregister_trace_io_page_fault(iovp_on_fault, NULL);
	tracepoint_synchronize_unregister();
	cancel_work_sync(&iovp_fault);
}
