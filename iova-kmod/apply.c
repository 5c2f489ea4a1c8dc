// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: making a policy so, and taking it back
 *
 * A change goes from one policy to the next without passing stock in between:
 * no address above a cap is handed out while one cap follows another. What opens
 * space goes first where the new policy is the narrower one, and last where it
 * is the wider one:
 *
 *	flag back, low space free	from here on low addresses come first
 *	limit
 *	flag off, low space held	from here on high ones come first
 */

#include <linux/atomic.h>
#include <linux/dma-mapping.h>

#include "compat.h"
#include "iovp.h"

#define IOVP_SETTLE	(HZ / 4)

static const struct iovp_setting iovp_stock;
static const struct iovp_target iovp_none;

static void iovp_flag_off(struct iovp_dev *d)
{
	struct device *dev = iovp_device(d);

	if (!(d->force.mechanisms & IOVA_POLICY_M_FLAG)) {
		d->force.old_flag = iovp_flag(dev);
		d->force.mechanisms |= IOVA_POLICY_M_FLAG;
	}
	iovp_flag_set(dev, false);
}

static void iovp_flag_back(struct iovp_dev *d)
{
	if (d->force.mechanisms & IOVA_POLICY_M_FLAG && d->force.old_flag)
		iovp_flag_set(iovp_device(d), true);
	d->force.mechanisms &= ~IOVA_POLICY_M_FLAG;
}

static void iovp_limit_set(struct iovp_dev *d, u64 limit)
{
	struct device *dev = iovp_device(d);

	if (!(d->force.mechanisms & IOVA_POLICY_M_LIMIT)) {
		d->force.old_limit = dev->bus_dma_limit;
		d->force.mechanisms |= IOVA_POLICY_M_LIMIT;
	}
	d->force.limit = min_not_zero(d->force.old_limit, limit);
	WRITE_ONCE(dev->bus_dma_limit, d->force.limit);
}

/* If somebody else has written it since, it is theirs. */
static void iovp_limit_back(struct iovp_dev *d)
{
	struct device *dev = iovp_device(d);

	if (d->force.mechanisms & IOVA_POLICY_M_LIMIT &&
	    dev->bus_dma_limit == d->force.limit)
		WRITE_ONCE(dev->bus_dma_limit, d->force.old_limit);
	d->force.mechanisms &= ~IOVA_POLICY_M_LIMIT;
}

static void iovp_masks_set(struct iovp_dev *d, u64 limit)
{
	struct device *dev = iovp_device(d);

	if (!(d->force.mechanisms & IOVA_POLICY_M_MASK)) {
		d->force.old_mask = dma_get_mask(dev);
		d->force.old_coherent_mask = dev->coherent_dma_mask;
		d->force.mechanisms |= IOVA_POLICY_M_MASK;
	}
	d->force.mask = limit;
	dma_set_mask(dev, min(d->force.old_mask, limit));
	dma_set_coherent_mask(dev, min(d->force.old_coherent_mask, limit));
}

static void iovp_masks_back(struct iovp_dev *d)
{
	struct device *dev = iovp_device(d);

	if (!(d->force.mechanisms & IOVA_POLICY_M_MASK))
		return;
	d->force.mechanisms &= ~IOVA_POLICY_M_MASK;
	if (dma_get_mask(dev) == min(d->force.old_mask, d->force.mask))
		dma_set_mask(dev, d->force.old_mask);
	if (dev->coherent_dma_mask == min(d->force.old_coherent_mask, d->force.mask))
		dma_set_coherent_mask(dev, d->force.old_coherent_mask);
}

/*
 * Where the limit of the bus is not heard, the space above a limit is held. The
 * masks say the same, and to the caches too, but drivers may set them again, and
 * when a driver starts they are not set yet.
 */
static int iovp_high_hold(struct iovp_dev *d, u64 limit)
{
	struct iova_domain *space = iovp_space(d);

	if (!space || iovp_top(d) <= limit)
		return 0;
	return iovp_fill_take(&d->force.high, space, limit + 1, iovp_top(d));
}

