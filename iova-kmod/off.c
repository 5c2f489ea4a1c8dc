// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the switch that ends everything
 *
 *	echo 1 > /sys/module/iova_policy/parameters/off
 *
 * ends every lease, makes every device stock, lifts every cap and refuses all
 * policies from then on; 0 allows them again and brings none back. It waits for no
 * change that is being made, stops all of them, and needs no lock that one of
 * them holds for long.
 */

#include <linux/module.h>
#include <linux/moduleparam.h>

#include "iovp.h"

static bool iovp_off;

bool iovp_is_off(void)
{
	return READ_ONCE(iovp_off);
}

/* The driver's notifier takes back what UNBINDING still has in force. */
static void iovp_make_stock(struct iovp_dev *d, u32 cause)
{
	struct iovp_target none = {}, was;
	struct iovp_who who;
	bool changed;

	iovp_who_now(&who, IOVP_BY_SYSFS);
	iovp_lock(d);
	if (d->gone)
		goto out;
	iovp_lease_end(d, cause, false, NULL);
	iovp_stop_change(d);
	was = d->force.target;
	changed = d->want.kind != IOVA_POLICY_STOCK || d->cap;
	memset(&d->want, 0, sizeof(d->want));
	d->cap = 0;
	if (d->phase == IOVP_BINDING || d->phase == IOVP_BOUND)
		iovp_restore(d);
	iovp_fill_free_later(d);
	if (changed) {
		d->refused = IOVA_POLICY_OK;
		d->origin = who;
		iovp_next_generation(d);
		iovp_log_change(d, cause, IOVA_POLICY_OK, &was, &none, &who, NULL);
	}
out:
	iovp_unlock(d);
}

/* A request that was refused because all was off need not be any more. */
static void iovp_allow(struct iovp_dev *d, u32 cause)
{
	iovp_lock(d);
	if (d->refused == IOVA_POLICY_R_OFF)
		d->refused = IOVA_POLICY_OK;
	iovp_unlock(d);
}

static int iovp_off_set(const char *val, const struct kernel_param *kp)
{
	int ret;

	/* On the command line of a module that is being loaded it is just noted. */
	if (THIS_MODULE->state == MODULE_STATE_LIVE && !iovp_allowed())
		return -EPERM;
	ret = param_set_bool(val, kp);
	if (ret)
		return ret;
	if (iovp_is_off()) {
		iovp_remember_no_caps();
		iovp_for_each(iovp_make_stock, IOVA_POLICY_C_OFF);
	} else {
		iovp_for_each(iovp_allow, 0);
	}
	return 0;
}

static const struct kernel_param_ops iovp_off_ops = {
	.set = iovp_off_set,
	.get = param_get_bool,
};

module_param_cb(off, &iovp_off_ops, &iovp_off, 0644);
MODULE_PARM_DESC(off, "end all leases, make all devices stock, refuse policies (default: no)");
