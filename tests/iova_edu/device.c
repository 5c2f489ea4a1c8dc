// SPDX-License-Identifier: GPL-2.0
/* iova_edu: the device. Its registers are in docs/specs/edu of QEMU. */

#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "iova_edu.h"

#define IE_VENDOR	0x1234
#define IE_DEVICE	0x11e8

#define IE_REG_SRC	0x80
#define IE_REG_DST	0x88
#define IE_REG_COUNT	0x90
#define IE_REG_CMD	0x98
#define IE_CMD_START	BIT(0)	/* reads 1 until the transfer has ended */
#define IE_CMD_TO_RAM	BIT(1)

/* Its own 4 KiB, all zero: nothing ever writes there. */
#define IE_BUFFER	0x40000
/* QEMU up to 7.2 refuses a transfer of all of it, and then ends itself. */
#define IE_BYTES_MAX	4095U

/* A transfer takes 100 ms of the device's clock. */
#define IE_PATIENCE	(30 * HZ)

/* What is in memory before the device writes; what it writes is 0. */
#define IE_TARGET	0xa5
#define IE_PATTERN(i)	((u8)((i) * 7 | 1))

/* Protected by ie_mutex; in the order in which they were bound. */
static LIST_HEAD(ie_devs);

/**
 * ie_find - a device that is bound
 * @name: its address; empty: the first
 *
 * Return: the device, or NULL. ie_mutex is held.
 */
struct ie_dev *ie_find(const char *name)
{
	struct ie_dev *d;

	list_for_each_entry(d, &ie_devs, node)
		if (!*name || !strcmp(pci_name(d->pdev), name))
			return d;
	return NULL;
}

static int ie_unmap_bystander(struct ie_dev *d)
{
	if (d->bystander_at)
		dma_unmap_page(&d->pdev->dev, d->bystander_at, PAGE_SIZE,
			       DMA_BIDIRECTIONAL);
	d->bystander_at = 0;
	return 0;
}

/**
 * ie_cmd_bystander - map the page that must not change
 * @d: device
 * @at: its I/O address, a multiple of the page size; 0 unmaps it
 * @t: answer
 *
 * The allocator hands out the highest address that a device can reach, so a
 * device that can reach no more than this page gets it, if it is free.
 *
 * Return: 0 or a negative errno.
 */
int ie_cmd_bystander(struct ie_dev *d, u64 at, struct ie_text *t)
{
	struct device *dev = &d->pdev->dev;
	u8 *bytes = page_address(d->bystander);
	unsigned int i;
	dma_addr_t got;
	int ret;

	if (!IS_ALIGNED(at, PAGE_SIZE))
		return -EINVAL;
	ie_unmap_bystander(d);
	if (!at)
		return 0;

	for (i = 0; i < PAGE_SIZE; i++)
		bytes[i] = IE_PATTERN(i);
	ret = dma_set_mask(dev, at | ~PAGE_MASK);
	if (ret)
		return ret;
	got = dma_map_page(dev, d->bystander, 0, PAGE_SIZE, DMA_BIDIRECTIONAL);
	ret = dma_set_mask(dev, DMA_BIT_MASK(64));
	if (dma_mapping_error(dev, got))
		return -ENOSPC;
	d->bystander_at = got;
	ie_say(t, "at=0x%llx\n", (u64)got);
	if (!ret && got != at)
		ret = -EADDRINUSE;
	if (ret)
		ie_unmap_bystander(d);
	return ret;
}

/**
 * ie_cmd_verify - has the bystander changed?
 * @d: device
 * @t: answer
 *
 * Return: 0, or -ENOENT when it isn't mapped.
 */
int ie_cmd_verify(struct ie_dev *d, struct ie_text *t)
{
	const u8 *bytes = page_address(d->bystander);
	unsigned int i, changed = 0, first = 0;

	if (!d->bystander_at)
		return -ENOENT;
	dma_sync_single_for_cpu(&d->pdev->dev, d->bystander_at, PAGE_SIZE,
				DMA_BIDIRECTIONAL);
	for (i = 0; i < PAGE_SIZE; i++) {
		if (bytes[i] == IE_PATTERN(i))
			continue;
		if (!changed++)
			first = i;
	}
	ie_say(t, "at=0x%llx\nchanged=%u\n", (u64)d->bystander_at, changed);
	if (changed)
		ie_say(t, "first=%u\n", first);
	return 0;
}

