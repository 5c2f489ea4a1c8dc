// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: what a device can have, and why not
 *
 * Caps only ever take addresses away, so they ask for little. dac opens space
 * that the device may never have seen, and asks for all.
 */

#include <linux/capability.h>
#include <linux/crash_dump.h>
#include <linux/dma-mapping.h>
#include <linux/jiffies.h>
#include <linux/security.h>
#include <linux/slab.h>

#include "compat.h"
#include "iovp.h"

/* May the current task change policies? */
bool iovp_allowed(void)
{
	return capable(CAP_SYS_ADMIN) && capable(CAP_SYS_RAWIO);
}

static int iovp_count_one(struct device *dev, void *data)
{
	(*(unsigned int *)data)++;
	return 0;
}

static bool iovp_alone(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);
	unsigned int nr = 0;

	if (!group)
		return false;
	iommu_group_for_each_dev(group, &nr, iovp_count_one);
	iommu_group_put(group);
	return nr == 1;
}

/*
 * Does the IOMMU see the device's requests under another ID too, or only? As
 * pci_for_each_dma_alias() (drivers/pci/search.c, not exported) finds them: by a
 * quirk, or because a bridge to conventional PCI puts its own there.
 */
static bool iovp_aliased(struct pci_dev *pdev)
{
	struct pci_dev *bridge = pdev;

	if (pdev->dma_alias_mask)
		return true;
	while ((bridge = pci_upstream_bridge(bridge))) {
		if (!pci_is_pcie(bridge) ||
		    pci_pcie_type(bridge) == PCI_EXP_TYPE_PCI_BRIDGE ||
		    pci_pcie_type(bridge) == PCI_EXP_TYPE_PCIE_BRIDGE)
			return true;
	}
	return false;
}

/*
 * Addresses that firmware wants to be the same on both sides stay mapped for
 * ever: a truncated address that hits them makes no fault.
 */
static bool iovp_direct_regions(struct device *dev)
{
	struct iommu_resv_region *region, *next;
	struct iommu_group *group = iommu_group_get(dev);
	LIST_HEAD(regions);
	bool direct = false;

	if (!group)
		return false;
	if (iommu_get_group_resv_regions(group, &regions))
		direct = true;
	iommu_group_put(group);
	list_for_each_entry_safe(region, next, &regions, list) {
		direct |= region->type == IOMMU_RESV_DIRECT ||
			  region->type == IOMMU_RESV_DIRECT_RELAXABLE;
		list_del(&region->list);
		kfree(region);
	}
	return direct;
}

/* Does the host bridge let DMA through only above the limit (Raspberry Pi 5)? */
static bool iovp_only_above(struct pci_dev *pdev, u64 limit)
{
	struct pci_host_bridge *bridge;
	struct resource_entry *w;
	struct pci_bus *bus = pdev->bus;

	while (!pci_is_root_bus(bus))
		bus = bus->parent;
	bridge = to_pci_host_bridge(bus->bridge);
	if (list_empty(&bridge->dma_ranges))
		return false;
	resource_list_for_each_entry(w, &bridge->dma_ranges)
		if (w->res->start - w->offset < limit)
			return false;
	return true;
}

/* The narrower mask of the driver's own. */
static u64 iovp_masks(struct iovp_dev *d)
{
	struct device *dev = iovp_device(d);

	if (d->force.mechanisms & IOVA_POLICY_M_MASK)
		return min(d->force.old_mask, d->force.old_coherent_mask);
	return min(dma_get_mask(dev), dev->coherent_dma_mask);
}

/*
 * Before its first driver, a PCI device has masks of 32 bits (pci_setup_device(),
 * drivers/pci/probe.c); a driver leaves its own behind. Some set theirs only
 * after they are bound: NVMe before 6.2 does when it starts the controller.
 */
bool iovp_masks_known(struct iovp_dev *d)
{
	return iovp_masks(d) > DMA_BIT_MASK(32) ||
	       (d->phase == IOVP_BOUND && time_after_eq(jiffies, d->settled));
}

/* The highest address of the device's domain. */
u64 iovp_top(struct iovp_dev *d)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(iovp_device(d));

	return domain->geometry.force_aperture ? domain->geometry.aperture_end :
						 U64_MAX;
}

static bool iovp_limit_heard(struct iovp_dev *d)
{
	return !iovp_space_is_vtds(d);
}

/**
 * iovp_usable - mechanisms that work for this device now
 * @d: device, locked
 *
 * Without a driver the domain can't be asked: what could work is said then.
 *
 * Return: IOVA_POLICY_M_*.
 */
u32 iovp_usable(struct iovp_dev *d)
{
	struct device *dev = iovp_device(d);
	u32 usable = 0;

	if (!device_iommu_mapped(dev) || d->managed)
		return 0;
	if (iovp_has_flag(dev))
		usable |= IOVA_POLICY_M_FLAG;
	if (!iovp_domain_stays(d))
		return usable | IOVA_POLICY_M_LIMIT;

	if (!iovp_domain_is_dma(iommu_get_domain_for_dev(dev)))
		return 0;
	usable |= iovp_limit_heard(d) ? IOVA_POLICY_M_LIMIT : IOVA_POLICY_M_MASK;
	if (!iovp_space(d))
		return usable;
	usable |= IOVA_POLICY_M_FLUSH;
	if (iovp_alone(dev))
		usable |= IOVA_POLICY_M_FILL;
	return usable;
}

