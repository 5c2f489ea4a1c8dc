// SPDX-License-Identifier: GPL-2.0
/* Are the allocator's caches in the header, with depots flushes leave alone? (before 5.18) */
#include <linux/iova.h>

static inline unsigned long iovp_ask(struct iova_domain *iovad)
{
	return iovad->rcaches[0].depot_size;
}
