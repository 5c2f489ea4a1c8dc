// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the words for what the ABI has as numbers
 */

#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "iovp.h"

static const char * const iovp_refusals[] = {
	[IOVA_POLICY_OK] = "ok",
	[IOVA_POLICY_R_NO_IOMMU] = "no-iommu",
	[IOVA_POLICY_R_IDENTITY] = "identity",
	[IOVA_POLICY_R_UNMANAGED] = "unmanaged",
	[IOVA_POLICY_R_ALIASED] = "aliased",
	[IOVA_POLICY_R_SHARED_GROUP] = "shared-group",
	[IOVA_POLICY_R_DIRECT_REGION] = "direct-region",
	[IOVA_POLICY_R_MASK] = "mask",
	[IOVA_POLICY_R_NARROWER] = "narrower",
	[IOVA_POLICY_R_KDUMP] = "kdump",
	[IOVA_POLICY_R_NO_MECHANISM] = "no-mechanism",
	[IOVA_POLICY_R_LAYOUT] = "layout",
	[IOVA_POLICY_R_QUARANTINED] = "quarantined",
	[IOVA_POLICY_R_CAPPED] = "capped",
	[IOVA_POLICY_R_LOCKDOWN] = "lockdown",
	[IOVA_POLICY_R_UNBOUND] = "unbound",
	[IOVA_POLICY_R_NO_LOW_SPACE] = "no-low-space",
	[IOVA_POLICY_R_HELD] = "held",
	[IOVA_POLICY_R_WIDTH] = "width",
	[IOVA_POLICY_R_OFF] = "off",
	[IOVA_POLICY_R_ENCRYPTED] = "encrypted",
};

static const char * const iovp_causes[] = {
	[IOVA_POLICY_C_SYSFS] = "sysfs",
	[IOVA_POLICY_C_CAP] = "cap",
	[IOVA_POLICY_C_STAGE] = "stage",
	[IOVA_POLICY_C_COMMIT] = "commit",
	[IOVA_POLICY_C_ABORT] = "abort",
	[IOVA_POLICY_C_CLOSED] = "closed",
	[IOVA_POLICY_C_EXPIRED] = "expired",
	[IOVA_POLICY_C_FAULT] = "fault",
	[IOVA_POLICY_C_AER] = "aer",
	[IOVA_POLICY_C_BIND] = "bind",
	[IOVA_POLICY_C_UNBIND] = "unbind",
	[IOVA_POLICY_C_REMOVED] = "removed",
	[IOVA_POLICY_C_SUSPEND] = "suspend",
	[IOVA_POLICY_C_UNLOAD] = "unload",
	[IOVA_POLICY_C_RELEASED] = "released",
	[IOVA_POLICY_C_REFUSED] = "refused",
	[IOVA_POLICY_C_LIST] = "list",
	[IOVA_POLICY_C_OFF] = "off",
	[IOVA_POLICY_C_RETURNED] = "returned",
};

static const char * const iovp_relations[] = {
	[IOVA_POLICY_REL_UNKNOWN] = "unknown",
	[IOVA_POLICY_REL_UNRELATED] = "unrelated",
	[IOVA_POLICY_REL_TRUNCATED] = "truncated",
	[IOVA_POLICY_REL_MANGLED] = "mangled",
};

static const char * const iovp_states[] = {
	[IOVP_IDLE] = "idle",
	[IOVP_ACTIVE] = "active",
	[IOVP_PENDING] = "pending",
	[IOVP_LEASED] = "leased",
	[IOVP_QUARANTINED] = "quarantined",
	[IOVP_REFUSED] = "refused",
};

static const char * const iovp_origins[] = {
	[IOVP_BY_KERNEL] = "kernel",
	[IOVP_BY_SYSFS] = "sysfs",
	[IOVP_BY_LEASE] = "lease",
};

const char *iovp_refusal_name(enum iova_policy_refusal refusal)
{
	return iovp_refusals[refusal];
}

const char *iovp_cause_name(u32 cause)
{
	return iovp_causes[cause];
}

const char *iovp_relation_name(u32 relation)
{
	return iovp_relations[relation];
}

int iovp_print(char *buf, size_t size, u16 kind, u16 width)
{
	switch (kind) {
	case IOVA_POLICY_CAP:
		return scnprintf(buf, size, "cap:%u", width);
	case IOVA_POLICY_DAC:
		return scnprintf(buf, size, "dac:%u", width);
	default:
		return scnprintf(buf, size, "stock");
	}
}

enum iovp_state iovp_state(const struct iovp_dev *d)
{
	if (d->lease && !(d->lease->staging && d->refused))
		return IOVP_LEASED;
	if (d->quarantine)
		return IOVP_QUARANTINED;
	if (d->refused)
		return IOVP_REFUSED;
	if (d->want.kind == IOVA_POLICY_STOCK && !d->cap)
		return IOVP_IDLE;
	return d->phase == IOVP_BOUND && !d->deferred ? IOVP_ACTIVE : IOVP_PENDING;
}

const char *iovp_state_name(const struct iovp_dev *d)
{
	return iovp_states[iovp_state(d)];
}

/* Why a device is in quarantine or was refused what was asked for. */
const char *iovp_reason_name(const struct iovp_dev *d)
{
	switch (iovp_state(d)) {
	case IOVP_QUARANTINED:
		return iovp_cause_name(d->quarantine);
	case IOVP_REFUSED:
		return iovp_refusal_name(d->refused);
	default:
		return "none";
	}
}

const char *iovp_origin_name(enum iovp_by by)
{
	return iovp_origins[by];
}

/* A task names itself: nothing of it may look like something else. */
void iovp_comm(char *comm, const struct iovp_who *who)
{
	char *c;

	memcpy(comm, who->comm, TASK_COMM_LEN);
	comm[TASK_COMM_LEN - 1] = 0;
	for (c = comm; *c; c++)
		if (!isascii(*c) || !isgraph(*c) || strchr("[]\"=", *c))
			*c = '_';
}

int iovp_print_who(char *buf, size_t size, const struct iovp_who *who)
{
	char comm[TASK_COMM_LEN];

	if (who->by == IOVP_BY_KERNEL)
		return scnprintf(buf, size, "%s", iovp_origin_name(who->by));
	iovp_comm(comm, who);
	return scnprintf(buf, size, "%s %s[%u] %u", iovp_origin_name(who->by), comm,
			 who->pid, who->uid);
}
