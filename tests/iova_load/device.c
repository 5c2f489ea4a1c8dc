// SPDX-License-Identifier: GPL-2.0
/* iova_load: the devices, and what was counted for them */

#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "iova_load.h"

#define IL_MIN_MASK	20U
#define IL_MAX_ORDER	10	/* 4 MiB, what every kernel's page allocator has */

/* One buffer stands behind every mapping: mappings cost I/O addresses only. */
struct page *il_buffer;
size_t il_buffer_size;
static unsigned int il_buffer_order;

static LIST_HEAD(il_devs);
static DEFINE_SPINLOCK(il_devs_lock);	/* for walking il_devs without il_mutex */

static struct il_dev *il_dev_find(const char *name)
{
	struct il_dev *d, *found = NULL;

	spin_lock(&il_devs_lock);
	list_for_each_entry(d, &il_devs, node)
		if (!strcmp(d->name, name))
			found = d;
	spin_unlock(&il_devs_lock);
	return found;
}

static struct il_dev *il_dev_add(const char *name)
{
	struct il_dev *d;

	d = kzalloc_obj(*d);
	if (!d)
		return NULL;

	strscpy(d->name, name, sizeof(d->name));
	INIT_LIST_HEAD(&d->sets);
	spin_lock(&il_devs_lock);
	list_add_tail(&d->node, &il_devs);
	spin_unlock(&il_devs_lock);
	return d;
}

static bool il_dev_translated(struct pci_dev *pdev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(&pdev->dev);

	return domain && (domain->type & __IOMMU_DOMAIN_DMA_API);
}

static void il_dev_forget(struct il_dev *d)
{
	il_sets_drop(d);
	pci_dev_put(d->pdev);
	d->pdev = NULL;
}

/**
 * il_dev_arg - the device a command names
 * @a: the command
 * @key: name of the argument
 *
 * The device can't lose its IOMMU domain while the caller holds il_mutex,
 * because il_dev_notify() waits for it. A device that was removed and came
 * back keeps its counts.
 *
 * Return: the device, or an ERR_PTR with the reason in the answer.
 */
struct il_dev *il_dev_arg(struct il_args *a, const char *key)
{
	const char *text = il_arg(a, key);
	unsigned int seg = 0, bus, slot, fn;
	struct pci_dev *pdev;
	struct il_dev *d;
	char tail;

	if (!text)
		return ERR_PTR(il_bad(a, "%s= is missing", key));
	if (sscanf(text, "%x:%x:%x.%x%c", &seg, &bus, &slot, &fn, &tail) != 4) {
		seg = 0;
		if (sscanf(text, "%x:%x.%x%c", &bus, &slot, &fn, &tail) != 3)
			return ERR_PTR(il_bad(a, "%s: not a PCI address", key));
	}
	if (seg > INT_MAX || bus > 0xff || slot > 0x1f || fn > 7)
		return ERR_PTR(il_bad(a, "%s: not a PCI address", key));

	pdev = pci_get_domain_bus_and_slot(seg, bus, PCI_DEVFN(slot, fn));
	if (!pdev) {
		il_bad(a, "%s: no such device", key);
		return ERR_PTR(-ENODEV);
	}

	d = il_dev_find(pci_name(pdev));
	if (!d)
		d = il_dev_add(pci_name(pdev));
	if (!d || d->dying || !device_is_registered(&pdev->dev) ||
	    !il_dev_translated(pdev)) {
		pci_dev_put(pdev);
		if (!d)
			return ERR_PTR(-ENOMEM);
		il_bad(a, "%s: being removed, or no IOMMU translates for it", key);
		return ERR_PTR(-ENODEV);
	}

	if (d->pdev != pdev) {
		il_dev_forget(d);
		d->pdev = pdev;
	} else {
		pci_dev_put(pdev);
	}
	return d;
}

/*
 * A driver that does nothing, for devices that no other driver wants. An IOMMU
 * whose driver is a module takes such a device only when it gets a driver.
 */
static int il_driver_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id il_driver_ids[] = {
	{ }	/* only by driver_override */
};

static struct pci_driver il_driver = {
	.name = "iova_load",
	.id_table = il_driver_ids,
	.probe = il_driver_probe,
};

static bool il_dev_owned(struct il_dev *d)
{
	struct device_driver *driver = READ_ONCE(il_device(d)->driver);

	return driver && driver != &il_driver.driver;
}

