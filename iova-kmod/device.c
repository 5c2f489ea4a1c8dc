// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: PCI devices, from their addition to their removal
 *
 * Locks, outermost first:
 *
 *	the device's own lock	held by the driver core around binding and
 *				unbinding, and so around those notifications;
 *				never taken here but once, when the module loads
 *	iovp_groups_lock	adding and removing the sysfs groups
 *	iovp_dev.change		the one change that is being made; for seconds
 *				where space is taken or given back
 *	a file's lock		cdev.c
 *	iovp_dev.lock		all of a device's state; never for long
 *	iovp_devs_lock		the list of devices; a spinlock
 *
 * With iovp_dev.lock held nothing is waited for, and no lock is taken but
 * spinlocks: so the end of a lease, a read of a file and the switch that ends all
 * have it at once. A change that unlocks the device meanwhile looks at its epoch
 * afterwards: another one means that the change was stopped.
 *
 * Why these two are enough, and stores and ioctls never want the device's own
 * lock, not even to try it (which would refuse a change at random):
 *
 * - Its driver can't go: unbinding first notifies us (UNBIND_DRIVER), which
 *   sets the phase to UNBINDING, stops the change and waits for its end. While
 *   one of the locks is held and the phase is BINDING or BOUND, or was when
 *   the change began, the driver and its masks are there.
 * - Its default domain can't go: from before BIND_DRIVER (dma_configure) until
 *   after UNBIND_DRIVER (dma_cleanup) the driver core counts the driver as a user
 *   of the group's default domain. Writing the group's "type" then fails or, from
 *   DMA to DMA-FQ, keeps the domain; VFIO can't claim the group; a group only
 *   changes when its devices are added and removed. Drivers that say
 *   driver_managed_dma are no such users: for them nothing is allowed, and their
 *   domain is never looked at. (5.10 has neither that count nor a writable
 *   "type"; a default domain lives as long as its group.) A driver can attach the
 *   device to other domains all the same: see domain.c.
 * - While the phase is UNBOUND, settings are stored and the device is not
 *   touched; while it is BINDING or UNBINDING, changes get -EBUSY.
 *
 * FILL holds nodes of the domain's tree, so it goes at UNBIND_DRIVER. The other
 * mechanisms are fields of the device itself and stay until the driver has
 * unmapped its last page.
 *
 * FILL also wants a group of one device. When a neighbour gets a driver, that is
 * looked at again.
 *
 * Removing a sysfs group waits for its readers and writers, which take the
 * device's locks: it is done under iovp_groups_lock only. Both DEL_DEVICE and the
 * module's exit remove groups, whichever takes the device off the list first; the
 * other waits for the lock, so that no device goes on to lose its directory
 * while the module is still at it.
 */

#include <linux/jiffies.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/sysfs.h>
#include <linux/xarray.h>

#include "compat.h"
#include "iovp.h"

/* A driver that has not set its masks by now has narrow ones. */
#define IOVP_SETTLED	(5 * HZ)

static LIST_HEAD(iovp_devs);
static DEFINE_SPINLOCK(iovp_devs_lock);
static DEFINE_MUTEX(iovp_groups_lock);
static bool iovp_leaving;	/* protected by iovp_groups_lock */

/*
 * While the module loads, a device that is on the bus's list may be on its way
 * out already, with our notifier told and its directory gone. What goes then is
 * remembered. Both are protected by iovp_groups_lock.
 */
static bool iovp_loading = true;
static DEFINE_XARRAY(iovp_gone);

static void iovp_dev_release(struct kref *ref)
{
	struct iovp_dev *d = container_of(ref, struct iovp_dev, ref);

	pci_dev_put(d->pdev);
	mutex_destroy(&d->lock);
	mutex_destroy(&d->change);
	kfree(d);
}

void iovp_dev_put(struct iovp_dev *d)
{
	kref_put(&d->ref, iovp_dev_release);
}

/* Finds a device; the caller puts it. NULL if there is none. */
struct iovp_dev *iovp_dev_get(struct device *dev)
{
	struct iovp_dev *d, *found = NULL;

	spin_lock(&iovp_devs_lock);
	list_for_each_entry(d, &iovp_devs, node) {
		if (iovp_device(d) == dev) {
			kref_get(&d->ref);
			found = d;
			break;
		}
	}
	spin_unlock(&iovp_devs_lock);
	return found;
}

