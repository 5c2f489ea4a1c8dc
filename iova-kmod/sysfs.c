// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: /sys/bus/pci/devices/<BDF>/iova_policy/
 *
 * Every attribute is described in
 * Documentation/ABI/testing/sysfs-bus-pci-devices-iova_policy.
 */

#include <linux/dma-mapping.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "compat.h"
#include "iovp.h"

/* The locked state of a device whose attribute somebody has opened, or NULL. */
static struct iovp_dev *iovp_open(struct device *dev)
{
	struct iovp_dev *d = iovp_dev_get(dev);

	if (d)
		iovp_lock(d);
	return d;
}

static void iovp_close(struct iovp_dev *d)
{
	iovp_unlock(d);
	iovp_dev_put(d);
}

/* The same for a writer: allowed, and without a lease. */
static struct iovp_dev *iovp_open_write(struct device *dev)
{
	struct iovp_dev *d;

	if (!iovp_allowed())
		return ERR_PTR(-EPERM);
	d = iovp_open(dev);
	if (!d)
		return ERR_PTR(-ENODEV);
	if (!d->lease)
		return d;
	iovp_close(d);
	return ERR_PTR(-EBUSY);
}

static void iovp_close_change(struct iovp_dev *d)
{
	iovp_unlock(d);
	iovp_change_end(d);
	iovp_dev_put(d);
}

/* The same for a change, which may have to wait for another one. */
static struct iovp_dev *iovp_open_change(struct device *dev, bool dac)
{
	struct iovp_dev *d = iovp_open_write(dev);

	if (IS_ERR(d))
		return d;
	iovp_unlock(d);
	iovp_change_begin(d, dac);
	iovp_lock(d);
	if (!d->gone && !d->lease)
		return d;
	iovp_close_change(d);
	return ERR_PTR(-EBUSY);
}

static ssize_t policy_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct iovp_dev *d = iovp_open(dev);
	int n;

	if (!d)
		return -ENODEV;
	n = iovp_print(buf, PAGE_SIZE - 1, d->want.kind, d->want.width);
	iovp_close(d);
	return n + sysfs_emit_at(buf, n, "\n");
}

static ssize_t policy_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	enum iova_policy_refusal refusal;
	struct iovp_setting want;
	struct iovp_who who;
	struct iovp_dev *d;
	int ret = iovp_parse(buf, &want);

	if (ret)
		return ret;
	d = iovp_open_change(dev, want.kind == IOVA_POLICY_DAC);
	if (IS_ERR(d))
		return PTR_ERR(d);
	iovp_who_now(&who, IOVP_BY_SYSFS);
	ret = iovp_switch(d, &want, &who, IOVA_POLICY_C_SYSFS, &refusal);
	iovp_close_change(d);
	return ret ? ret : count;
}
static DEVICE_ATTR_RW(policy);

static ssize_t cap_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct iovp_dev *d = iovp_open(dev);
	int n;

	if (!d)
		return -ENODEV;
	n = sysfs_emit(buf, "%u\n", d->cap);
	iovp_close(d);
	return n;
}

/* A cap only ever narrows: whoever may write it protects, and can't open. */
static int iovp_cap(struct iovp_dev *d, u8 cap)
{
	struct iovp_who who;

	if (cap == d->cap)
		return 0;
	if (d->cap && (!cap || cap > d->cap))
		return -EPERM;
	if (cap < IOVP_CAP_MIN || cap > IOVP_CAP_MAX)
		return -ERANGE;
	iovp_who_now(&who, IOVP_BY_SYSFS);
	return iovp_set_cap(d, cap, &who, IOVA_POLICY_C_CAP);
}

static ssize_t cap_store(struct device *dev, struct device_attribute *attr,
			 const char *buf, size_t count)
{
	struct iovp_dev *d;
	u8 cap;
	int ret = kstrtou8(buf, 10, &cap);

	if (ret)
		return ret;
	d = iovp_open_change(dev, false);
	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = iovp_cap(d, cap);
	iovp_close_change(d);
	return ret ? ret : count;
}
static DEVICE_ATTR_RW(cap);

