// SPDX-License-Identifier: GPL-2.0
/* Does a domain say which kind of cookie it has? (6.15) */
#include <linux/iommu.h>

static inline bool iovp_ask(struct iommu_domain *domain)
{
	return domain->cookie_type == IOMMU_COOKIE_DMA_IOVA;
}
