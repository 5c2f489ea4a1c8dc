// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: leases, policies on trial
 *
 * An open lease is known to its device, and its file keeps it until it closes,
 * so that the holder can learn how it ended. It ends under the device's lock and
 * waits for no change, also not for the one that stages it: by its holder, timer,
 * fault, unbinding, removal, suspend, or the switch that ends all.
 */

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "compat.h"
#include "iovp.h"

static atomic64_t iovp_last_cookie = ATOMIC64_INIT(0);

static enum hrtimer_restart iovp_lease_due(struct hrtimer *timer)
{
	struct iovp_lease *lease = container_of(timer, struct iovp_lease, timer);

	queue_work(iovp_wq, &lease->expiry);
	return HRTIMER_NORESTART;
}

static void iovp_lease_expired(struct work_struct *work)
{
	struct iovp_lease *lease = container_of(work, struct iovp_lease, expiry);
	struct iovp_dev *d = lease->dev;

	iovp_lock(d);
	/* It may have been renewed while we waited for the lock. */
	if (d->lease == lease && !ktime_before(ktime_get(), lease->expires))
		iovp_lease_end(d, IOVA_POLICY_C_EXPIRED, false, NULL);
	iovp_unlock(d);
}

/* Milliseconds left of an open lease. */
u32 iovp_lease_left(const struct iovp_lease *lease)
{
	s64 left = ktime_ms_delta(lease->expires, ktime_get());

	return max_t(s64, left, 0);
}

void iovp_lease_renew(struct iovp_lease *lease, u32 ms)
{
	lockdep_assert_held(&lease->dev->lock);
	lease->expires = ktime_add_ms(ktime_get(), ms);
	hrtimer_start(&lease->timer, lease->expires, HRTIMER_MODE_ABS_HARD);
}

/* A lease that is still to begin. The caller puts it into the list of its file. */
struct iovp_lease *iovp_lease_new(struct iovp_dev *d)
{
	struct iovp_lease *lease = kzalloc(sizeof(*lease), GFP_KERNEL);

	if (!lease)
		return NULL;
	kref_get(&d->ref);
	iovp_fault_get();
	lease->dev = d;
	lease->cookie = atomic64_inc_return(&iovp_last_cookie);
	lease->state = IOVA_POLICY_L_ENDED;
	lease->staging = true;
	lease->told = true;
	INIT_WORK(&lease->expiry, iovp_lease_expired);
	iovp_hrtimer_setup(&lease->timer, iovp_lease_due);
	return lease;
}

static void iovp_lease_remember(struct iovp_lease *lease, struct iovp_dev *d)
{
	lease->before = d->want;
	lease->before_origin = d->origin;
	lease->before_target = d->force.target;
	lease->before_mechanisms = d->force.mechanisms;
	lease->before_refused = d->refused;
}

/**
 * iovp_lease_begin - put a policy in force, on trial
 * @lease: a new one; its device is in a change and locked, its driver bound
 * @want: the policy
 * @ms: for how long
 * @restart: the caller renews it once space is held
 * @refusal: why not
 *
 * Timer and guard are there before the policy is. The device may be unlocked
 * meanwhile, and the lease end.
 *
 * Return: 0, or a negative errno, and then the lease has not begun.
 */
int iovp_lease_begin(struct iovp_lease *lease, const struct iovp_setting *want,
		     u32 ms, bool restart, enum iova_policy_refusal *refusal)
{
	struct iovp_dev *d = lease->dev;
	struct iovp_who who;
	int ret;

	iovp_lease_remember(lease, d);
	lease->state = IOVA_POLICY_L_OPEN;
	lease->told = false;
	d->lease = lease;
	iovp_watch(d);
	iovp_lease_renew(lease, restart ? ms + IOVP_FILL_MS : ms);
	iovp_who_now(&who, IOVP_BY_LEASE);
	ret = iovp_switch(d, want, &who, IOVA_POLICY_C_STAGE, refusal);
	if (lease->state != IOVA_POLICY_L_OPEN)
		return 0;
	if (!ret)
		return 0;
	d->lease = NULL;
	iovp_unwatch(d);
	hrtimer_try_to_cancel(&lease->timer);
	lease->state = IOVA_POLICY_L_ENDED;
	lease->told = true;
	return ret;
}

/* An ioctl or close() is of a task; all else is the kernel's. */
static void iovp_lease_ender(struct iovp_dev *d, u32 cause, struct iovp_who *who)
{
	switch (cause) {
	case IOVA_POLICY_C_ABORT:
	case IOVA_POLICY_C_CLOSED:
		iovp_who_now(who, IOVP_BY_LEASE);
		break;
	default:
		*who = d->origin;
		break;
	}
}

static void iovp_quarantine(struct iovp_dev *d, struct iovp_lease *lease, u32 cause,
			    const struct iova_policy_evidence *evidence)
{
	d->quarantine = cause;
	if (evidence)
		d->evidence = *evidence;
	/* What a device has shown that it can't do is nothing to go back to. */
	if (lease->before.kind != IOVA_POLICY_DAC)
		return;
	memset(&lease->before, 0, sizeof(lease->before));
	iovp_who_kernel(&lease->before_origin);
	iovp_target(&lease->before_target, &lease->before, d->cap);
	lease->before_refused = iovp_check(d, &lease->before_target,
					   &lease->before_mechanisms);
	if (lease->before_refused) {
		memset(&lease->before_target, 0, sizeof(lease->before_target));
		lease->before_mechanisms = 0;
	}
}

