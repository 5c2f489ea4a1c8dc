/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOVA_LOAD_H
#define IOVA_LOAD_H

#include <linux/device.h>
#include <linux/dma-mapping.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

#define IL_ORDERS	21	/* orders of pages, 0 to 20 */
#define IL_MAX_ARGS	24
#define IL_MAX_SIZES	16
#define IL_NAME_LEN	24
#define IL_4G		BIT_ULL(32)

/* main.c: the command line and the text that answers it */

/**
 * struct il_result - answer to one command, lines of key=value
 * @ref: holders: the file that asked, and the device as its last answer
 * @text: kvmalloc'ed text
 * @len: bytes of @text
 * @cap: size of @text
 * @lost: memory ran out, the text is not complete
 */
struct il_result {
	struct kref ref;
	char *text;
	size_t len;
	size_t cap;
	bool lost;
};

__printf(2, 3) void il_say(struct il_result *r, const char *fmt, ...);

extern struct mutex il_mutex;

struct il_arg {
	const char *key;
	const char *val;	/* NULL for a bare word */
	bool used;
};

/**
 * struct il_args - one parsed command
 * @cmd: the first word
 * @nr: number of arguments
 * @arg: the arguments; each is marked once a command has asked for it
 * @res: where to say what was wrong
 */
struct il_args {
	const char *cmd;
	unsigned int nr;
	struct il_arg arg[IL_MAX_ARGS];
	struct il_result *res;
};

const char *il_arg(struct il_args *a, const char *key);
bool il_arg_flag(struct il_args *a, const char *key);
int il_arg_u64(struct il_args *a, const char *key, u64 *val, u64 def,
	       u64 min, u64 max);
int il_arg_sizes(struct il_args *a, const char *key, u32 *sizes);
int il_args_end(struct il_args *a);
__printf(2, 3) int il_bad(struct il_args *a, const char *fmt, ...);

/* device.c: devices, mapping, counting */

/**
 * struct il_count - exact counts of what this module asked for
 * @maps: calls that ask for a mapping
 * @failed: those of them that returned an error
 * @unmaps: calls that give a mapping back
 * @bytes: page-rounded bytes of the mappings made
 * @high: mappings at or above 4 GiB
 * @top: highest address of all of them, 0 when there is none or nobody kept it
 * @sac_attempts: calls that tried below 4 GiB first, with a wider limit
 * @sac_failed: those of them that found nothing there
 * @order: @maps by order_base_2() of the pages
 */
struct il_count {
	u64 maps;
	u64 failed;
	u64 unmaps;
	u64 bytes;
	u64 high;
	u64 top;
	u64 sac_attempts;
	u64 sac_failed;
	u64 order[IL_ORDERS];
};

/**
 * struct il_dev - a PCI device that a command named once
 * @node: in the list of all, never removed before module exit
 * @name: bus address
 * @pdev: the device, referenced, or NULL when it is gone
 * @dying: it is being removed, leave it alone
 * @stop: number of those that wait for the running command to end
 * @total: counts since module load
 * @sac_unsure: the flag moved while several threads mapped, so
 *	@total.sac_attempts and @total.sac_failed are estimates
 * @sets: held mappings, struct il_set
 * @marked: pages found reserved by "walk mark=reserved": below, above 4 GiB
 * @mark_domain: domain that @marked is about
 */
struct il_dev {
	struct list_head node;
	char name[IL_NAME_LEN];
	struct pci_dev *pdev;
	bool dying;
	atomic_t stop;
	struct il_count total;
	bool sac_unsure;
	struct list_head sets;
	u64 marked[2];
	struct iommu_domain *mark_domain;
};

extern struct page *il_buffer;
extern size_t il_buffer_size;

struct il_dev *il_dev_arg(struct il_args *a, const char *key);
int il_args_mask_end(struct il_args *a, struct il_dev *d);
u64 il_dev_limit(struct il_dev *d, bool coherent);
bool il_stopped(struct il_dev *d);
void il_count_map(struct il_count *c, size_t size, bool failed, dma_addr_t addr,
		  bool sac);
void il_count_add(struct il_count *to, const struct il_count *from);
void il_count_say(struct il_result *r, const char *prefix,
		  const struct il_count *c);
int il_devices_init(void);
void il_devices_exit(void);
int il_cmd_stats(struct il_args *a, struct il_result *r);
int il_cmd_sac(struct il_args *a, struct il_result *r);

static inline struct device *il_device(struct il_dev *d)
{
	return &d->pdev->dev;
}

/* Will a mapping made now be tried below 4 GiB first, with a wider limit? */
bool il_sac_tried(struct il_dev *d, bool wide);

static inline dma_addr_t il_map(struct il_dev *d, size_t size)
{
	return dma_map_page(il_device(d), il_buffer, 0, size,
			    DMA_BIDIRECTIONAL);
}

static inline void il_unmap(struct il_dev *d, dma_addr_t addr, size_t size)
{
	dma_unmap_page(il_device(d), addr, size, DMA_BIDIRECTIONAL);
}

/* stat.c: exact percentiles of many samples */
int il_samples_say(struct il_result *r, const char *prefix, u32 *samples,
		   size_t nr);
u32 il_clock_cost(void);

/* run.c, nest.c: pairs of map and unmap */
void il_thread_park(void);
int il_cmd_loop(struct il_args *a, struct il_result *r);
int il_cmd_bench(struct il_args *a, struct il_result *r);
int il_cmd_nest(struct il_args *a, struct il_result *r);

/* hold.c: mappings that stay */
void il_sets_drop(struct il_dev *d);
void il_held_pages(struct il_dev *d, u64 *nr, u64 *low, u64 *high);
int il_cmd_hold(struct il_args *a, struct il_result *r);
int il_cmd_release(struct il_args *a, struct il_result *r);
int il_cmd_fill32(struct il_args *a, struct il_result *r);
int il_cmd_fragment(struct il_args *a, struct il_result *r);
int il_cmd_mtu(struct il_args *a, struct il_result *r);

/* walk.c: the oracle, and the two ways to empty the caches */
void il_walk_init(void);
int il_drain(struct il_dev *d, unsigned int timeout_ms);
int il_flush(struct il_dev *d);
int il_rewind(struct il_dev *d);
int il_free_blocks(struct il_dev *d, unsigned int order, u64 *nr);
int il_cmd_walk(struct il_args *a, struct il_result *r);
int il_cmd_list(struct il_args *a, struct il_result *r);
int il_cmd_flush(struct il_args *a, struct il_result *r);
int il_cmd_drain(struct il_args *a, struct il_result *r);

/* probe.c: the allocator's inner calls, counted by kprobes */
int il_cmd_probe(struct il_args *a, struct il_result *r);
void il_probe_exit(void);

/* fault.c: faults that nothing caused */
int il_cmd_faults(struct il_args *a, struct il_result *r);

/* delay.c: a planted slowdown */
int il_cmd_delay(struct il_args *a, struct il_result *r);
void il_delay_exit(void);

#endif