struct iovp_dev *iovp_dev_get_bdf(u32 bdf)
{
	struct iovp_dev *d, *found = NULL;

	spin_lock(&iovp_devs_lock);
	list_for_each_entry(d, &iovp_devs, node) {
		if (d->bdf == bdf && device_is_registered(iovp_device(d))) {
			kref_get(&d->ref);
			found = d;
			break;
		}
	}
	spin_unlock(&iovp_devs_lock);
	return found;
}

/* The first device behind @order in the list; the caller puts it. */
static struct iovp_dev *iovp_dev_after(u64 order)
{
	struct iovp_dev *d, *found = NULL;

	spin_lock(&iovp_devs_lock);
	list_for_each_entry(d, &iovp_devs, node) {
		if (d->order > order) {
			kref_get(&d->ref);
			found = d;
			break;
		}
	}
	spin_unlock(&iovp_devs_lock);
	return found;
}

/**
 * iovp_for_each - call a function for every device
 * @fn: function; no lock is held
 * @cause: for it
 */
void iovp_for_each(void (*fn)(struct iovp_dev *d, u32 cause), u32 cause)
{
	struct iovp_dev *d;
	u64 order = 0;

	while ((d = iovp_dev_after(order))) {
		order = d->order;
		fn(d, cause);
		iovp_dev_put(d);
	}
}

static struct iovp_dev *iovp_dev_new(struct pci_dev *pdev)
{
	struct iovp_dev *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return NULL;
	kref_init(&d->ref);
	mutex_init(&d->change);
	mutex_init(&d->lock);
	INIT_DELAYED_WORK(&d->settle, iovp_settle_work);
	INIT_WORK(&d->free, iovp_fill_free_work);
	INIT_WORK(&d->watch.work, iovp_fault_work);
	d->pdev = pci_dev_get(pdev);
	d->bdf = (u32)pci_domain_nr(pdev->bus) << 16 | pci_dev_id(pdev);
	iovp_next_generation(d);
	iovp_who_kernel(&d->origin);
	return d;
}

static bool iovp_known(struct device *dev)
{
	struct iovp_dev *d = iovp_dev_get(dev);

	if (d)
		iovp_dev_put(d);
	return d;
}

/* Before the "add" uevent: rules for udev find the cap there. */
static void iovp_protect(struct iovp_dev *d, u8 recalled)
{
	u8 listed = iovp_listed(d->pdev), cap = min_not_zero(listed, recalled);
	struct iovp_who who;

	if (!cap)
		return;
	iovp_who_kernel(&who);
	iovp_change_begin(d, false);
	iovp_lock(d);
	iovp_set_cap(d, cap, &who, cap == listed ? IOVA_POLICY_C_LIST :
						   IOVA_POLICY_C_RETURNED);
	iovp_unlock(d);
	iovp_change_end(d);
}

static void iovp_list_add(struct iovp_dev *d)
{
	static u64 order;

	spin_lock(&iovp_devs_lock);
	d->order = ++order;
	list_add_tail(&d->node, &iovp_devs);
	spin_unlock(&iovp_devs_lock);
}

/*
 * The caller has seen to it that no driver comes or goes meanwhile. @present: the
 * device was found on the bus.
 */
static void iovp_add(struct device *dev, bool present)
{
	struct iovp_dev *d;
	u8 cap;

	/* Intel VMD's segments have no number in the ABI; all use VMD's own ID. */
	if (pci_domain_nr(to_pci_dev(dev)->bus) > U16_MAX)
		return;
	mutex_lock(&iovp_groups_lock);
	if (iovp_leaving || iovp_known(dev))
		goto out;
	if (present && xa_load(&iovp_gone, (unsigned long)dev))
		goto out;
	d = iovp_dev_new(to_pci_dev(dev));
	if (!d)
		goto out;
	cap = iovp_recall(d);
	if (dev->driver) {
		d->phase = IOVP_BOUND;
		d->settled = jiffies;
		d->managed = iovp_managed_dma(dev);
		if (!d->managed)
			iovp_domain_capture(d);
	}
	iovp_group_look(d, false);
	iovp_list_add(d);
	if (sysfs_create_group(&dev->kobj, &iovp_group))
		dev_warn(dev, "iova_policy: no sysfs group\n");
	iovp_protect(d, cap);
out:
	mutex_unlock(&iovp_groups_lock);
}

