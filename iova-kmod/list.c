// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: caps of devices that are known to need one
 *
 * iova_policy_list.h is made by "iova compat build --format c"; another list may
 * stand in its place. It only narrows, and only if the administrator says so.
 */

#include <linux/kernel.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>

#include "iova_policy_list.h"
#include "iovp.h"

static bool iovp_list;
module_param_named(list, iovp_list, bool, 0444);
MODULE_PARM_DESC(list, "cap every device that the built-in list names (default: no)");

static bool iovp_is(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct pci_device_id ids[] = { *id, { } };

	return pci_match_id(ids, pdev);
}

static bool iovp_fits(struct pci_dev *pdev, const struct iova_policy_listed *entry)
{
	struct pci_dev *port = pci_upstream_bridge(pdev);

	if (!iovp_is(pdev, &entry->id) ||
	    pdev->revision < entry->first_revision ||
	    pdev->revision > entry->last_revision)
		return false;
	return !entry->bridges || (port && pci_match_id(entry->bridges, port));
}

/**
 * iovp_listed - what the list says about a device
 * @pdev: device
 *
 * Return: its cap in bits; 0 if it has none, or the list is not enabled.
 */
u8 iovp_listed(struct pci_dev *pdev)
{
	size_t i;

	if (!iovp_list)
		return 0;
	for (i = 0; i < ARRAY_SIZE(iova_policy_list); i++)
		if (iovp_fits(pdev, &iova_policy_list[i]))
			return iova_policy_list[i].cap;
	return 0;
}
