// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the kernel log, the audit log, uevents
 *
 * All of these may wait for somebody: a full console, an audit daemon that does
 * not read, udev. So they are sent by a work item that holds no lock and that
 * nothing else waits for; whoever makes a change leaves a note here and goes on.
 */

#include <linux/audit.h>
#include <linux/kobject.h>
#include <linux/pci.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "iovp.h"

#define IOVP_NOTES	256
#define IOVP_POLICY	16	/* the longest policy, with its end */
/*
 * In the log, but on no console: a serial one without a reader keeps its CPU
 * for 10 ms a character with interrupts off, and the timers of leases with it.
 */
#define IOVP_LEVEL	KERN_DEBUG
#define IOVP_WHO	64	/* the longest way to say who it was */

/**
 * struct iovp_note - a change that is still to be announced
 * @d: device, referenced
 * @record: the change
 * @who: who is behind it
 * @policy: what was asked for of the device after it
 * @state: the device's state after it
 * @reason: of that state
 * @origin: who asked for the policy
 */
struct iovp_note {
	struct iovp_dev *d;
	struct iova_policy_record record;
	struct iovp_who who;
	char policy[IOVP_POLICY];
	const char *state;
	const char *reason;
	const char *origin;
};

static struct iovp_note iovp_notes[IOVP_NOTES];
static unsigned int iovp_first, iovp_count;
static u64 iovp_missed;		/* changes for which there was no room */
static DEFINE_SPINLOCK(iovp_notes_lock);
static struct workqueue_struct *iovp_announce_wq;

static void iovp_log(const struct iovp_note *note, const char *from, const char *to)
{
	static DEFINE_RATELIMIT_STATE(refusals, DEFAULT_RATELIMIT_INTERVAL,
				      DEFAULT_RATELIMIT_BURST);
	const struct iova_policy_record *r = &note->record;
	struct device *dev = iovp_device(note->d);
	char by[IOVP_WHO];

	iovp_print_who(by, sizeof(by), &note->who);
	if (!r->refusal)
		dev_printk(IOVP_LEVEL, dev, "iova_policy: %s -> %s: %s (%s)\n",
			   from, to, iovp_cause_name(r->cause), by);
	else if (__ratelimit(&refusals))
		dev_printk(IOVP_LEVEL, dev, "iova_policy: %s refused: %s (%s)\n",
			   to, iovp_refusal_name(r->refusal), by);
}

static void iovp_audit(const struct iovp_note *note, const char *from, const char *to)
{
	const struct iova_policy_record *r = &note->record;
	char comm[TASK_COMM_LEN];

	/* Without a daemon, a record would be printed on the console. */
	if (audit_enabled == AUDIT_OFF)
		return;
	iovp_comm(comm, &note->who);
	audit_log(NULL, GFP_KERNEL, AUDIT_KERNEL_OTHER,
		  "op=iova_policy dev=%s old=%s new=%s cause=%s reason=%s pid=%u uid=%u auid=%u comm=\"%s\" res=%u",
		  dev_name(iovp_device(note->d)), from, to,
		  iovp_cause_name(r->cause), iovp_refusal_name(r->refusal), r->pid,
		  r->uid, r->loginuid, comm, !r->refusal);
}

static void iovp_uevent(const struct iovp_note *note)
{
	char policy[16 + IOVP_POLICY], state[48], reason[48], origin[48];
	char *envp[5] = { policy, state, reason, origin };
	struct kobject *kobj = &iovp_device(note->d)->kobj;

	if (note->record.cause == IOVA_POLICY_C_REMOVED ||
	    note->record.cause == IOVA_POLICY_C_UNLOAD)
		return;
	/* Whoever hears of the device at its addition finds all in sysfs. */
	if (!kobj->state_add_uevent_sent || kobj->state_remove_uevent_sent)
		return;
	scnprintf(policy, sizeof(policy), "IOVA_POLICY=%s", note->policy);
	scnprintf(state, sizeof(state), "IOVA_POLICY_STATE=%s", note->state);
	scnprintf(reason, sizeof(reason), "IOVA_POLICY_REASON=%s", note->reason);
	scnprintf(origin, sizeof(origin), "IOVA_POLICY_ORIGIN=%s", note->origin);
	kobject_uevent_env(kobj, KOBJ_CHANGE, envp);
}

/* Takes the oldest note; false if there is none. */
static bool iovp_note_take(struct iovp_note *note, u64 *missed)
{
	bool have;

	spin_lock(&iovp_notes_lock);
	have = iovp_count;
	if (have) {
		*note = iovp_notes[iovp_first];
		iovp_first = (iovp_first + 1) % IOVP_NOTES;
		iovp_count--;
	}
	*missed = iovp_missed;
	iovp_missed = 0;
	spin_unlock(&iovp_notes_lock);
	return have;
}

static void iovp_announce_work(struct work_struct *work)
{
	/* Large for a stack; the queue is ordered, so it has one user. */
	static struct iovp_note note;
	char from[IOVP_POLICY], to[IOVP_POLICY];
	u64 missed;

	while (iovp_note_take(&note, &missed)) {
		const struct iova_policy_record *r = &note.record;

		if (missed)
			pr_warn("iova_policy: %llu changes were not logged, /dev/iova_policy has them\n",
				missed);
		iovp_print(from, sizeof(from), r->old_kind, r->old_width);
		iovp_print(to, sizeof(to), r->new_kind, r->new_width);
		iovp_log(&note, from, to);
		iovp_audit(&note, from, to);
		iovp_uevent(&note);
		iovp_dev_put(note.d);
	}
}

static DECLARE_WORK(iovp_announcing, iovp_announce_work);

/**
 * iovp_announce - have a change announced soon
 * @d: device, locked, as it is after the change
 * @record: the change
 * @who: who is behind it
 *
 * Never sleeps. If the announcer is that far behind, the change is counted
 * and not announced.
 */
void iovp_announce(struct iovp_dev *d, const struct iova_policy_record *record,
		   const struct iovp_who *who)
{
	struct iovp_note *note;

	spin_lock(&iovp_notes_lock);
	if (iovp_count == IOVP_NOTES) {
		iovp_missed++;
	} else {
		note = &iovp_notes[(iovp_first + iovp_count++) % IOVP_NOTES];
		kref_get(&d->ref);
		note->d = d;
		note->record = *record;
		note->who = *who;
		iovp_print(note->policy, sizeof(note->policy), d->want.kind,
			   d->want.width);
		note->state = iovp_state_name(d);
		note->reason = iovp_reason_name(d);
		note->origin = iovp_origin_name(d->origin.by);
	}
	spin_unlock(&iovp_notes_lock);
	queue_work(iovp_announce_wq, &iovp_announcing);
}

int iovp_announce_init(void)
{
	iovp_announce_wq = alloc_ordered_workqueue("iova_policy_log", 0);
	return iovp_announce_wq ? 0 : -ENOMEM;
}

/* Everything that has happened is announced first. */
void iovp_announce_exit(void)
{
	destroy_workqueue(iovp_announce_wq);
}
