/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOVP_H
#define IOVP_H

#include <linux/device.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "iova_policy.h"

#define IOVP_CAP_MIN	32
#define IOVP_CAP_MAX	63
#define IOVP_DAC_MIN	33
#define IOVP_DAC_MAX	57

/* Low bits of what dac:N hands out first, see iova_policy.h. */
#define IOVP_WINDOW	0x7fffffffU

/**
 * struct iovp_setting - a policy as somebody asked for it
 * @kind: enum iova_policy_kind
 * @width: bits, 0 for stock
 * @window: dac: highest value of the low 32 bits of its first addresses
 * @whole: dac: no window
 */
struct iovp_setting {
	u16 kind;
	u16 width;
	u32 window;
	bool whole;
};

/**
 * struct iovp_target - what a setting comes to under the device's cap
 * @kind: enum iova_policy_kind
 * @width: bits, 0 for stock
 * @limit: highest address, inclusive; 0 for stock
 * @least: what is below is not what was asked for; 0 where low addresses come first
 */
struct iovp_target {
	u16 kind;
	u16 width;
	u64 limit;
	u64 least;
};

enum iovp_by {
	IOVP_BY_KERNEL,
	IOVP_BY_SYSFS,
	IOVP_BY_LEASE,
};

/* Who asked for a setting. */
struct iovp_who {
	enum iovp_by by;
	u32 pid;
	u32 uid;
	u32 loginuid;
	char comm[TASK_COMM_LEN];
};

/*
 * Where a device is between two drivers, as the notifier saw it. The domain of
 * a device can only be relied on, and policies are only in force, from BINDING
 * to UNBINDING.
 */
enum iovp_phase {
	IOVP_UNBOUND,
	IOVP_BINDING,
	IOVP_BOUND,
	IOVP_UNBINDING,
};

/* Where a policy stands, as sysfs has it. */
enum iovp_state {
	IOVP_IDLE,
	IOVP_ACTIVE,
	IOVP_PENDING,
	IOVP_LEASED,
	IOVP_QUARANTINED,
	IOVP_REFUSED,
};

struct iovp_chunk;
struct iovp_dev;

/**
 * struct iovp_domain - the DMA domain of a device, captured when a driver came
 * @domain: its address, to compare; NULL without a driver
 * @space: its allocator, or NULL if there is none or it can't be recognized
 * @top: its highest address
 * @refusal: why no policy can be had with it, or 0
 * @vtds: its allocator is VT-d's own and knows nothing of bus_dma_limit
 *
 * A driver may attach its device to another domain and free that one again
 * (vhost-vdpa; before 5.19 vfio-pci). So nothing but this copy is read later.
 */
struct iovp_domain {
	struct iommu_domain *domain;
	struct iova_domain *space;
	u64 top;
	enum iova_policy_refusal refusal;
	bool vtds;
};

/**
 * struct iovp_fill - address space held so that no mapping gets it
 * @chunks: lists of struct iova, in the order in which they were taken
 * @last: of the lists
 * @space: the allocator they are from
 * @nr: number of ranges
 * @bytes: of them; of those to be given back, the ones below 4 GiB
 */
struct iovp_fill {
	struct iovp_chunk *chunks;
	struct iovp_chunk *last;
	struct iova_domain *space;
	unsigned int nr;
	u64 bytes;
};

/**
 * struct iovp_force - what has been done to a device, and what was there before
 * @mechanisms: IOVA_POLICY_M_* in use
 * @target: what they bring about
 * @limit: bus_dma_limit as we wrote it
 * @old_limit: as we found it
 * @old_flag: the 32-bit-first flag as we found it
 * @mask: both DMA masks are at most this
 * @old_mask: as the driver set it
 * @old_coherent_mask: as the driver set it
 * @low: space held below 4 GiB
 * @high: space held above the target's limit
 * @freeing: ranges of both that are still to be given back
 */
struct iovp_force {
	u32 mechanisms;
	struct iovp_target target;
	u64 limit;
	u64 old_limit;
	bool old_flag;
	u64 mask;
	u64 old_mask;
	u64 old_coherent_mask;
	struct iovp_fill low;
	struct iovp_fill high;
	struct iovp_fill freeing;
};

