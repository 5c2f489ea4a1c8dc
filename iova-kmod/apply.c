// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: making a policy so, and taking it back
 *
 * A change goes from one policy to the next without passing stock in between:
 * no address above a cap is handed out while one cap follows another. What opens
 * space goes first where the new policy is the narrower one, and last where it
 * is the wider one:
 *
 *	flag restored, low space given back	low addresses come first again
 *	limit, masks
 *	flag cleared, low space held		high addresses come first
 *
 * All of that waits for nothing, but that space is taken (iovp_fill_finish()),
 * which comes last and may be stopped; and given back, of which the largest ranges
 * are back before the limit is.
 */

#include "compat.h"
#include "iovp.h"

/* A driver sets its masks soon after it is bound. */
#define IOVP_SETTLE	(HZ / 4)

static const struct iovp_target iovp_none;

/* In the order in which they are put in force within each step. */
const struct iovp_mechanism *const iovp_mechanisms[IOVP_MECHANISMS] = {
	&iovp_flag_mechanism,
	&iovp_fill_mechanism,
	&iovp_limit_mechanism,
	&iovp_mask_mechanism,
};

static void iovp_low_restore(struct iovp_dev *d, const struct iovp_target *t,
			     u32 mechanisms)
{
	const struct iovp_mechanism *m;
	unsigned int i;

	for (i = 0; i < IOVP_MECHANISMS; i++) {
		m = iovp_mechanisms[i];
		if (m->low)
			m->restore(d, mechanisms & m->bit ? t : &iovp_none);
	}
}

static void iovp_ends_apply(struct iovp_dev *d, const struct iovp_target *t,
			    u32 mechanisms)
{
	const struct iovp_mechanism *m;
	unsigned int i;

	for (i = 0; i < IOVP_MECHANISMS; i++) {
		m = iovp_mechanisms[i];
		if (m->low)
			continue;
		if (mechanisms & m->bit)
			m->apply(d, t);
		else
			m->restore(d, &iovp_none);
	}
}

static void iovp_low_apply(struct iovp_dev *d, const struct iovp_target *t,
			   u32 mechanisms)
{
	const struct iovp_mechanism *m;
	unsigned int i;

	for (i = 0; i < IOVP_MECHANISMS; i++) {
		m = iovp_mechanisms[i];
		if (m->low && mechanisms & m->bit)
			m->apply(d, t);
	}
}

/**
 * iovp_apply_now - put a target in force instead of what is now, but for space
 *	that is to be taken
 * @d: device, locked
 * @t: target
 * @mechanisms: how, from iovp_check(); 0 for stock
 *
 * What is left to give back is up to the caller: the end of a change does it, all
 * others call iovp_fill_free_later().
 */
void iovp_apply_now(struct iovp_dev *d, const struct iovp_target *t, u32 mechanisms)
{
	lockdep_assert_held(&d->lock);
	d->refill = false;
	d->deferred = t->kind == IOVA_POLICY_DAC && !iovp_masks_known(d);
	d->force.target = *t;
	iovp_low_restore(d, t, mechanisms);
	iovp_ends_apply(d, t, mechanisms);
	if (t->kind == IOVA_POLICY_DAC && iovp_space(d))
		iovp_space_rewind(iovp_space(d));
	iovp_low_apply(d, t, mechanisms);
	if (mechanisms & IOVA_POLICY_M_MASK && d->phase != IOVP_BOUND)
		d->deferred = true;
	if (d->deferred && d->phase == IOVP_BOUND)
		iovp_settle(d, IOVP_SETTLE);
}

/**
 * iovp_apply - put a target in force instead of what is now
 * @d: device, in a change and locked; it may be unlocked meanwhile
 * @t: target
 * @mechanisms: how, from iovp_check(); 0 for stock
 *
 * Return: IOVA_POLICY_OK, or why not, and then something is in force that the
 * caller must replace. If the device's epoch is another one afterwards, the change
 * was stopped, and what is in force is no longer up to the caller.
 */
enum iova_policy_refusal iovp_apply(struct iovp_dev *d,
				    const struct iovp_target *t, u32 mechanisms)
{
	iovp_apply_now(d, t, mechanisms);
	return iovp_fill_finish(d);
}

/* Back to what was found. Touches nothing if nothing was touched. */
void iovp_restore(struct iovp_dev *d)
{
	iovp_apply_now(d, &iovp_none, 0);
}
