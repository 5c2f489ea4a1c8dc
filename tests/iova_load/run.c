// SPDX-License-Identifier: GPL-2.0
/* iova_load: pairs of map and unmap, from threads */

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat.h"
#include "iova_load.h"

#define IL_MAX_THREADS	64U
#define IL_MAX_SAMPLES	(4U << 20)
#define IL_CHUNK	512	/* pairs without preemption in bench */

enum il_mode {
	IL_PAGE,
	IL_SG,
	IL_COHERENT,
};

/**
 * struct il_loop - one "loop" command
 * @d: device
 * @mode: kind of mapping
 * @nr_sizes: number of @sizes
 * @sizes: bytes, round-robin
 * @wide: the device's limit is above 4 GiB
 * @timed: take samples
 * @count: pairs in all
 * @end: jiffies to stop at, or 0
 * @pause_us: sleep that long after each @burst pairs
 * @burst: see @pause_us
 * @stop: a worker must end
 * @go: all workers start together
 * @running: workers that have not ended
 * @done: @running became 0
 */
struct il_loop {
	struct il_dev *d;
	enum il_mode mode;
	unsigned int nr_sizes;
	u32 sizes[IL_MAX_SIZES];
	bool wide;
	bool timed;
	u64 count;
	unsigned long end;
	u64 pause_us;
	u64 burst;
	bool stop;
	struct completion go;
	atomic_t running;
	struct completion done;
};

struct il_worker {
	struct il_loop *loop;
	struct task_struct *task;
	u64 count;
	struct il_count cnt;
	struct sg_table sgt[IL_MAX_SIZES];
	u32 *map_ns;
	u32 *unmap_ns;
	size_t nr_map_ns;
	size_t nr_unmap_ns;
};

struct il_mapping {
	dma_addr_t addr;
	size_t size;
	void *cpu;		/* coherent */
	struct sg_table *sgt;	/* sg */
};

static u32 il_ns_since(u64 start)
{
	return min_t(u64, ktime_get_ns() - start, U32_MAX);
}

static bool il_map_any(struct il_worker *w, struct il_mapping *m)
{
	struct il_loop *l = w->loop;
	struct device *dev = il_device(l->d);

	switch (l->mode) {
	case IL_PAGE:
		m->addr = il_map(l->d, m->size);
		return !dma_mapping_error(dev, m->addr);
	case IL_SG:
		if (dma_map_sgtable(dev, m->sgt, DMA_BIDIRECTIONAL, 0))
			return false;
		m->addr = sg_dma_address(m->sgt->sgl);
		return true;
	case IL_COHERENT:
		m->cpu = dma_alloc_coherent(dev, m->size, &m->addr,
					    GFP_KERNEL | __GFP_NOWARN);
		return m->cpu;
	}
	return false;
}

static void il_unmap_any(struct il_worker *w, struct il_mapping *m)
{
	struct il_loop *l = w->loop;

	switch (l->mode) {
	case IL_PAGE:
		il_unmap(l->d, m->addr, m->size);
		break;
	case IL_SG:
		dma_unmap_sgtable(il_device(l->d), m->sgt, DMA_BIDIRECTIONAL, 0);
		break;
	case IL_COHERENT:
		dma_free_coherent(il_device(l->d), m->size, m->cpu, m->addr);
		break;
	}
}

static void il_pair(struct il_worker *w, unsigned int which)
{
	struct il_loop *l = w->loop;
	struct il_mapping m = { .size = l->sizes[which], .sgt = &w->sgt[which] };
	bool sac = il_sac_tried(l->d, l->wide);
	u64 start;
	bool ok;

	if (!l->timed) {
		ok = il_map_any(w, &m);
	} else {
		start = ktime_get_ns();
		ok = il_map_any(w, &m);
		w->map_ns[w->nr_map_ns++] = il_ns_since(start);
	}
	il_count_map(&w->cnt, m.size, !ok, m.addr, sac);
	if (!ok)
		return;

	if (!l->timed) {
		il_unmap_any(w, &m);
	} else {
		start = ktime_get_ns();
		il_unmap_any(w, &m);
		w->unmap_ns[w->nr_unmap_ns++] = il_ns_since(start);
	}
	w->cnt.unmaps++;
}

static bool il_worker_more(struct il_worker *w, u64 i)
{
	struct il_loop *l = w->loop;

	if (i >= w->count || READ_ONCE(l->stop) || atomic_read(&l->d->stop))
		return false;
	return !l->end || time_before(jiffies, l->end);
}