/**
 * struct iovp_mechanism - one way to keep a device to a policy
 * @bit: IOVA_POLICY_M_*
 * @name: in sysfs
 * @low: decides whether addresses below 4 GiB come first, not where they end
 * @supported: does it work for this device now?
 * @apply: put it in force for a target
 * @restore: take back what the next target has no use for
 *
 * All are called with the device locked and wait for nothing.
 */
struct iovp_mechanism {
	u32 bit;
	const char *name;
	bool low;
	bool (*supported)(const struct iovp_dev *d);
	void (*apply)(struct iovp_dev *d, const struct iovp_target *t);
	void (*restore)(struct iovp_dev *d, const struct iovp_target *next);
};

extern const struct iovp_mechanism iovp_flag_mechanism;
extern const struct iovp_mechanism iovp_fill_mechanism;
extern const struct iovp_mechanism iovp_limit_mechanism;
extern const struct iovp_mechanism iovp_mask_mechanism;

/**
 * struct iovp_lease - a policy on trial
 * @node: in the list of its file
 * @dev: referenced
 * @cookie: its name, never used twice
 * @timer: queues @expiry when it is due
 * @expiry: ends it
 * @expires: when, CLOCK_MONOTONIC
 * @staging: in use by the request that stages it; under the lock of its file
 * @state: enum iova_policy_lease_state
 * @cause: why it ended
 * @told: the holder knows that it ended
 * @before: setting to go back to
 * @before_origin: and whose it was
 * @before_target: what it came to
 * @before_mechanisms: by which means
 * @before_refused: why it could not be had, or 0
 *
 * @expires, @state and @cause change under the device's lock.
 */
struct iovp_lease {
	struct list_head node;
	struct iovp_dev *dev;
	u64 cookie;
	struct hrtimer timer;
	struct work_struct expiry;
	ktime_t expires;
	bool staging;
	u32 state;
	u32 cause;
	bool told;
	struct iovp_setting before;
	struct iovp_who before_origin;
	struct iovp_target before_target;
	u32 before_mechanisms;
	enum iova_policy_refusal before_refused;
};

/**
 * struct iovp_watch - faults of a device with an open lease, see fault.c
 * @node: in the list of such devices
 * @work: ends the lease; holds a reference while it is queued
 * @fault: there was one that the work has not seen yet
 * @address: where
 */
struct iovp_watch {
	struct list_head node;
	struct work_struct work;
	bool fault;
	u64 address;
};

/**
 * struct iovp_dev - what is known about one PCI device
 * @node: in the list of all devices
 * @order: its place in that list
 * @ref: holders: the list, its leases, work that is queued
 * @pdev: the device, referenced
 * @bdf: segment << 16 | bus << 8 | devfn
 * @watch: under a lock of its own
 * @change: one change at a time, for as long as it takes; see device.c
 * @change_noio: how the task that has @change allocated before
 * @lock: protects all below, never for long; see device.c
 * @noio: how the task that has @lock allocated before
 * @gone: removed; leave the device alone
 * @phase: enum iovp_phase
 * @epoch: grows when a change that is being made is to stop
 * @dom: the domain
 * @alone: no other device is in its group, as of the last change
 * @direct: firmware needs fixed addresses, as of the last request for dac
 * @locked_down: the kernel is, as of the last request for dac
 * @managed: the bound driver brings its own domain
 * @deferred: part of the policy waits until the driver has set its masks
 * @refill: space that a lease gave up is to be held again
 * @settle: sees to both; holds a reference while it is queued
 * @free: gives held space back; holds a reference while it is queued
 * @settled: when to believe that the masks are final, in jiffies
 * @generation: grows with changes and binds, never 0
 * @want: setting asked for, by sysfs or a lease
 * @cap: protective cap in bits; 0: none
 * @origin: who asked for @want
 * @lease: open lease, or NULL
 * @refused: why the last attempt failed, or 0
 * @quarantine: enum iova_policy_cause that led to it, or 0
 * @evidence: of the quarantine
 * @force: what is in force
 */
struct iovp_dev {
	struct list_head node;
	u64 order;
	struct kref ref;
	struct pci_dev *pdev;
	u32 bdf;
	struct iovp_watch watch;
	struct mutex change;	/* taken outside @lock */
	unsigned int change_noio;
	struct mutex lock;	/* protects all below */
	unsigned int noio;
	bool gone;
	enum iovp_phase phase;
	u32 epoch;
	struct iovp_domain dom;
	bool alone;
	bool direct;
	bool locked_down;
	bool managed;
	bool deferred;
	bool refill;
	struct delayed_work settle;
	struct work_struct free;
	unsigned long settled;
	u32 generation;
	struct iovp_setting want;
	u8 cap;
	struct iovp_who origin;
	struct iovp_lease *lease;
	enum iova_policy_refusal refused;
	u32 quarantine;
	struct iova_policy_evidence evidence;
	struct iovp_force force;
};

