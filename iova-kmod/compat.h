/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All that differs between kernels. The IOVP_HAVE_* macros come from Kbuild,
 * which tries to compile the questions in compat/.
 */
#ifndef IOVP_COMPAT_H
#define IOVP_COMPAT_H

#include <linux/device.h>
#include <linux/hrtimer.h>
#include <linux/iommu.h>
#include <linux/iova.h>
#include <linux/pci.h>
#ifdef IOVP_HAVE_VTD_SPACE
#include <linux/intel-iommu.h>
#endif

#include "iova_policy.h"

/*
 * "32-bit addresses first" as a flag of each device. It is one bit of a word
 * whose other bits change only while the device is being added or attached to a
 * domain; the DMA path clears it with no lock, as we do.
 */
static inline bool iovp_has_flag(struct device *dev)
{
#ifdef IOVP_HAVE_SAC_FLAG
	return dev->iommu;
#else
	return false;
#endif
}

static inline bool iovp_flag(struct device *dev)
{
#ifdef IOVP_HAVE_SAC_FLAG
	return dev->iommu && dev->iommu->pci_32bit_workaround;
#else
	return true;
#endif
}

static inline void iovp_flag_set(struct device *dev, bool on)
{
#ifdef IOVP_HAVE_SAC_FLAG
	if (dev->iommu)
		dev->iommu->pci_32bit_workaround = on;
#endif
}

/* What this build can do at all: IOVA_POLICY_M_*. */
static inline u32 iovp_features(void)
{
	u32 features = IOVA_POLICY_M_LIMIT | IOVA_POLICY_M_FILL | IOVA_POLICY_M_FLUSH;

#ifdef IOVP_HAVE_SAC_FLAG
	features |= IOVA_POLICY_M_FLAG;
#endif
#ifdef IOVP_HAVE_VTD_SPACE
	features |= IOVA_POLICY_M_MASK;
#endif
	return features;
}

/* Does the bound driver bring an IOMMU domain of its own (vfio-pci, pci-stub)? */
static inline bool iovp_managed_dma(struct device *dev)
{
#ifdef IOVP_HAVE_MANAGED_DMA
	return dev->driver && to_pci_driver(dev->driver)->driver_managed_dma;
#else
	return false;
#endif
}

static inline bool iovp_domain_is_dma(struct iommu_domain *domain)
{
#ifdef IOMMU_DOMAIN_DMA_FQ
	if (domain->type == IOMMU_DOMAIN_DMA_FQ)
		return true;
#endif
	return domain->type == IOMMU_DOMAIN_DMA;
}

/* The private struct iommu_dma_cookie of a domain, if it has that kind. */
static inline void *iovp_cookie(struct iommu_domain *domain)
{
#ifdef IOVP_HAVE_COOKIE_TYPE
	if (domain->cookie_type != IOMMU_COOKIE_DMA_IOVA)
		return NULL;
#endif
	return domain->iova_cookie;
}

/*
 * Where the struct iova_domain is in that cookie: at its beginning since the
 * domain says what the cookie is, before that behind an enum (struct
 * iommu_dma_cookie, drivers/iommu/dma-iommu.c). space.c proves it by content.
 */
#ifdef IOVP_HAVE_COOKIE_TYPE
#define IOVP_IOVAD_OFFSET	0
#else
#define IOVP_IOVAD_OFFSET	ALIGN(sizeof(int), __alignof__(struct iova_domain))
#endif

/*
 * Before 5.11 VT-d allocates by itself (intel_alloc_iova(), drivers/iommu/intel/
 * iommu.c) and never looks at bus_dma_limit. Its domains have no cookie.
 */
static inline struct iova_domain *iovp_vtd_space(struct iommu_domain *domain)
{
#ifdef IOVP_HAVE_VTD_SPACE
	if (!domain->iova_cookie)
		return &container_of(domain, struct dmar_domain, domain)->iovad;
#endif
	return NULL;
}

/* A timer of absolute CLOCK_MONOTONIC that fires in a hard interrupt, also on RT. */
static inline void iovp_hrtimer_setup(struct hrtimer *timer,
				      enum hrtimer_restart (*due)(struct hrtimer *))
{
#ifdef IOVP_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, due, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	timer->function = due;
#endif
}

#endif /* IOVP_COMPAT_H */
