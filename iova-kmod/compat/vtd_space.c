// SPDX-License-Identifier: GPL-2.0
/* Has VT-d an allocator of its own, deaf to bus_dma_limit? (before 5.11) */
#include <linux/intel-iommu.h>

static inline struct iova_domain *iovp_ask(struct dmar_domain *domain)
{
	return &domain->iovad;
}
