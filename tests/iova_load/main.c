// SPDX-License-Identifier: GPL-2.0
/*
 * iova_load - load generator and ground truth for tests of IOVA tracers
 *
 * Test only: it can exhaust the I/O address space of any PCI device. No device
 * is ever told an address, so no DMA happens.
 *
 * /dev/iova_load takes one command per write() and runs it before the write
 * returns, one command at a time. The answer is read back as lines of
 * key=value, the last one is status=0 or status=-errno; the write fails with
 * the same errno. An open file reads the answer to its own last write, a file
 * that wrote nothing reads the last answer of all:
 *
 *	echo 'hold dev=00:03.0 size=64K count=100' > /dev/iova_load
 *	cat /dev/iova_load
 *
 * Commands joined by ";" run with no other in between, up to the first that
 * fails, and answer as one: "release dev=00:03.0; walk dev=00:03.0" sees what
 * is in the flush queues, unless their timer of 10 ms is faster.
 *
 * A signal ends a long command early; it then answers with what it did and
 * stopped=1. Sizes take the suffixes K, M and G. A device is a PCI address
 * that an IOMMU translates for. "mask=BITS" works with every command that maps
 * and is for devices without a driver; a bound driver keeps its own mask. Where
 * the IOMMU's driver is a module (virtio), it wants a device to have a driver;
 * one that does nothing is here for that:
 *
 *	echo iova_load > /sys/bus/pci/devices/0000:00:03.0/driver_override
 *	echo 0000:00:03.0 > /sys/bus/pci/drivers_probe
 *
 * loop dev= sizes=S[,S...] count=N [threads=T] [pin] [time] [mode=page|sg|coherent]
 *	[seconds=N] [pause_us=N burst=N]
 *		N pairs of map and unmap round-robin over the sizes. With
 *		"time" each map and unmap is timed alone (exact percentiles,
 *		of all maps, of all unmaps, and of the maps of each size).
 * bench dev= [size=4K] count=N [warmup=N]
 *		the tightest possible loop, on the CPU of the caller; one time
 *		for all of it
 * nest dev= other= count=N [size=4K] [other_size=4K] [nested=N] [period_ns=N]
 *	[context=hard|soft] [cpu=N]
 *		N pairs on dev while a timer interrupt on that CPU makes pairs
 *		on other; goes on until N of those hit inside a map or unmap
 * hold dev= size= count= [keep=NAME] [show]
 *		"show": with the addresses of all that is held under the name,
 *		in the order of their mapping
 * release dev= [keep=NAME|keep=*] [first=I] [count=N] [every=N]
 * fill32 dev= size= [keep=NAME] [leave=PAGES]
 *		hold until the first map at or above 4 GiB, or a failing one
 *		(given back); with "leave" stop before, so that none fails
 * fragment dev= size= hole= [keep=NAME] [high=S slots=N]
 *		fill32, then free holes of exactly that size, then drain, flush.
 *		With "slots" the N holes at the top are for blocks of size high.
 *		That makes the cliff, where a search that fails walks all nodes,
 *		and each free below 4 GiB makes the allocator forget that it
 *		failed. Frees come in batches if they are deferred, so pause:
 *		  fragment dev= size=64K hole=64K high=256K slots=32
 *		  loop dev= sizes=2M,256K count=600 burst=2 pause_us=20000 time
 * mtu dev= from= to= count=N [keep=NAME]
 *		N of one size mapped and unmapped, then N of the other held
 * walk dev= [mark=reserved]
 *		exact state of the device's IOVA domain
 * list dev= [max=N]	its nodes: node=LO-HI kind (pfns, hex)
 * flush dev=		empty the domain's caches into the tree
 * drain dev= [timeout_ms=N]
 *		wait until the flush queues are empty
 * sac dev= [on|off]	show or set the "32-bit first" flag, where one exists
 * probe dev= on|off|read
 *		count alloc_iova_fast() and alloc_iova() of this domain with
 *		kprobes, independent of any tracer
 * faults dev= [threads=1] [ms=1000] [address=0xdead000]
 *		report IOMMU faults of the device, as fast as the threads can,
 *		though it did nothing
 * stats [dev=]		totals since module load
 * help
 *
 * What is exact. maps, failed, unmaps, bytes, high and order_N count calls and
 * their results and are always exact. A tracer should see alloc.count = maps,
 * free.count = unmaps. sac_attempts and sac_failed are derived:
 *  - no flag in this kernel (5.10, 6.1): a map with a limit above 4 GiB tries
 *    below 4 GiB first, exactly once, unless the kernel was booted with
 *    forcedac (then don't compare). It failed iff the address is at or above
 *    4 GiB or the map failed. That misses the one case where a cache of this
 *    CPU gets a low address back between the failed try and the next.
 *  - with the flag (6.6+): the same while the flag is set; the first failure
 *    clears it for ever. Two threads that race with that moment can't be told
 *    apart: sac_exact=0 says so.
 * Cache misses ("slow") can't be derived from the outside: use probe.
 */

