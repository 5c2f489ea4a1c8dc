// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: IOVA_POLICY_STAGE, how a lease begins
 */

#include <linux/err.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "iovp.h"

/* What the caller asks for; -EINVAL where it makes no sense with any width. */
static int iovp_stage_setting(const struct iova_policy_stage *stage,
			      struct iovp_setting *want)
{
	bool dac = stage->kind == IOVA_POLICY_DAC;

	if (stage->kind > IOVA_POLICY_DAC || stage->width > U16_MAX)
		return -EINVAL;
	if (!dac && (stage->window || stage->flags & IOVA_POLICY_F_WHOLE))
		return -EINVAL;
	/* Whole pages; and never the top of a width. */
	if (stage->window && ((stage->window + 1) % PAGE_SIZE ||
			      stage->window > U32_MAX - SZ_2M))
		return -EINVAL;
	memset(want, 0, sizeof(*want));
	want->kind = stage->kind;
	want->width = stage->width;
	want->whole = stage->flags & IOVA_POLICY_F_WHOLE;
	if (dac)
		want->window = stage->window ? stage->window : IOVP_WINDOW;
	return 0;
}

/* What would happen. */
static int iovp_stage_dry(struct iovp_dev *d, const struct iovp_setting *want,
			  struct iova_policy_stage *stage)
{
	enum iova_policy_refusal refusal = IOVA_POLICY_R_WIDTH;
	struct iovp_target target;

	if (iovp_in_range(want)) {
		iovp_target(&target, want, d->cap);
		stage->limit = target.limit;
		refusal = iovp_check_early(d, want, &target);
	}
	if (!refusal)
		refusal = iovp_check(d, &target, &stage->mechanisms);
	stage->refusal = refusal;
	return iovp_refusal_errno(refusal);
}

static int iovp_stage_real(struct iovp_file *file, struct iovp_dev *d,
			   const struct iovp_setting *want,
			   struct iova_policy_stage *stage)
{
	enum iova_policy_refusal refusal = IOVA_POLICY_OK;
	struct iovp_lease *lease;

	lease = iovp_lease_begin(&file->leases, d, want, stage->lease_ms, &refusal);
	stage->refusal = refusal;
	if (IS_ERR(lease))
		return PTR_ERR(lease);
	if (stage->flags & IOVA_POLICY_F_FLUSH)
		iovp_flush(d, IOVA_POLICY_F_RCACHE | IOVA_POLICY_F_QUEUE);
	stage->cookie = lease->cookie;
	stage->generation = d->generation;
	stage->limit = d->force.target.limit;
	stage->held = d->force.low.bytes;
	stage->mechanisms = d->force.mechanisms;
	return 0;
}

static int iovp_stage_locked(struct iovp_file *file, struct iovp_dev *d,
			     const struct iovp_setting *want,
			     struct iova_policy_stage *stage)
{
	if (d->gone)
		return -ENODEV;
	if (stage->generation && stage->generation != d->generation)
		return -ESTALE;
	if (d->lease || d->phase == IOVP_BINDING || d->phase == IOVP_UNBINDING)
		return -EBUSY;
	if (d->phase == IOVP_UNBOUND) {
		stage->refusal = IOVA_POLICY_R_UNBOUND;
		return -EOPNOTSUPP;
	}
	if (stage->flags & IOVA_POLICY_F_DRY_RUN)
		return iovp_stage_dry(d, want, stage);
	return iovp_stage_real(file, d, want, stage);
}

/* Leases of the same device that this file need not hear of any more. */
static void iovp_forget_ended(struct iovp_file *file, u32 bdf)
{
	struct iovp_lease *lease, *next;

	list_for_each_entry_safe(lease, next, &file->leases, node)
		if (lease->dev->bdf == bdf && lease->state != IOVA_POLICY_L_OPEN)
			iovp_lease_free(lease);
}

static int iovp_stage_dev(struct iovp_file *file, const struct iovp_setting *want,
			  struct iova_policy_stage *stage)
{
	struct iovp_dev *d = iovp_dev_get_bdf(stage->bdf);
	bool dry = stage->flags & IOVA_POLICY_F_DRY_RUN;
	int ret;

	if (!d)
		return -ENODEV;
	iovp_forget_ended(file, stage->bdf);
	if (!dry)
		iovp_fault_get();
	iovp_lock(d);
	ret = iovp_stage_locked(file, d, want, stage);
	iovp_unlock(d);
	if (!dry)
		iovp_fault_put();
	/* One of which nothing came. */
	if (ret)
		iovp_forget_ended(file, stage->bdf);
	iovp_dev_put(d);
	return ret;
}

long iovp_stage(struct iovp_file *file, void __user *arg)
{
	struct iova_policy_stage stage;
	struct iovp_setting want;
	int ret = iovp_arg_get(&stage, sizeof(stage), arg,
			       IOVA_POLICY_F_DRY_RUN | IOVA_POLICY_F_FLUSH |
			       IOVA_POLICY_F_WHOLE);

	if (!ret)
		ret = iovp_stage_setting(&stage, &want);
	if (!ret && !(stage.flags & IOVA_POLICY_F_DRY_RUN))
		ret = iovp_lease_time(stage.lease_ms);
	if (ret)
		return ret;

	stage.cookie = 0;
	stage.limit = 0;
	stage.held = 0;
	stage.mechanisms = 0;
	stage.refusal = IOVA_POLICY_OK;
	mutex_lock(&file->lock);
	ret = iovp_stage_dev(file, &want, &stage);
	if (iovp_arg_put(arg, &stage, sizeof(stage))) {
		/* Nobody knows of it, so nobody could end it. */
		if (!ret && stage.cookie)
			iovp_lease_free(iovp_lease_find(file, stage.cookie));
		ret = -EFAULT;
	}
	mutex_unlock(&file->lock);
	return ret;
}
