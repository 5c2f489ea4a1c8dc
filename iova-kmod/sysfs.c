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

/**
 * struct iovp_attribute - one value of a device
 * @attr: the file
 * @show: writes the value; the device is locked
 */
struct iovp_attribute {
	struct device_attribute attr;
	int (*show)(struct iovp_dev *d, char *buf);
};

static ssize_t iovp_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct iovp_attribute *a = container_of(attr, struct iovp_attribute, attr);
	struct iovp_dev *d = iovp_open(dev);
	int n;

	if (!d)
		return -ENODEV;
	n = a->show(d, buf);
	iovp_close(d);
	return n;
}

#define IOVP_ATTR(_name, _mode, _store)					\
	struct iovp_attribute iovp_attr_##_name = {			\
		.attr = __ATTR(_name, _mode, iovp_show, _store),	\
		.show = iovp_show_##_name,				\
	}
#define IOVP_ATTR_RO(_name)	IOVP_ATTR(_name, 0444, NULL)
#define IOVP_ATTR_RW(_name)	IOVP_ATTR(_name, 0644, _name##_store)

static int iovp_show_policy(struct iovp_dev *d, char *buf)
{
	int n = iovp_print(buf, PAGE_SIZE - 1, d->want.kind, d->want.width);

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
static IOVP_ATTR_RW(policy);

static int iovp_show_cap(struct iovp_dev *d, char *buf)
{
	return sysfs_emit(buf, "%u\n", d->cap);
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
static IOVP_ATTR_RW(cap);

static int iovp_show_effective(struct iovp_dev *d, char *buf)
{
	struct device *dev = iovp_device(d);
	u64 limit = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);
	const char *order = "full-range";

	if (d->force.high.nr)
		limit = min(limit, d->force.limit);
	if (limit <= DMA_BIT_MASK(32))
		order = "low";
	else if (iovp_flag(dev) && !d->force.low.nr)
		order = "sac-first";
	return sysfs_emit(buf, "%s:%u\n", order, fls64(limit));
}
static IOVP_ATTR_RO(effective);

static int iovp_show_state(struct iovp_dev *d, char *buf)
{
	return sysfs_emit(buf, "%s\n", iovp_state_name(d));
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
static IOVP_ATTR_RW(state);

static int iovp_show_reason(struct iovp_dev *d, char *buf)
{
	return sysfs_emit(buf, "%s\n", iovp_reason_name(d));
}
static IOVP_ATTR_RO(reason);

static int iovp_show_lease_ms(struct iovp_dev *d, char *buf)
{
	if (iovp_state(d) != IOVP_LEASED)
		return -ENODATA;
	return sysfs_emit(buf, "%u\n", iovp_lease_left(d->lease));
}
static IOVP_ATTR_RO(lease_ms);

/* An AER error has no address. */
static int iovp_show_fault_address(struct iovp_dev *d, char *buf)
{
	if (d->quarantine != IOVA_POLICY_C_FAULT)
		return -ENODATA;
	return sysfs_emit(buf, "0x%llx\n", d->evidence.address);
}
static IOVP_ATTR_RO(fault_address);

static int iovp_show_fault_relation(struct iovp_dev *d, char *buf)
{
	if (d->quarantine != IOVA_POLICY_C_FAULT)
		return -ENODATA;
	return sysfs_emit(buf, "%s\n", iovp_relation_name(d->evidence.relation));
}
static IOVP_ATTR_RO(fault_relation);

static int iovp_show_origin(struct iovp_dev *d, char *buf)
{
	return sysfs_emit(buf, "%s\n", iovp_origin_name(d->origin.by));
}
static IOVP_ATTR_RO(origin);

static int iovp_show_origin_comm(struct iovp_dev *d, char *buf)
{
	char comm[TASK_COMM_LEN];

	if (d->origin.by == IOVP_BY_KERNEL)
		return -ENODATA;
	iovp_comm(comm, &d->origin);
	return sysfs_emit(buf, "%s\n", comm);
}
static IOVP_ATTR_RO(origin_comm);

static int iovp_show_origin_pid(struct iovp_dev *d, char *buf)
{
	if (d->origin.by == IOVP_BY_KERNEL)
		return -ENODATA;
	return sysfs_emit(buf, "%u\n", d->origin.pid);
}
static IOVP_ATTR_RO(origin_pid);

static int iovp_show_origin_uid(struct iovp_dev *d, char *buf)
{
	if (d->origin.by == IOVP_BY_KERNEL)
		return -ENODATA;
	return sysfs_emit(buf, "%u\n", d->origin.uid);
}
static IOVP_ATTR_RO(origin_uid);

static int iovp_show_mechanisms(struct iovp_dev *d, char *buf)
{
	u32 usable = iovp_usable(d);
	unsigned int i;
	int n = 0;

	for (i = 0; i < IOVP_MECHANISMS; i++)
		if (usable & iovp_mechanisms[i]->bit)
			n += sysfs_emit_at(buf, n, n ? " %s" : "%s",
					   iovp_mechanisms[i]->name);
	if (usable & IOVA_POLICY_M_FLUSH)
		n += sysfs_emit_at(buf, n, n ? " flush" : "flush");
	return n + sysfs_emit_at(buf, n, "\n");
}
static IOVP_ATTR_RO(mechanisms);

static int iovp_show_generation(struct iovp_dev *d, char *buf)
{
	return sysfs_emit(buf, "%u\n", d->generation);
}
static IOVP_ATTR_RO(generation);

static int iovp_show_held(struct iovp_dev *d, char *buf)
{
	return sysfs_emit(buf, "%llu\n", iovp_held(d));
}
static IOVP_ATTR_RO(held);

static struct attribute *iovp_attrs[] = {
	&iovp_attr_policy.attr.attr,
	&iovp_attr_cap.attr.attr,
	&iovp_attr_effective.attr.attr,
	&iovp_attr_state.attr.attr,
	&iovp_attr_reason.attr.attr,
	&iovp_attr_lease_ms.attr.attr,
	&iovp_attr_fault_address.attr.attr,
	&iovp_attr_fault_relation.attr.attr,
	&iovp_attr_origin.attr.attr,
	&iovp_attr_origin_comm.attr.attr,
	&iovp_attr_origin_pid.attr.attr,
	&iovp_attr_origin_uid.attr.attr,
	&iovp_attr_mechanisms.attr.attr,
	&iovp_attr_generation.attr.attr,
	&iovp_attr_held.attr.attr,
	NULL,
};

const struct attribute_group iovp_group = {
	.name = "iova_policy",
	.attrs = iovp_attrs,
};