#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "iova_load.h"

#define IL_LINE_MAX	1024
#define IL_TEXT_MAX	(64UL << 20)

/* Serializes commands, and with them all of the module's state. */
DEFINE_MUTEX(il_mutex);

static struct il_result *il_last;
static DEFINE_MUTEX(il_last_mutex);

struct il_file {
	struct mutex mutex;	/* protects res and pos */
	struct il_result *res;
	size_t pos;
};

struct il_command {
	const char *name;
	int (*run)(struct il_args *a, struct il_result *r);
};

static int il_cmd_help(struct il_args *a, struct il_result *r);

static const struct il_command il_commands[] = {
	{ "loop", il_cmd_loop },
	{ "bench", il_cmd_bench },
	{ "nest", il_cmd_nest },
	{ "hold", il_cmd_hold },
	{ "release", il_cmd_release },
	{ "fill32", il_cmd_fill32 },
	{ "fragment", il_cmd_fragment },
	{ "mtu", il_cmd_mtu },
	{ "walk", il_cmd_walk },
	{ "list", il_cmd_list },
	{ "flush", il_cmd_flush },
	{ "drain", il_cmd_drain },
	{ "sac", il_cmd_sac },
	{ "probe", il_cmd_probe },
	{ "delay", il_cmd_delay },
	{ "faults", il_cmd_faults },
	{ "stats", il_cmd_stats },
	{ "help", il_cmd_help },
};

static int il_cmd_help(struct il_args *a, struct il_result *r)
{
	unsigned int i;
	int ret;

	ret = il_args_end(a);
	if (ret)
		return ret;

	for (i = 0; i < ARRAY_SIZE(il_commands); i++)
		il_say(r, "command=%s\n", il_commands[i].name);
	return 0;
}

static bool il_result_room(struct il_result *r, size_t need)
{
	size_t cap = max_t(size_t, r->cap * 2, PAGE_SIZE);
	char *text;

	if (r->len + need < r->cap)
		return true;

	while (cap <= r->len + need)
		cap *= 2;
	if (cap > IL_TEXT_MAX)
		return false;

	text = kvmalloc(cap, GFP_KERNEL);
	if (!text)
		return false;

	if (r->len)
		memcpy(text, r->text, r->len);
	kvfree(r->text);
	r->text = text;
	r->cap = cap;
	return true;
}

/**
 * il_say - append to the answer
 * @r: the answer
 * @fmt: printf format
 */
void il_say(struct il_result *r, const char *fmt, ...)
{
	va_list args, again;
	int len;

	if (r->lost)
		return;

	va_start(args, fmt);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	if (il_result_room(r, len + 1))
		r->len += vscnprintf(r->text + r->len, r->cap - r->len, fmt, again);
	else
		r->lost = true;
	va_end(again);
	va_end(args);
}

static void il_result_release(struct kref *ref)
{
	struct il_result *r = container_of(ref, struct il_result, ref);

	kvfree(r->text);
	kfree(r);
}

static void il_result_put(struct il_result *r)
{
	if (r)
		kref_put(&r->ref, il_result_release);
}

/**
 * il_bad - refuse a command
 * @a: the command
 * @fmt: why
 *
 * Return: -EINVAL, always.
 */
int il_bad(struct il_args *a, const char *fmt, ...)
{
	struct va_format vaf;
	va_list args;

	va_start(args, fmt);
	vaf.fmt = fmt;
	vaf.va = &args;
	il_say(a->res, "error=%pV\n", &vaf);
	va_end(args);
	return -EINVAL;
}