/* main.c */
extern struct workqueue_struct *iovp_wq, *iovp_change_wq;
extern bool iovp_asleep;
extern wait_queue_head_t iovp_waiters;	/* for records and ends of leases */

/* device.c: which devices there are, and where they are in their lives */
int iovp_devices_init(void);
void iovp_devices_exit(void);
struct iovp_dev *iovp_dev_get(struct device *dev);
struct iovp_dev *iovp_dev_get_bdf(u32 bdf);
void iovp_dev_put(struct iovp_dev *d);
void iovp_for_each(void (*fn)(struct iovp_dev *d, u32 cause), u32 cause);

static inline struct device *iovp_device(const struct iovp_dev *d)
{
	return &d->pdev->dev;
}

/* Makes the change that is being made stop. The device is locked. */
static inline void iovp_stop_change(struct iovp_dev *d)
{
	lockdep_assert_held(&d->lock);
	d->epoch++;
}

/*
 * Nothing under the lock waits for the disk that may be the device: no
 * allocation writes pages back.
 */
static inline void iovp_lock(struct iovp_dev *d)
{
	unsigned int noio = memalloc_noio_save();

	mutex_lock(&d->lock);
	d->noio = noio;
}

static inline void iovp_unlock(struct iovp_dev *d)
{
	unsigned int noio = d->noio;

	mutex_unlock(&d->lock);
	memalloc_noio_restore(noio);
}

/* off.c: the switch that ends everything */
bool iovp_is_off(void);

/* remember.c: devices that went and may come back */
void iovp_remember(const struct iovp_dev *d);
u8 iovp_recall(struct iovp_dev *d);
void iovp_remember_no_caps(void);
void iovp_remember_exit(void);

/* domain.c: the DMA domain of a device */
bool iovp_domain_stays(const struct iovp_dev *d);
bool iovp_domain_attached(const struct iovp_dev *d);
void iovp_domain_capture(struct iovp_dev *d);
struct iova_domain *iovp_space(const struct iovp_dev *d);
void iovp_group_look(struct iovp_dev *d, bool dac);

/* policy.c: what settings mean */
int iovp_refusal_errno(enum iova_policy_refusal refusal);
int iovp_parse(const char *text, struct iovp_setting *setting);
bool iovp_in_range(const struct iovp_setting *s);
void iovp_target(struct iovp_target *t, const struct iovp_setting *s, u8 cap);
void iovp_who_now(struct iovp_who *who, enum iovp_by by);
void iovp_who_kernel(struct iovp_who *who);

/* strings.c */
const char *iovp_refusal_name(enum iova_policy_refusal refusal);
const char *iovp_cause_name(u32 cause);
const char *iovp_relation_name(u32 relation);
int iovp_print(char *buf, size_t size, u16 kind, u16 width);
enum iovp_state iovp_state(const struct iovp_dev *d);
const char *iovp_state_name(const struct iovp_dev *d);
const char *iovp_reason_name(const struct iovp_dev *d);
const char *iovp_origin_name(enum iovp_by by);
void iovp_comm(char *comm, const struct iovp_who *who);
int iovp_print_who(char *buf, size_t size, const struct iovp_who *who);

/* check.c: what can be had */
u32 iovp_usable(const struct iovp_dev *d);
enum iova_policy_refusal iovp_check_early(struct iovp_dev *d,
					  const struct iovp_setting *s,
					  const struct iovp_target *t);
enum iova_policy_refusal iovp_check(struct iovp_dev *d,
				    const struct iovp_target *t, u32 *mechanisms);
bool iovp_masks_known(struct iovp_dev *d);
bool iovp_locked_down(void);
bool iovp_allowed(void);

/* apply.c: making it so */
#define IOVP_MECHANISMS	4
extern const struct iovp_mechanism *const iovp_mechanisms[IOVP_MECHANISMS];
void iovp_apply_now(struct iovp_dev *d, const struct iovp_target *t, u32 mechanisms);
enum iova_policy_refusal iovp_apply(struct iovp_dev *d,
				    const struct iovp_target *t, u32 mechanisms);
