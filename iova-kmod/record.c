// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: what is told to the world
 *
 * Every change and every refusal is one record, which goes to all at once: the
 * ring that /dev/iova_policy reads, the tracepoint, the kernel log, the audit
 * log and, as a uevent, user space.
 */

#include <linux/audit.h>
#include <linux/kobject.h>
#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "iovp.h"
#include "trace.h"

#define IOVP_RING	1024
#define IOVP_WORDS	16	/* the longest policy, with its end */
#define IOVP_WHO	64	/* the longest origin */

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

static void iovp_log(struct iovp_dev *d, const struct iova_policy_record *r,
		     const char *from, const char *to, const struct iovp_who *who)
{
	struct device *dev = iovp_device(d);
	char by[IOVP_WHO];

	iovp_print_who(by, sizeof(by), who);
	if (r->refusal)
		dev_notice_ratelimited(dev, "iova_policy: %s refused: %s (%s)\n",
				       to, iovp_refusal_name(r->refusal), by);
	else
		dev_notice(dev, "iova_policy: %s -> %s: %s (%s)\n", from, to,
			   iovp_cause_name(r->cause), by);
}

static void iovp_audit(struct iovp_dev *d, const struct iova_policy_record *r,
		       const char *from, const char *to, const struct iovp_who *who)
{
	char comm[TASK_COMM_LEN];

	iovp_comm(comm, who);
	audit_log(audit_context(), GFP_KERNEL, AUDIT_KERNEL_OTHER,
		  "op=iova_policy dev=%s old=%s new=%s cause=%s reason=%s pid=%u uid=%u auid=%u comm=\"%s\" res=%u",
		  dev_name(iovp_device(d)), from, to, iovp_cause_name(r->cause),
		  iovp_refusal_name(r->refusal), r->pid, r->uid, r->loginuid, comm,
		  !r->refusal);
}

static void iovp_uevent(struct iovp_dev *d, const struct iovp_who *who)
{
	char policy[32], state[80], origin[80];
	char *envp[4] = { policy, state, origin };
	int n;

	/* Whoever hears of the device at its addition finds all in sysfs. */
	if (!iovp_device(d)->kobj.state_add_uevent_sent)
		return;

	n = scnprintf(policy, sizeof(policy), "IOVA_POLICY=");
	iovp_print(policy + n, sizeof(policy) - n, d->want.kind, d->want.width);
	n = scnprintf(state, sizeof(state), "IOVA_POLICY_STATE=");
	iovp_print_state(state + n, sizeof(state) - n, d);
	n = scnprintf(origin, sizeof(origin), "IOVA_POLICY_ORIGIN=");
	iovp_print_who(origin + n, sizeof(origin) - n, who);
	kobject_uevent_env(&iovp_device(d)->kobj, KOBJ_CHANGE, envp);
}

/**
 * iovp_tell - make one change known
 * @d: device, locked, as it is after the change
 * @cause: enum iova_policy_cause
 * @refusal: why it was refused, if it was
 * @from: what was in force or wanted before
 * @to: what is now, or what was asked for
 * @who: who is behind it
 * @evidence: of a fault, or NULL
 */
void iovp_tell(struct iovp_dev *d, u32 cause, enum iova_policy_refusal refusal,
	       const struct iovp_target *from, const struct iovp_target *to,
	       const struct iovp_who *who,
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
	char old_text[IOVP_WORDS], new_text[IOVP_WORDS];

	BUILD_BUG_ON(sizeof(r.comm) != sizeof(who->comm));
	lockdep_assert_held(&d->lock);
	memcpy(r.comm, who->comm, sizeof(r.comm));
	if (evidence)
		r.evidence = *evidence;
	iovp_fill_in(d, &r);
	iovp_record_add(&r);
	trace_iova_policy_change(&r);

	iovp_print(old_text, sizeof(old_text), from->kind, from->width);
	iovp_print(new_text, sizeof(new_text), to->kind, to->width);
	iovp_log(d, &r, old_text, new_text, who);
	iovp_audit(d, &r, old_text, new_text, who);
	if (cause != IOVA_POLICY_C_REMOVED && cause != IOVA_POLICY_C_UNLOAD)
		iovp_uevent(d, &d->origin);
	wake_up_interruptible_all(&iovp_waiters);
}
