// SPDX-License-Identifier: GPL-2.0
/* Does a driver say that it brings an IOMMU domain of its own? (5.19) */
#include <linux/pci.h>

static inline bool iovp_ask(struct pci_driver *driver)
{
	return driver->driver_managed_dma;
}
