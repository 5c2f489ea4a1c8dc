// SPDX-License-Identifier: GPL-2.0
/*
 * iova_load: the oracle
 *
 * What the low space (below 4 GiB) of a domain is made of, from a copy of the
 * allocator's state, see snap.c. Every node of the tree is of one kind:
 *
 * reserved	overlaps a range the kernel is known to reserve: windows of the
 *		host bridge and the group's reserved regions; for VT-d on 5.10
 *		the memory BARs of all PCI devices, as this module found them
 *		when it was loaded, and the regions
 * cached	in a magazine of a CPU or in a depot
 * pending	in a flush queue
 * live		all others: the mappings that exist, and what a flush queue lost.
 *		A queue that is full while another CPU is inside a flush may
 *		free nothing, yet takes one more and then looks empty: 256
 *		ranges stay in the tree for ever. Threads in an emulator that
 *		runs CPUs in parallel get there within seconds.
 *
 * so tree = reserved + live + cached + pending. The anchor, at the end of all
 * addresses, is no node here. Pages are as in the tree, that is, as rounded up
 * by the allocator. free = dma_32bit_pfn - start_pfn - tree, below 4 GiB.
 */

#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/iova.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "compat.h"
#include "snap.h"

#define IL_RANGES	256
#define IL_DRAIN_STEP	5	/* ms */

static const char * const il_kind_names[IL_KINDS] = {
	[IL_LIVE] = "live",
	[IL_RESERVED] = "reserved",
	[IL_CACHED] = "cached",
	[IL_PENDING] = "pending",
};

struct il_ranges {
	unsigned int nr;
	bool full;
	struct {
		unsigned long lo;
		unsigned long hi;
	} range[IL_RANGES];
};

/**
 * struct il_tally - sums over one copy
 * @nodes: nodes by kind
 * @pages: pages by kind, below and above 4 GiB
 * @parked: cached and pending ranges, as counted in magazines and queues
 * @lost: of these, not in the tree, or there twice
 * @overlaps: nodes that overlap their neighbour
 * @free: free pages below 4 GiB
 * @gaps: free ranges below 4 GiB
 * @largest: pages of the largest of them
 * @blocks: naturally aligned blocks of each order that fit in them, each order
 *	counted as if it had all the space for itself
 */
struct il_tally {
	u64 nodes[IL_KINDS];
	u64 pages[IL_KINDS][2];
	u64 parked[IL_KINDS];
	u64 lost;
	u64 overlaps;
	u64 free;
	u64 gaps;
	u64 largest;
	u64 blocks[IL_ORDERS];
};

static struct il_ranges il_bars;	/* in MM pages, which VT-d's are too */

static void il_range_add(struct il_ranges *rs, unsigned long shift, u64 start,
			 u64 end)
{
	if (rs->nr == IL_RANGES) {
		rs->full = true;
		return;
	}
	rs->range[rs->nr].lo = start >> shift;
	rs->range[rs->nr++].hi = end >> shift;
}

static void il_range_windows(struct il_ranges *rs, unsigned long shift,
			     struct pci_dev *pdev)
{
	struct pci_host_bridge *bridge;
	struct resource_entry *w;
	struct pci_bus *bus = pdev->bus;

	while (!pci_is_root_bus(bus))
		bus = bus->parent;
	bridge = to_pci_host_bridge(bus->bridge);
	resource_list_for_each_entry(w, &bridge->windows)
		if (resource_type(w->res) == IORESOURCE_MEM)
			il_range_add(rs, shift, w->res->start - w->offset,
				     w->res->end - w->offset);
}

/**
 * il_walk_init - note where the BARs of all PCI devices are
 *
 * VT-d on 5.10 reserves them in each domain as they were at boot, and they may
 * move when a device is removed and comes back.
 */
void il_walk_init(void)
{
	struct pci_dev *pdev = NULL;
	struct resource *res;
	int i;

	for_each_pci_dev(pdev) {
		for (i = 0; i < PCI_NUM_RESOURCES; i++) {
			res = &pdev->resource[i];
			if (res->flags & IORESOURCE_MEM)
				il_range_add(&il_bars, PAGE_SHIFT, res->start, res->end);
		}
	}
}

static int il_range_regions(struct il_ranges *rs, unsigned long shift,
			    struct device *dev)
{
	struct iommu_resv_region *region, *next;
	struct iommu_group *group = iommu_group_get(dev);
	LIST_HEAD(regions);
	int ret;

	if (!group)
		return -ENODEV;
	ret = iommu_get_group_resv_regions(group, &regions);
	list_for_each_entry_safe(region, next, &regions, list) {
		if (region->type != IOMMU_RESV_SW_MSI)
			il_range_add(rs, shift, region->start,
				     region->start + region->length - 1);
		list_del(&region->list);
		kfree(region);
	}
	iommu_group_put(group);
	return ret;
}

