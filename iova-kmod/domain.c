// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the DMA domain of a device, and its group
 *
 * A domain is looked into once, when a driver comes: then the device is attached
 * to the default domain of its group, which stays until that driver is gone (see
 * device.c). Later its address is compared and never followed, since the driver
 * may have attached the device to a domain of its own, and freed that.
 */

#include <linux/iommu.h>
#include <linux/slab.h>

#include "compat.h"
#include "iovp.h"

/* Is the domain certain to stay while one of the device's locks is held? */
bool iovp_domain_stays(const struct iovp_dev *d)
{
	return (d->phase == IOVP_BINDING || d->phase == IOVP_BOUND) && !d->managed;
}

/* Is the device still attached to the domain that was captured? */
bool iovp_domain_attached(const struct iovp_dev *d)
{
	return d->dom.domain &&
	       iommu_get_domain_for_dev(iovp_device(d)) == d->dom.domain;
}

/* The allocator of the device's domain; NULL unless that is certain to stay. */
struct iova_domain *iovp_space(const struct iovp_dev *d)
{
	return iovp_domain_stays(d) ? d->dom.space : NULL;
}

static void iovp_domain_read(struct iommu_domain *domain, struct iovp_domain *dom)
{
	struct iova_domain *space = iovp_vtd_space(domain);
	void *cookie;

	if (domain->type == IOMMU_DOMAIN_IDENTITY) {
		dom->refusal = IOVA_POLICY_R_IDENTITY;
		return;
	}
	if (!iovp_domain_is_dma(domain)) {
		dom->refusal = IOVA_POLICY_R_UNMANAGED;
		return;
	}
	dom->vtds = space;
	dom->top = domain->geometry.force_aperture ? domain->geometry.aperture_end :
						     U64_MAX;
	cookie = iovp_cookie(domain);
	if (cookie)
		space = cookie + IOVP_IOVAD_OFFSET;
	if (space && iovp_space_proved(space))
		dom->space = space;
}

/**
 * iovp_domain_capture - look at the domain that a driver will use
 * @d: device, in a change, about to get a driver or found with one
 *
 * A driver that was there before the module may change the domain meanwhile.
 * Then nothing that was read counts.
 */
void iovp_domain_capture(struct iovp_dev *d)
{
	struct device *dev = iovp_device(d);
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);
	struct iovp_domain dom = { .domain = domain };

	if (domain)
		iovp_domain_read(domain, &dom);
	else
		dom.refusal = IOVA_POLICY_R_NO_IOMMU;
	if (iommu_get_domain_for_dev(dev) != domain)
		dom = (struct iovp_domain){ .refusal = IOVA_POLICY_R_UNMANAGED };
	iovp_lock(d);
	d->dom = dom;
	iovp_unlock(d);
}

static int iovp_count_one(struct device *dev, void *data)
{
	(*(unsigned int *)data)++;
	return 0;
}

/*
 * Addresses that firmware wants to be the same on both sides stay mapped for
 * ever: a truncated address that hits them makes no fault.
 */
static bool iovp_direct_regions(struct iommu_group *group)
{
	struct iommu_resv_region *region, *next;
	LIST_HEAD(regions);
	bool direct = iommu_get_group_resv_regions(group, &regions);

	list_for_each_entry_safe(region, next, &regions, list) {
		direct |= region->type == IOMMU_RESV_DIRECT ||
			  region->type == IOMMU_RESV_DIRECT_RELAXABLE;
		list_del(&region->list);
		kfree(region);
	}
	return direct;
}

/**
 * iovp_group_look - see what else is in the device's group
 * @d: device, in a change, not locked
 * @dac: look for fixed addresses, too
 *
 * The group has a lock of its own, which may take its time.
 */
void iovp_group_look(struct iovp_dev *d, bool dac)
{
	struct iommu_group *group = iommu_group_get(iovp_device(d));
	unsigned int nr = 0;
	bool direct = false;

	if (group) {
		iommu_group_for_each_dev(group, &nr, iovp_count_one);
		direct = dac && iovp_direct_regions(group);
		iommu_group_put(group);
	}
	iovp_lock(d);
	d->alone = nr == 1;
	d->direct = direct;
	iovp_unlock(d);
}
