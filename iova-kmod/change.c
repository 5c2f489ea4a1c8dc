// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: changes, from one setting to the next
 *
 * There is one change of a device at a time, under iovp_dev.change. It may take
 * its time, unlocks the device while it takes space, and stops when somebody
 * moves the device's epoch meanwhile.
 */

#include <linux/atomic.h>
#include <linux/errno.h>

#include "iovp.h"

static const struct iovp_setting iovp_stock;
static const struct iovp_target iovp_none;

/**
 * iovp_change_begin - be the one who changes a device
 * @d: device, not locked
 * @dac: dac may be asked for
 *
 * What must be asked of others is asked here, since none of them may hold up an
 * end of a lease, which takes the device's lock.
 */
void iovp_change_begin(struct iovp_dev *d, bool dac)
{
	unsigned int noio = memalloc_noio_save();
	bool locked_down;

	mutex_lock(&d->change);
	d->change_noio = noio;
	iovp_group_look(d, dac);
	locked_down = dac && iovp_locked_down();
	iovp_lock(d);
	d->locked_down = locked_down;
	iovp_unlock(d);
}

void iovp_change_end(struct iovp_dev *d)
{
	unsigned int noio = d->change_noio;

	iovp_fill_free(d);
	mutex_unlock(&d->change);
	memalloc_noio_restore(noio);
}

/*
 * One count for all devices: a caller that expects a generation will not take a
 * device for another one that has come to the same address.
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

/*
 * Brings about what is configured: if the policy can't be had, then at least the
 * cap, and otherwise stock. -ECANCELED: stopped; or why it can't.
 */
static int iovp_bring_about(struct iovp_dev *d)
{
	u32 epoch = d->epoch;
	enum iova_policy_refusal refusal = iovp_try(d, &d->want, d->cap), capped;

	if (d->epoch != epoch)
		return -ECANCELED;
	if (refusal) {
		capped = d->cap ? iovp_try(d, &iovp_stock, d->cap) : refusal;
		if (d->epoch != epoch)
			return -ECANCELED;
		if (capped)
			iovp_restore(d);
	}
	d->refused = refusal;
	return refusal;
}

/**
 * iovp_enforce - bring about what is configured, since a driver comes
 * @d: device, in a change and locked; it may be unlocked meanwhile
 *
 * What waits for the driver's masks is logged then.
 */
void iovp_enforce(struct iovp_dev *d)
{
	bool again = d->refill;
	struct iovp_target from = d->deferred ? iovp_none : d->force.target;
	int refusal = iovp_bring_about(d);

	if (refusal < 0)
		return;
	if (refusal)
		iovp_log_change(d, IOVA_POLICY_C_REFUSED, refusal, &from,
				&d->force.target, &d->origin, NULL);
	else if (!d->deferred && !again)
		iovp_log_change(d, IOVA_POLICY_C_BIND, IOVA_POLICY_OK, &from,
				&d->force.target, &d->origin, NULL);
}

void iovp_settle_work(struct work_struct *work)
{
	struct iovp_dev *d = container_of(to_delayed_work(work), struct iovp_dev,
					  settle);

	iovp_change_begin(d, false);
	iovp_lock(d);
	if (!d->gone && d->phase == IOVP_BOUND && d->deferred)
		iovp_enforce(d);
	iovp_unlock(d);
	iovp_change_end(d);
	iovp_dev_put(d);
}

/* Looks again, soon: at masks, or at space that is to be held again. */
void iovp_settle(struct iovp_dev *d, unsigned long delay)
{
	kref_get(&d->ref);
	if (mod_delayed_work(iovp_change_wq, &d->settle, delay))
		iovp_dev_put(d);
}

/* 0, -ECANCELED if it was stopped, or a refusal, and then the old target is back. */
static int iovp_replace(struct iovp_dev *d, const struct iovp_target *t)
{
	u32 mechanisms, old_mechanisms = d->force.mechanisms, epoch = d->epoch;
	struct iovp_target old = d->force.target;
	enum iova_policy_refusal refusal, back;

	refusal = iovp_check(d, t, &mechanisms);
	if (refusal)
		return refusal;
	refusal = iovp_apply(d, t, mechanisms);
	if (d->epoch != epoch)
		return -ECANCELED;
	if (!refusal)
		return 0;
	back = iovp_apply(d, &old, old_mechanisms);
	if (d->epoch != epoch)
		return -ECANCELED;
	if (back)
		iovp_restore(d);
	return refusal;
}

