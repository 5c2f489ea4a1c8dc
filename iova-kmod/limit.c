// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the mechanism "limit", the device's bus_dma_limit
 *
 * iommu_dma_alloc_iova() (drivers/iommu/dma-iommu.c) stays below it; VT-d on 5.10
 * does not know it.
 */

#include <linux/kernel.h>

#include "iovp.h"

static bool iovp_limit_supported(const struct iovp_dev *d)
{
	return !d->dom.vtds;
}

static void iovp_limit_apply(struct iovp_dev *d, const struct iovp_target *t)
{
	struct device *dev = iovp_device(d);

	if (!(d->force.mechanisms & IOVA_POLICY_M_LIMIT)) {
		d->force.old_limit = dev->bus_dma_limit;
		d->force.mechanisms |= IOVA_POLICY_M_LIMIT;
	}
	d->force.limit = min_not_zero(d->force.old_limit, t->limit);
	WRITE_ONCE(dev->bus_dma_limit, d->force.limit);
}

/* A limit that is not ours any more belongs to its writer. */
static void iovp_limit_restore(struct iovp_dev *d, const struct iovp_target *next)
{
	struct device *dev = iovp_device(d);

	if (d->force.mechanisms & IOVA_POLICY_M_LIMIT &&
	    dev->bus_dma_limit == d->force.limit)
		WRITE_ONCE(dev->bus_dma_limit, d->force.old_limit);
	d->force.mechanisms &= ~IOVA_POLICY_M_LIMIT;
}

const struct iovp_mechanism iovp_limit_mechanism = {
	.bit = IOVA_POLICY_M_LIMIT,
	.name = "limit",
	.supported = iovp_limit_supported,
	.apply = iovp_limit_apply,
	.restore = iovp_limit_restore,
};