/**
 * il_thread_park - last thing a thread does: wait for kthread_stop()
 */
void il_thread_park(void)
{
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
}

static int il_worker_run(void *data)
{
	struct il_worker *w = data;
	struct il_loop *l = w->loop;
	unsigned int which = 0;
	u64 i;

	wait_for_completion(&l->go);
	for (i = 0; il_worker_more(w, i); i++) {
		il_pair(w, which);
		if (++which == l->nr_sizes)
			which = 0;
		if (l->pause_us && (i + 1) % l->burst == 0)
			usleep_range(l->pause_us, l->pause_us + 50);
		else
			cond_resched();
	}
	if (atomic_dec_and_test(&l->running))
		complete(&l->done);

	il_thread_park();
	return 0;
}

static int il_sg_fill(struct sg_table *sgt, size_t size)
{
	unsigned int pages = DIV_ROUND_UP(size, PAGE_SIZE), i;
	struct scatterlist *sg;

	if (sg_alloc_table(sgt, pages, GFP_KERNEL))
		return -ENOMEM;
	for_each_sg(sgt->sgl, sg, pages, i)
		sg_set_page(sg, il_buffer + i,
			    min_t(size_t, size - i * PAGE_SIZE, PAGE_SIZE), 0);
	return 0;
}

static int il_worker_init(struct il_worker *w, struct il_loop *l, u64 count)
{
	unsigned int i;

	w->loop = l;
	w->count = count;
	if (l->timed) {
		w->map_ns = kvmalloc_array(count ?: 1, sizeof(u32), GFP_KERNEL);
		w->unmap_ns = kvmalloc_array(count ?: 1, sizeof(u32), GFP_KERNEL);
		if (!w->map_ns || !w->unmap_ns)
			return -ENOMEM;
	}
	if (l->mode != IL_SG)
		return 0;
	for (i = 0; i < l->nr_sizes; i++)
		if (il_sg_fill(&w->sgt[i], l->sizes[i]))
			return -ENOMEM;
	return 0;
}

static void il_worker_exit(struct il_worker *w)
{
	unsigned int i;

	for (i = 0; i < IL_MAX_SIZES; i++)
		sg_free_table(&w->sgt[i]);
	kvfree(w->map_ns);
	kvfree(w->unmap_ns);
}

static int il_worker_start(struct il_worker *w, unsigned int nr, bool pin)
{
	struct task_struct *task;

	task = kthread_create(il_worker_run, w, "iova_load/%u", nr);
	if (IS_ERR(task))
		return PTR_ERR(task);
	if (pin)
		kthread_bind(task, cpumask_local_spread(nr, NUMA_NO_NODE));
	get_task_struct(task);
	w->task = task;
	atomic_inc(&w->loop->running);
	wake_up_process(task);
	return 0;
}

static void il_workers_end(struct il_worker *w, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!w[i].task)
			continue;
		kthread_stop(w[i].task);
		put_task_struct(w[i].task);
	}
}

/* Returns with no worker running. */
static int il_loop_run(struct il_loop *l, struct il_worker *w, unsigned int nr,
		       bool pin)
{
	unsigned int i;
	int ret = 0;

	/* One more than workers, so that none can complete it too early. */
	atomic_set(&l->running, 1);
	init_completion(&l->go);
	init_completion(&l->done);
	for (i = 0; i < nr && !ret; i++)
		ret = il_worker_start(&w[i], i, pin);
	if (ret)
		WRITE_ONCE(l->stop, true);

	complete_all(&l->go);
	if (!atomic_dec_and_test(&l->running) &&
	    wait_for_completion_interruptible(&l->done)) {
		WRITE_ONCE(l->stop, true);
		wait_for_completion(&l->done);
		ret = ret ?: -EINTR;
	}
	il_workers_end(w, nr);
	return ret;
}

/* Every step-th sample of all workers, from the first-th on. */
static size_t il_samples_pick(u32 *to, struct il_worker *w, unsigned int nr,
			      bool unmaps, unsigned int first, unsigned int step)
{
	size_t n = 0, i;

	for (; nr--; w++) {
		u32 *from = unmaps ? w->unmap_ns : w->map_ns;
		size_t all = unmaps ? w->nr_unmap_ns : w->nr_map_ns;

		for (i = first; i < all; i += step)
			to[n++] = from[i];
	}
	return n;
}

