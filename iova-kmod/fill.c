// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: the mechanism "fill", address space that is held
 *
 * With nothing left below 4 GiB, the kernel's first attempt fails and the next
 * one goes higher; with nothing left above a limit, that is the limit.
 *
 * The ranges are ordinary nodes of the tree, from alloc_iova(). The kernel frees
 * all nodes with their domain (put_iova_domain()), so they must be given back
 * while the domain is certain to exist: device.c does, before a driver goes.
 * reserve_iova() would not do: it merges with its neighbours, which can't be
 * undone.
 *
 * Taking and giving back may last for seconds. It is part of a change, and the
 * device is locked for one range at a time: a lease that ends meanwhile does so
 * at once, and what is being taken stops.
 */

#include <linux/iova.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
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

/* The holder of a lease may be waiting for it, who can't watch the device then. */
#define IOVP_MORE_MS	200

/* Given back while the device is locked: the largest ranges come first. */
#define IOVP_FREE_TIME	NSEC_PER_MSEC

#define IOVP_CHUNK	(PAGE_SIZE / sizeof(void *) - 4)

/**
 * struct iovp_chunk - one page of ranges
 * @next: those taken after them
 * @bytes: of those below 4 GiB
 * @first: the first that is still held
 * @nr: end of the list
 * @iova: ranges
 */
struct iovp_chunk {
	struct iovp_chunk *next;
	u64 bytes;
	unsigned long first;
	unsigned long nr;
	struct iova *iova[IOVP_CHUNK];
};

/**
 * struct iovp_taking - space that is being taken
 * @d: device, in a change
 * @fill: where to
 * @spare: chunk for what comes
 * @epoch: of the device; another one means stop
 * @first: lowest page
 * @last: highest page
 * @deadline: in jiffies
 */
struct iovp_taking {
	struct iovp_dev *d;
	struct iovp_fill *fill;
	struct iovp_chunk *spare;
	u32 epoch;
	unsigned long first;
	unsigned long last;
	unsigned long deadline;
};

static u64 iovp_low_bytes(struct iova_domain *space, struct iova *iova)
{
	if (iova->pfn_lo >= space->dma_32bit_pfn)
		return 0;
	return (u64)iova_size(iova) << iova_shift(space);
}

static void iovp_fill_add(struct iovp_taking *take, struct iova *iova)
{
	struct iovp_fill *fill = take->fill;
	u64 bytes = iovp_low_bytes(fill->space, iova);
	struct iovp_chunk *chunk = fill->last;

	if (!chunk || chunk->nr == IOVP_CHUNK) {
		chunk = take->spare;
		take->spare = NULL;
		if (fill->last)
			fill->last->next = chunk;
		else
			fill->chunks = chunk;
		fill->last = chunk;
	}
	chunk->iova[chunk->nr++] = iova;
	chunk->bytes += bytes;
	fill->bytes += bytes;
	fill->nr++;
}

/* The search goes on downwards below the first page, where nothing is wanted. */
static int iovp_fill_range(struct iovp_taking *take, unsigned long pages)
{
	struct iovp_fill *fill = take->fill;
	struct iova *iova;

	if (take->d->epoch != take->epoch)
		return -ECANCELED;
	if (fill->nr >= IOVP_FILL_MAX)
		return -ENOSPC;
	iova = alloc_iova(fill->space, pages, take->last, false);
	if (!iova)
		return 0;
	if (iova->pfn_lo < take->first) {
		__free_iova(fill->space, iova);
		return 0;
	}
	iovp_fill_add(take, iova);
	return 1;
}

/* Takes one range. 1: taken; 0: none of this size. */
static int iovp_fill_one(struct iovp_taking *take, unsigned long pages)
{
	int ret;

	BUILD_BUG_ON(sizeof(struct iovp_chunk) > PAGE_SIZE);
	if (!take->spare)
		take->spare = kzalloc(sizeof(*take->spare), GFP_KERNEL);
	if (!take->spare)
		return -ENOMEM;
	iovp_lock(take->d);
	ret = iovp_fill_range(take, pages);
	iovp_unlock(take->d);
	return ret;
}

/* All ranges of one size, from the top down. */
static int iovp_fill_size(struct iovp_taking *take, unsigned long pages)
{
	int ret;

	iovp_space_rewind(take->fill->space);
	do {
		cond_resched();
		if (time_after(jiffies, take->deadline))
			return -ETIMEDOUT;
		ret = iovp_fill_one(take, pages);
	} while (ret > 0);
	return ret;
}

