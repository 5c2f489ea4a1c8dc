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

#include "compat.h"
#include "iovp.h"

/* May the current task change policies? */
bool iovp_allowed(void)
{
	return capable(CAP_SYS_ADMIN) && capable(CAP_SYS_RAWIO);
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

/**
 * iovp_usable - mechanisms that work for this device now
 * @d: device, locked
 *
 * Without a driver there is no domain to look at: what could work is said then.
 * Anybody may ask, so only what is known already is looked at.
 *
 * Return: IOVA_POLICY_M_*.
 */
u32 iovp_usable(const struct iovp_dev *d)
{
	struct device *dev = iovp_device(d);
	unsigned int i;
	u32 usable = 0;

	if (!device_iommu_mapped(dev) || d->managed)
		return 0;
	if (iovp_domain_stays(d) && (d->dom.refusal || !iovp_domain_attached(d)))
		return 0;
	for (i = 0; i < IOVP_MECHANISMS; i++)
		if (iovp_mechanisms[i]->supported(d))
			usable |= iovp_mechanisms[i]->bit;
	if (iovp_space(d))
		usable |= IOVA_POLICY_M_FLUSH;
	return usable;
}

/*
 * With memory encryption, coherent memory of a device whose limit is below the
 * bit that encrypts is not encrypted (force_dma_unencrypted(), arch/x86/mm/
 * mem_encrypt.c), and the IOMMU would go on decrypting it.
 */
static bool iovp_decrypts(u64 limit)
{
#ifdef CONFIG_AMD_MEM_ENCRYPT
	return sme_me_mask && limit <= DMA_BIT_MASK(__ffs64(sme_me_mask));
#else
	return false;
#endif
}

/*
 * Asks the kernel, which logs a denial. It has no word for this and calls it
 * /proc/kcore, the first of what confidentiality forbids and integrity does not.
 */
bool iovp_locked_down(void)
{
	return security_locked_down(LOCKDOWN_KCORE);
}

/* What forbids every policy of a device, with a domain or without. */
static enum iova_policy_refusal iovp_check_host(struct iovp_dev *d,
						const struct iovp_target *t)
{
	if (iovp_is_off())
		return IOVA_POLICY_R_OFF;
	if (is_kdump_kernel())
		return IOVA_POLICY_R_KDUMP;
	if (!device_iommu_mapped(iovp_device(d)))
		return IOVA_POLICY_R_NO_IOMMU;
	if (iovp_only_above(d->pdev, t->limit))
		return IOVA_POLICY_R_NO_LOW_SPACE;
	return iovp_decrypts(t->limit) ? IOVA_POLICY_R_ENCRYPTED : IOVA_POLICY_OK;
}

/**
 * iovp_check_early - is this setting allowed?
 * @d: device, in a change and locked
 * @s: setting
 * @t: what it comes to
 *
 * All that can be said before there is a domain.
 */
enum iova_policy_refusal iovp_check_early(struct iovp_dev *d,
					  const struct iovp_setting *s,
					  const struct iovp_target *t)
{
	enum iova_policy_refusal refusal;

	if (t->kind == IOVA_POLICY_STOCK)
		return IOVA_POLICY_OK;
	refusal = iovp_check_host(d, t);
	if (refusal || s->kind != IOVA_POLICY_DAC)
		return refusal;

	if (d->quarantine)
		return IOVA_POLICY_R_QUARANTINED;
	if (d->cap && d->cap < s->width)
		return IOVA_POLICY_R_CAPPED;
	if (d->locked_down)
		return IOVA_POLICY_R_LOCKDOWN;
	if (iovp_aliased(d->pdev))
		return IOVA_POLICY_R_ALIASED;
	if (d->direct)
		return IOVA_POLICY_R_DIRECT_REGION;
	return IOVA_POLICY_OK;
}

static enum iova_policy_refusal iovp_check_domain(struct iovp_dev *d)
{
	if (d->managed)
		return IOVA_POLICY_R_UNMANAGED;
	if (d->dom.refusal)
		return d->dom.refusal;
	return iovp_domain_attached(d) ? IOVA_POLICY_OK : IOVA_POLICY_R_UNMANAGED;
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
	if ((bus && bus < t->limit) || d->dom.top < t->limit)
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

	*mechanisms = d->dom.vtds ? IOVA_POLICY_M_MASK : IOVA_POLICY_M_LIMIT;
	if (iovp_has_flag(dev)) {
		*mechanisms |= IOVA_POLICY_M_FLAG;
	} else {
		if (!d->alone)
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
	refusal = iovp_check_host(d, t);
	if (!refusal)
		refusal = iovp_check_domain(d);
	if (refusal)
		return refusal;
	if (t->kind == IOVA_POLICY_DAC)
		return iovp_check_dac(d, t, mechanisms);

	*mechanisms = d->dom.vtds ? IOVA_POLICY_M_MASK : IOVA_POLICY_M_LIMIT;
	if (d->dom.vtds && iovp_fill_mechanism.supported(d))
		*mechanisms |= IOVA_POLICY_M_FILL;
	return IOVA_POLICY_OK;
}