/**
 * il_args_mask_end - il_args_end() for a command that maps: do what "mask=" says
 * @a: the command
 * @d: device
 *
 * Return: 0 or a negative errno with the reason in the answer.
 */
int il_args_mask_end(struct il_args *a, struct il_dev *d)
{
	u64 bits;
	int ret;

	ret = il_arg_u64(a, "mask", &bits, 0, 0, 64) ?: il_args_end(a);
	if (ret || !bits)
		return ret;
	if (bits < IL_MIN_MASK)
		return il_bad(a, "mask: below %u bits", IL_MIN_MASK);
	if (il_dev_owned(d)) {
		il_bad(a, "mask: %s has a driver, which owns the mask", d->name);
		return -EBUSY;
	}

	ret = dma_set_mask_and_coherent(il_device(d), DMA_BIT_MASK(bits));
	if (ret)
		il_bad(a, "mask: the kernel refused %llu bits", bits);
	return ret;
}

/**
 * il_dev_limit - highest I/O address that a mapping may get
 * @d: device
 * @coherent: for dma_alloc_coherent()
 *
 * Return: the limit as iommu_dma_alloc_iova() computes it. VT-d on 5.10 does
 * not look at bus_dma_limit, which no x86 device has.
 */
u64 il_dev_limit(struct il_dev *d, bool coherent)
{
	struct device *dev = il_device(d);
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	u64 limit = coherent ? dev->coherent_dma_mask : dma_get_mask(dev);

	limit = min_not_zero(limit, dev->bus_dma_limit);
	if (domain && domain->geometry.force_aperture)
		limit = min_t(u64, limit, domain->geometry.aperture_end);
	return limit;
}

bool il_sac_tried(struct il_dev *d, bool wide)
{
	return wide && il_sac_flag(il_device(d)) != 0;
}

/**
 * il_stopped - must the running command end early?
 * @d: device it works on
 *
 * Return: true when the device is going away, or a signal came.
 */
bool il_stopped(struct il_dev *d)
{
	return atomic_read(&d->stop) || signal_pending(current);
}

void il_count_map(struct il_count *c, size_t size, bool failed, dma_addr_t addr,
		  bool sac)
{
	size_t pages = DIV_ROUND_UP(size, PAGE_SIZE);
	bool high = !failed && addr >= IL_4G;

	c->maps++;
	c->order[order_base_2(pages)]++;
	c->failed += failed;
	c->high += high;
	if (!failed) {
		c->bytes += pages * PAGE_SIZE;
		c->top = max_t(u64, c->top, addr + size - 1);
	}
	if (sac) {
		c->sac_attempts++;
		c->sac_failed += failed || high;
	}
}

void il_count_add(struct il_count *to, const struct il_count *from)
{
	unsigned int i;

	to->maps += from->maps;
	to->failed += from->failed;
	to->unmaps += from->unmaps;
	to->bytes += from->bytes;
	to->high += from->high;
	to->top = max(to->top, from->top);
	to->sac_attempts += from->sac_attempts;
	to->sac_failed += from->sac_failed;
	for (i = 0; i < IL_ORDERS; i++)
		to->order[i] += from->order[i];
}

void il_count_say(struct il_result *r, const char *prefix,
		  const struct il_count *c)
{
	unsigned int i;

	il_say(r, "%smaps=%llu\n", prefix, c->maps);
	il_say(r, "%sfailed=%llu\n", prefix, c->failed);
	il_say(r, "%sunmaps=%llu\n", prefix, c->unmaps);
	il_say(r, "%sbytes=%llu\n", prefix, c->bytes);
	il_say(r, "%shigh=%llu\n", prefix, c->high);
	il_say(r, "%stop=0x%llx\n", prefix, c->top);
	il_say(r, "%ssac_attempts=%llu\n", prefix, c->sac_attempts);
	il_say(r, "%ssac_failed=%llu\n", prefix, c->sac_failed);
	for (i = 0; i < IL_ORDERS; i++)
		if (c->order[i])
			il_say(r, "%sorder_%u=%llu\n", prefix, i, c->order[i]);
}