static bool iovp_coming_or_going(struct iovp_dev *d)
{
	return d->phase == IOVP_BINDING || d->phase == IOVP_UNBINDING;
}

/* Is it configured already, and came to something? */
static bool iovp_is_set(struct iovp_dev *d, const struct iovp_setting *want)
{
	return !d->refused && d->want.kind == want->kind &&
	       d->want.width == want->width && d->want.window == want->window &&
	       d->want.whole == want->whole;
}

/* What the setting comes to; or why not, and then only what was asked for. */
static enum iova_policy_refusal iovp_aim(struct iovp_dev *d,
					 const struct iovp_setting *want,
					 struct iovp_target *to)
{
	enum iova_policy_refusal refusal = IOVA_POLICY_R_WIDTH;

	if (iovp_in_range(want)) {
		iovp_target(to, want, d->cap);
		refusal = iovp_check_early(d, want, to);
	}
	if (refusal)
		*to = (struct iovp_target){ want->kind, want->width, 0, 0 };
	return refusal;
}

/**
 * iovp_switch - another policy
 * @d: device, in a change and locked; it may be unlocked meanwhile
 * @want: setting
 * @who: who asks
 * @cause: enum iova_policy_cause
 * @refusal: why not
 *
 * Return: 0, -EBUSY if a driver is coming or going right now, -ECANCELED if the
 * change was stopped, or what belongs to the refusal, and nothing has changed.
 */
int iovp_switch(struct iovp_dev *d, const struct iovp_setting *want,
		const struct iovp_who *who, u32 cause,
		enum iova_policy_refusal *refusal)
{
	struct iovp_target from, to;
	int ret;

	*refusal = IOVA_POLICY_OK;
	if (iovp_coming_or_going(d))
		return -EBUSY;
	/* What changes nothing is no news: udev would write it again, for ever. */
	if (cause == IOVA_POLICY_C_SYSFS && iovp_is_set(d, want))
		return 0;
	iovp_target(&from, &d->want, d->cap);
	*refusal = iovp_aim(d, want, &to);
	if (!*refusal && d->phase == IOVP_BOUND) {
		ret = iovp_replace(d, &to);
		if (ret < 0)
			return ret;
		*refusal = ret;
	}
	d->refused = *refusal;
	if (*refusal) {
		to.kind = want->kind;
		to.width = want->width;
	} else {
		iovp_next_generation(d);
		d->want = *want;
		d->origin = *who;
	}
	iovp_log_change(d, *refusal ? IOVA_POLICY_C_REFUSED : cause, *refusal,
			&from, &to, who, NULL);
	return iovp_refusal_errno(*refusal);
}

/**
 * iovp_set_cap - another protective cap
 * @d: device, in a change and locked; it may be unlocked meanwhile
 * @cap: in bits, not wider than the present one
 * @who: who asks
 * @cause: enum iova_policy_cause
 *
 * It is stored also where nothing can be capped now, as in an identity domain:
 * the next driver may have another one.
 *
 * Return: 0, -EBUSY if a driver is coming or going right now, -EPERM if all is
 * switched off, -ECANCELED if the change was stopped.
 */
int iovp_set_cap(struct iovp_dev *d, u8 cap, const struct iovp_who *who, u32 cause)
{
	struct iovp_target from, to;
	int refusal;

	if (iovp_coming_or_going(d))
		return -EBUSY;
	if (iovp_is_off())
		return -EPERM;
	iovp_target(&from, &d->want, d->cap);
	iovp_target(&to, &d->want, cap);
	iovp_next_generation(d);
	d->cap = cap;
	if (d->phase == IOVP_BOUND)
		refusal = iovp_bring_about(d);
	else
		refusal = iovp_check_early(d, &iovp_stock, &to);
	if (refusal < 0)
		return refusal;
	d->refused = refusal;
	iovp_log_change(d, refusal ? IOVA_POLICY_C_REFUSED : cause, refusal, &from,
			&to, who, NULL);
	return 0;
}