static int il_loop_times(struct il_result *r, struct il_loop *l,
			 struct il_worker *w, unsigned int nr)
{
	unsigned int step = l->nr_sizes, i;
	size_t all = 0;
	char prefix[24];
	u32 *samples;
	int ret;

	for (i = 0; i < nr; i++)
		all += w[i].nr_map_ns;
	samples = kvmalloc_array(all ?: 1, sizeof(*samples), GFP_KERNEL);
	if (!samples)
		return -ENOMEM;

	all = il_samples_pick(samples, w, nr, false, 0, 1);
	ret = il_samples_say(r, "map", samples, all);
	all = il_samples_pick(samples, w, nr, true, 0, 1);
	ret = ret ?: il_samples_say(r, "unmap", samples, all);

	/* A worker takes a sample of each map, so its index tells the size. */
	for (i = 0; i < step && step > 1 && !ret; i++) {
		snprintf(prefix, sizeof(prefix), "map_%u", l->sizes[i]);
		all = il_samples_pick(samples, w, nr, false, i, step);
		ret = il_samples_say(r, prefix, samples, all);
	}
	kvfree(samples);
	return ret;
}

static int il_loop_say(struct il_result *r, struct il_loop *l,
		       struct il_worker *w, unsigned int nr, int flag_before)
{
	struct il_count sum = {};
	unsigned int i;
	bool exact;

	for (i = 0; i < nr; i++)
		il_count_add(&sum, &w[i].cnt);
	il_count_add(&l->d->total, &sum);

	exact = nr == 1 || il_sac_flag(il_device(l->d)) == flag_before;
	if (!exact)
		l->d->sac_unsure = true;

	il_say(r, "threads=%u\n", nr);
	il_count_say(r, "", &sum);
	il_say(r, "sac_exact=%d\n", exact);
	il_say(r, "limit=%#llx\n", il_dev_limit(l->d, l->mode == IL_COHERENT));
	if (!l->timed)
		return 0;

	il_say(r, "clock_ns=%u\n", il_clock_cost());
	return il_loop_times(r, l, w, nr);
}

static int il_loop_mode(struct il_args *a, struct il_loop *l)
{
	const char *mode = il_arg(a, "mode");

	if (!mode || !strcmp(mode, "page"))
		l->mode = IL_PAGE;
	else if (!strcmp(mode, "sg"))
		l->mode = IL_SG;
	else if (!strcmp(mode, "coherent"))
		l->mode = IL_COHERENT;
	else
		return il_bad(a, "mode: not page, sg or coherent");
	return 0;
}

static int il_loop_args(struct il_args *a, struct il_loop *l, u64 *threads)
{
	u64 seconds;
	int ret;

	ret = il_arg_sizes(a, "sizes", l->sizes);
	if (ret < 0)
		return ret;
	l->nr_sizes = ret;
	ret = il_loop_mode(a, l);
	if (ret)
		return ret;

	l->timed = il_arg_flag(a, "time");
	ret = il_arg_u64(a, "seconds", &seconds, 0, 0, 86400);
	if (!ret)
		ret = il_arg_u64(a, "count", &l->count,
				 seconds && !l->timed ? U64_MAX : 0, 1,
				 l->timed ? IL_MAX_SAMPLES : U64_MAX);
	if (!ret)
		ret = il_arg_u64(a, "threads", threads, 1, 1, IL_MAX_THREADS);
	if (!ret)
		ret = il_arg_u64(a, "pause_us", &l->pause_us, 0, 0, 1000000);
	if (!ret)
		ret = il_arg_u64(a, "burst", &l->burst, 1, 1, U32_MAX);
	if (!ret && seconds)
		l->end = (jiffies + seconds * HZ) ?: 1;
	return ret;
}

static int il_loop(struct il_result *r, struct il_loop *l, u64 threads, bool pin)
{
	int flag = il_sac_flag(il_device(l->d));
	struct il_worker *w;
	u64 share, rest, i;
	int ret = 0, err;

	w = kvcalloc(threads, sizeof(*w), GFP_KERNEL);
	if (!w)
		return -ENOMEM;
	share = div64_u64_rem(l->count, threads, &rest);
	for (i = 0; i < threads && !ret; i++)
		ret = il_worker_init(&w[i], l, share + (i < rest));
	if (ret)
		goto out;

	ret = il_loop_run(l, w, threads, pin);
	il_say(r, "stopped=%d\n", ret == -EINTR || atomic_read(&l->d->stop));
	err = il_loop_say(r, l, w, threads, flag);
	ret = ret ?: err;
out:
	for (i = 0; i < threads; i++)
		il_worker_exit(&w[i]);
	kvfree(w);
	return ret;
}

