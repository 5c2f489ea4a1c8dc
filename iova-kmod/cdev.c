// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: /dev/iova_policy, see iova_policy.h
 *
 * An open file holds the module, so no lease outlives its code. The file's lock
 * protects its list of leases and is taken outside a device's lock.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "iovp.h"

#define IOVP_LEASE_MIN	100U
#define IOVP_LEASE_MAX	(24U * 60 * 60 * 1000)

/* What all structures begin with. */
struct iovp_head {
	__u32 argsz;
	__u32 flags;
};

/* Reads an argument of at least @size bytes; what is behind is of a later ABI. */
int iovp_arg_get(void *arg, size_t size, void __user *from, u32 flags)
{
	struct iovp_head *head = arg;

	if (copy_from_user(arg, from, size))
		return -EFAULT;
	return head->argsz < size || head->flags & ~flags ? -EINVAL : 0;
}

int iovp_arg_put(void __user *to, const void *arg, size_t size)
{
	return copy_to_user(to, arg, size) ? -EFAULT : 0;
}

static long iovp_info(void __user *arg)
{
	struct iova_policy_info info;
	int ret = iovp_arg_get(&info, sizeof(info), arg, 0);

	if (ret)
		return ret;
	info.abi_major = IOVA_POLICY_ABI_MAJOR;
	info.abi_minor = IOVA_POLICY_ABI_MINOR;
	info.features = iovp_features();
	info.lease_min_ms = IOVP_LEASE_MIN;
	info.lease_max_ms = IOVP_LEASE_MAX;
	info.iovad_offset = IOVP_IOVAD_OFFSET;
	info.record_size = sizeof(struct iova_policy_record);
	return iovp_arg_put(arg, &info, sizeof(info));
}

int iovp_lease_time(u32 ms)
{
	return ms < IOVP_LEASE_MIN || ms > IOVP_LEASE_MAX ? -EINVAL : 0;
}

struct iovp_lease *iovp_lease_find(struct iovp_file *file, u64 cookie)
{
	struct iovp_lease *lease;

	list_for_each_entry(lease, &file->leases, node)
		if (lease->cookie == cookie)
			return lease;
	return NULL;
}

static void iovp_lease_tell(struct iovp_lease *lease, struct iova_policy_lease *arg)
{
	arg->state = lease->state;
	arg->cause = lease->cause;
	arg->lease_ms = lease->state == IOVA_POLICY_L_OPEN ? iovp_lease_left(lease) : 0;
	arg->generation = lease->dev->generation;
	if (lease->state != IOVA_POLICY_L_OPEN)
		lease->told = true;
}

static int iovp_lease_do(struct iovp_lease *lease, unsigned int nr, u32 ms)
{
	if (nr == _IOC_NR(IOVA_POLICY_STATUS))
		return 0;
	if (lease->state != IOVA_POLICY_L_OPEN)
		return -ESTALE;
	if (nr == _IOC_NR(IOVA_POLICY_RENEW))
		iovp_lease_renew(lease, ms);
	else
		iovp_lease_keep(lease);
	return 0;
}

/* RENEW, COMMIT, STATUS */
static long iovp_lease_ioctl(struct iovp_file *file, unsigned int nr, void __user *to)
{
	struct iova_policy_lease arg;
	struct iovp_lease *lease;
	int ret = iovp_arg_get(&arg, sizeof(arg), to, 0);

	if (!ret && nr == _IOC_NR(IOVA_POLICY_RENEW))
		ret = iovp_lease_time(arg.lease_ms);
	if (ret)
		return ret;
	mutex_lock(&file->lock);
	lease = iovp_lease_find(file, arg.cookie);
	if (lease) {
		iovp_lock(lease->dev);
		ret = iovp_lease_do(lease, nr, arg.lease_ms);
		iovp_lease_tell(lease, &arg);
		iovp_unlock(lease->dev);
	} else {
		ret = -ENOENT;
	}
	mutex_unlock(&file->lock);
	if (lease && iovp_arg_put(to, &arg, sizeof(arg)))
		return -EFAULT;
	return ret;
}

static bool iovp_abort_sane(const struct iova_policy_abort *arg)
{
	bool quarantine = arg->flags & IOVA_POLICY_F_QUARANTINE;

	if (arg->reserved || arg->evidence.relation > IOVA_POLICY_REL_MANGLED)
		return false;
	if (arg->cause == IOVA_POLICY_C_ABORT)
		return !quarantine;
	return arg->cause == IOVA_POLICY_C_FAULT || arg->cause == IOVA_POLICY_C_AER;
}

static int iovp_lease_abort(struct iovp_lease *lease,
			    const struct iova_policy_abort *arg)
{
	bool quarantine = arg->flags & IOVA_POLICY_F_QUARANTINE;

	if (lease->state == IOVA_POLICY_L_OPEN) {
		iovp_lease_end(lease->dev, arg->cause, quarantine, &arg->evidence);
		return 0;
	}
	if (quarantine && !iovp_lease_blame(lease, arg->cause, &arg->evidence))
		return 0;
	return iovp_lease_explain(lease, &arg->evidence);
}

