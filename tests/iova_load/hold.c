// SPDX-License-Identifier: GPL-2.0
/* iova_load: mappings that stay, and the patterns made of them */

#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "compat.h"
#include "iova_load.h"

#define IL_HOLD_MAX	2000000U	/* more than there is below 4 GiB */
#define IL_DRAIN_MS	2000

struct il_held {
	dma_addr_t addr;
	u32 size;
};

/**
 * struct il_set - mappings held under one name
 * @node: in &il_dev.sets
 * @name: name
 * @domain: where they are; when the device has another one, they are lost
 * @nr: number of @held
 * @cap: room in @held
 * @held: in the order of their mapping, until "fragment" sorts them
 */
struct il_set {
	struct list_head node;
	char name[IL_NAME_LEN];
	struct iommu_domain *domain;
	unsigned int nr;
	unsigned int cap;
	struct il_held *held;
};

static struct il_set *il_set_find(struct il_dev *d, const char *name)
{
	struct il_set *s;

	list_for_each_entry(s, &d->sets, node)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static void il_set_free(struct il_set *s)
{
	list_del(&s->node);
	kvfree(s->held);
	kfree(s);
}

/* The set with this name, empty if it is new or its domain has gone. */
static struct il_set *il_set_get(struct il_args *a, struct il_dev *d)
{
	const char *name = il_arg(a, "keep") ?: "default";
	struct iommu_domain *domain = iommu_get_domain_for_dev(il_device(d));
	struct il_set *s = il_set_find(d, name);

	if (!strcmp(name, "*") || strlen(name) >= sizeof(s->name)) {
		il_bad(a, "keep: bad name");
		return ERR_PTR(-EINVAL);
	}
	if (s && s->domain != domain)
		il_set_free(s);
	else if (s)
		return s;

