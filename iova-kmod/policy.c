// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: what settings mean
 */

#include <linux/audit.h>
#include <linux/cred.h>
#include <linux/ctype.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/uidgid.h>

#include "iovp.h"

/*
 * The last 2 MiB below a power of two are never handed out: sums of address and
 * length wrap there (ib_sg_to_pages() in drivers/infiniband/core/verbs.c still
 * has such a loop in 7.3), and devices that saw the last page of all failed.
 */
#define IOVP_TOP	SZ_2M

int iovp_refusal_errno(enum iova_policy_refusal refusal)
{
	switch (refusal) {
	case IOVA_POLICY_OK:
		return 0;
	case IOVA_POLICY_R_QUARANTINED:
	case IOVA_POLICY_R_CAPPED:
	case IOVA_POLICY_R_LOCKDOWN:
	case IOVA_POLICY_R_OFF:
		return -EPERM;
	case IOVA_POLICY_R_WIDTH:
		return -ERANGE;
	default:
		return -EOPNOTSUPP;
	}
}

/**
 * iovp_parse - read a policy as written to sysfs
 * @text: "stock", "strict32", "cap:N" or "dac:N"
 * @setting: what it says; the width may be out of range
 *
 * Return: 0 or -EINVAL.
 */
int iovp_parse(const char *text, struct iovp_setting *setting)
{
	memset(setting, 0, sizeof(*setting));
	if (sysfs_streq(text, "stock"))
		return 0;

	if (sysfs_streq(text, "strict32")) {
		setting->kind = IOVA_POLICY_CAP;
		setting->width = 32;
		return 0;
	}
	if (str_has_prefix(text, "cap:")) {
		setting->kind = IOVA_POLICY_CAP;
	} else if (str_has_prefix(text, "dac:")) {
		setting->kind = IOVA_POLICY_DAC;
		setting->window = IOVP_WINDOW;
	} else {
		return -EINVAL;
	}
	text += strlen("cap:");
	/* kstrto*() would take a plus sign. */
	return !isdigit(*text) || kstrtou16(text, 10, &setting->width) ? -EINVAL : 0;
}

bool iovp_in_range(const struct iovp_setting *s)
{
	switch (s->kind) {
	case IOVA_POLICY_CAP:
		return s->width >= IOVP_CAP_MIN && s->width <= IOVP_CAP_MAX;
	case IOVA_POLICY_DAC:
		return s->width >= IOVP_DAC_MIN && s->width <= IOVP_DAC_MAX;
	default:
		return !s->width;
	}
}

/*
 * Where the window of dac lies. Every bit that a device may lose is set, so that
 * the address of a fault names the lowest one that was lost; but for the second
 * highest, since HyperTransport has the last 12 GiB of 40 bits behind an AMD-Vi
 * (HT_RANGE_START, drivers/iommu/amd/amd_iommu_types.h).
 */
static u64 iovp_base(u16 width)
{
	u64 base = BIT_ULL(width - 1);

	return width > 34 ? base | (BIT_ULL(width - 2) - BIT_ULL(32)) : base;
}

/**
 * iovp_target - what a setting comes to
 * @t: the answer
 * @s: setting, its width in range
 * @cap: protective cap in bits, or 0
 *
 * The lesser width wins. 32 bits are all there is below 4 GiB, and stock drivers
 * use them to the last page, so that limit alone has nothing cut off.
 */
void iovp_target(struct iovp_target *t, const struct iovp_setting *s, u8 cap)
{
	t->kind = s->kind;
	t->width = s->width;
	if (cap && (t->kind == IOVA_POLICY_STOCK || cap < t->width)) {
		t->width = cap;
		if (t->kind != IOVA_POLICY_DAC || cap < IOVP_DAC_MIN)
			t->kind = IOVA_POLICY_CAP;
	}

	t->least = 0;
	if (t->kind == IOVA_POLICY_STOCK) {
		t->limit = 0;
	} else if (t->width == 32) {
		t->limit = U32_MAX;
	} else if (t->kind == IOVA_POLICY_DAC && !s->whole) {
		t->least = iovp_base(t->width);
		t->limit = t->least + s->window;
	} else {
		t->least = BIT_ULL(t->width - 1);
		t->limit = BIT_ULL(t->width) - IOVP_TOP - 1;
	}
}

/* The current task, as one who asked for something. */
void iovp_who_now(struct iovp_who *who, enum iovp_by by)
{
	who->by = by;
	who->pid = task_tgid_nr(current);
	who->uid = from_kuid(&init_user_ns, current_uid());
	who->loginuid = from_kuid(&init_user_ns, audit_get_loginuid(current));
	get_task_comm(who->comm, current);
}

/* Nobody in particular. */
void iovp_who_kernel(struct iovp_who *who)
{
	memset(who, 0, sizeof(*who));
	who->loginuid = from_kuid(&init_user_ns, INVALID_UID);
}