static struct il_ranges *il_ranges_get(struct il_dev *d, struct iova_domain *iovad)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(il_device(d));
	unsigned long shift = iova_shift(iovad);
	struct il_ranges *rs;
	int ret;

	rs = kvzalloc_obj(*rs);
	if (!rs)
		return ERR_PTR(-ENOMEM);

	/* Without a cookie it is VT-d on 5.10, see il_space_find(). */
	if (domain->iova_cookie)
		il_range_windows(rs, shift, d->pdev);
	else
		*rs = il_bars;
	ret = il_range_regions(rs, shift, il_device(d));
	if (!ret && rs->full)
		ret = -ENOSPC;
	if (!ret)
		return rs;

	kvfree(rs);
	return ERR_PTR(ret);
}

static int il_node_cmp(const void *key, const void *elem)
{
	const unsigned long *pfn = key;
	const struct il_node *node = elem;

	if (*pfn == node->lo)
		return 0;
	return *pfn < node->lo ? -1 : 1;
}

static struct il_node *il_node_find(struct il_snap *s, unsigned long pfn)
{
	size_t lo = 0, hi = s->nr_nodes, mid;
	int cmp;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		cmp = il_node_cmp(&pfn, &s->nodes[mid]);
		if (!cmp)
			return &s->nodes[mid];
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static void il_mark_reserved(struct il_snap *s, const struct il_ranges *rs)
{
	unsigned int i;
	size_t n;

	for (n = 0; n < s->nr_nodes; n++)
		for (i = 0; i < rs->nr; i++)
			if (s->nodes[n].lo <= rs->range[i].hi &&
			    s->nodes[n].hi >= rs->range[i].lo)
				s->nodes[n].kind = IL_RESERVED;
}

static void il_mark_parked(struct il_snap *s, struct il_tally *t)
{
	struct il_node *node;
	size_t i;

	for (i = 0; i < s->nr_parked; i++) {
		t->parked[s->parked[i].kind]++;
		node = il_node_find(s, s->parked[i].pfn);
		if (node && node->kind == IL_LIVE)
			node->kind = s->parked[i].kind;
		else
			t->lost++;
	}
}

static void il_tally_gap(struct il_tally *t, unsigned long lo, unsigned long end)
{
	unsigned long first, last;
	unsigned int k;

	if (lo >= end)
		return;
	t->gaps++;
	t->free += end - lo;
	t->largest = max_t(u64, t->largest, end - lo);
	for (k = 0; k < IL_ORDERS; k++) {
		first = (lo + BIT(k) - 1) >> k;
		last = end >> k;
		if (last > first)
			t->blocks[k] += last - first;
	}
}

static void il_tally_nodes(struct il_snap *s, struct il_tally *t)
{
	unsigned long limit = s->space.iovad->dma_32bit_pfn;
	unsigned long pos = s->space.iovad->start_pfn;
	struct il_node *n;
	size_t i;

	for (i = 0; i < s->nr_nodes; i++) {
		n = &s->nodes[i];
		t->nodes[n->kind]++;
		if (i && n->lo <= n[-1].hi)
			t->overlaps++;
		il_tally_gap(t, pos, min(n->lo, limit));
		if (n->lo < limit)
			t->pages[n->kind][0] += min(n->hi + 1, limit) - n->lo;
		if (n->hi >= limit)
			t->pages[n->kind][1] += n->hi + 1 - max(n->lo, limit);
		pos = max(pos, n->hi + 1);
	}
	il_tally_gap(t, pos, limit);
}

static struct il_snap *il_walk(struct il_dev *d, struct il_tally *t)
{
	struct il_snap *s = il_snap_take(d);
	struct il_ranges *rs;

	if (IS_ERR(s))
		return s;
	rs = il_ranges_get(d, s->space.iovad);
	if (IS_ERR(rs)) {
		il_snap_free(s);
		return ERR_CAST(rs);
	}
	il_mark_reserved(s, rs);
	il_mark_parked(s, t);
	il_tally_nodes(s, t);
	kvfree(rs);
	return s;
}

static void il_walk_say_domain(struct il_result *r, struct il_dev *d,
			       struct il_snap *s)
{
	struct iova_domain *iovad = s->space.iovad;