	s = kzalloc_obj(*s);
	if (!s)
		return ERR_PTR(-ENOMEM);
	strscpy(s->name, name, sizeof(s->name));
	s->domain = domain;
	list_add_tail(&s->node, &d->sets);
	return s;
}

static int il_set_room(struct il_set *s)
{
	unsigned int cap = max(s->cap * 2, 256U);
	struct il_held *held;

	if (s->nr < s->cap)
		return 0;
	if (s->nr >= IL_HOLD_MAX)
		return -ENOSPC;
	held = kvmalloc_array(cap, sizeof(*held), GFP_KERNEL);
	if (!held)
		return -ENOMEM;
	if (s->nr)
		memcpy(held, s->held, s->nr * sizeof(*held));
	kvfree(s->held);
	s->held = held;
	s->cap = cap;
	return 0;
}

/* Map and keep one. 1: it failed, or is high although only low ones do. */
static int il_set_map(struct il_dev *d, struct il_set *s, u32 size,
		      bool low_only)
{
	bool sac = il_sac_tried(d, il_dev_limit(d, false) >= IL_4G);
	dma_addr_t addr;
	bool failed;
	int ret;

	ret = il_set_room(s);
	if (ret)
		return ret;

	addr = il_map(d, size);
	failed = dma_mapping_error(il_device(d), addr);
	il_count_map(&d->total, size, failed, addr, sac);
	if (failed)
		return 1;
	if (low_only && addr >= IL_4G) {
		il_unmap(d, addr, size);
		d->total.unmaps++;
		return 1;
	}
	s->held[s->nr].addr = addr;
	s->held[s->nr++].size = size;
	return 0;
}

static void il_held_unmap(struct il_dev *d, const struct il_held *h)
{
	il_unmap(d, h->addr, h->size);
	d->total.unmaps++;
}

/* Give back those of a set that @pick wants; the others move up. */
static unsigned int il_set_release(struct il_dev *d, struct il_set *s,
				   bool (*pick)(void *arg, unsigned int i),
				   void *arg)
{
	bool lost = s->domain != iommu_get_domain_for_dev(il_device(d));
	unsigned int i, left = 0, released = 0;

	for (i = 0; i < s->nr; i++) {
		if (!lost && !pick(arg, i)) {
			s->held[left++] = s->held[i];
			continue;
		}
		if (!lost)
			il_held_unmap(d, &s->held[i]);
		released++;
		cond_resched();
	}
	s->nr = left;
	return released;
}

static bool il_pick_all(void *arg, unsigned int i)
{
	return true;
}

/**
 * il_sets_drop - give back everything a device holds
 * @d: device
 */
void il_sets_drop(struct il_dev *d)
{
	struct il_set *s, *next;

	list_for_each_entry_safe(s, next, &d->sets, node) {
		if (d->pdev)
			il_set_release(d, s, il_pick_all, NULL);
		il_set_free(s);
	}
}

/**
 * il_held_pages - what a device holds
 * @d: device
 * @nr: number of mappings
 * @low: pages below 4 GiB, as mapped (the allocator may round them up)
 * @high: pages above
 */
void il_held_pages(struct il_dev *d, u64 *nr, u64 *low, u64 *high)
{
	struct il_set *s;
	unsigned int i;
	u64 pages;

	*nr = 0;
	*low = 0;
	*high = 0;
	list_for_each_entry(s, &d->sets, node) {
		*nr += s->nr;
		for (i = 0; i < s->nr; i++) {
			pages = DIV_ROUND_UP(s->held[i].size, PAGE_SIZE);
			if (s->held[i].addr >= IL_4G)
				*high += pages;
			else
				*low += pages;
		}
	}
}

/* The highest address that is held. */
static u64 il_set_top(const struct il_set *s)
{
	unsigned int i;
	u64 top = 0;

	for (i = 0; i < s->nr; i++)
		top = max_t(u64, top, s->held[i].addr + s->held[i].size - 1);
	return top;
}

static void il_set_say(struct il_result *r, struct il_dev *d, struct il_set *s,
		       const struct il_count *before)
{
	il_say(r, "keep=%s\n", s->name);
	il_say(r, "held=%u\n", s->nr);
	il_say(r, "maps=%llu\n", d->total.maps - before->maps);
	il_say(r, "failed=%llu\n", d->total.failed - before->failed);
	il_say(r, "unmaps=%llu\n", d->total.unmaps - before->unmaps);
	il_say(r, "bytes=%llu\n", d->total.bytes - before->bytes);
	il_say(r, "high=%llu\n", d->total.high - before->high);
	il_say(r, "top=0x%llx\n", il_set_top(s));
	il_say(r, "sac_flag=%d\n", il_sac_flag(il_device(d)));
}

static int il_map_many(struct il_dev *d, struct il_set *s, u32 size, u64 count,
		       bool low_only)
{
	int ret = 0;

	while (count-- && !ret) {
		if (il_stopped(d))
			return -EINTR;
		ret = il_set_map(d, s, size, low_only);
		cond_resched();
	}
	return ret;
}

int il_cmd_hold(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	bool show = il_arg_flag(a, "show");
	struct il_count before;
	struct il_set *s;
	unsigned int i;
	u64 size, count;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	s = il_set_get(a, d);
	if (IS_ERR(s))
		return PTR_ERR(s);
	ret = il_arg_u64(a, "size", &size, 0, 1, il_buffer_size);
	if (!ret)
		ret = il_arg_u64(a, "count", &count, 0, 1, IL_HOLD_MAX);
	if (!ret)
		ret = il_args_mask_end(a, d);
	if (ret)
		return ret;

	before = d->total;
	ret = il_map_many(d, s, size, count, false);
	il_set_say(r, d, s, &before);
	for (i = 0; show && i < s->nr; i++)
		il_say(r, "addr_%u=0x%llx\n", i, (u64)s->held[i].addr);
	return ret > 0 ? -ENOSPC : ret;
}

struct il_pick {
	u64 first;
	u64 count;
	u64 every;
};

static bool il_pick_range(void *arg, unsigned int i)
{
	struct il_pick *p = arg;

	if (i < p->first || !p->count || (i - (u32)p->first) % (u32)p->every)
		return false;
	p->count--;
	return true;
}

static int il_release_all(struct il_dev *d, struct il_result *r)
{
	struct il_count before = d->total;

	il_sets_drop(d);
	il_say(r, "unmaps=%llu\n", d->total.unmaps - before.unmaps);
	return 0;
}

int il_cmd_release(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	const char *name = il_arg(a, "keep") ?: "default";
	struct il_count before;
	struct il_pick pick;
	struct il_set *s;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = il_arg_u64(a, "first", &pick.first, 0, 0, IL_HOLD_MAX);
	if (!ret)
		ret = il_arg_u64(a, "count", &pick.count, U32_MAX, 1, U32_MAX);
	if (!ret)
		ret = il_arg_u64(a, "every", &pick.every, 1, 1, IL_HOLD_MAX);
	if (!ret)
		ret = il_args_end(a);
	if (ret)
		return ret;
	if (!strcmp(name, "*"))
		return il_release_all(d, r);

	s = il_set_find(d, name);
	if (!s) {
		il_bad(a, "keep: nothing is held under this name");
		return -ENOENT;
	}
	before = d->total;
	il_set_release(d, s, il_pick_range, &pick);
	il_set_say(r, d, s, &before);
	if (!s->nr)
		il_set_free(s);
	return 0;
}

/*
 * Fill the space below 4 GiB with mappings of one size. With @leave none of
 * them may fail, because the first failure changes the policy for ever on some
 * kernels: make only as many as there are free blocks for.
 */
static int il_fill(struct il_dev *d, struct il_set *s, u32 size, u64 leave)
{
	unsigned long pages = DIV_ROUND_UP(size, PAGE_SIZE);
	unsigned int order = order_base_2(pages);
	u64 count = IL_HOLD_MAX, keep;
	int ret;

	if (leave) {
		ret = il_drain(d, IL_DRAIN_MS);
		if (!ret)
			ret = il_flush(d);
		if (!ret)
			ret = il_free_blocks(d, order, &count);
		if (ret)
			return ret;
		keep = DIV_ROUND_UP_ULL(leave, 1UL << order);
		count = count > keep ? count - keep : 0;
	}
	ret = il_map_many(d, s, size, count, true);
	return ret > 0 ? 0 : ret;
}

int il_cmd_fill32(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	struct il_count before;
	struct il_set *s;
	u64 size, leave;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	s = il_set_get(a, d);
	if (IS_ERR(s))
		return PTR_ERR(s);
	ret = il_arg_u64(a, "size", &size, 0, 1, il_buffer_size);
	if (!ret)
		ret = il_arg_u64(a, "leave", &leave, 0, 0, BIT(20));
	if (!ret)
		ret = il_args_mask_end(a, d);
	if (ret)
		return ret;

	before = d->total;
	ret = il_fill(d, s, size, leave);
	il_set_say(r, d, s, &before);
	return ret;
}

static int il_held_cmp(const void *l, const void *r)
{
	const struct il_held *a = l, *b = r;

	if (a->addr == b->addr)
		return 0;
	return a->addr < b->addr ? -1 : 1;
}

/**
 * struct il_holes - what "fragment" frees
 * @s: set, ascending
 * @step: address distance of neighbours
 * @run: neighbours per hole
 * @len: length of the hole being made
 * @top: index where larger holes begin
 * @top_run: neighbours per such hole
 */
struct il_holes {
	struct il_set *s;
	u64 step;
	u64 run;
	u64 len;
	u64 top;
	u64 top_run;
};

/*
 * Free runs of neighbours, each between two that stay: no hole can join a free
 * range that was there before.
 */
static bool il_pick_hole(void *arg, unsigned int i)
{
	struct il_holes *h = arg;
	struct il_held *held = &h->s->held[i];
	u64 run = i >= h->top ? h->top_run : h->run;

	if (!i || i + 1 == h->s->nr || h->len >= run ||
	    held[-1].addr + h->step != held->addr ||
	    held->addr + h->step != held[1].addr) {
		h->len = 0;
		return false;
	}
	h->len++;
	return true;
}

/*
 * Where to begin for this many large holes to fit above. Addresses that others
 * have there part the neighbours, so it takes more room than the holes have.
 */
static u64 il_holes_top(const struct il_holes *h, u64 slots)
{
	const struct il_held *held = h->s->held;
	u64 i = h->s->nr, len = 0;

	while (slots && i) {
		i--;
		if (i + 1 < h->s->nr && held[i].addr + h->step != held[i + 1].addr)
			len = 0;
		if (++len == h->top_run + 2) {
			slots--;
			len = 1;	/* parts this hole from the next */
		}
	}
	return i;
}

static int il_fragment(struct il_dev *d, struct il_set *s, u32 size,
		       struct il_holes *h, u64 slots)
{
	int ret;