void iovp_restore(struct iovp_dev *d);

/* change.c: another setting, another driver */
void iovp_change_begin(struct iovp_dev *d, bool dac);
void iovp_change_end(struct iovp_dev *d);
void iovp_settle_work(struct work_struct *work);
void iovp_settle(struct iovp_dev *d, unsigned long delay);
void iovp_enforce(struct iovp_dev *d);
int iovp_switch(struct iovp_dev *d, const struct iovp_setting *want,
		const struct iovp_who *who, u32 cause,
		enum iova_policy_refusal *refusal);
int iovp_set_cap(struct iovp_dev *d, u8 cap, const struct iovp_who *who, u32 cause);
void iovp_next_generation(struct iovp_dev *d);

/* space.c: the allocator of a domain */
bool iovp_space_proved(struct iova_domain *space);
void iovp_space_rewind(struct iova_domain *space);
bool iovp_space_reaches(struct iova_domain *space, u64 limit, u64 least);
int iovp_flush(struct iovp_dev *d, u32 flags);

/* fill.c: holding address space, which may take so long */
#define IOVP_FILL_MS	5000U
enum iova_policy_refusal iovp_fill_finish(struct iovp_dev *d);
void iovp_fill_more(struct iovp_dev *d);
void iovp_fill_free_later(struct iovp_dev *d);
void iovp_fill_let_go(struct iovp_dev *d);
void iovp_fill_free(struct iovp_dev *d);
void iovp_fill_free_work(struct work_struct *work);
u64 iovp_held(const struct iovp_dev *d);

/* list.c */
u8 iovp_listed(struct pci_dev *pdev);

/* sysfs.c */
extern const struct attribute_group iovp_group;

/* lease.c: policies on trial */
int iovp_lease_begin(struct iovp_lease *lease, const struct iovp_setting *want,
		     u32 ms, bool restart, enum iova_policy_refusal *refusal);
struct iovp_lease *iovp_lease_new(struct iovp_dev *d);
void iovp_lease_end(struct iovp_dev *d, u32 cause, bool quarantine,
		    const struct iova_policy_evidence *evidence);
int iovp_lease_blame(struct iovp_lease *lease, u32 cause,
		     const struct iova_policy_evidence *evidence);
int iovp_lease_explain(struct iovp_lease *lease,
		       const struct iova_policy_evidence *evidence);
void iovp_lease_keep(struct iovp_lease *lease);
void iovp_lease_renew(struct iovp_lease *lease, u32 ms);
u32 iovp_lease_left(const struct iovp_lease *lease);
void iovp_lease_free(struct iovp_lease *lease);

/**
 * struct iovp_file - an open /dev/iova_policy
 * @lock: protects all of it, never for long; taken outside a device's lock
 * @leases: of this file, open or ended
 * @seq: of the next record to read
 */
struct iovp_file {
	struct mutex lock;	/* protects the rest */
	struct list_head leases;
	u64 seq;
};

/* cdev.c: /dev/iova_policy */
int iovp_cdev_init(void);
void iovp_cdev_exit(void);
int iovp_arg_get(void *arg, size_t size, void __user *from, u32 flags);
int iovp_arg_put(void __user *to, const void *arg, size_t size);
int iovp_lease_time(u32 ms);
struct iovp_lease *iovp_lease_find(struct iovp_file *file, u64 cookie);

/* stage.c */
long iovp_stage(struct iovp_file *file, void __user *arg);

/* announce.c: the kernel log, the audit log, uevents */
void iovp_announce(struct iovp_dev *d, const struct iova_policy_record *record,
		   const struct iovp_who *who);
int iovp_announce_init(void);
void iovp_announce_exit(void);

/* record.c: records of what changed */
void iovp_log_change(struct iovp_dev *d, u32 cause,
		     enum iova_policy_refusal refusal,
		     const struct iovp_target *from,
		     const struct iovp_target *to, const struct iovp_who *who,
		     const struct iova_policy_evidence *evidence);
bool iovp_record_next(u64 *seq, struct iova_policy_record *record);
bool iovp_record_new(u64 seq);

/* fault.c */
void iovp_watch(struct iovp_dev *d);
void iovp_unwatch(struct iovp_dev *d);
void iovp_fault_work(struct work_struct *work);
void iovp_fault_get(void);
void iovp_fault_put(void);
void iovp_fault_exit(void);

#endif /* IOVP_H */