/* What can be said before there is a domain. */
enum iova_policy_refusal iovp_check_early(struct iovp_dev *d,
					  const struct iovp_setting *s,
					  const struct iovp_target *t)
{
	if (t->kind == IOVA_POLICY_STOCK)
		return IOVA_POLICY_OK;
	if (is_kdump_kernel())
		return IOVA_POLICY_R_KDUMP;
	if (!device_iommu_mapped(iovp_device(d)))
		return IOVA_POLICY_R_NO_IOMMU;
	if (iovp_only_above(d->pdev, t->limit))
		return IOVA_POLICY_R_NO_LOW_SPACE;
	if (s->kind != IOVA_POLICY_DAC)
		return IOVA_POLICY_OK;

	if (d->quarantine)
		return IOVA_POLICY_R_QUARANTINED;
	if (d->cap && d->cap < s->width)
		return IOVA_POLICY_R_CAPPED;
	if (security_locked_down(LOCKDOWN_KCORE))
		return IOVA_POLICY_R_LOCKDOWN;
	if (iovp_aliased(d->pdev))
		return IOVA_POLICY_R_ALIASED;
	if (iovp_direct_regions(iovp_device(d)))
		return IOVA_POLICY_R_DIRECT_REGION;
	return IOVA_POLICY_OK;
}

static enum iova_policy_refusal iovp_check_domain(struct iovp_dev *d)
{
	struct iommu_domain *domain;

	if (d->managed)
		return IOVA_POLICY_R_UNMANAGED;
	domain = iommu_get_domain_for_dev(iovp_device(d));
	if (!domain)
		return IOVA_POLICY_R_NO_IOMMU;
	if (domain->type == IOMMU_DOMAIN_IDENTITY)
		return IOVA_POLICY_R_IDENTITY;
	if (!iovp_domain_is_dma(domain))
		return IOVA_POLICY_R_UNMANAGED;
	return IOVA_POLICY_OK;
}

/* A width that something else cuts off has no window, and ends in a top page. */
static enum iova_policy_refusal iovp_check_reach(struct iovp_dev *d,
						 const struct iovp_target *t)
{
	struct device *dev = iovp_device(d);
	u64 bus = d->force.mechanisms & IOVA_POLICY_M_LIMIT ?
		  d->force.old_limit : dev->bus_dma_limit;
	struct iova_domain *space;

	if (iovp_masks_known(d) && iovp_masks(d) < t->limit)
		return IOVA_POLICY_R_MASK;
	if ((bus && bus < t->limit) || iovp_top(d) < t->limit)
		return IOVA_POLICY_R_NARROWER;
	/* Behind what we hold ourselves nothing can be seen: apply.c looks later. */
	space = d->force.high.nr ? NULL : iovp_space(d);
	if (space && !iovp_space_reaches(space, t->limit, t->least))
		return IOVA_POLICY_R_WIDTH;
	return IOVA_POLICY_OK;
}

static enum iova_policy_refusal iovp_check_dac(struct iovp_dev *d,
					       const struct iovp_target *t,
					       u32 *mechanisms)
{
	struct device *dev = iovp_device(d);

	*mechanisms = iovp_limit_heard(d) ? IOVA_POLICY_M_LIMIT : IOVA_POLICY_M_MASK;
	if (iovp_has_flag(dev)) {
		*mechanisms |= IOVA_POLICY_M_FLAG;
	} else {
		if (!iovp_alone(dev))
			return IOVA_POLICY_R_SHARED_GROUP;
		if (!iovp_space(d))
			return IOVA_POLICY_R_LAYOUT;
		*mechanisms |= IOVA_POLICY_M_FILL;
	}
	return iovp_check_reach(d, t);
}

/**
 * iovp_check - can this target be had now?
 * @d: device, locked, with a driver or about to get one
 * @t: target; that it is allowed is up to iovp_check_early()
 * @mechanisms: by which means
 */
enum iova_policy_refusal iovp_check(struct iovp_dev *d,
				    const struct iovp_target *t, u32 *mechanisms)
{
	enum iova_policy_refusal refusal;

	*mechanisms = 0;
	if (t->kind == IOVA_POLICY_STOCK)
		return IOVA_POLICY_OK;
	refusal = iovp_check_domain(d);
	if (refusal)
		return refusal;
	if (t->kind == IOVA_POLICY_DAC)
		return iovp_check_dac(d, t, mechanisms);

	*mechanisms = IOVA_POLICY_M_LIMIT;
	if (iovp_limit_heard(d))
		return IOVA_POLICY_OK;
	*mechanisms = IOVA_POLICY_M_MASK;
	if (iovp_space(d) && iovp_alone(iovp_device(d)))
		*mechanisms |= IOVA_POLICY_M_FILL;
	return IOVA_POLICY_OK;
}