int il_cmd_loop(struct il_args *a, struct il_result *r)
{
	struct il_loop *l;
	u64 threads;
	bool pin;
	int ret;

	l = kzalloc_obj(*l);
	if (!l)
		return -ENOMEM;
	l->d = il_dev_arg(a, "dev");
	if (IS_ERR(l->d)) {
		ret = PTR_ERR(l->d);
		goto out;
	}
	pin = il_arg_flag(a, "pin");
	ret = il_loop_args(a, l, &threads);
	if (!ret && pin && threads > num_online_cpus())
		ret = il_bad(a, "pin: more threads than CPUs");
	if (!ret)
		ret = il_args_mask_end(a, l->d);
	if (ret)
		goto out;

	l->wide = il_dev_limit(l->d, l->mode == IL_COHERENT) >= IL_4G;
	ret = il_loop(r, l, threads, pin);
out:
	kfree(l);
	return ret;
}

/* Nothing but what has to be there: its instructions are what is measured. */
static void il_bench_chunk(struct device *dev, size_t size, unsigned int nr,
			   u64 *failed, u64 *high)
{
	dma_addr_t addr;

	while (nr--) {
		addr = dma_map_page(dev, il_buffer, 0, size, DMA_BIDIRECTIONAL);
		if (dma_mapping_error(dev, addr)) {
			(*failed)++;
			continue;
		}
		*high += addr >> 32 != 0;
		dma_unmap_page(dev, addr, size, DMA_BIDIRECTIONAL);
	}
}

static u64 il_bench(struct il_dev *d, size_t size, u64 count, struct il_count *c)
{
	bool sac = il_sac_tried(d, il_dev_limit(d, false) >= IL_4G);
	u64 failed = 0, high = 0, left = count, start, ns = 0;
	size_t pages = DIV_ROUND_UP(size, PAGE_SIZE);
	unsigned int nr;

	while (left && !il_stopped(d)) {
		nr = min_t(u64, left, IL_CHUNK);
		il_cpu_get();
		start = ktime_get_ns();
		il_bench_chunk(il_device(d), size, nr, &failed, &high);
		ns += ktime_get_ns() - start;
		il_cpu_put();
		cond_resched();
		left -= nr;
	}
	count -= left;
	c->maps = count;
	c->failed = failed;
	c->unmaps = count - failed;
	c->bytes = c->unmaps * pages * PAGE_SIZE;
	c->high = high;
	c->order[order_base_2(pages)] = count;
	if (sac) {
		c->sac_attempts = count;
		c->sac_failed = failed + high;
	}
	return ns;
}

int il_cmd_bench(struct il_args *a, struct il_result *r)
{
	struct il_dev *d = il_dev_arg(a, "dev");
	struct il_count warm = {}, cnt = {};
	u64 size, count, warmup, ns;
	int ret, flag;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = il_arg_u64(a, "size", &size, PAGE_SIZE, 1, il_buffer_size);
	if (!ret)
		ret = il_arg_u64(a, "count", &count, 0, 1, U32_MAX);
	if (!ret)
		ret = il_arg_u64(a, "warmup", &warmup, 0, 0, U32_MAX);
	if (!ret)
		ret = il_args_mask_end(a, d);
	if (ret)
		return ret;

	flag = il_sac_flag(il_device(d));
	il_bench(d, size, warmup, &warm);
	ns = il_bench(d, size, count, &cnt);
	il_count_add(&d->total, &warm);
	il_count_add(&d->total, &cnt);
	if (il_sac_flag(il_device(d)) != flag)
		d->sac_unsure = true;

	il_count_say(r, "", &cnt);
	il_say(r, "warmup_maps=%llu\n", warm.maps);
	il_say(r, "sac_exact=%d\n", il_sac_flag(il_device(d)) == flag);
	il_say(r, "ns_total=%llu\n", ns);
	if (cnt.maps)
		il_say(r, "ps_per_pair=%llu\n", div64_u64(ns * 1000, cnt.maps));
	il_say(r, "stopped=%d\n", cnt.maps < count);
	return cnt.maps < count ? -EINTR : 0;
}
