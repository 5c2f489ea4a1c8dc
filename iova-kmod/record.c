// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: records of what changed
 *
 * Every change and every refusal is one record. It goes into the ring that
 * /dev/iova_policy reads and to the tracepoint at once, neither of which waits
 * for anybody; and from there to all who may take their time, see announce.c.
 */

#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "iovp.h"
#include "trace.h"

#define IOVP_RING	1024

static struct iova_policy_record iovp_ring[IOVP_RING];
static u64 iovp_seq;		/* of the next record */
static DEFINE_SPINLOCK(iovp_ring_lock);

static void iovp_record_add(struct iova_policy_record *record)
{
	spin_lock(&iovp_ring_lock);
	record->seq = iovp_seq;
	iovp_ring[iovp_seq % IOVP_RING] = *record;
	WRITE_ONCE(iovp_seq, iovp_seq + 1);
	spin_unlock(&iovp_ring_lock);
}

/**
 * iovp_record_next - read on
 * @seq: what is wanted, or older; then what to want next
 * @record: the record
 *
 * Return: false if there is none yet.
 */
bool iovp_record_next(u64 *seq, struct iova_policy_record *record)
{
	bool have = false;

	spin_lock(&iovp_ring_lock);
	if (*seq + IOVP_RING < iovp_seq)
		*seq = iovp_seq - IOVP_RING;
	if (*seq < iovp_seq) {
		*record = iovp_ring[*seq % IOVP_RING];
		(*seq)++;
		have = true;
	}
	spin_unlock(&iovp_ring_lock);
	return have;
}

/* Is there a record that a reader at @seq has not read? */
bool iovp_record_new(u64 seq)
{
	return seq < READ_ONCE(iovp_seq);
}

static void iovp_fill_in(struct iovp_dev *d, struct iova_policy_record *r)
{
	r->time_ns = ktime_get_real_ns();
	r->bdf = d->bdf;
	r->vendor = d->pdev->vendor;
	r->device = d->pdev->device;
	r->generation = d->generation;
	r->mechanisms = d->force.mechanisms;
}

/**
 * iovp_log_change - make one change known
 * @d: device, locked, as it is after the change
 * @cause: enum iova_policy_cause
 * @refusal: why it was refused, if it was
 * @from: what was in force or wanted before
 * @to: what is now, or what was asked for
 * @who: who is behind it
 * @evidence: of a fault, or NULL
 */
void iovp_log_change(struct iovp_dev *d, u32 cause,
		     enum iova_policy_refusal refusal,
		     const struct iovp_target *from,
		     const struct iovp_target *to, const struct iovp_who *who,
		     const struct iova_policy_evidence *evidence)
{
	struct iova_policy_record r = {
		.cause = cause,
		.refusal = refusal,
		.old_kind = from->kind,
		.old_width = from->width,
		.new_kind = to->kind,
		.new_width = to->width,
		.loginuid = who->loginuid,
		.uid = who->uid,
		.pid = who->pid,
	};

	BUILD_BUG_ON(sizeof(r.comm) != sizeof(who->comm));
	lockdep_assert_held(&d->lock);
	memcpy(r.comm, who->comm, sizeof(r.comm));
	if (evidence)
		r.evidence = *evidence;
	iovp_fill_in(d, &r);
	iovp_record_add(&r);
	trace_iova_policy_change(&r);
	iovp_announce(d, &r, who);
	wake_up_interruptible_all(&iovp_waiters);
}
