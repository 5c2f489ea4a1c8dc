// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the mechanism "mask", the DMA masks of a device
 *
 * They are lowered after the driver has set them, where bus_dma_limit is not
 * heard: VT-d on 5.10 (intel_alloc_iova(), drivers/iommu/intel/iommu.c).
 */

#include <linux/dma-mapping.h>
#include <linux/kernel.h>

#include "iovp.h"

static bool iovp_mask_supported(const struct iovp_dev *d)
{
	return d->dom.vtds;
}

/* Before a driver is bound, its masks are not there yet: see change.c. */
static void iovp_mask_apply(struct iovp_dev *d, const struct iovp_target *t)
{
	struct device *dev = iovp_device(d);

	if (d->phase != IOVP_BOUND)
		return;
	if (!(d->force.mechanisms & IOVA_POLICY_M_MASK)) {
		d->force.old_mask = dma_get_mask(dev);
		d->force.old_coherent_mask = dev->coherent_dma_mask;
		d->force.mechanisms |= IOVA_POLICY_M_MASK;
	}
	d->force.mask = t->limit;
	dma_set_mask(dev, min(d->force.old_mask, t->limit));
	dma_set_coherent_mask(dev, min(d->force.old_coherent_mask, t->limit));
}

static void iovp_mask_restore(struct iovp_dev *d, const struct iovp_target *next)
{
	struct device *dev = iovp_device(d);

	if (!(d->force.mechanisms & IOVA_POLICY_M_MASK))
		return;
	d->force.mechanisms &= ~IOVA_POLICY_M_MASK;
	if (dma_get_mask(dev) == min(d->force.old_mask, d->force.mask))
		dma_set_mask(dev, d->force.old_mask);
	if (dev->coherent_dma_mask == min(d->force.old_coherent_mask, d->force.mask))
		dma_set_coherent_mask(dev, d->force.old_coherent_mask);
}

const struct iovp_mechanism iovp_mask_mechanism = {
	.bit = IOVA_POLICY_M_MASK,
	.name = "mask",
	.supported = iovp_mask_supported,
	.apply = iovp_mask_apply,
	.restore = iovp_mask_restore,
};
