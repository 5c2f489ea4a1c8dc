// SPDX-License-Identifier: GPL-2.0
/*
 * iova_edu - driver for QEMU's "edu" device, the dishonest one of the tests
 *
 * The device keeps only as many bits of an address as QEMU's property dma_mask
 * has, and says so to nobody; this driver tells the kernel that it can do 64.
 * So a write to an address beyond goes where the rest of the bits point: to
 * another mapping of the device, or to nothing, which the IOMMU refuses.
 *
 * /dev/iova_edu takes one command per write() and answers the next read() from
 * the start with lines of key=value, the last one is status=0 or
 * status=-errno; the write fails with the same errno.
 *
 * A command that begins with "on=0000:00:05.0 " is for that device, others are
 * for the one that was bound first.
 *
 * bystander at=ADDRESS
 *		map a page with a pattern exactly there (at=0: unmap it). The
 *		device is never told of it.
 * verify	compare the page with the pattern: changed=BYTES, and the offset
 *		of the first of them
 * write bytes=N [count=K] [pause_ms=P] [canaries=1]
 *		K times: map a page for 64-bit DMA, let the device write N bytes
 *		to it, wait until it says that it has, unmap, look how many have
 *		arrived. For each I: address_I, start_I and end_I (nanoseconds
 *		since 1970), arrived_I, and stray_I: bytes that have changed in
 *		the rest of that page, or in one of eight others that canaries=1
 *		maps around it. Ends early at a signal, or when the device is
 *		unbound, with stopped=1.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <linux/uaccess.h>

#include "iova_edu.h"

#define IE_LINE_MAX	128
#define IE_NAME_MAX	31
#define IE_COUNT_MAX	100

/* Serializes commands, and with them the device and the last answer. */
DEFINE_MUTEX(ie_mutex);

static struct ie_text ie_last;

/**
 * ie_say - append to the answer
 * @t: the answer
 * @fmt: printf format
 */
void ie_say(struct ie_text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	t->len += vscnprintf(t->text + t->len, sizeof(t->text) - t->len, fmt,
			     args);
	va_end(args);
}

static int ie_run(const char *line, struct ie_text *t)
{
	unsigned int bytes, count, pause, canaries;
	char name[IE_NAME_MAX + 1] = "";
	struct ie_dev *d;
	unsigned long long at;
	int found;

	if (sscanf(line, "on=%" __stringify(IE_NAME_MAX) "s ", name) == 1)
		line = skip_spaces(line + strlen("on=") + strlen(name));
	d = ie_find(name);
	if (!d)
		return -ENODEV;
	if (sscanf(line, "bystander at=%lli", &at) == 1)
		return ie_cmd_bystander(d, at, t);
	if (!strcmp(line, "verify"))
		return ie_cmd_verify(d, t);

	found = sscanf(line, "write bytes=%u count=%u pause_ms=%u canaries=%u",
		       &bytes, &count, &pause, &canaries);
	if (found < 1)
		return -EINVAL;
	if (found < 2)
		count = 1;
	if (found < 3)
		pause = 0;
	if (found < 4)
		canaries = 0;
	if (!count || count > IE_COUNT_MAX)
		return -ERANGE;
	d->canaries = canaries ? IE_CANARIES : 0;
	return ie_cmd_write(d, bytes, count, pause, t);
}

static ssize_t ie_write(struct file *file, const char __user *buf, size_t len,
			loff_t *ppos)
{
	char line[IE_LINE_MAX];
	int ret;

	if (!len || len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, len))
		return -EFAULT;
	line[len] = '\0';

	ret = mutex_lock_interruptible(&ie_mutex);
	if (ret)
		return ret;
	ie_last.len = 0;
	ret = ie_run(strim(line), &ie_last);
	ie_say(&ie_last, "status=%d\n", ret);
	mutex_unlock(&ie_mutex);
	return ret ? ret : len;
}

static ssize_t ie_read(struct file *file, char __user *buf, size_t len,
		       loff_t *ppos)
{
	ssize_t ret;

	mutex_lock(&ie_mutex);
	ret = simple_read_from_buffer(buf, len, ppos, ie_last.text,
				      ie_last.len);
	mutex_unlock(&ie_mutex);
	return ret;
}

static const struct file_operations ie_fops = {
	.owner = THIS_MODULE,
	.read = ie_read,
	.write = ie_write,
};

static struct miscdevice ie_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iova_edu",
	.fops = &ie_fops,
	.mode = 0600,
};

static int __init ie_init(void)
{
	int ret;

	ret = ie_driver_init();
	if (ret)
		return ret;
	ret = misc_register(&ie_misc);
	if (ret)
		ie_driver_exit();
	return ret;
}

static void __exit ie_exit(void)
{
	misc_deregister(&ie_misc);
	ie_driver_exit();
}

module_init(ie_init);
module_exit(ie_exit);

MODULE_DESCRIPTION("Driver for QEMU's edu device, which drops address bits");
MODULE_AUTHOR("The iova project");
MODULE_LICENSE("GPL");
