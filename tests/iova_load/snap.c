// SPDX-License-Identifier: GPL-2.0
/*
 * iova_load: an exact copy of one IOVA allocator's state
 *
 * The state is spread over a tree, magazines of every CPU, depots and flush
 * queues, each under a lock of its own. It is copied while stop_machine() holds
 * all CPUs: a CPU that holds a spinlock can't be stopped, so none of the locks
 * is held, and no range of addresses is on its way from one place to another,
 * except what a preempted task or the depot's worker has in hand, which counts
 * as live. On PREEMPT_RT a task that does not run may hold one. So all locks
 * are looked at, everywhere, and a copy with one that is held is made again.
 *
 * Structures that no header has are read with copy_from_kernel_nofault() and
 * checked, so that a kernel with other layouts gives an error, not an oops.
 */

#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/iova.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/stop_machine.h>
#include <linux/uaccess.h>
#ifdef IL_HAVE_IOVAD_FQ
#include <linux/intel-iommu.h>
#endif

#include "compat.h"
#include "snap.h"

#define IL_SNAP_TRIES	8
#define IL_SNAP_PAUSE_US	500	/* for whoever holds a lock */
#define IL_FQ_MAX	65536	/* entries of the largest queue, and to spare */

static bool il_iovad_sane(struct iova_domain *iovad)
{
	struct iova_domain *copy;
	bool sane;

	copy = kmalloc_obj(*copy);
	if (!copy)
		return false;
	sane = !copy_from_kernel_nofault(copy, iovad, sizeof(*copy)) &&
	       is_power_of_2(copy->granule) && copy->granule <= PAGE_SIZE &&
	       copy->granule >= SZ_4K && copy->start_pfn &&
	       copy->dma_32bit_pfn == 1UL << (32 - ilog2(copy->granule)) &&
	       copy->max32_alloc_size <= copy->dma_32bit_pfn &&
	       copy->anchor.pfn_lo == ULONG_MAX && copy->anchor.pfn_hi == ULONG_MAX;
	kfree(copy);
	return sane;
}

/* Cookie of the device's domain, if it is the kind that has an allocator. */
static void *il_domain_cookie(struct iommu_domain *domain)
{
#ifdef IL_HAVE_COOKIE_TYPE
	if (domain->cookie_type != IOMMU_COOKIE_DMA_IOVA)
		return NULL;
#endif
	return domain->iova_cookie;
}

static int il_space_of_cookie(struct il_cookie *cookie, struct il_space *space)
{
	struct il_cookie *copy;
	int ret = -EOPNOTSUPP;

	copy = kmalloc_obj(*copy);
	if (!copy)
		return -ENOMEM;
	if (copy_from_kernel_nofault(copy, cookie, sizeof(*copy)))
		goto out;
#ifndef IL_HAVE_COOKIE_TYPE
	if (copy->type)
		goto out;
#endif
	space->iovad = &cookie->iovad;
#ifdef IL_HAVE_IOVAD_FQ
	space->fq = (struct il_fq __percpu *)copy->iovad.fq;
#else
	if (copy->fq_domain && !il_cookie_single(copy))
		space->fq = copy->percpu_fq;
	else if (copy->fq_domain)
		space->single_fq = copy->single_fq;
#endif
	ret = 0;
out:
	kfree(copy);
	return ret;
}

/**
 * il_space_find - find the allocator of a device
 * @d: device
 * @space: where it is
 *
 * Return: 0, or -EOPNOTSUPP if nothing that looks like one is there.
 */
int il_space_find(struct il_dev *d, struct il_space *space)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(il_device(d));
	void *cookie = il_domain_cookie(domain);
	int ret = -EOPNOTSUPP;

	memset(space, 0, sizeof(*space));
	if (cookie)
		ret = il_space_of_cookie(cookie, space);
#ifdef IL_HAVE_IOVAD_FQ
	/* Here VT-d does without a cookie, and nobody else does. */
	if (!cookie) {
		space->iovad = &container_of(domain, struct dmar_domain, domain)->iovad;
		space->fq = (struct il_fq __percpu *)space->iovad->fq;
		ret = 0;
	}
#endif
	if (!ret && !il_iovad_sane(space->iovad))
		ret = -EOPNOTSUPP;
	return ret;
}

/* Somebody is about to change what it protects. @lock may be a copy. */
static void il_look_at(struct il_snap *s, spinlock_t *lock)
{
	if (spin_is_locked(lock))
		s->busy = true;
}

