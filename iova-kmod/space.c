// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the allocator of a domain
 *
 * struct iova_domain is in a public header; where a domain keeps it is not. It
 * is looked for at the one place where this kernel's drivers/iommu/dma-iommu.c
 * would have it (domain.c), and believed only if its content proves it.
 */

#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "iovp.h"

/* A flush queue is emptied at least this often (IOVA_DEFAULT_FQ_TIMEOUT). */
#define IOVP_QUEUE_MS	10

/**
 * iovp_space_proved - is it an allocator, by its content?
 * @space: where one would be
 */
bool iovp_space_proved(struct iova_domain *space)
{
	struct iova_domain *copy = kmalloc(sizeof(*copy), GFP_KERNEL);
	bool proved;

	if (!copy)
		return false;
	proved = !copy_from_kernel_nofault(copy, space, sizeof(*copy)) &&
		 is_power_of_2(copy->granule) && copy->granule >= SZ_4K &&
		 copy->granule <= PAGE_SIZE && copy->start_pfn &&
		 copy->dma_32bit_pfn == 1UL << (32 - ilog2(copy->granule)) &&
		 copy->max32_alloc_size &&
		 copy->anchor.pfn_lo == ULONG_MAX &&
		 copy->anchor.pfn_hi == ULONG_MAX &&
		 copy->rbroot.rb_node && copy->cached_node && copy->cached32_node;
	kfree(copy);
	return proved;
}

/**
 * iovp_space_rewind - let the next searches begin at the top
 * @space: allocator
 *
 * A search begins at the range that was allocated last, or above the one that
 * was freed last, and looks downwards. Where a limit has just been raised, it
 * would not see what is new; and before 5.11 it never looks back up. Where it
 * begins is a hint: any node will do, and the anchor is where init_iova_domain()
 * set out.
 */
void iovp_space_rewind(struct iova_domain *space)
{
	unsigned long flags;

	spin_lock_irqsave(&space->iova_rbtree_lock, flags);
	space->cached_node = &space->anchor.node;
	space->cached32_node = &space->anchor.node;
	spin_unlock_irqrestore(&space->iova_rbtree_lock, flags);
}

/**
 * iovp_space_reaches - is there room between two addresses?
 * @space: allocator
 * @limit: highest address, inclusive
 * @least: lowest
 *
 * Windows of host bridges are reserved in every domain and can be tens of
 * gigabytes wide. What does not fit above them comes from below 4 GiB again.
 */
bool iovp_space_reaches(struct iova_domain *space, u64 limit, u64 least)
{
	struct iova *iova;
	bool reaches;

	iovp_space_rewind(space);
	iova = alloc_iova(space, 1, limit >> iova_shift(space), true);
	if (!iova)
		return false;
	reaches = iova_dma_addr(space, iova) >= least;
	__free_iova(space, iova);
	return reaches;
}

/*
 * An allocation that can't succeed, of more pages than there are below its
 * limit, fails at once at max32_alloc_size, and before it gives up, empties the
 * caches of all CPUs (alloc_iova_fast(), drivers/iommu/iova.c).
 */
static void iovp_flush_caches(struct iova_domain *space)
{
	alloc_iova_fast(space, space->dma_32bit_pfn + 1,
			space->dma_32bit_pfn - 1, true);
}

/*
 * Before 5.11 that left the depots alone. An allocation takes from them when a
 * CPU's own cache is empty: each round moves one magazine of a depot into the
 * cache of this CPU, whether it has a fitting address or not, and flushes it.
 */
static void iovp_flush_depots(struct iova_domain *space)
{
#ifdef IOVP_HAVE_DEPOT_ARRAY
	unsigned int order, round;
	unsigned long pfn;

	for (order = 0; order < IOVA_RANGE_CACHE_MAX_SIZE; order++) {
		for (round = 0; round < MAX_GLOBAL_MAGS; round++) {
			if (!READ_ONCE(space->rcaches[order].depot_size))
				break;
			pfn = alloc_iova_fast(space, BIT(order),
					      space->dma_32bit_pfn - 1, false);
			if (pfn)
				free_iova_fast(space, pfn, BIT(order));
			iovp_flush_caches(space);
			cond_resched();
		}
	}
#endif
}

/* Gives what the caches hold back to the tree. */
static void iovp_space_flush(struct iova_domain *space)
{
	iovp_flush_caches(space);
	iovp_flush_depots(space);
}

/**
 * iovp_flush - drain what a device's domain keeps for later
 * @d: device, in a change, not locked
 * @flags: IOVA_POLICY_F_RCACHE, IOVA_POLICY_F_QUEUE
 *
 * What sits in a flush queue is gone after two runs of its timer: one frees
 * what was flushed, the other what came in between. That is a wait of 20 ms and
 * needs nothing of the queue's private layout. If the policy holds the low
 * space, it takes what came free, as far as it can.
 *
 * Return: 0 or -EOPNOTSUPP.
 */
int iovp_flush(struct iovp_dev *d, u32 flags)
{
	struct iova_domain *space;

	iovp_lock(d);
	space = iovp_domain_attached(d) ? iovp_space(d) : NULL;
	iovp_unlock(d);
	if (!space)
		return -EOPNOTSUPP;
	if (flags & IOVA_POLICY_F_QUEUE)
		msleep(2 * IOVP_QUEUE_MS);
	if (flags & IOVA_POLICY_F_RCACHE)
		iovp_space_flush(space);
	iovp_fill_more(d);
	return 0;
}
