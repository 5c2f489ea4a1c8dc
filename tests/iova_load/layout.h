/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Copies of structures that the kernel keeps private to drivers/iommu/iova.c
 * and drivers/iommu/dma-iommu.c. Nothing here is trusted: every one is read
 * with copy_from_kernel_nofault() and checked, see snap.c.
 */
#ifndef IOVA_LOAD_LAYOUT_H
#define IOVA_LOAD_LAYOUT_H

#include <linux/iommu.h>
#include <linux/iova.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#define IL_RCACHES	6	/* IOVA_RANGE_CACHE_MAX_SIZE */
#define IL_DEPOT_MAGS	32	/* MAX_GLOBAL_MAGS, where the depot is an array */

#ifdef IL_HAVE_IOVAD_FQ
#define IL_MAG_SIZE	128
#else
#define IL_MAG_SIZE	127
#endif

struct il_magazine {
	union {
		unsigned long size;
		struct il_magazine *next;	/* while in a depot list */
	};
	unsigned long pfns[IL_MAG_SIZE];
};

struct il_cpu_rcache {
	spinlock_t lock;	/* the kernel's, never taken here, as all below */
	struct il_magazine *loaded;
	struct il_magazine *prev;
};

struct il_rcache {
	spinlock_t lock;	/* the kernel's */
#ifdef IL_HAVE_SIZED_FQ
	unsigned int depot_size;
	struct il_magazine *depot;
	struct il_cpu_rcache __percpu *cpu_rcaches;
	struct iova_domain *iovad;
	struct delayed_work work;
#else
	unsigned long depot_size;
	struct il_magazine *depot[IL_DEPOT_MAGS];
	struct il_cpu_rcache __percpu *cpu_rcaches;
#endif
};

struct il_fq_entry {
	unsigned long iova_pfn;
	unsigned long pages;
#ifdef IL_HAVE_IOVAD_FQ
	unsigned long data;
#else
	struct list_head freelist;
#endif
	u64 counter;
};

#ifdef IL_HAVE_SIZED_FQ
struct il_fq {
	spinlock_t lock;	/* the kernel's */
	unsigned int head, tail;
	unsigned int mod_mask;
	struct il_fq_entry entries[];
};
#else
#define IL_FQ_SIZE	256	/* IOVA_FQ_SIZE */
struct il_fq {
	struct il_fq_entry entries[IL_FQ_SIZE];
	unsigned int head, tail;
	spinlock_t lock;	/* the kernel's */
};
#endif

/* struct iommu_dma_cookie */
struct il_cookie {
#ifndef IL_HAVE_COOKIE_TYPE
	int type;			/* 0: IOMMU_DMA_IOVA_COOKIE */
#endif
	struct iova_domain iovad;
#ifdef IL_HAVE_COOKIE_TYPE
	struct list_head msi_page_list;
#endif
#ifndef IL_HAVE_IOVAD_FQ
	union {
		struct il_fq *single_fq;
		struct il_fq __percpu *percpu_fq;
	};
	atomic64_t fq_flush_start_cnt;
	atomic64_t fq_flush_finish_cnt;
	struct timer_list fq_timer;
	atomic_t fq_timer_on;
#endif
#ifndef IL_HAVE_COOKIE_TYPE
	struct list_head msi_page_list;
#endif
	struct iommu_domain *fq_domain;	/* NULL: no flush queue in use */
#ifdef IL_HAVE_SIZED_FQ
	int qt;				/* 0: a queue per CPU, 1: a single one */
	size_t fq_size;
	unsigned int fq_timeout;
#endif
};

static inline bool il_cookie_single(const struct il_cookie *cookie)
{
#ifdef IL_HAVE_SIZED_FQ
	return cookie->qt;
#else
	return false;
#endif
}

#endif