	/* Before 5.11 a search never looks above where the last one ended. */
	ret = il_rewind(d);
	if (!ret)
		ret = il_fill(d, s, size, 0);
	if (ret)
		return ret;

	sort(s->held, s->nr, sizeof(*s->held), il_held_cmp, NULL);
	h->s = s;
	h->step = size;
	h->top = h->top_run ? il_holes_top(h, slots) : s->nr;
	il_set_release(d, s, il_pick_hole, h);
	ret = il_drain(d, IL_DRAIN_MS);
	return ret ?: il_flush(d);
}

static int il_fragment_args(struct il_args *a, u64 *size, struct il_holes *h,
			    u64 *slots)
{
	u64 hole, high;
	int ret;

	ret = il_arg_u64(a, "size", size, 0, PAGE_SIZE, il_buffer_size);
	if (!ret)
		ret = il_arg_u64(a, "hole", &hole, 0, 1, IL_4G - 1);
	if (!ret)
		ret = il_arg_u64(a, "high", &high, 0, 0, SZ_1G);
	if (!ret)
		ret = il_arg_u64(a, "slots", slots, 0, 0, 4096);
	if (ret)
		return ret;
	if (!is_power_of_2(*size))
		return il_bad(a, "size: not a power of 2");
	if (hole < *size || (hole | high) % *size)
		return il_bad(a, "hole, high: not multiples of size");

	h->run = div64_u64(hole, *size);
	/* Almost twice as much, since the block has to be aligned. */
	h->top_run = div64_u64(2 * high, *size);
	if (h->top_run)
		h->top_run--;
	return 0;
}

int il_cmd_fragment(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	struct il_count before;
	struct il_holes h = {};
	struct il_set *s;
	u64 size, slots;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	s = il_set_get(a, d);
	if (IS_ERR(s))
		return PTR_ERR(s);
	ret = il_fragment_args(a, &size, &h, &slots);
	if (!ret)
		ret = il_args_mask_end(a, d);
	if (ret)
		return ret;

	before = d->total;
	ret = il_fragment(d, s, size, &h, slots);
	il_set_say(r, d, s, &before);
	return ret;
}

int il_cmd_mtu(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	struct il_count before;
	u64 from, to, count;
	struct il_set *s;
	int ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	s = il_set_get(a, d);
	if (IS_ERR(s))
		return PTR_ERR(s);
	ret = il_arg_u64(a, "from", &from, 0, 1, il_buffer_size);
	if (!ret)
		ret = il_arg_u64(a, "to", &to, 0, 1, il_buffer_size);
	if (!ret)
		ret = il_arg_u64(a, "count", &count, 0, 1, IL_HOLD_MAX);
	if (!ret && s->nr)
		ret = il_bad(a, "keep: something is held under this name");
	if (!ret)
		ret = il_args_mask_end(a, d);
	if (ret)
		return ret;

	before = d->total;
	ret = il_map_many(d, s, from, count, false);
	il_set_release(d, s, il_pick_all, NULL);
	if (!ret)
		ret = il_drain(d, IL_DRAIN_MS);
	if (!ret)
		ret = il_map_many(d, s, to, count, false);
	il_set_say(r, d, s, &before);
	return ret > 0 ? -ENOSPC : ret;
}