static struct il_arg *il_arg_find(struct il_args *a, const char *key)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++) {
		if (!strcmp(a->arg[i].key, key)) {
			a->arg[i].used = true;
			return &a->arg[i];
		}
	}
	return NULL;
}

/**
 * il_arg - value of an argument
 * @a: the command
 * @key: name of the argument
 *
 * Return: its value, NULL when it is absent or a bare word.
 */
const char *il_arg(struct il_args *a, const char *key)
{
	struct il_arg *arg = il_arg_find(a, key);

	return arg ? arg->val : NULL;
}

/**
 * il_arg_flag - was a bare word given?
 * @a: the command
 * @key: the word; "word=1" counts as well, "word=0" as absent
 *
 * Return: true if so.
 */
bool il_arg_flag(struct il_args *a, const char *key)
{
	struct il_arg *arg = il_arg_find(a, key);

	return arg && (!arg->val || strcmp(arg->val, "0"));
}

static int il_parse_size(const char *text, u64 *val)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	*val = memparse(text, &end);
	return *end ? -EINVAL : 0;
}

/**
 * il_arg_u64 - a number within bounds
 * @a: the command
 * @key: name of the argument
 * @val: the number
 * @def: what to take when it is absent; outside the bounds: it must be given
 * @min: lowest good value
 * @max: highest good value
 *
 * Return: 0 or -EINVAL, with the reason in the answer.
 */
int il_arg_u64(struct il_args *a, const char *key, u64 *val, u64 def,
	       u64 min, u64 max)
{
	struct il_arg *arg = il_arg_find(a, key);

	*val = def;
	if (arg && (!arg->val || il_parse_size(arg->val, val)))
		return il_bad(a, "%s: not a number", key);
	if (!arg && (def < min || def > max))
		return il_bad(a, "%s= is missing", key);
	if (arg && (*val < min || *val > max))
		return il_bad(a, "%s: not within %llu..%llu", key, min, max);
	return 0;
}

/**
 * il_arg_sizes - a list of mapping sizes
 * @a: the command
 * @key: name of the argument
 * @sizes: IL_MAX_SIZES bytes sizes
 *
 * Return: how many, or -EINVAL with the reason in the answer.
 */
int il_arg_sizes(struct il_args *a, const char *key, u32 *sizes)
{
	const char *text = il_arg(a, key);
	char word[24];
	int nr = 0;
	size_t len;
	u64 val;

	if (!text)
		return il_bad(a, "%s= is missing", key);

	for (;;) {
		len = strcspn(text, ",");
		if (nr == IL_MAX_SIZES || len >= sizeof(word))
			return il_bad(a, "%s: too long", key);
		memcpy(word, text, len);
		word[len] = '\0';
		if (il_parse_size(word, &val) || !val || val > il_buffer_size)
			return il_bad(a, "%s: not within 1..%zu", key, il_buffer_size);
		sizes[nr++] = val;
		if (!text[len])
			return nr;
		text += len + 1;
	}
}

/**
 * il_args_end - refuse arguments that nobody asked for
 * @a: the command
 *
 * To be called before a command does anything, after it took its arguments.
 *
 * Return: 0 or -EINVAL, with the reason in the answer.
 */
int il_args_end(struct il_args *a)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++)
		if (!a->arg[i].used)
			return il_bad(a, "%s: unknown argument", a->arg[i].key);
	return 0;
}

static int il_args_parse(struct il_args *a, char *line)
{
	struct il_arg *arg;
	char *word, *key;

	while ((word = strsep(&line, " \t\n"))) {
		if (!*word)
			continue;
		if (!a->cmd) {
			a->cmd = word;
			continue;
		}
		if (a->nr == IL_MAX_ARGS)
			return il_bad(a, "too many arguments");
		key = strsep(&word, "=");
		if (il_arg_find(a, key))
			return il_bad(a, "%s: given twice", key);
		arg = &a->arg[a->nr++];
		arg->key = key;
		arg->val = word;
		arg->used = false;
	}
	return a->cmd ? 0 : il_bad(a, "no command");
}