	il_say(r, "dev=%s\n", d->name);
	il_say(r, "domain_type=%#x\n", iommu_get_domain_for_dev(il_device(d))->type);
	il_say(r, "granule=%lu\n", iovad->granule);
	il_say(r, "start_pfn=%lu\n", iovad->start_pfn);
	il_say(r, "dma_32bit_pfn=%lu\n", iovad->dma_32bit_pfn);
	il_say(r, "max32_alloc_size=%lu\n", s->max32_alloc_size);
	il_say(r, "cached_node_lo=%#lx\n", s->cached_lo);
	il_say(r, "cached32_node_lo=%#lx\n", s->cached32_lo);
	il_say(r, "anchor=%d\n", s->anchor);
	il_say(r, "fq=%d\n", s->space.fq || s->space.single_fq);
	il_say(r, "sac_flag=%d\n", il_sac_flag(il_device(d)));
	il_say(r, "limit=%#llx\n", il_dev_limit(d, false));
}

static void il_walk_say_kinds(struct il_result *r, struct il_snap *s,
			      struct il_tally *t)
{
	u64 low = 0, high = 0;
	unsigned int k;

	for (k = 0; k < IL_KINDS; k++) {
		low += t->pages[k][0];
		high += t->pages[k][1];
	}
	il_say(r, "nodes=%zu\n", s->nr_nodes);
	il_say(r, "tree_low_pages=%llu\n", low);
	il_say(r, "tree_high_pages=%llu\n", high);
	for (k = 0; k < IL_KINDS; k++) {
		il_say(r, "%s_nodes=%llu\n", il_kind_names[k], t->nodes[k]);
		il_say(r, "%s_low_pages=%llu\n", il_kind_names[k], t->pages[k][0]);
		il_say(r, "%s_high_pages=%llu\n", il_kind_names[k], t->pages[k][1]);
	}
	il_say(r, "cached_entries=%llu\n", t->parked[IL_CACHED]);
	il_say(r, "pending_entries=%llu\n", t->parked[IL_PENDING]);
	il_say(r, "inconsistent=%llu\n", t->lost + t->overlaps);
}

static void il_walk_say_space(struct il_result *r, struct il_snap *s,
			      struct il_tally *t)
{
	unsigned int k;

