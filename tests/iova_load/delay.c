// SPDX-License-Identifier: GPL-2.0
/*
 * iova_load: an allocator that is slower by a known number of instructions
 *
 * "delay rounds=N" makes every call of alloc_iova_fast(), for whatever device,
 * take N rounds of a loop. With 0 rounds only the probe itself costs something,
 * so two numbers of rounds differ by the loop alone. "delay off" ends it.
 */

#include <linux/compiler.h>
#include <linux/kprobes.h>

#include "iova_load.h"

static u64 il_rounds;

static int il_on_delay(struct kprobe *p, struct pt_regs *regs)
{
	u64 rounds = READ_ONCE(il_rounds);

	while (rounds--)
		barrier();
	return 0;
}

static struct kprobe il_delay = {
	.symbol_name = "alloc_iova_fast",
	.pre_handler = il_on_delay,
};

static bool il_delay_on;

static int il_delay_start(void)
{
	int ret;

	if (il_delay_on)
		return 0;
	/* A probe that is registered again must not look used. */
	il_delay.addr = NULL;
	il_delay.flags = 0;
	ret = register_kprobe(&il_delay);
	il_delay_on = !ret;
	return ret;
}

int il_cmd_delay(struct il_args *a, struct il_result *r)
{
	bool off = il_arg_flag(a, "off");
	u64 rounds;
	int ret;

	ret = il_arg_u64(a, "rounds", &rounds, 0, 0, 1000000) ?: il_args_end(a);
	if (ret)
		return ret;
	if (off) {
		il_delay_exit();
		return 0;
	}
	WRITE_ONCE(il_rounds, rounds);
	ret = il_delay_start();
	il_say(r, "rounds=%llu\n", rounds);
	return ret;
}

void il_delay_exit(void)
{
	if (il_delay_on)
		unregister_kprobe(&il_delay);
	il_delay_on = false;
}
