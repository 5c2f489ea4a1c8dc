/* SPDX-License-Identifier: GPL-2.0 */
#ifndef IOVA_EDU_H
#define IOVA_EDU_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/types.h>

#define IE_TEXT_MAX	16384

/**
 * struct ie_text - the answer to the last command, lines of key=value
 * @len: bytes of @text
 * @text: the lines; what does not fit is cut off, and "status" with it
 */
struct ie_text {
	size_t len;
	char text[IE_TEXT_MAX];
};

__printf(2, 3) void ie_say(struct ie_text *t, const char *fmt, ...);

/* Protects the devices below and the last answer. Commands hold it. */
extern struct mutex ie_mutex;

/* Pages that are mapped beside the target, half of them above it. */
#define IE_CANARIES	8

/**
 * struct ie_dev - an edu device, while it is bound
 * @node: in the list of all
 * @pdev: the device
 * @regs: its registers
 * @target: page that the device is told to write to
 * @bystander: page that it is never told of
 * @bystander_at: its I/O address; 0 when it is not mapped
 * @canaries: how many are wanted
 * @canary: pages that are mapped while the device writes, and must not change
 * @canary_at: their I/O addresses
 * @going: it is about to go: commands end early
 */
struct ie_dev {
	struct list_head node;
	struct pci_dev *pdev;
	void __iomem *regs;
	struct page *target;
	struct page *bystander;
	dma_addr_t bystander_at;
	unsigned int canaries;
	struct page *canary[IE_CANARIES];
	dma_addr_t canary_at[IE_CANARIES];
	bool going;
};

struct ie_dev *ie_find(const char *name);

int ie_cmd_bystander(struct ie_dev *d, u64 at, struct ie_text *t);
int ie_cmd_verify(struct ie_dev *d, struct ie_text *t);
int ie_cmd_write(struct ie_dev *d, unsigned int bytes, unsigned int count,
		 unsigned int pause_ms, struct ie_text *t);

int ie_driver_init(void);
void ie_driver_exit(void);

#endif
