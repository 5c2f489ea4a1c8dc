/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * /dev/iova_policy: leased changes of a device's IOVA allocation policy.
 *
 * Every structure begins with argsz, the size the caller knows. The module
 * takes any size from that of ABI 1.0 on, writes back no more than argsz, and
 * refuses unknown flags with EINVAL. Numbers are never reused.
 *
 * What is not leased is in sysfs: /sys/bus/pci/devices/<BDF>/iova_policy/
 * (Documentation/ABI/testing/sysfs-bus-pci-devices-iova_policy).
 */
#ifndef IOVA_POLICY_H
#define IOVA_POLICY_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOVA_POLICY_ABI_MAJOR	2
#define IOVA_POLICY_ABI_MINOR	0

/* What a policy is. Its width is a number of address bits. */
enum iova_policy_kind {
	IOVA_POLICY_STOCK	= 0,	/* what the kernel does by itself; width 0 */
	IOVA_POLICY_CAP		= 1,	/* never above 2^width; 32 to 63 */
	IOVA_POLICY_DAC		= 2,	/* the range up to 2^width at once; 33 to 57 */
};

/* By what means: bits of iova_policy_info.features and .mechanisms. */
#define IOVA_POLICY_M_FLAG	0x01	/* the device's own 32-bit-first flag (6.6) */
#define IOVA_POLICY_M_LIMIT	0x02	/* the device's bus_dma_limit */
#define IOVA_POLICY_M_FILL	0x04	/* address space is held */
#define IOVA_POLICY_M_MASK	0x08	/* the device's DMA masks, once bound */
#define IOVA_POLICY_M_FLUSH	0x10	/* the domain's caches can be drained */

/* Why a policy can't be had: iova_policy_stage.refusal. */
enum iova_policy_refusal {
	IOVA_POLICY_OK			= 0,
	IOVA_POLICY_R_NO_IOMMU		= 1,	/* no IOMMU translates for the device */
	IOVA_POLICY_R_IDENTITY		= 2,	/* identity domain: no IOVA is allocated */
	IOVA_POLICY_R_UNMANAGED		= 3,	/* the domain is not the DMA API's (VFIO) */
	IOVA_POLICY_R_ALIASED		= 4,	/* shares its requester ID (PCI bridge, quirk) */
	IOVA_POLICY_R_SHARED_GROUP	= 5,	/* would hit the group's other devices */
	IOVA_POLICY_R_DIRECT_REGION	= 6,	/* firmware needs fixed addresses (RMRR, IVMD) */
	IOVA_POLICY_R_MASK		= 7,	/* the device can't address that much */
	IOVA_POLICY_R_NARROWER		= 8,	/* a narrower bus limit is there already */
	IOVA_POLICY_R_KDUMP		= 9,	/* this is a crash kernel */
	IOVA_POLICY_R_NO_MECHANISM	= 10,	/* this kernel offers no way for this device */
	IOVA_POLICY_R_LAYOUT		= 11,	/* the allocator's structures are not as expected */
	IOVA_POLICY_R_QUARANTINED	= 12,	/* a fault was seen under a wider policy */
	IOVA_POLICY_R_CAPPED		= 13,	/* wider than the protective cap */
	IOVA_POLICY_R_LOCKDOWN		= 14,	/* lockdown=confidentiality: only caps */
	IOVA_POLICY_R_UNBOUND		= 15,	/* no driver is bound: nothing to lease */
	IOVA_POLICY_R_NO_LOW_SPACE	= 16,	/* every usable address is above the cap */
	IOVA_POLICY_R_HELD		= 17,	/* the low space could not be held */
	IOVA_POLICY_R_WIDTH		= 18,	/* width out of range for the kind */
	IOVA_POLICY_R_OFF		= 19,	/* the module's parameter "off" is set */
	IOVA_POLICY_R_ENCRYPTED		= 20,	/* a limit would decrypt coherent memory (SME) */
};