static void il_park(struct il_snap *s, unsigned long pfn, enum il_kind kind)
{
	if (s->nr_parked < s->cap_parked) {
		s->parked[s->nr_parked].pfn = pfn;
		s->parked[s->nr_parked].kind = kind;
	}
	s->nr_parked++;
}

static void il_copy_tree(struct il_snap *s)
{
	struct iova_domain *iovad = s->space.iovad;
	struct rb_node *node;
	struct iova *iova;

	s->max32_alloc_size = iovad->max32_alloc_size;
	s->cached_lo = rb_entry(iovad->cached_node, struct iova, node)->pfn_lo;
	s->cached32_lo = rb_entry(iovad->cached32_node, struct iova, node)->pfn_lo;

	for (node = &iovad->anchor.node; node; node = rb_prev(node)) {
		iova = rb_entry(node, struct iova, node);
		if (iova == &iovad->anchor) {
			s->anchor = !rb_next(node);
			continue;
		}
		if (s->nr_nodes < s->cap_nodes) {
			/* Backwards: rb_first() is not exported everywhere. */
			struct il_node *n = &s->nodes[s->cap_nodes - 1 - s->nr_nodes];

			n->lo = iova->pfn_lo;
			n->hi = iova->pfn_hi;
			n->kind = IL_LIVE;
		}
		s->nr_nodes++;
	}
}

/* Copy a magazine; @size is known for one in a list, where a pointer hides it. */
static unsigned long il_copy_mag(struct il_snap *s, struct il_magazine *mag,
				 unsigned long size)
{
	unsigned long i;

	if (!mag)
		return 0;	/* 7.x allocates them when first needed */
	if (copy_from_kernel_nofault(&s->mag, mag, sizeof(*mag))) {
		s->broken = "magazine";
		return 0;
	}
	if (!size)
		size = s->mag.size;
	if (size > IL_MAG_SIZE) {
		s->broken = "magazine size";
		return 0;
	}
	for (i = 0; i < size; i++)
		il_park(s, s->mag.pfns[i], IL_CACHED);
	return size;
}

static void il_copy_depot(struct il_snap *s, struct il_rcache *rc,
			  unsigned int order)
{
#ifdef IL_HAVE_SIZED_FQ
	struct il_magazine *mag = rc->depot;
	unsigned int i;

	for (i = 0; i < rc->depot_size && mag && !s->broken; i++) {
		s->depot[order] += il_copy_mag(s, mag, IL_MAG_SIZE);
		mag = s->mag.next;
	}
	if (i != rc->depot_size || mag)
		s->broken = s->broken ?: "depot";
#else
	unsigned long i;

	if (rc->depot_size > IL_DEPOT_MAGS) {
		s->broken = "depot";
		return;
	}
	for (i = 0; i < rc->depot_size; i++)
		s->depot[order] += il_copy_mag(s, rc->depot[i], 0);
#endif
}

static void il_copy_rcache(struct il_snap *s, struct il_rcache *from,
			   unsigned int order)
{
	struct il_cpu_rcache cpu_rc;
	struct il_rcache rc;
	unsigned int cpu;

	if (copy_from_kernel_nofault(&rc, from, sizeof(rc))) {
		s->broken = "rcache";
		return;
	}
	il_look_at(s, &rc.lock);
	for_each_possible_cpu(cpu) {
		if (copy_from_kernel_nofault(&cpu_rc, per_cpu_ptr(rc.cpu_rcaches, cpu),
					     sizeof(cpu_rc))) {
			s->broken = "cpu rcache";
			return;
		}
		il_look_at(s, &cpu_rc.lock);
		s->loaded[order] += il_copy_mag(s, cpu_rc.loaded, 0);
		s->prev[order] += il_copy_mag(s, cpu_rc.prev, 0);
	}
	il_copy_depot(s, &rc, order);
}