static long iovp_abort(struct iovp_file *file, void __user *from)
{
	struct iova_policy_abort arg;
	struct iovp_lease *lease;
	int ret = iovp_arg_get(&arg, sizeof(arg), from, IOVA_POLICY_F_QUARANTINE);

	if (ret)
		return ret;
	if (!iovp_abort_sane(&arg))
		return -EINVAL;
	mutex_lock(&file->lock);
	lease = iovp_lease_find(file, arg.cookie);
	if (lease) {
		iovp_lock(lease->dev);
		ret = iovp_lease_abort(lease, &arg);
		lease->told = true;
		iovp_unlock(lease->dev);
	} else {
		ret = -ENOENT;
	}
	mutex_unlock(&file->lock);
	return ret;
}

static long iovp_flush_ioctl(void __user *from)
{
	struct iova_policy_flush arg;
	struct iovp_dev *d;
	int ret = iovp_arg_get(&arg, sizeof(arg), from,
			       IOVA_POLICY_F_RCACHE | IOVA_POLICY_F_QUEUE);

	if (ret)
		return ret;
	if (arg.reserved)
		return -EINVAL;
	d = iovp_dev_get_bdf(arg.bdf);
	if (!d)
		return -ENODEV;
	iovp_change_begin(d, false);
	ret = READ_ONCE(d->gone) ? -ENODEV : iovp_flush(d, arg.flags);
	iovp_change_end(d);
	iovp_dev_put(d);
	return ret;
}

static long iovp_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct iovp_file *file = filp->private_data;
	void __user *to = (void __user *)arg;

	if (!iovp_allowed())
		return -EPERM;
	switch (cmd) {
	case IOVA_POLICY_INFO:
		return iovp_info(to);
	case IOVA_POLICY_STAGE:
		return iovp_stage(file, to);
	case IOVA_POLICY_RENEW:
	case IOVA_POLICY_COMMIT:
	case IOVA_POLICY_STATUS:
		return iovp_lease_ioctl(file, _IOC_NR(cmd), to);
	case IOVA_POLICY_ABORT:
		return iovp_abort(file, to);
	case IOVA_POLICY_FLUSH:
		return iovp_flush_ioctl(to);
	default:
		return -ENOTTY;
	}
}

static ssize_t iovp_read(struct file *filp, char __user *buf, size_t count,
			 loff_t *pos)
{
	struct iovp_file *file = filp->private_data;
	struct iova_policy_record record;
	size_t done = 0;

	if (count < sizeof(record))
		return -EINVAL;
	mutex_lock(&file->lock);
	while (count - done >= sizeof(record)) {
		u64 seq = file->seq;

		if (!iovp_record_next(&seq, &record))
			break;
		if (copy_to_user(buf + done, &record, sizeof(record))) {
			mutex_unlock(&file->lock);
			return done ? done : -EFAULT;
		}
		file->seq = seq;
		done += sizeof(record);
	}
	mutex_unlock(&file->lock);
	return done;
}

static __poll_t iovp_poll(struct file *filp, poll_table *wait)
{
	struct iovp_file *file = filp->private_data;
	struct iovp_lease *lease;
	__poll_t events = 0;

	poll_wait(filp, &iovp_waiters, wait);
	mutex_lock(&file->lock);
	if (iovp_record_new(file->seq))
		events |= EPOLLIN | EPOLLRDNORM;
	list_for_each_entry(lease, &file->leases, node)
		if (READ_ONCE(lease->state) == IOVA_POLICY_L_ENDED && !lease->told)
			events |= EPOLLPRI;
	mutex_unlock(&file->lock);
	return events;
}

static int iovp_fopen(struct inode *inode, struct file *filp)
{
	struct iovp_file *file;

	if (!iovp_allowed())
		return -EPERM;
	file = kzalloc(sizeof(*file), GFP_KERNEL);
	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	INIT_LIST_HEAD(&file->leases);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int iovp_frelease(struct inode *inode, struct file *filp)
{
	struct iovp_file *file = filp->private_data;
	struct iovp_lease *lease, *next;

	list_for_each_entry_safe(lease, next, &file->leases, node)
		iovp_lease_free(lease);
	mutex_destroy(&file->lock);
	kfree(file);
	return 0;
}

static const struct file_operations iovp_fops = {
	.owner = THIS_MODULE,
	.open = iovp_fopen,
	.release = iovp_frelease,
	.read = iovp_read,
	.poll = iovp_poll,
	.unlocked_ioctl = iovp_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice iovp_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iova_policy",
	.fops = &iovp_fops,
	.mode = 0600,
};

int iovp_cdev_init(void)
{
	return misc_register(&iovp_misc);
}

void iovp_cdev_exit(void)
{
	misc_deregister(&iovp_misc);
}