static bool ie_stopped(struct ie_dev *d)
{
	return READ_ONCE(d->going) || signal_pending(current);
}

static void ie_unmap_canaries(struct ie_dev *d)
{
	unsigned int i;

	for (i = 0; i < IE_CANARIES; i++) {
		if (d->canary_at[i])
			dma_unmap_page(&d->pdev->dev, d->canary_at[i], PAGE_SIZE,
				       DMA_BIDIRECTIONAL);
		d->canary_at[i] = 0;
	}
}

/* Some of them, each with bytes of its own. */
static int ie_map_canaries(struct ie_dev *d, unsigned int from, unsigned int to)
{
	unsigned int i, k;
	dma_addr_t at;
	u8 *bytes;

	for (i = from; i < to; i++) {
		bytes = page_address(d->canary[i]);
		for (k = 0; k < PAGE_SIZE; k++)
			bytes[k] = IE_PATTERN(k + i * 16);
		at = dma_map_page(&d->pdev->dev, d->canary[i], 0, PAGE_SIZE,
				  DMA_BIDIRECTIONAL);
		if (dma_mapping_error(&d->pdev->dev, at))
			return -ENOSPC;
		d->canary_at[i] = at;
	}
	return 0;
}

/* Bytes of them that have changed. */
static unsigned int ie_canaries_changed(struct ie_dev *d)
{
	unsigned int i, k, changed = 0;
	const u8 *bytes;

	for (i = 0; i < d->canaries; i++) {
		bytes = page_address(d->canary[i]);
		for (k = 0; k < PAGE_SIZE; k++)
			changed += bytes[k] != IE_PATTERN(k + i * 16);
	}
	return changed;
}

/* Let the device write, and wait until it says that it has. */
static int ie_transfer(struct ie_dev *d, dma_addr_t to, unsigned int bytes)
{
	unsigned long deadline = jiffies + IE_PATIENCE;

	writeq(IE_BUFFER, d->regs + IE_REG_SRC);
	writeq(to, d->regs + IE_REG_DST);
	writeq(bytes, d->regs + IE_REG_COUNT);
	writeq(IE_CMD_START | IE_CMD_TO_RAM, d->regs + IE_REG_CMD);
	while (readq(d->regs + IE_REG_CMD) & IE_CMD_START) {
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
		usleep_range(500, 1000);
	}
	return 0;
}

static int ie_write_once(struct ie_dev *d, unsigned int i, unsigned int bytes,
			 struct ie_text *t)
{
	struct device *dev = &d->pdev->dev;
	u8 *page = page_address(d->target);
	unsigned int arrived = 0, stray = 0, k;
	u64 start, end;
	dma_addr_t to;
	int ret;

	memset(page, IE_TARGET, PAGE_SIZE);
	ret = ie_map_canaries(d, 0, d->canaries / 2);
	if (ret)
		goto unmap;
	to = dma_map_page(dev, d->target, 0, PAGE_SIZE, DMA_FROM_DEVICE);
	ret = dma_mapping_error(dev, to) ? -ENOSPC :
	      ie_map_canaries(d, d->canaries / 2, d->canaries);
	if (ret) {
		if (!dma_mapping_error(dev, to))
			dma_unmap_page(dev, to, PAGE_SIZE, DMA_FROM_DEVICE);
		goto unmap;
	}
	start = ktime_get_real_ns();
	ret = ie_transfer(d, to, bytes);
	end = ktime_get_real_ns();
	dma_unmap_page(dev, to, PAGE_SIZE, DMA_FROM_DEVICE);
	ie_unmap_canaries(d);
	for (k = 0; k < PAGE_SIZE; k++) {
		arrived += k < bytes && !page[k];
		/* A byte that did not arrive is as it was, or it is astray. */
		stray += k < bytes ? page[k] && page[k] != IE_TARGET :
				     page[k] != IE_TARGET;
	}
	stray += ie_canaries_changed(d);