	il_say(r, "free_low_pages=%llu\n", t->free);
	il_say(r, "gaps_low=%llu\n", t->gaps);
	il_say(r, "largest_gap_pages=%llu\n", t->largest);
	for (k = 0; k < IL_ORDERS; k++)
		il_say(r, "blocks_%u=%llu\n", k, t->blocks[k]);
	for (k = 0; k < IL_RCACHES; k++) {
		il_say(r, "cache_%u_loaded=%llu\n", k, s->loaded[k]);
		il_say(r, "cache_%u_prev=%llu\n", k, s->prev[k]);
		il_say(r, "cache_%u_depot=%llu\n", k, s->depot[k]);
	}
}

static void il_walk_say_held(struct il_result *r, struct il_dev *d)
{
	u64 nr, low, high;

	il_held_pages(d, &nr, &low, &high);
	il_say(r, "held=%llu\n", nr);
	il_say(r, "held_low_pages=%llu\n", low);
	il_say(r, "held_high_pages=%llu\n", high);
	if (d->mark_domain &&
	    d->mark_domain == iommu_get_domain_for_dev(il_device(d))) {
		il_say(r, "marked_low_pages=%llu\n", d->marked[0]);
		il_say(r, "marked_high_pages=%llu\n", d->marked[1]);
	}
}

int il_cmd_walk(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	const char *mark = il_arg(a, "mark");
	struct il_tally *t;
	struct il_snap *s;
	unsigned int i;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	if (mark && strcmp(mark, "reserved"))
		return il_bad(a, "mark: not reserved");
	ret = il_args_end(a);
	if (ret)
		return ret;

	t = kzalloc_obj(*t);
	if (!t)
		return -ENOMEM;
	s = il_walk(d, t);
	if (IS_ERR(s)) {
		ret = PTR_ERR(s);
		goto out;
	}
	/* For whoever knows that nothing is mapped now: all else is reserved. */
	for (i = 0; mark && i < 2; i++)
		d->marked[i] = t->pages[IL_RESERVED][i] + t->pages[IL_LIVE][i];
	if (mark)
		d->mark_domain = iommu_get_domain_for_dev(il_device(d));

	il_walk_say_domain(r, d, s);
	il_walk_say_kinds(r, s, t);
	il_walk_say_space(r, s, t);
	il_walk_say_held(r, d);
	il_snap_free(s);
out:
	kfree(t);
	return ret;
}

int il_cmd_list(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	struct il_tally *t;
	struct il_snap *s;
	size_t i;
	u64 max;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = il_arg_u64(a, "max", &max, 100000, 1, U32_MAX);
	if (!ret)
		ret = il_args_end(a);
	if (ret)
		return ret;

	t = kzalloc_obj(*t);
	if (!t)
		return -ENOMEM;
	s = il_walk(d, t);
	if (IS_ERR(s)) {
		ret = PTR_ERR(s);
		goto out;
	}
	il_say(r, "nodes=%zu\n", s->nr_nodes);
	for (i = 0; i < min_t(u64, s->nr_nodes, max); i++)
		il_say(r, "node=%lx-%lx %s\n", s->nodes[i].lo, s->nodes[i].hi,
		       il_kind_names[s->nodes[i].kind]);
	il_snap_free(s);
out:
	kfree(t);
	return ret;
}

/**
 * il_free_blocks - how many aligned blocks are free below 4 GiB
 * @d: device
 * @order: order of the blocks
 * @nr: their number
 *
 * Return: 0 or a negative errno.
 */
int il_free_blocks(struct il_dev *d, unsigned int order, u64 *nr)
{
	struct il_tally *t = kzalloc_obj(*t);
	struct il_snap *s;

	if (!t)
		return -ENOMEM;
	s = il_walk(d, t);
	*nr = t->blocks[order];
	kfree(t);
	if (IS_ERR(s))
		return PTR_ERR(s);
	il_snap_free(s);
	return 0;
}

static int il_pending(struct il_dev *d, u64 *nr)
{
	struct il_snap *s = il_snap_take(d);
	size_t i;

	if (IS_ERR(s))
		return PTR_ERR(s);
	*nr = 0;
	for (i = 0; i < s->nr_parked; i++)
		*nr += s->parked[i].kind == IL_PENDING;
	il_snap_free(s);
	return 0;
}

/**
 * il_drain - wait until the flush queues of a device's domain are empty
 * @d: device
 * @timeout_ms: how long
 *
 * Return: 0, -ETIMEDOUT, or another negative errno.
 */
int il_drain(struct il_dev *d, unsigned int timeout_ms)
{
	unsigned long end = jiffies + msecs_to_jiffies(timeout_ms);
	u64 nr;
	int ret;

	for (;;) {
		ret = il_pending(d, &nr);
		if (ret || !nr)
			return ret;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		if (il_stopped(d))
			return -EINTR;
		msleep(IL_DRAIN_STEP);
	}
}

/*
 * An allocation that can't succeed makes the allocator flush and try again. It
 * asks for more than there is below its limit, so it fails before it searches,
 * and leaves max32_alloc_size alone.
 */
static int il_flush_failing(struct iova_domain *iovad)
{
	unsigned long all = iovad->dma_32bit_pfn;

	return alloc_iova_fast(iovad, all + 1, all - 1, true) ? -EIO : 0;
}

/*
 * 5.10 then frees what the CPUs have, but not the depot. A CPU that has nothing
 * left takes a magazine from there.
 */
static int il_flush_depot(struct iova_domain *iovad)
{
#ifdef IL_HAVE_IOVAD_FQ
	unsigned long pfn;
	unsigned int order, i;
	int ret = 0;

	for (order = 0; order < IOVA_RANGE_CACHE_MAX_SIZE; order++) {
		for (i = 0; i < MAX_GLOBAL_MAGS && !ret &&
		     READ_ONCE(iovad->rcaches[order].depot_size); i++) {
			pfn = alloc_iova_fast(iovad, 1UL << order, ULONG_MAX >>
					      iova_shift(iovad), false);
			if (pfn)
				free_iova(iovad, pfn);
			ret = il_flush_failing(iovad);
		}
	}
	return ret;
#else
	return 0;
#endif
}

/**
 * il_flush - empty the caches of a device's domain into the tree
 * @d: device
 *
 * Return: 0 or a negative errno.
 */
int il_flush(struct il_dev *d)
{
	struct il_space space;
	int ret;

	ret = il_space_find(d, &space);
	if (!ret)
		ret = il_flush_failing(space.iovad);
	return ret ?: il_flush_depot(space.iovad);
}

/**
 * il_rewind - let the next search of a device's domain begin at the top
 * @d: device
 *
 * Return: 0 or a negative errno.
 */
int il_rewind(struct il_dev *d)
{
	struct il_space space;
	unsigned long flags;
	int ret;

	ret = il_space_find(d, &space);
	if (ret)
		return ret;
	spin_lock_irqsave(&space.iovad->iova_rbtree_lock, flags);
	space.iovad->cached_node = &space.iovad->anchor.node;
	space.iovad->cached32_node = &space.iovad->anchor.node;
	spin_unlock_irqrestore(&space.iovad->iova_rbtree_lock, flags);
	return 0;
}

int il_cmd_flush(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = il_args_end(a);
	return ret ?: il_flush(d);
}

int il_cmd_drain(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	u64 timeout;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = il_arg_u64(a, "timeout_ms", &timeout, 2000, 1, 600000);
	if (!ret)
		ret = il_args_end(a);
	return ret ?: il_drain(d, timeout);
}
