// SPDX-License-Identifier: GPL-2.0
/* Is "32-bit addresses first" a flag of each device? (6.6) */
#include <linux/device.h>
#include <linux/iommu.h>

static inline bool iovp_ask(struct device *dev)
{
	return dev->iommu->pci_32bit_workaround;
}
