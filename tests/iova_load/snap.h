/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOVA_LOAD_SNAP_H
#define IOVA_LOAD_SNAP_H

#include <linux/types.h>

#include "iova_load.h"
#include "layout.h"

/**
 * struct il_space - where a device's IOVA allocator is
 * @iovad: the allocator
 * @fq: its flush queues, one per CPU
 * @single_fq: its flush queue, where there is only one; both are NULL when
 *	frees are not deferred
 */
struct il_space {
	struct iova_domain *iovad;
	struct il_fq __percpu *fq;
	struct il_fq *single_fq;
};

enum il_kind {
	IL_LIVE,	/* none of the others */
	IL_RESERVED,
	IL_CACHED,
	IL_PENDING,
	IL_KINDS,
};

struct il_node {
	unsigned long lo;
	unsigned long hi;
	enum il_kind kind;
};

/* One cached, or freed but not yet flushed, range of I/O addresses. */
struct il_parked {
	unsigned long pfn;
	enum il_kind kind;
};

/**
 * struct il_snap - one allocator at one moment
 * @space: which
 * @max32_alloc_size: as in struct iova_domain
 * @cached_lo: pfn_lo of its cached_node
 * @cached32_lo: pfn_lo of its cached32_node
 * @nr_nodes: nodes in the tree, without the anchor
 * @cap_nodes: room in @nodes
 * @nodes: ascending
 * @nr_parked: cached and pending ranges
 * @cap_parked: room in @parked
 * @parked: in no order
 * @loaded: cached ranges per order, in the CPUs' loaded magazines
 * @prev: the same in their previous magazines
 * @depot: the same in the depot
 * @anchor: the last node is the anchor
 * @busy: a lock was held, so the copy may be of half a change
 * @broken: what does not look as layout.h says
 * @mag: scratch
 */
struct il_snap {
	struct il_space space;
	unsigned long max32_alloc_size;
	unsigned long cached_lo;
	unsigned long cached32_lo;
	size_t nr_nodes;
	size_t cap_nodes;
	struct il_node *nodes;
	size_t nr_parked;
	size_t cap_parked;
	struct il_parked *parked;
	u64 loaded[IL_RCACHES];
	u64 prev[IL_RCACHES];
	u64 depot[IL_RCACHES];
	bool anchor;
	bool busy;
	const char *broken;
	struct il_magazine mag;
};

int il_space_find(struct il_dev *d, struct il_space *space);
struct il_snap *il_snap_take(struct il_dev *d);
void il_snap_free(struct il_snap *s);

#endif