/* What was in force before is again, at once; space that it held follows. */
static void iovp_lease_revert(struct iovp_dev *d, struct iovp_lease *lease)
{
	iovp_apply_now(d, &lease->before_target, lease->before_mechanisms);
	d->refused = lease->before_refused;
	if (lease->before_mechanisms & IOVA_POLICY_M_FILL) {
		d->deferred = true;
		d->refill = true;
		iovp_settle(d, 0);
	}
	iovp_fill_free_later(d);
}

/**
 * iovp_lease_end - take the device's leased policy back, if there is one
 * @d: device, locked
 * @cause: enum iova_policy_cause
 * @quarantine: and refuse dac from now on
 * @evidence: what was seen, or NULL
 *
 * Without a bound driver nothing is in force but what the notifier will restore.
 */
void iovp_lease_end(struct iovp_dev *d, u32 cause, bool quarantine,
		    const struct iova_policy_evidence *evidence)
{
	struct iovp_lease *lease = d->lease;
	struct iovp_target from = d->force.target;
	struct iovp_who who;

	lockdep_assert_held(&d->lock);
	if (!lease)
		return;
	if (quarantine)
		iovp_quarantine(d, lease, cause, evidence);
	iovp_lease_ender(d, cause, &who);
	iovp_stop_change(d);
	d->lease = NULL;
	iovp_unwatch(d);
	d->want = lease->before;
	d->origin = lease->before_origin;
	lease->cause = cause;
	lease->state = IOVA_POLICY_L_ENDED;
	iovp_next_generation(d);
	if (d->phase == IOVP_BOUND) {
		iovp_lease_revert(d, lease);
		iovp_log_change(d, cause, IOVA_POLICY_OK, &from,
				&d->force.target, &who, evidence);
	}
	hrtimer_try_to_cancel(&lease->timer);
	wake_up_interruptible_all(&iovp_waiters);
}

/**
 * iovp_lease_explain - what the fault meant that ended a lease
 * @lease: lease, its device locked
 * @evidence: with a relation
 *
 * Return: 0, or -ESTALE if nothing is to be explained any more.
 */
int iovp_lease_explain(struct iovp_lease *lease,
		       const struct iova_policy_evidence *evidence)
{
	struct iovp_dev *d = lease->dev;
	struct iovp_who who;

	lockdep_assert_held(&d->lock);
	if (lease->state != IOVA_POLICY_L_ENDED || d->gone || !d->quarantine ||
	    d->quarantine != lease->cause ||
	    d->evidence.relation != IOVA_POLICY_REL_UNKNOWN ||
	    evidence->relation == IOVA_POLICY_REL_UNKNOWN)
		return -ESTALE;
	d->evidence = *evidence;
	iovp_who_now(&who, IOVP_BY_LEASE);
	iovp_log_change(d, lease->cause, IOVA_POLICY_OK, &d->force.target,
			&d->force.target, &who, evidence);
	return 0;
}

/**
 * iovp_lease_blame - a fault under a lease that ran out before its holder looked
 * @lease: lease, its device locked
 * @cause: IOVA_POLICY_C_FAULT or IOVA_POLICY_C_AER
 * @evidence: what was seen
 *
 * Return: 0, or -ESTALE if it did not run out or the device is in quarantine.
 */
int iovp_lease_blame(struct iovp_lease *lease, u32 cause,
		     const struct iova_policy_evidence *evidence)
{
	struct iovp_dev *d = lease->dev;
	struct iovp_target from = d->force.target;
	struct iovp_who who;

	lockdep_assert_held(&d->lock);
	if (lease->state != IOVA_POLICY_L_ENDED ||
	    lease->cause != IOVA_POLICY_C_EXPIRED || d->gone || d->lease ||
	    d->quarantine)
		return -ESTALE;
	lease->cause = cause;
	lease->before = d->want;
	lease->before_origin = d->origin;
	iovp_quarantine(d, lease, cause, evidence);
	iovp_next_generation(d);
	if (d->want.kind == IOVA_POLICY_DAC) {
		iovp_stop_change(d);
		d->want = lease->before;
		d->origin = lease->before_origin;
		if (d->phase == IOVP_BOUND)
			iovp_lease_revert(d, lease);
	}
	iovp_who_now(&who, IOVP_BY_LEASE);
	iovp_log_change(d, cause, IOVA_POLICY_OK, &from, &d->force.target, &who,
			evidence);
	return 0;
}

/* The policy stays. */
void iovp_lease_keep(struct iovp_lease *lease)
{
	struct iovp_dev *d = lease->dev;
	struct iovp_who who;

	lockdep_assert_held(&d->lock);
	d->lease = NULL;
	iovp_unwatch(d);
	lease->state = IOVA_POLICY_L_KEPT;
	hrtimer_try_to_cancel(&lease->timer);
	iovp_who_now(&who, IOVP_BY_LEASE);
	iovp_next_generation(d);
	iovp_log_change(d, IOVA_POLICY_C_COMMIT, IOVA_POLICY_OK,
			&d->force.target, &d->force.target, &who, NULL);
}

/* Its file closes, or has no more use for it, and has taken it off its list. */
void iovp_lease_free(struct iovp_lease *lease)
{
	struct iovp_dev *d = lease->dev;

	iovp_lock(d);
	if (d->lease == lease)
		iovp_lease_end(d, IOVA_POLICY_C_CLOSED, false, NULL);
	iovp_unlock(d);
	hrtimer_cancel(&lease->timer);
	cancel_work_sync(&lease->expiry);
	iovp_fault_put();
	iovp_dev_put(d);
	kfree(lease);
}