static void il_dev_say(struct il_dev *d, struct il_result *r)
{
	u64 nr, low, high;

	il_held_pages(d, &nr, &low, &high);
	il_say(r, "dev=%s\n", d->name);
	il_say(r, "gone=%d\n", !d->pdev);
	il_count_say(r, "", &d->total);
	il_say(r, "sac_exact=%d\n", !d->sac_unsure);
	il_say(r, "held=%llu\n", nr);
	il_say(r, "held_low_pages=%llu\n", low);
	il_say(r, "held_high_pages=%llu\n", high);
}

int il_cmd_stats(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = NULL;
	int ret;

	if (il_arg(a, "dev")) {
		d = il_dev_arg(a, "dev");
		if (IS_ERR(d))
			return PTR_ERR(d);
	}
	ret = il_args_end(a);
	if (ret)
		return ret;

	if (d) {
		il_dev_say(d, r);
		return 0;
	}
	list_for_each_entry(d, &il_devs, node)
		il_dev_say(d, r);
	return 0;
}

int il_cmd_sac(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	bool on = il_arg_flag(a, "on");
	bool off = il_arg_flag(a, "off");
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = il_args_end(a);
	if (ret)
		return ret;
	if (on && off)
		return il_bad(a, "on and off");

	if (on || off) {
		/*
		 * A bit beside bits that change at probe: keep probes out. Only
		 * try, since il_dev_notify() waits for us under this lock.
		 */
		if (!device_trylock(il_device(d)))
			return -EBUSY;
		ret = il_sac_flag_set(il_device(d), on);
		device_unlock(il_device(d));
		if (ret) {
			il_bad(a, "this kernel has no such flag");
			return ret;
		}
	}
	il_say(r, "sac_flag=%d\n", il_sac_flag(il_device(d)));
	return 0;
}

static void il_dev_leave(struct device *dev, bool dying)
{
	struct il_dev *d = il_dev_find(dev_name(dev));

	/* Remember that it is going even if no command used it yet. */
	if (!d && dying)
		d = il_dev_add(dev_name(dev));
	if (!d)
		return;

	atomic_inc(&d->stop);
	mutex_lock(&il_mutex);
	if (dying)
		d->dying = true;
	if (d->pdev && il_device(d) == dev)
		il_dev_forget(d);
	mutex_unlock(&il_mutex);
	atomic_dec(&d->stop);
}

/*
 * Mappings have to be given back before their domain goes, or can be replaced:
 * a device that is removed, or loses its driver, is left alone at once.
 */
static int il_dev_notify(struct notifier_block *nb, unsigned long action,
			 void *data)
{
	struct device *dev = data;
	struct il_dev *d;

	switch (action) {
	case BUS_NOTIFY_DEL_DEVICE:
		il_dev_leave(dev, true);
		break;
	case BUS_NOTIFY_UNBIND_DRIVER:
		il_dev_leave(dev, false);
		break;
	case BUS_NOTIFY_REMOVED_DEVICE:
		d = il_dev_find(dev_name(dev));
		if (d) {
			mutex_lock(&il_mutex);
			d->dying = false;
			mutex_unlock(&il_mutex);
		}
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block il_dev_nb = {
	.notifier_call = il_dev_notify,
};

int il_devices_init(void)
{
	gfp_t gfp = GFP_KERNEL | __GFP_COMP | __GFP_ZERO | __GFP_NOWARN;
	int order, ret;

	for (order = IL_MAX_ORDER; order >= 0 && !il_buffer; order--) {
		il_buffer = alloc_pages(gfp, order);
		il_buffer_order = order;
	}
	if (!il_buffer)
		return -ENOMEM;
	il_buffer_size = PAGE_SIZE << il_buffer_order;

	il_walk_init();
	ret = bus_register_notifier(&pci_bus_type, &il_dev_nb);
	if (ret)
		goto free;
	ret = pci_register_driver(&il_driver);
	if (!ret)
		return 0;

	bus_unregister_notifier(&pci_bus_type, &il_dev_nb);
free:
	__free_pages(il_buffer, il_buffer_order);
	return ret;
}

void il_devices_exit(void)
{
	struct il_dev *d, *next;

	pci_unregister_driver(&il_driver);
	bus_unregister_notifier(&pci_bus_type, &il_dev_nb);
	list_for_each_entry_safe(d, next, &il_devs, node) {
		il_dev_forget(d);
		list_del(&d->node);
		kfree(d);
	}
	__free_pages(il_buffer, il_buffer_order);
}
