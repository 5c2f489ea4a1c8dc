/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Caps on the DMA addresses of PCI devices, narrowest first: the first entry
 * that fits counts. Made by "iova compat build --format c" from compat/.
 */
#ifndef IOVA_POLICY_LIST_H
#define IOVA_POLICY_LIST_H

#include <linux/pci.h>
#include <linux/types.h>

/**
 * struct iova_policy_listed - a kind of device and its cap
 * @id: devices
 * @cap: bits that no address may exceed
 * @first_revision: lowest revision meant
 * @last_revision: highest revision meant
 * @bridges: the port above has to be one of these, ended by zeros; NULL: any
 */
struct iova_policy_listed {
	struct pci_device_id id;
	u8 cap;
	u8 first_revision;
	u8 last_revision;
	const struct pci_device_id *bridges;
};

static const struct pci_device_id iova_policy_asmedia_b_0[] = {
	{ 0x8086, PCI_ANY_ID, PCI_ANY_ID, PCI_ANY_ID, 0, 0 },
	{ 0x1b21, 0x2806, PCI_ANY_ID, PCI_ANY_ID, 0, 0 },
	{ }
};

static const struct iova_policy_listed iova_policy_list[] = {
	/* ASMedia ASM1061 SATA: compat/asmedia-b.toml */
	{ { 0x1b21, 0x0612, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0x0a,
	  iova_policy_asmedia_b_0 },
	/* ASMedia ASM1061 SATA: compat/asmedia-a.toml */
	{ { 0x1b21, 0x0612, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	{ { 0x1b21, 0x0611, 0x1b21, 0x1060, 0, 0 }, 43, 0x00, 0xff },
	{ { 0x1106, PCI_ANY_ID, PCI_ANY_ID, PCI_ANY_ID, 0x060400, 0xffff00 }, 43, 0x00, 0xff },
};

#endif