/* Gives back what the target has no use for; the masks still say what is due. */
static void iovp_fill_back(struct iovp_dev *d, const struct iovp_target *t,
			   u32 mechanisms)
{
	bool fill = mechanisms & IOVA_POLICY_M_FILL;

	if (!fill || t->kind != IOVA_POLICY_DAC)
		iovp_fill_release(&d->force.low);
	if (!fill || t->limit > d->force.limit)
		iovp_fill_release(&d->force.high);
	d->force.mechanisms &= ~IOVA_POLICY_M_FILL;
}

/* A driver with narrow masks could map nothing at all: wait for what it sets. */
static enum iova_policy_refusal iovp_fill(struct iovp_dev *d,
					  const struct iovp_target *t, u32 mechanisms)
{
	int ret = 0;

	d->force.mechanisms |= IOVA_POLICY_M_FILL;
	if (!(mechanisms & IOVA_POLICY_M_LIMIT)) {
		ret = iovp_high_hold(d, t->limit);
		d->force.limit = t->limit;
		if (!ret && t->kind == IOVA_POLICY_DAC &&
		    !iovp_space_reaches(iovp_space(d), t->limit, t->least))
			return IOVA_POLICY_R_WIDTH;
	}
	if (!ret && t->kind == IOVA_POLICY_DAC && !d->deferred && !d->force.low.nr)
		ret = iovp_fill_take(&d->force.low, iovp_space(d), 0, U32_MAX);
	return ret ? IOVA_POLICY_R_HELD : IOVA_POLICY_OK;
}

/* Looks again soon. */
static void iovp_settle(struct iovp_dev *d)
{
	kref_get(&d->ref);
	if (!queue_delayed_work(iovp_wq, &d->settle, IOVP_SETTLE))
		iovp_dev_put(d);
}

/**
 * iovp_apply - put a target in force instead of what is now
 * @d: device, locked
 * @t: target
 * @mechanisms: how, from iovp_check(); 0 for stock
 *
 * Return: IOVA_POLICY_OK, or why not, and then something is in force that the
 * caller must replace.
 */
enum iova_policy_refusal iovp_apply(struct iovp_dev *d,
				    const struct iovp_target *t, u32 mechanisms)
{
	enum iova_policy_refusal refusal = IOVA_POLICY_OK;

	d->deferred = t->kind == IOVA_POLICY_DAC && !iovp_masks_known(d);
	d->force.target = *t;
	if (!(mechanisms & IOVA_POLICY_M_FLAG))
		iovp_flag_back(d);
	if (mechanisms & IOVA_POLICY_M_MASK && d->phase == IOVP_BOUND)
		iovp_masks_set(d, t->limit);
	iovp_fill_back(d, t, mechanisms);

	if (mechanisms & IOVA_POLICY_M_LIMIT)
		iovp_limit_set(d, t->limit);
	else
		iovp_limit_back(d);
	if (!(mechanisms & IOVA_POLICY_M_MASK))
		iovp_masks_back(d);

	if (t->kind == IOVA_POLICY_DAC && iovp_space(d))
		iovp_space_rewind(iovp_space(d));
	if (mechanisms & IOVA_POLICY_M_FLAG)
		iovp_flag_off(d);
	if (mechanisms & IOVA_POLICY_M_FILL)
		refusal = iovp_fill(d, t, mechanisms);
	if (mechanisms & IOVA_POLICY_M_MASK && d->phase != IOVP_BOUND)
		d->deferred = true;
	if (d->deferred && d->phase == IOVP_BOUND)
		iovp_settle(d);
	return refusal;
}

/* Back to what was found. Touches nothing if nothing was touched. */
void iovp_restore(struct iovp_dev *d)
{
	iovp_apply(d, &iovp_none, 0);
}

/*
 * One count for all devices: whoever expects a generation will not take a device
 * for another one that has come to the same address.
 */
void iovp_next_generation(struct iovp_dev *d)
{
	static atomic_t generation = ATOMIC_INIT(0);

	do {
		d->generation = atomic_inc_return(&generation);
	} while (!d->generation);
}

static enum iova_policy_refusal iovp_try(struct iovp_dev *d,
					 const struct iovp_setting *s, u8 cap)
{
	enum iova_policy_refusal refusal;
	struct iovp_target target;
	u32 mechanisms;

	iovp_target(&target, s, cap);
	refusal = iovp_check(d, &target, &mechanisms);
	return refusal ? refusal : iovp_apply(d, &target, mechanisms);
}