/* The device is going, or the module is. Lets go of all who may be waited for. */
static void iovp_leave(struct iovp_dev *d, u32 cause)
{
	iovp_lock(d);
	iovp_lease_end(d, cause, false, NULL);
	iovp_stop_change(d);
	d->gone = true;
	iovp_unlock(d);
}

/* The state is as it was before device and module. */
static void iovp_forget(struct iovp_dev *d, u32 cause)
{
	struct iovp_target none = {}, was;

	iovp_change_begin(d, false);
	iovp_lock(d);
	was = d->force.target;
	iovp_restore(d);
	d->phase = IOVP_UNBOUND;
	if (was.kind != IOVA_POLICY_STOCK)
		iovp_log_change(d, cause, IOVA_POLICY_OK, &was, &none,
				&d->origin, NULL);
	iovp_unlock(d);
	iovp_change_end(d);
}

/* It is not queued again: the device is marked as gone. */
static void iovp_cancel(struct iovp_dev *d)
{
	if (cancel_delayed_work_sync(&d->settle))
		iovp_dev_put(d);
	if (cancel_work_sync(&d->free))
		iovp_dev_put(d);
}

static void iovp_remove(struct iovp_dev *d, u32 cause)
{
	lockdep_assert_held(&iovp_groups_lock);
	spin_lock(&iovp_devs_lock);
	list_del(&d->node);
	spin_unlock(&iovp_devs_lock);
	iovp_leave(d, cause);
	/* A device that was removed while the module loaded may be half gone. */
	if (device_is_registered(iovp_device(d)))
		sysfs_remove_group(&iovp_device(d)->kobj, &iovp_group);
	iovp_forget(d, cause);
	iovp_cancel(d);
	if (cause == IOVA_POLICY_C_REMOVED)
		iovp_remember(d);
	iovp_dev_put(d);	/* the list's */
}

static void iovp_del(struct device *dev)
{
	struct iovp_dev *d;

	mutex_lock(&iovp_groups_lock);
	d = iovp_dev_get(dev);
	if (d) {
		iovp_remove(d, IOVA_POLICY_C_REMOVED);
		iovp_dev_put(d);
	}
	if (iovp_loading)
		xa_store(&iovp_gone, (unsigned long)dev, xa_mk_value(1), GFP_KERNEL);
	mutex_unlock(&iovp_groups_lock);
}

/*
 * A neighbour that came after space was held for a device alone finds none left.
 * A device that holds some is looked at again, and will be refused, before the
 * neighbour's driver maps anything.
 */
static void iovp_make_room(struct device *dev)
{
	struct iovp_dev *d;

	if (!dev->iommu_group)
		return;
	mutex_lock(&iovp_groups_lock);
	list_for_each_entry(d, &iovp_devs, node) {
		if (iovp_device(d) == dev ||
		    iovp_device(d)->iommu_group != dev->iommu_group)
			continue;
		iovp_change_begin(d, false);
		iovp_lock(d);
		if (d->force.mechanisms & IOVA_POLICY_M_FILL && iovp_domain_stays(d))
			iovp_enforce(d);
		iovp_unlock(d);
		iovp_change_end(d);
	}
	mutex_unlock(&iovp_groups_lock);
}

static bool iovp_wants_nothing(struct iovp_dev *d)
{
	return d->want.kind == IOVA_POLICY_STOCK && !d->cap;
}

/*
 * Nothing is mapped yet: what the last driver left in the caches is all that
 * could still come from below 4 GiB.
 */
static void iovp_bind(struct iovp_dev *d)
{
	bool flush;

	iovp_lock(d);
	d->phase = IOVP_BINDING;
	d->managed = iovp_managed_dma(iovp_device(d));
	iovp_next_generation(d);
	/* A limit is a limit to the caches too; space that is held is not. */
	flush = d->want.kind == IOVA_POLICY_DAC ||
		(d->dom.vtds && !iovp_wants_nothing(d));
	iovp_unlock(d);
	if (flush)
		iovp_flush(d, IOVA_POLICY_F_QUEUE | IOVA_POLICY_F_RCACHE);
	iovp_lock(d);
	if (!iovp_wants_nothing(d))
		iovp_enforce(d);
	iovp_unlock(d);
}

/* By now the driver has set its masks. */
static void iovp_bound(struct iovp_dev *d)
{
	u32 mechanisms;

	iovp_lock(d);
	d->phase = IOVP_BOUND;
	d->settled = jiffies + IOVP_SETTLED;
	if (d->force.target.kind != IOVA_POLICY_STOCK &&
	    (d->deferred || iovp_check(d, &d->force.target, &mechanisms)))
		iovp_enforce(d);
	iovp_unlock(d);
}