static void il_copy_fq(struct il_snap *s, struct il_fq *fq)
{
	unsigned int head, tail, mask, i;
	struct il_fq_entry entry;
	spinlock_t lock;	/* a copy of the kernel's */

	if (copy_from_kernel_nofault(&lock, &fq->lock, sizeof(lock)))
		goto broken;
	il_look_at(s, &lock);
	if (copy_from_kernel_nofault(&head, &fq->head, sizeof(head)) ||
	    copy_from_kernel_nofault(&tail, &fq->tail, sizeof(tail)))
		goto broken;
#ifdef IL_HAVE_SIZED_FQ
	if (copy_from_kernel_nofault(&mask, &fq->mod_mask, sizeof(mask)))
		goto broken;
#else
	mask = IL_FQ_SIZE - 1;
#endif
	if (mask >= IL_FQ_MAX || !is_power_of_2(mask + 1) || head > mask ||
	    tail > mask)
		goto broken;

	for (i = head; i != tail; i = (i + 1) & mask) {
		if (copy_from_kernel_nofault(&entry, &fq->entries[i], sizeof(entry)))
			goto broken;
		il_park(s, entry.iova_pfn, IL_PENDING);
	}
	return;
broken:
	s->broken = "flush queue";
}

static void il_copy_fqs(struct il_snap *s)
{
	unsigned int cpu;

	if (s->space.single_fq)
		il_copy_fq(s, s->space.single_fq);
	if (!s->space.fq)
		return;
	for_each_possible_cpu(cpu)
		il_copy_fq(s, per_cpu_ptr(s->space.fq, cpu));
}

static int il_copy_all(void *data)
{
	struct il_snap *s = data;
	struct iova_domain *iovad = s->space.iovad;
	struct il_rcache *rcaches;
	unsigned int i;

	s->busy = false;
	il_look_at(s, &iovad->iova_rbtree_lock);
	if (s->busy)
		return -EBUSY;

	rcaches = (struct il_rcache *)iovad->rcaches;
	il_copy_tree(s);
	for (i = 0; i < IL_RCACHES && rcaches && !s->broken; i++)
		il_copy_rcache(s, &rcaches[i], i);
	il_copy_fqs(s);
	if (s->busy) {
		/* Halfway through a change it may look like anything. */
		s->broken = NULL;
		return -EBUSY;
	}
	return s->broken ? -EOPNOTSUPP : 0;
}

/* Room for what was seen last time, and some more. */
static int il_snap_room(struct il_snap *s)
{
	kvfree(s->nodes);
	kvfree(s->parked);
	s->cap_nodes = s->nr_nodes + s->nr_nodes / 8 + 64;
	s->cap_parked = s->nr_parked + s->nr_parked / 8 + 512;
	s->nodes = kvmalloc_array(s->cap_nodes, sizeof(*s->nodes), GFP_KERNEL);
	s->parked = kvmalloc_array(s->cap_parked, sizeof(*s->parked), GFP_KERNEL);
	return s->nodes && s->parked ? 0 : -ENOMEM;
}

static int il_snap_try(struct il_snap *s)
{
	int ret;

	ret = il_snap_room(s);
	if (ret)
		return ret;

	s->nr_nodes = 0;
	s->nr_parked = 0;
	memset(s->loaded, 0, sizeof(s->loaded));
	memset(s->prev, 0, sizeof(s->prev));
	memset(s->depot, 0, sizeof(s->depot));
	ret = stop_machine(il_copy_all, s, NULL);
	if (!ret && (s->nr_nodes > s->cap_nodes || s->nr_parked > s->cap_parked))
		ret = -EAGAIN;
	if (!ret)
		memmove(s->nodes, s->nodes + s->cap_nodes - s->nr_nodes,
			s->nr_nodes * sizeof(*s->nodes));
	return ret;
}

/**
 * il_snap_take - copy the state of a device's allocator
 * @d: device
 *
 * Return: the copy, or an ERR_PTR: -EOPNOTSUPP where the state does not look as
 * layout.h says.
 */
struct il_snap *il_snap_take(struct il_dev *d)
{
	struct il_snap *s;
	int ret, tries;

	s = kvzalloc_obj(*s);
	if (!s)
		return ERR_PTR(-ENOMEM);
	ret = il_space_find(d, &s->space);
	if (ret)
		goto fail;

	for (tries = 0; tries < IL_SNAP_TRIES; tries++) {
		ret = il_snap_try(s);
		if (ret == -EBUSY)
			usleep_range(IL_SNAP_PAUSE_US, 2 * IL_SNAP_PAUSE_US);
		else if (ret != -EAGAIN)
			break;
	}
	if (!ret)
		return s;
fail:
	if (s->broken)
		pr_err("iova_load: %s does not look as layout.h says\n", s->broken);
	il_snap_free(s);
	return ERR_PTR(ret);
}

void il_snap_free(struct il_snap *s)
{
	kvfree(s->nodes);
	kvfree(s->parked);
	kvfree(s);
}