/* Why something changed: iova_policy_record.cause. */
enum iova_policy_cause {
	IOVA_POLICY_C_SYSFS	= 1,	/* written to sysfs "policy" */
	IOVA_POLICY_C_CAP	= 2,	/* written to sysfs "cap" */
	IOVA_POLICY_C_STAGE	= 3,	/* a lease began */
	IOVA_POLICY_C_COMMIT	= 4,	/* a lease was confirmed */
	IOVA_POLICY_C_ABORT	= 5,	/* its holder gave up */
	IOVA_POLICY_C_CLOSED	= 6,	/* its holder went away */
	IOVA_POLICY_C_EXPIRED	= 7,	/* its time ran out */
	IOVA_POLICY_C_FAULT	= 8,	/* its holder, or the kernel, saw an IOMMU fault */
	IOVA_POLICY_C_AER	= 9,	/* its holder saw a PCIe error */
	IOVA_POLICY_C_BIND	= 10,	/* applied again: a driver was bound */
	IOVA_POLICY_C_UNBIND	= 11,	/* taken back: the driver went, its lease ended */
	IOVA_POLICY_C_REMOVED	= 12,	/* the device went */
	IOVA_POLICY_C_SUSPEND	= 13,	/* the system goes to sleep: leases end */
	IOVA_POLICY_C_UNLOAD	= 14,	/* the module goes */
	IOVA_POLICY_C_RELEASED	= 15,	/* "idle" written to sysfs "state": out of quarantine */
	IOVA_POLICY_C_REFUSED	= 16,	/* asked for and refused; .refusal says why */
	IOVA_POLICY_C_LIST	= 17,	/* cap of the module's own list */
	IOVA_POLICY_C_OFF	= 18,	/* the module's parameter "off" ended all */
	IOVA_POLICY_C_RETURNED	= 19,	/* the device came back: its cap of before */
};

/* How a faulting address relates to a live one: iova_policy_evidence.relation. */
enum iova_policy_relation {
	IOVA_POLICY_REL_UNKNOWN		= 0,	/* nobody compared */
	IOVA_POLICY_REL_UNRELATED	= 1,
	IOVA_POLICY_REL_TRUNCATED	= 2,	/* address == live mod 2^width */
	IOVA_POLICY_REL_MANGLED		= 3,	/* address == live ^ xor */
};

struct iova_policy_evidence {
	__u64 address;		/* what the IOMMU saw */
	__u64 live;		/* the allocated address it comes from */
	__u64 xor;		/* address ^ live */
	__u32 relation;
	__u32 width;		/* truncated: bits that came through */
};

struct iova_policy_info {
	__u32 argsz;
	__u32 flags;		/* 0 */
	__u16 abi_major;
	__u16 abi_minor;
	__u32 features;		/* IOVA_POLICY_M_*: what this build on this kernel can do at all */
	__u32 lease_min_ms;
	__u32 lease_max_ms;
	__s32 iovad_offset;	/* of the iova_domain in the private cookie; -1: not used */
	__u32 record_size;	/* of what read() returns */
};

#define IOVA_POLICY_F_DRY_RUN	0x01	/* say what would happen, change nothing */
#define IOVA_POLICY_F_FLUSH	0x02	/* and drain the domain's caches */
#define IOVA_POLICY_F_WHOLE	0x04	/* dac: from the top, without a window */
#define IOVA_POLICY_F_RESTART	0x08	/* lease_ms counts again once all space is held */

/*
 * Begins a lease: the policy is in force from now until COMMIT keeps it, or
 * ABORT, close(), the end of lease_ms, or losing the driver takes it back.
 *
 * dac:N hands out addresses from a base + window downwards. The base has bit N-1
 * and all others from bit 32 on but N-2. The low 32 bits of the addresses are
 * below the window, so that one whose high bits were lost hits [0, window], or a
 * place above 4 GiB where nothing is. The caller picks a window with nothing live
 * below it; 0 stands for 0x7fffffff.
 *
 * Where address space has to be held (FILL), that may take 5 s, and lease_ms counts
 * from before it. With RESTART it counts anew afterwards, and meanwhile the lease
 * may be up to 5 s longer: for a holder that renews a short lease only as long as
 * it looks at the device, which it can't while it waits for this request.
 *
 * A refusal returns EPERM (quarantine, cap, lockdown), EBUSY (leased by
 * somebody else, or being bound right now), ERANGE (width) or EOPNOTSUPP, with
 * .refusal set. ENODEV: no such device. ESTALE: it is not the generation asked
 * for.
 */