static int il_run_line(char *line, struct il_result *r)
{
	struct il_args *a;
	unsigned int i;
	int ret;

	a = kzalloc_obj(*a);
	if (!a)
		return -ENOMEM;

	a->res = r;
	ret = il_args_parse(a, line);
	if (ret)
		goto out;

	ret = -EINVAL;
	for (i = 0; i < ARRAY_SIZE(il_commands); i++) {
		if (!strcmp(a->cmd, il_commands[i].name)) {
			ret = il_commands[i].run(a, r);
			goto out;
		}
	}
	il_bad(a, "unknown command, try help");
out:
	kfree(a);
	return ret;
}

static int il_run(char *line, struct il_result **res)
{
	struct il_result *r;
	int ret;

	r = kzalloc_obj(*r);
	if (!r)
		return -ENOMEM;
	kref_init(&r->ref);

	ret = mutex_lock_interruptible(&il_mutex);
	if (ret) {
		il_result_put(r);
		return ret;
	}
	do {
		ret = il_run_line(strsep(&line, ";"), r);
	} while (!ret && line);
	mutex_unlock(&il_mutex);

	if (r->lost)
		ret = -ENOMEM;
	r->lost = false;
	il_say(r, "status=%d\n", ret);
	*res = r;
	return ret;
}

static void il_last_set(struct il_result *r)
{
	struct il_result *old;

	if (r)
		kref_get(&r->ref);
	mutex_lock(&il_last_mutex);
	old = il_last;
	il_last = r;
	mutex_unlock(&il_last_mutex);
	il_result_put(old);
}

static struct il_result *il_last_get(void)
{
	struct il_result *r;

	mutex_lock(&il_last_mutex);
	r = il_last;
	if (r)
		kref_get(&r->ref);
	mutex_unlock(&il_last_mutex);
	return r;
}

static ssize_t il_write(struct file *file, const char __user *buf, size_t len,
			loff_t *ppos)
{
	struct il_file *f = file->private_data;
	struct il_result *r = NULL, *old;
	char *line;
	int ret;

	if (!len || len > IL_LINE_MAX)
		return -EINVAL;
	line = memdup_user_nul(buf, len);
	if (IS_ERR(line))
		return PTR_ERR(line);

	ret = il_run(line, &r);
	kfree(line);
	if (!r)
		return ret;

	il_last_set(r);
	mutex_lock(&f->mutex);
	old = f->res;
	f->res = r;
	f->pos = 0;
	mutex_unlock(&f->mutex);
	il_result_put(old);
	return ret ? ret : len;
}

static ssize_t il_read(struct file *file, char __user *buf, size_t len,
		       loff_t *ppos)
{
	struct il_file *f = file->private_data;
	ssize_t ret = 0;

	mutex_lock(&f->mutex);
	if (!f->res)
		f->res = il_last_get();
	if (f->res) {
		len = min(len, f->res->len - f->pos);
		if (len && copy_to_user(buf, f->res->text + f->pos, len)) {
			ret = -EFAULT;
		} else {
			f->pos += len;
			ret = len;
		}
	}
	mutex_unlock(&f->mutex);
	return ret;
}

static int il_open(struct inode *inode, struct file *file)
{
	struct il_file *f;

	f = kzalloc_obj(*f);
	if (!f)
		return -ENOMEM;

	mutex_init(&f->mutex);
	file->private_data = f;
	return stream_open(inode, file);
}

static int il_release(struct inode *inode, struct file *file)
{
	struct il_file *f = file->private_data;

	il_result_put(f->res);
	kfree(f);
	return 0;
}

static const struct file_operations il_fops = {
	.owner = THIS_MODULE,
	.open = il_open,
	.release = il_release,
	.read = il_read,
	.write = il_write,
};

static struct miscdevice il_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iova_load",
	.fops = &il_fops,
	.mode = 0600,
};

static int __init il_init(void)
{
	int ret;

	ret = il_devices_init();
	if (ret)
		return ret;

	ret = misc_register(&il_misc);
	if (ret)
		il_devices_exit();
	return ret;
}

static void __exit il_exit(void)
{
	misc_deregister(&il_misc);
	il_probe_exit();
	il_delay_exit();
	il_devices_exit();
	il_last_set(NULL);
}

module_init(il_init);
module_exit(il_exit);

MODULE_DESCRIPTION("Load generator and ground truth for IOVA allocator tests");
MODULE_AUTHOR("The iova project");
MODULE_LICENSE("GPL");
