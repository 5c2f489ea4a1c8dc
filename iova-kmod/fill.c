// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: holding address space, so that a search there finds nothing
 *
 * With nothing left below 4 GiB, the kernel's first attempt fails and the next
 * one goes higher; with nothing left above a limit, that is the limit.
 *
 * The ranges are ordinary nodes of the tree, from alloc_iova(). The kernel frees
 * all nodes with their domain (put_iova_domain()), so they must be given back
 * while the domain is certain to exist: device.c does, before a driver goes.
 * reserve_iova() would not do: it merges with its neighbours, which can't be
 * undone.
 */

#include <linux/iova.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "iovp.h"

/*
 * Half of the pages below 4 GiB may be mapped alone, and the other half be holes
 * between them. A space that is worse than half of that is not held at all:
 * so many nodes are 12 MiB.
 */
#define IOVP_FILL_MAX	BIT(18)
#define IOVP_FILL_TIME	(5 * HZ)

#define IOVP_CHUNK	(PAGE_SIZE / sizeof(void *) - 2)

struct iovp_chunk {
	struct iovp_chunk *next;
	unsigned long nr;
	struct iova *iova[IOVP_CHUNK];
};

static int iovp_fill_room(struct iovp_fill *fill)
{
	struct iovp_chunk *chunk;

	BUILD_BUG_ON(sizeof(*chunk) > PAGE_SIZE);
	if (fill->last && fill->last->nr < IOVP_CHUNK)
		return 0;
	chunk = kzalloc(sizeof(*chunk), GFP_KERNEL);
	if (!chunk)
		return -ENOMEM;
	if (fill->last)
		fill->last->next = chunk;
	else
		fill->chunks = chunk;
	fill->last = chunk;
	return 0;
}

/*
 * Takes one range up to @last. 1: taken; 0: none of this size. The search goes on
 * downwards below @first, where nothing is wanted.
 */
static int iovp_fill_one(struct iovp_fill *fill, unsigned long pages,
			 unsigned long first, unsigned long last)
{
	struct iova *iova;
	int ret;

	if (fill->nr >= IOVP_FILL_MAX)
		return -ENOSPC;
	ret = iovp_fill_room(fill);
	if (ret)
		return ret;
	iova = alloc_iova(fill->space, pages, last, false);
	if (!iova)
		return 0;
	if (iova->pfn_lo < first) {
		__free_iova(fill->space, iova);
		return 0;
	}
	fill->last->iova[fill->last->nr++] = iova;
	fill->nr++;
	fill->bytes += (u64)pages << iova_shift(fill->space);
	return 1;
}

/* All ranges of one size, from the top down. */
static int iovp_fill_size(struct iovp_fill *fill, unsigned long pages,
			  unsigned long first, unsigned long last,
			  unsigned long deadline)
{
	int ret;

	iovp_space_rewind(fill->space);
	do {
		cond_resched();
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
		ret = iovp_fill_one(fill, pages, first, last);
	} while (ret > 0);
	return ret;
}

/**
 * iovp_fill_take - hold what is free
 * @fill: what is held already, and what is held then
 * @space: the allocator
 * @first: between this address
 * @last: and this one, inclusive
 *
 * In halving sizes, largest first: few ranges are held, and where the space is
 * broken into N holes, a size costs one walk over the tree and not N, because each
 * search goes on where the last one ended.
 *
 * Return: 0, or a negative errno if some is still free.
 */
int iovp_fill_take(struct iovp_fill *fill, struct iova_domain *space, u64 first,
		   u64 last)
{
	unsigned long deadline = jiffies + IOVP_FILL_TIME;
	unsigned long lo = first >> iova_shift(space);
	unsigned long hi = last >> iova_shift(space);
	unsigned long pages;
	int ret = 0;

	fill->space = space;
	if (lo > hi)
		return 0;
	for (pages = rounddown_pow_of_two(hi - lo + 1); pages && !ret; pages /= 2)
		ret = iovp_fill_size(fill, pages, lo, hi, deadline);
	return ret;
}

/*
 * Gives all back, what was taken first, first. Each range that is given back makes
 * the kernel try below 4 GiB again, and a try that fails walks over the whole
 * tree, with the lock that the next range waits for. As long as only small ranges
 * are back, tries for larger ones fail; with the largest back, none does.
 */
void iovp_fill_release(struct iovp_fill *fill)
{
	struct iovp_chunk *chunk;
	unsigned long i;

	while ((chunk = fill->chunks)) {
		fill->chunks = chunk->next;
		for (i = 0; i < chunk->nr; i++) {
			__free_iova(fill->space, chunk->iova[i]);
			cond_resched();
		}
		kfree(chunk);
	}
	memset(fill, 0, sizeof(*fill));
}