	ie_say(t, "address_%u=0x%llx\nstart_%u=%llu\nend_%u=%llu\narrived_%u=%u\nstray_%u=%u\n",
	       i, (u64)to, i, start, i, end, i, arrived, i, stray);
	return ret;

unmap:
	ie_unmap_canaries(d);
	return ret;
}

/**
 * ie_cmd_write - let the device write to memory
 * @d: device
 * @bytes: how many, each time
 * @count: how often
 * @pause_ms: between two
 * @t: answer
 *
 * Return: 0, -EINTR when it ended early, or another negative errno.
 */
int ie_cmd_write(struct ie_dev *d, unsigned int bytes, unsigned int count,
		 unsigned int pause_ms, struct ie_text *t)
{
	unsigned int i;
	int ret = 0;

	if (!bytes || bytes > IE_BYTES_MAX)
		return -ERANGE;
	for (i = 0; i < count && !ret; i++) {
		if (i && pause_ms)
			msleep_interruptible(pause_ms);
		if (ie_stopped(d)) {
			ie_say(t, "stopped=1\n");
			return -EINTR;
		}
		ret = ie_write_once(d, i, bytes, t);
	}
	return ret;
}

static int ie_buffers(struct ie_dev *d)
{
	unsigned int i;

	for (i = 0; i < IE_CANARIES; i++) {
		d->canary[i] = alloc_page(GFP_KERNEL);
		if (!d->canary[i])
			return -ENOMEM;
	}
	d->target = alloc_page(GFP_KERNEL);
	d->bystander = alloc_page(GFP_KERNEL);
	return d->target && d->bystander ? 0 : -ENOMEM;
}

static void ie_free(struct ie_dev *d)
{
	unsigned int i;

	for (i = 0; i < IE_CANARIES; i++)
		if (d->canary[i])
			__free_page(d->canary[i]);
	if (d->target)
		__free_page(d->target);
	if (d->bystander)
		__free_page(d->bystander);
	kfree(d);
}

static int ie_start(struct ie_dev *d)
{
	int ret;

	ret = pci_enable_device(d->pdev);
	if (ret)
		return ret;
	ret = dma_set_mask_and_coherent(&d->pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		goto disable;
	d->regs = pci_iomap(d->pdev, 0, 0);
	if (!d->regs) {
		ret = -ENOMEM;
		goto disable;
	}
	pci_set_master(d->pdev);
	return 0;

disable:
	pci_disable_device(d->pdev);
	return ret;
}

static int ie_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct ie_dev *d;
	int ret;

	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	d->pdev = pdev;
	ret = ie_buffers(d);
	if (!ret)
		ret = ie_start(d);
	if (ret) {
		ie_free(d);
		return ret;
	}
	pci_set_drvdata(pdev, d);
	mutex_lock(&ie_mutex);
	list_add_tail(&d->node, &ie_devs);
	mutex_unlock(&ie_mutex);
	return 0;
}

static void ie_remove(struct pci_dev *pdev)
{
	struct ie_dev *d = pci_get_drvdata(pdev);

	WRITE_ONCE(d->going, true);
	mutex_lock(&ie_mutex);
	list_del(&d->node);
	mutex_unlock(&ie_mutex);

	ie_unmap_bystander(d);
	pci_clear_master(pdev);
	pci_iounmap(pdev, d->regs);
	pci_disable_device(pdev);
	ie_free(d);
}

static const struct pci_device_id ie_ids[] = {
	{ PCI_DEVICE(IE_VENDOR, IE_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, ie_ids);

static struct pci_driver ie_driver = {
	.name = "iova_edu",
	.id_table = ie_ids,
	.probe = ie_probe,
	.remove = ie_remove,
};

/**
 * ie_driver_init - take the device
 *
 * Return: 0 or a negative errno.
 */
int ie_driver_init(void)
{
	return pci_register_driver(&ie_driver);
}

/** ie_driver_exit - leave the device */
void ie_driver_exit(void)
{
	pci_unregister_driver(&ie_driver);
}