/*
 * Holds what is free from @first to @last, inclusive, in halving sizes, largest
 * first: few ranges are held, and where the space is broken into N holes, a size
 * costs one walk over the tree and not N, because each search goes on where the
 * last one ended. The device is locked, but not meanwhile. After @ms it gives up.
 */
static int iovp_fill_take(struct iovp_dev *d, struct iovp_fill *fill, u64 first,
			  u64 last, unsigned int ms)
{
	struct iova_domain *space = iovp_space(d);
	struct iovp_taking take = {
		.d = d,
		.fill = fill,
		.epoch = d->epoch,
		.deadline = jiffies + msecs_to_jiffies(ms),
	};
	unsigned long pages;
	int ret = 0;

	if (!space)
		return -ENODEV;
	fill->space = space;
	take.first = first >> iova_shift(space);
	take.last = last >> iova_shift(space);
	if (take.first > take.last)
		return 0;
	iovp_unlock(d);
	pages = rounddown_pow_of_two(take.last - take.first + 1);
	for (; pages && !ret; pages /= 2)
		ret = iovp_fill_size(&take, pages);
	kfree(take.spare);
	iovp_lock(d);
	return ret;
}

/*
 * Where the limit of the bus is not heard, the space above a limit is held. The
 * masks say the same, and to the caches too, but drivers may set them again, and
 * when a driver starts they are not set yet.
 */
static int iovp_fill_high(struct iovp_dev *d, const struct iovp_target *t)
{
	if (d->force.mechanisms & IOVA_POLICY_M_LIMIT || d->dom.top <= t->limit)
		return 0;
	return iovp_fill_take(d, &d->force.high, t->limit + 1, d->dom.top,
			      IOVP_FILL_MS);
}

/**
 * iovp_fill_finish - take the space that the target in force wants held
 * @d: device, in a change and locked; it is not locked meanwhile
 *
 * A driver with narrow masks could map nothing at all with the low space held:
 * that waits for the masks that it sets.
 *
 * Return: IOVA_POLICY_OK, also where the change was stopped, or why not.
 */
enum iova_policy_refusal iovp_fill_finish(struct iovp_dev *d)
{
	struct iovp_target t = d->force.target;
	u32 epoch = d->epoch;
	int ret;

	if (!(d->force.mechanisms & IOVA_POLICY_M_FILL))
		return IOVA_POLICY_OK;
	ret = iovp_fill_high(d, &t);
	if (!ret && d->epoch == epoch && t.kind == IOVA_POLICY_DAC) {
		if (!(d->force.mechanisms & IOVA_POLICY_M_LIMIT) &&
		    !iovp_space_reaches(iovp_space(d), t.limit, t.least))
			return IOVA_POLICY_R_WIDTH;
		if (!d->deferred && !d->force.low.nr)
			ret = iovp_fill_take(d, &d->force.low, 0, U32_MAX,
					     IOVP_FILL_MS);
	}
	return ret && d->epoch == epoch ? IOVA_POLICY_R_HELD : IOVA_POLICY_OK;
}

/* Holds also what has come free since, as far as that goes. */
void iovp_fill_more(struct iovp_dev *d)
{
	iovp_lock(d);
	if (d->force.low.nr)
		iovp_fill_take(d, &d->force.low, 0, U32_MAX, IOVP_MORE_MS);
	iovp_unlock(d);
}

/* Gives back the first of a list. False: it has none. */
static bool iovp_fill_free_one(struct iovp_fill *fill)
{
	struct iovp_chunk *chunk = fill->chunks;
	struct iova *iova;
	u64 bytes;

	if (!chunk)
		return false;
	iova = chunk->iova[chunk->first++];
	bytes = iovp_low_bytes(fill->space, iova);
	chunk->bytes -= bytes;
	fill->bytes -= bytes;
	fill->nr--;
	__free_iova(fill->space, iova);
	if (chunk->first == chunk->nr) {
		fill->chunks = chunk->next;
		if (!fill->chunks)
			fill->last = NULL;
		kfree(chunk);
	}
	return true;
}