/**
 * iovp_revert - bring about what is configured, and tell nobody
 * @d: device, locked, with a driver or about to get one
 *
 * If the policy can't be had, then at least the cap, and otherwise stock.
 *
 * Return: why it can't.
 */
enum iova_policy_refusal iovp_revert(struct iovp_dev *d)
{
	enum iova_policy_refusal refusal = iovp_try(d, &d->want, d->cap);

	if (refusal && (!d->cap || iovp_try(d, &iovp_stock, d->cap)))
		iovp_restore(d);
	d->refused = refusal;
	return refusal;
}

/* The same because a driver comes. What waits for its masks is told then. */
void iovp_enforce(struct iovp_dev *d)
{
	struct iovp_target from = d->deferred ? iovp_none : d->force.target;
	enum iova_policy_refusal refusal = iovp_revert(d);

	if (refusal)
		iovp_log_change(d, IOVA_POLICY_C_REFUSED, refusal, &from,
				&d->force.target, &d->origin, NULL);
	else if (!d->deferred)
		iovp_log_change(d, IOVA_POLICY_C_BIND, refusal, &from,
				&d->force.target, &d->origin, NULL);
}

void iovp_settle_work(struct work_struct *work)
{
	struct iovp_dev *d = container_of(to_delayed_work(work), struct iovp_dev,
					  settle);

	iovp_lock(d);
	if (!d->gone && d->phase == IOVP_BOUND && d->deferred)
		iovp_enforce(d);
	iovp_unlock(d);
	iovp_dev_put(d);
}

static enum iova_policy_refusal iovp_replace(struct iovp_dev *d,
					     const struct iovp_target *t)
{
	enum iova_policy_refusal refusal;
	struct iovp_target old = d->force.target;
	u32 mechanisms, old_mechanisms = d->force.mechanisms;

	refusal = iovp_check(d, t, &mechanisms);
	if (refusal)
		return refusal;
	refusal = iovp_apply(d, t, mechanisms);
	if (refusal && iovp_apply(d, &old, old_mechanisms))
		iovp_restore(d);
	return refusal;
}

/* Is it configured already, and came to something? */
static bool iovp_is_set(struct iovp_dev *d, const struct iovp_setting *want)
{
	return !d->refused && d->want.kind == want->kind &&
	       d->want.width == want->width && d->want.window == want->window &&
	       d->want.whole == want->whole;
}

/**
 * iovp_switch - another policy, another cap
 * @d: device, locked, without a lease
 * @want: setting
 * @cap: protective cap
 * @who: who asks
 * @cause: enum iova_policy_cause
 * @refusal: why not
 *
 * Return: 0, -EBUSY if a driver is coming or going right now, or what belongs to
 * the refusal, and nothing has changed.
 */
int iovp_switch(struct iovp_dev *d, const struct iovp_setting *want, u8 cap,
		const struct iovp_who *who, u32 cause,
		enum iova_policy_refusal *refusal)
{
	bool cap_only = cause == IOVA_POLICY_C_CAP || cause == IOVA_POLICY_C_LIST;
	struct iovp_target from, to;

	*refusal = IOVA_POLICY_OK;
	if (d->phase == IOVP_BINDING || d->phase == IOVP_UNBINDING)
		return -EBUSY;
	/* What changes nothing is no news: udev would write it again, for ever. */
	if (cause == IOVA_POLICY_C_SYSFS && iovp_is_set(d, want))
		return 0;
	iovp_target(&from, &d->want, d->cap);
	if (iovp_in_range(want)) {
		iovp_target(&to, want, cap);
		*refusal = iovp_check_early(d, cap_only ? &iovp_stock : want, &to);
	} else {
		to = (struct iovp_target){ want->kind, want->width, 0 };
		*refusal = IOVA_POLICY_R_WIDTH;
	}
	if (!*refusal && d->phase == IOVP_BOUND)
		*refusal = iovp_replace(d, &to);

	d->refused = *refusal;
	if (*refusal) {
		to.kind = want->kind;
		to.width = want->width;
	} else {
		iovp_next_generation(d);
		d->want = *want;
		d->cap = cap;
		if (!cap_only)
			d->origin = *who;
	}
	iovp_log_change(d, *refusal ? IOVA_POLICY_C_REFUSED : cause, *refusal,
			&from, &to, who, NULL);
	return iovp_refusal_errno(*refusal);
}
