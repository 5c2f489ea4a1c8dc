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

/* May a lease begin, or be asked about? */
static int iovp_stage_allowed(struct iovp_dev *d, struct iova_policy_stage *stage)
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
	return 0;
}

static int iovp_stage_dry_run(struct iovp_dev *d, const struct iovp_setting *want,
			      struct iova_policy_stage *stage)
{
	int ret;

	iovp_change_begin(d, want->kind == IOVA_POLICY_DAC);
	iovp_lock(d);
	ret = iovp_stage_allowed(d, stage);
	if (!ret)
		ret = iovp_stage_dry(d, want, stage);
	iovp_unlock(d);
	iovp_change_end(d);
	return ret;
}

static int iovp_stage_begin(struct iovp_lease *lease, const struct iovp_setting *want,
			    struct iova_policy_stage *stage)
{
	enum iova_policy_refusal refusal = IOVA_POLICY_OK;
	struct iovp_dev *d = lease->dev;
	int ret;

	iovp_lock(d);
	ret = iovp_stage_allowed(d, stage);
	/* The system is about to sleep, and what ends leases then has passed. */
	if (!ret && READ_ONCE(iovp_asleep))
		ret = -EBUSY;
	if (!ret) {
		ret = iovp_lease_begin(lease, want, stage->lease_ms,
				       stage->flags & IOVA_POLICY_F_RESTART,
				       &refusal);
		stage->refusal = refusal;
	}
	iovp_unlock(d);
	return ret;
}

static void iovp_stage_answer(struct iovp_lease *lease,
			      struct iova_policy_stage *stage)
{
	struct iovp_dev *d = lease->dev;

	iovp_lock(d);
	if (stage->flags & IOVA_POLICY_F_RESTART && d->lease == lease)
		iovp_lease_renew(lease, stage->lease_ms);
	stage->cookie = lease->cookie;
	stage->generation = d->generation;
	stage->limit = d->force.target.limit;
	stage->held = iovp_held(d);
	stage->mechanisms = d->force.mechanisms;
	iovp_unlock(d);
}

static int iovp_stage_lease(struct iovp_lease *lease, const struct iovp_setting *want,
			    struct iova_policy_stage *stage)
{
	struct iovp_dev *d = lease->dev;
	int ret;

	/* Waiting for a change that may last for seconds would be of no use. */
	iovp_lock(d);
	ret = iovp_stage_allowed(d, stage);
	iovp_unlock(d);
	if (ret)
		return ret;
	iovp_change_begin(d, want->kind == IOVA_POLICY_DAC);
	ret = iovp_stage_begin(lease, want, stage);
	if (!ret && stage->flags & IOVA_POLICY_F_FLUSH)
		iovp_flush(d, IOVA_POLICY_F_RCACHE | IOVA_POLICY_F_QUEUE);
	if (!ret)
		iovp_stage_answer(lease, stage);
	iovp_change_end(d);
	return ret;
}

/* Leases of the same device that this file need not hear of any more. */
static void iovp_forget_ended(struct iovp_file *file, u32 bdf)
{
	struct iovp_lease *lease, *next;
	LIST_HEAD(ended);

	mutex_lock(&file->lock);
	list_for_each_entry_safe(lease, next, &file->leases, node)
		if (lease->dev->bdf == bdf && !lease->staging &&
		    READ_ONCE(lease->state) != IOVA_POLICY_L_OPEN)
			list_move(&lease->node, &ended);
	mutex_unlock(&file->lock);
	list_for_each_entry_safe(lease, next, &ended, node)
		iovp_lease_free(lease);
}

static void iovp_lease_drop(struct iovp_file *file, struct iovp_lease *lease)
{
	mutex_lock(&file->lock);
	list_del(&lease->node);
	mutex_unlock(&file->lock);
	iovp_lease_free(lease);
}

static int iovp_stage_real(struct iovp_file *file, struct iovp_dev *d,
			   const struct iovp_setting *want,
			   struct iova_policy_stage *stage, void __user *arg)
{
	struct iovp_lease *lease;
	int ret;

	iovp_forget_ended(file, stage->bdf);
	lease = iovp_lease_new(d);
	if (!lease)
		return -ENOMEM;
	mutex_lock(&file->lock);
	list_add_tail(&lease->node, &file->leases);
	mutex_unlock(&file->lock);
	ret = iovp_stage_lease(lease, want, stage);
	/* One that the caller does not hear of could not be ended either. */
	if (iovp_arg_put(arg, stage, sizeof(*stage)))
		ret = -EFAULT;
	if (ret) {
		iovp_lease_drop(file, lease);
		return ret;
	}
	/* From here on another thread may take it off the list. */
	mutex_lock(&file->lock);
	lease->staging = false;
	mutex_unlock(&file->lock);
	return 0;
}

long iovp_stage(struct iovp_file *file, void __user *arg)
{
	struct iova_policy_stage stage;
	struct iovp_setting want;
	struct iovp_dev *d;
	int ret = iovp_arg_get(&stage, sizeof(stage), arg,
			       IOVA_POLICY_F_DRY_RUN | IOVA_POLICY_F_FLUSH |
			       IOVA_POLICY_F_WHOLE | IOVA_POLICY_F_RESTART);

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
	d = iovp_dev_get_bdf(stage.bdf);
	if (!d)
		return -ENODEV;
	if (stage.flags & IOVA_POLICY_F_DRY_RUN) {
		ret = iovp_stage_dry_run(d, &want, &stage);
		if (iovp_arg_put(arg, &stage, sizeof(stage)))
			ret = -EFAULT;
	} else {
		ret = iovp_stage_real(file, d, &want, &stage, arg);
	}
	iovp_dev_put(d);
	return ret;
}