/* Adds all of one list to the end of the other. */
static void iovp_fill_move(struct iovp_fill *to, struct iovp_fill *from)
{
	if (from->chunks) {
		if (to->last)
			to->last->next = from->chunks;
		else
			to->chunks = from->chunks;
		to->last = from->last;
		to->space = from->space;
		to->nr += from->nr;
		to->bytes += from->bytes;
	}
	memset(from, 0, sizeof(*from));
}

/*
 * Gives back what was taken first, first. Each range that is given back makes the
 * kernel try below 4 GiB again, and a try that fails walks over the whole tree,
 * with the lock that the next range waits for. As long as only small ranges are
 * back, tries for larger ones fail; with the largest back, none does. So space is
 * there at once, and the rest has time: iovp_fill_free().
 */
static void iovp_fill_release(struct iovp_dev *d, struct iovp_fill *fill)
{
	ktime_t enough = ktime_add_ns(ktime_get(), IOVP_FREE_TIME);

	while (iovp_fill_free_one(fill))
		if (ktime_after(ktime_get(), enough))
			break;
	iovp_fill_move(&d->force.freeing, fill);
}

static struct iovp_chunk *iovp_fill_pop(struct iovp_dev *d,
					struct iova_domain **space)
{
	struct iovp_fill *fill = &d->force.freeing;
	struct iovp_chunk *chunk;

	iovp_lock(d);
	chunk = fill->chunks;
	*space = fill->space;
	if (chunk) {
		fill->chunks = chunk->next;
		if (!fill->chunks)
			fill->last = NULL;
		fill->bytes -= chunk->bytes;
		fill->nr -= chunk->nr - chunk->first;
	}
	iovp_unlock(d);
	return chunk;
}

/**
 * iovp_fill_free - give back what is still to be given back
 * @d: device, in a change, not locked
 */
void iovp_fill_free(struct iovp_dev *d)
{
	struct iova_domain *space;
	struct iovp_chunk *chunk;

	while ((chunk = iovp_fill_pop(d, &space))) {
		for (; chunk->first < chunk->nr; chunk->first++) {
			__free_iova(space, chunk->iova[chunk->first]);
			cond_resched();
		}
		kfree(chunk);
	}
}

void iovp_fill_free_work(struct work_struct *work)
{
	struct iovp_dev *d = container_of(work, struct iovp_dev, free);

	/* The end of a change frees what there is. */
	iovp_change_begin(d, false);
	iovp_change_end(d);
	iovp_dev_put(d);
}

/* For those who end a lease: the rest goes back without them. */
void iovp_fill_free_later(struct iovp_dev *d)
{
	lockdep_assert_held(&d->lock);
	if (!d->force.freeing.chunks)
		return;
	kref_get(&d->ref);
	if (!queue_work(iovp_change_wq, &d->free))
		iovp_dev_put(d);
}

/* All space that is held is to be given back: its domain may go soon. */
void iovp_fill_let_go(struct iovp_dev *d)
{
	iovp_fill_release(d, &d->force.low);
	iovp_fill_release(d, &d->force.high);
}

/* Bytes below 4 GiB that are held. */
u64 iovp_held(const struct iovp_dev *d)
{
	return d->force.low.bytes + d->force.freeing.bytes;
}

static bool iovp_fill_supported(const struct iovp_dev *d)
{
	return iovp_space(d) && d->alone;
}

static void iovp_fill_apply(struct iovp_dev *d, const struct iovp_target *t)
{
	d->force.mechanisms |= IOVA_POLICY_M_FILL;
	if (!(d->force.mechanisms & IOVA_POLICY_M_LIMIT))
		d->force.limit = t->limit;
}

/* The masks still say what is due. */
static void iovp_fill_restore(struct iovp_dev *d, const struct iovp_target *next)
{
	if (next->kind != IOVA_POLICY_DAC)
		iovp_fill_release(d, &d->force.low);
	if (next->kind == IOVA_POLICY_STOCK || next->limit > d->force.limit)
		iovp_fill_release(d, &d->force.high);
	d->force.mechanisms &= ~IOVA_POLICY_M_FILL;
}

const struct iovp_mechanism iovp_fill_mechanism = {
	.bit = IOVA_POLICY_M_FILL,
	.name = "fill",
	.low = true,
	.supported = iovp_fill_supported,
	.apply = iovp_fill_apply,
	.restore = iovp_fill_restore,
};