static ssize_t effective_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct iovp_dev *d = iovp_open(dev);
	u64 limit = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
	bool low_first;

	if (!d)
		return -ENODEV;
	if (d->force.high.nr)
		limit = min(limit, d->force.limit);
	low_first = iovp_flag(dev) && !d->force.low.nr;
	iovp_close(d);
	if (limit <= DMA_BIT_MASK(32))
		return sysfs_emit(buf, "low %u\n", fls64(limit));
	return sysfs_emit(buf, "%s %u\n", low_first ? "sac-first" : "full-range",
			  fls64(limit));
}
static DEVICE_ATTR_RO(effective);

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct iovp_dev *d = iovp_open(dev);
	int n;

	if (!d)
		return -ENODEV;
	n = iovp_print_state(buf, PAGE_SIZE - 1, d);
	iovp_close(d);
	return n + sysfs_emit_at(buf, n, "\n");
}

static void iovp_lift(struct iovp_dev *d)
{
	struct iovp_who who;

	d->refused = IOVA_POLICY_OK;
	if (!d->quarantine)
		return;
	iovp_who_now(&who, IOVP_BY_SYSFS);
	d->quarantine = 0;
	iovp_next_generation(d);
	iovp_log_change(d, IOVA_POLICY_C_RELEASED, IOVA_POLICY_OK,
			&d->force.target, &d->force.target, &who, &d->evidence);
	memset(&d->evidence, 0, sizeof(d->evidence));
}

static ssize_t state_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	struct iovp_dev *d;

	if (!sysfs_streq(buf, "idle"))
		return -EINVAL;
	d = iovp_open_write(dev);
	if (IS_ERR(d))
		return PTR_ERR(d);
	iovp_lift(d);
	iovp_close(d);
	return count;
}
static DEVICE_ATTR_RW(state);

static ssize_t origin_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct iovp_dev *d = iovp_open(dev);
	int n;

	if (!d)
		return -ENODEV;
	n = iovp_print_who(buf, PAGE_SIZE - 1, &d->origin);
	iovp_close(d);
	return n + sysfs_emit_at(buf, n, "\n");
}
static DEVICE_ATTR_RO(origin);

static ssize_t mechanisms_show(struct device *dev, struct device_attribute *attr,
			       char *buf)
{
	struct iovp_dev *d = iovp_open(dev);
	unsigned int i;
	u32 usable;
	int n = 0;

	if (!d)
		return -ENODEV;
	usable = iovp_usable(d);
	iovp_close(d);
	for (i = 0; i < IOVP_MECHANISMS; i++)
		if (usable & iovp_mechanisms[i]->bit)
			n += sysfs_emit_at(buf, n, n ? " %s" : "%s",
					   iovp_mechanisms[i]->name);
	if (usable & IOVA_POLICY_M_FLUSH)
		n += sysfs_emit_at(buf, n, n ? " flush" : "flush");
	return n + sysfs_emit_at(buf, n, "\n");
}
static DEVICE_ATTR_RO(mechanisms);

static ssize_t generation_show(struct device *dev, struct device_attribute *attr,
			       char *buf)
{
	struct iovp_dev *d = iovp_open(dev);
	int n;

	if (!d)
		return -ENODEV;
	n = sysfs_emit(buf, "%u\n", d->generation);
	iovp_close(d);
	return n;
}
static DEVICE_ATTR_RO(generation);

static ssize_t held_show(struct device *dev, struct device_attribute *attr,
			 char *buf)
{
	struct iovp_dev *d = iovp_open(dev);
	int n;

	if (!d)
		return -ENODEV;
	n = sysfs_emit(buf, "%llu\n", iovp_held(d));
	iovp_close(d);
	return n;
}
static DEVICE_ATTR_RO(held);

static struct attribute *iovp_attrs[] = {
	&dev_attr_policy.attr,
	&dev_attr_cap.attr,
	&dev_attr_effective.attr,
	&dev_attr_state.attr,
	&dev_attr_origin.attr,
	&dev_attr_mechanisms.attr,
	&dev_attr_generation.attr,
	&dev_attr_held.attr,
	NULL,
};

const struct attribute_group iovp_group = {
	.name = "iova_policy",
	.attrs = iovp_attrs,
};
