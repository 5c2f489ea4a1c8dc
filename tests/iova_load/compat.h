/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between kernels and shows in code. The IL_HAVE_* macros come
 * from Kbuild, which looks for the declaration itself in the headers.
 */
#ifndef IOVA_LOAD_COMPAT_H
#define IOVA_LOAD_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#ifndef kzalloc_obj
#define kmalloc_obj(var)	kmalloc(sizeof(var), GFP_KERNEL)
#define kzalloc_obj(var)	kzalloc(sizeof(var), GFP_KERNEL)
#define kvzalloc_obj(var)	kvzalloc(sizeof(var), GFP_KERNEL)
#endif

typedef enum hrtimer_restart (*il_timer_fn)(struct hrtimer *timer);

static inline void il_timer_setup(struct hrtimer *timer, il_timer_fn fn,
				  enum hrtimer_mode mode)
{
#ifdef IL_HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, fn, CLOCK_MONOTONIC, mode);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, mode);
	timer->function = fn;
#endif
}

/* The "try 32-bit addresses first" flag: 0, 1, or -1 where none exists. */
static inline int il_sac_flag(struct device *dev)
{
#ifdef IL_HAVE_SAC_FLAG
	return dev->iommu ? dev->iommu->pci_32bit_workaround : -1;
#else
	return -1;
#endif
}

static inline int il_sac_flag_set(struct device *dev, bool on)
{
#ifdef IL_HAVE_SAC_FLAG
	if (!dev->iommu)
		return -ENODEV;
	dev->iommu->pci_32bit_workaround = on;
	return 0;
#else
	return -EOPNOTSUPP;
#endif
}

/*
 * One CPU to oneself, as far as mapping can have that: on PREEMPT_RT its locks
 * sleep, so preemption can't be off there.
 */
static inline void il_cpu_get(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		migrate_disable();
	else
		preempt_disable();
}

static inline void il_cpu_put(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		migrate_enable();
	else
		preempt_enable();
}

#endif