struct iova_policy_stage {
	__u32 argsz;
	__u32 flags;		/* IOVA_POLICY_F_* */
	__u32 bdf;		/* segment << 16 | bus << 8 | devfn */
	__u32 generation;	/* expected; 0: any */
	__u32 kind;
	__u32 width;
	__u32 window;
	__u32 lease_ms;
	/* out */
	__u64 cookie;
	__u64 limit;		/* the highest address that can come, inclusive */
	__u64 held;		/* bytes of low space held (fill) */
	__u32 mechanisms;
	__u32 refusal;
};

/* State of a lease. */
enum iova_policy_lease_state {
	IOVA_POLICY_L_OPEN	= 0,
	IOVA_POLICY_L_KEPT	= 1,
	IOVA_POLICY_L_ENDED	= 2,	/* .cause says why */
};

/* RENEW (lease_ms from now), COMMIT, STATUS. */
struct iova_policy_lease {
	__u32 argsz;
	__u32 flags;		/* 0 */
	__u64 cookie;
	__u32 lease_ms;		/* RENEW in; out: what is left */
	__u32 state;		/* out */
	__u32 cause;		/* out */
	__u32 generation;	/* out */
};

#define IOVA_POLICY_F_QUARANTINE 0x01	/* and refuse dac from now on */

/*
 * Ends a lease of this file. With QUARANTINE, cause is FAULT or AER.
 *
 * What a fault means takes time to find out, and the policy should be gone by
 * then: a lease that a fault has ended takes evidence with a relation once, if
 * it has none yet. And a lease that ran out takes a fault (with QUARANTINE) once:
 * its holder looked too late, but the device is to be kept from dac all the same.
 */
struct iova_policy_abort {
	__u32 argsz;
	__u32 flags;
	__u64 cookie;
	__u32 cause;		/* ABORT, FAULT or AER */
	__u32 reserved;		/* 0 */
	struct iova_policy_evidence evidence;
};

#define IOVA_POLICY_F_RCACHE	0x01	/* free what the caches hold */
#define IOVA_POLICY_F_QUEUE	0x02	/* run the flush queue's timer now */

/* Drains the caches of the device's domain; no policy changes. */
struct iova_policy_flush {
	__u32 argsz;
	__u32 flags;
	__u32 bdf;
	__u32 reserved;		/* 0 */
};

/*
 * read() returns whole records of changes and refusals, oldest first, from the
 * module's ring of the last 1,024; a gap in seq is what was overwritten. Every
 * open file has a position of its own and begins with the oldest one kept.
 * read() at the end returns 0; poll() tells of new ones (POLLIN) and of the end
 * of one of the file's leases (POLLPRI).
 */
struct iova_policy_record {
	__u64 seq;
	__u64 time_ns;		/* CLOCK_REALTIME */
	__u32 bdf;
	__u16 vendor;
	__u16 device;
	__u32 generation;	/* after the change */
	__u32 cause;
	__u16 old_kind;
	__u16 old_width;
	__u16 new_kind;
	__u16 new_width;
	__u32 refusal;
	__u32 mechanisms;
	__u32 loginuid;		/* 0xffffffff: none */
	__u32 uid;
	__u32 pid;
	__u32 reserved;
	char comm[16];
	struct iova_policy_evidence evidence;
};

/* 0xda is free in Documentation/userspace-api/ioctl/ioctl-number.rst (6.12). */
#define IOVA_POLICY_MAGIC	0xda

#define IOVA_POLICY_INFO	_IOWR(IOVA_POLICY_MAGIC, 0x60, struct iova_policy_info)
#define IOVA_POLICY_STAGE	_IOWR(IOVA_POLICY_MAGIC, 0x61, struct iova_policy_stage)
#define IOVA_POLICY_RENEW	_IOWR(IOVA_POLICY_MAGIC, 0x62, struct iova_policy_lease)
#define IOVA_POLICY_COMMIT	_IOWR(IOVA_POLICY_MAGIC, 0x63, struct iova_policy_lease)
#define IOVA_POLICY_STATUS	_IOWR(IOVA_POLICY_MAGIC, 0x64, struct iova_policy_lease)
#define IOVA_POLICY_ABORT	_IOWR(IOVA_POLICY_MAGIC, 0x65, struct iova_policy_abort)
#define IOVA_POLICY_FLUSH	_IOWR(IOVA_POLICY_MAGIC, 0x66, struct iova_policy_flush)

#endif /* IOVA_POLICY_H */
