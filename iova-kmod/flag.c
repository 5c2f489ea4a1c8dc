// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the mechanism "flag", the device's own 32-bit-first flag
 *
 * iommu_dma_alloc_iova() (drivers/iommu/dma-iommu.c, since 6.6) tries below
 * 4 GiB first while dev->iommu->pci_32bit_workaround is set.
 */

#include "compat.h"
#include "iovp.h"

static bool iovp_flag_supported(const struct iovp_dev *d)
{
	return iovp_has_flag(iovp_device(d));
}

static void iovp_flag_apply(struct iovp_dev *d, const struct iovp_target *t)
{
	struct device *dev = iovp_device(d);

	if (!(d->force.mechanisms & IOVA_POLICY_M_FLAG)) {
		d->force.old_flag = iovp_flag(dev);
		d->force.mechanisms |= IOVA_POLICY_M_FLAG;
	}
	iovp_flag_set(dev, false);
}

static void iovp_flag_restore(struct iovp_dev *d, const struct iovp_target *next)
{
	if (next->kind == IOVA_POLICY_DAC)
		return;
	if (d->force.mechanisms & IOVA_POLICY_M_FLAG && d->force.old_flag)
		iovp_flag_set(iovp_device(d), true);
	d->force.mechanisms &= ~IOVA_POLICY_M_FLAG;
}

const struct iovp_mechanism iovp_flag_mechanism = {
	.bit = IOVA_POLICY_M_FLAG,
	.name = "flag",
	.low = true,
	.supported = iovp_flag_supported,
	.apply = iovp_flag_apply,
	.restore = iovp_flag_restore,
};
