// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy - another policy for the I/O addresses of one PCI device
 *
 * The kernel gives a PCI device addresses below 4 GiB until there are none left,
 * and then the highest ones that the device says it can reach. This module lets
 * an administrator say otherwise for one device at a time: never above so many
 * bits, or the whole range up to so many bits at once.
 *
 * It uses fields and functions that are public, hooks nothing, and as long as
 * every policy is "stock" touches no device.
 */

#include <linux/init.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/suspend.h>

#include "iovp.h"

struct workqueue_struct *iovp_wq;
struct workqueue_struct *iovp_change_wq;
DECLARE_WAIT_QUEUE_HEAD(iovp_waiters);
bool iovp_asleep;	/* about to sleep, or not awake again yet: no lease begins */

static void iovp_lease_suspend(struct iovp_dev *d, u32 cause)
{
	iovp_lock(d);
	iovp_lease_end(d, cause, false, NULL);
	iovp_unlock(d);
}

/*
 * A device that sleeps can't be watched, and what wakes it writes it anew. A lease
 * that begins meanwhile has looked at the flag with its device locked: either it
 * saw it, or it is ended here.
 */
static int iovp_pm_notify(struct notifier_block *nb, unsigned long event, void *data)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		WRITE_ONCE(iovp_asleep, true);
		iovp_for_each(iovp_lease_suspend, IOVA_POLICY_C_SUSPEND);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		WRITE_ONCE(iovp_asleep, false);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block iovp_pm_nb = {
	.notifier_call = iovp_pm_notify,
};

static void iovp_destroy_queues(void)
{
	if (iovp_change_wq)
		destroy_workqueue(iovp_change_wq);
	if (iovp_wq)
		destroy_workqueue(iovp_wq);
}

static int __init iovp_init(void)
{
	int ret;

	ret = iovp_announce_init();
	if (ret)
		return ret;
	/* Ends of leases: before others, and also when there is no memory. */
	iovp_wq = alloc_workqueue("iova_policy",
				  WQ_UNBOUND | WQ_HIGHPRI | WQ_MEM_RECLAIM, 0);
	/* What may take seconds, and which a rescuer must never be busy with. */
	iovp_change_wq = alloc_workqueue("iova_policy_change", WQ_UNBOUND, 0);
	if (!iovp_wq || !iovp_change_wq) {
		ret = -ENOMEM;
		goto err_wq;
	}
	ret = iovp_devices_init();
	if (ret)
		goto err_wq;
	ret = register_pm_notifier(&iovp_pm_nb);
	if (ret)
		goto err_devices;
	ret = iovp_cdev_init();
	if (ret)
		goto err_pm;
	return 0;

err_pm:
	unregister_pm_notifier(&iovp_pm_nb);
err_devices:
	iovp_devices_exit();
err_wq:
	iovp_destroy_queues();
	iovp_announce_exit();
	return ret;
}

/* No file is open, so there is no lease. */
static void __exit iovp_exit(void)
{
	iovp_cdev_exit();
	unregister_pm_notifier(&iovp_pm_nb);
	iovp_fault_exit();
	iovp_devices_exit();
	iovp_destroy_queues();
	iovp_announce_exit();
	iovp_remember_exit();
}

module_init(iovp_init);
module_exit(iovp_exit);

MODULE_DESCRIPTION("Per-device policies for I/O virtual addresses");
MODULE_LICENSE("GPL");
MODULE_VERSION("1.1");