/* Before the change that is being made, which is to stop. */
static void iovp_unbind(struct iovp_dev *d)
{
	iovp_lock(d);
	d->phase = IOVP_UNBINDING;
	iovp_lease_end(d, IOVA_POLICY_C_UNBIND, false, NULL);
	iovp_stop_change(d);
	iovp_fill_let_go(d);
	iovp_unlock(d);
}

static void iovp_unbound(struct iovp_dev *d)
{
	struct iovp_target none = {}, was;

	iovp_lock(d);
	was = d->force.target;
	iovp_restore(d);
	d->phase = IOVP_UNBOUND;
	d->managed = false;
	if (was.kind != IOVA_POLICY_STOCK)
		iovp_log_change(d, IOVA_POLICY_C_UNBIND, IOVA_POLICY_OK, &was,
				&none, &d->origin, NULL);
	iovp_unlock(d);
	/* After a failed probe it still holds space, of a domain that stays until now. */
	iovp_fill_free(d);
	iovp_lock(d);
	memset(&d->dom, 0, sizeof(d->dom));
	iovp_unlock(d);
}

static void iovp_driver_change(struct iovp_dev *d, unsigned long event)
{
	switch (event) {
	case BUS_NOTIFY_BIND_DRIVER:
		if (!iovp_managed_dma(iovp_device(d)))
			iovp_domain_capture(d);
		iovp_bind(d);
		break;
	case BUS_NOTIFY_BOUND_DRIVER:
		iovp_bound(d);
		break;
	case BUS_NOTIFY_UNBIND_DRIVER:
		/* What was let go is given back by the end of this change. */
		break;
	default:
		iovp_unbound(d);
		break;
	}
}

static void iovp_driver_event(struct device *dev, unsigned long event)
{
	struct iovp_dev *d = iovp_dev_get(dev);

	if (!d)
		return;
	if (event == BUS_NOTIFY_BIND_DRIVER)
		iovp_make_room(dev);
	if (event == BUS_NOTIFY_UNBIND_DRIVER)
		iovp_unbind(d);
	iovp_change_begin(d, false);
	if (!READ_ONCE(d->gone))
		iovp_driver_change(d, event);
	iovp_change_end(d);
	iovp_dev_put(d);
}

static int iovp_notify(struct notifier_block *nb, unsigned long event, void *data)
{
	struct device *dev = data;

	switch (event) {
	case BUS_NOTIFY_ADD_DEVICE:
		iovp_add(dev, false);
		break;
	case BUS_NOTIFY_DEL_DEVICE:
	case BUS_NOTIFY_REMOVED_DEVICE:
		iovp_del(dev);
		break;
	case BUS_NOTIFY_BIND_DRIVER:
	case BUS_NOTIFY_BOUND_DRIVER:
	case BUS_NOTIFY_DRIVER_NOT_BOUND:
	case BUS_NOTIFY_UNBIND_DRIVER:
	case BUS_NOTIFY_UNBOUND_DRIVER:
		iovp_driver_event(dev, event);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block iovp_nb = {
	.notifier_call = iovp_notify,
};

static int iovp_add_present(struct device *dev, void *data)
{
	device_lock(dev);
	iovp_add(dev, true);
	device_unlock(dev);
	return 0;
}

int iovp_devices_init(void)
{
	int ret = bus_register_notifier(&pci_bus_type, &iovp_nb);

	if (ret)
		return ret;
	ret = bus_for_each_dev(&pci_bus_type, NULL, NULL, iovp_add_present);
	if (ret)
		iovp_devices_exit();
	mutex_lock(&iovp_groups_lock);
	iovp_loading = false;
	xa_destroy(&iovp_gone);
	mutex_unlock(&iovp_groups_lock);
	return ret;
}

void iovp_devices_exit(void)
{
	struct iovp_dev *d, *next;

	mutex_lock(&iovp_groups_lock);
	iovp_leaving = true;
	list_for_each_entry_safe(d, next, &iovp_devs, node)
		iovp_remove(d, IOVA_POLICY_C_UNLOAD);
	mutex_unlock(&iovp_groups_lock);
	bus_unregister_notifier(&pci_bus_type, &iovp_nb);
}
