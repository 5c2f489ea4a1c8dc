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

static const struct pci_device_id iova_policy_broadcom_tg3_behind_epb_0[] = {
	{ 0x1166, 0x0103, PCI_ANY_ID, PCI_ANY_ID, 0, 0 },
	{ }
};

static const struct iova_policy_listed iova_policy_list[] = {
	/* Xillybus FPGA core: compat/xillybus-pcie.toml */
	{ { 0x10ee, 0xebeb, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x1172, 0xebeb, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x11aa, 0xebeb, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x1204, 0xebeb, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* Teradici HD audio: compat/teradici-hda.toml */
	{ { 0x6549, 0x1200, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x6549, 0x2200, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* TBS DVB cards with the ecp3 bridge: compat/tbs-ecp3.toml */
	{ { 0x544d, 0x6178, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* Realtek RTL8851BE/8852AE/8852BE/8852BTE: compat/realtek-rtw89.toml */
	{ { 0x10ec, 0x8852, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x10ec, 0xa85a, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x10ec, 0xb852, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x10ec, 0xb85b, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x10ec, 0xb520, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x10ec, 0xb851, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* PEAK PCAN-PCIe FD: compat/peak-pciefd.toml */
	{ { 0x001c, 0x0013, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x001c, 0x0014, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x001c, 0x0017, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x001c, 0x0018, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x001c, 0x0019, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x001c, 0x001a, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* JMicron JMB582/JMB585 SATA: compat/jmicron-jmb58x.toml */
	{ { 0x197b, 0x0582, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x197b, 0x0585, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* Intel Elkhart Lake PSE Gigabit Ethernet: compat/intel-ehl-pse-gbe.toml */
	{ { 0x8086, 0x4ba0, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x8086, 0x4ba1, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x8086, 0x4ba2, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x8086, 0x4bb0, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x8086, 0x4bb1, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x8086, 0x4bb2, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* Broadcom BCM5788: compat/broadcom-bcm5788.toml */
	{ { 0x14e4, 0x169c, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* ATI SB600 SATA: compat/ati-sb600-ahci.toml */
	{ { 0x1002, 0x4380, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* Atheros L1E: compat/atheros-atl1e.toml */
	{ { 0x1969, 0x1026, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x1969, 0x1066, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* Atheros L1C/L2C/AR8151/AR8152: compat/atheros-atl1c.toml */
	{ { 0x1969, 0x1062, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x1969, 0x1063, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x1969, 0x1073, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x1969, 0x1083, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x1969, 0x2060, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	{ { 0x1969, 0x2062, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* Atheros L1: compat/atheros-atl1.toml */
	{ { 0x1969, 0x1048, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* ASMedia ASM3242 USB 3.2: compat/asmedia-asm3242.toml */
	{ { 0x1b21, 0x3242, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* ASMedia ASM2142/3142 USB 3.1: compat/asmedia-asm2142.toml */
	{ { 0x1b21, 0x2142, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* ASMedia ASM1166 SATA: compat/asmedia-asm1166.toml */
	{ { 0x1b21, 0x1166, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* ASMedia ASM1142 USB 3.1: compat/asmedia-asm1142.toml */
	{ { 0x1b21, 0x1242, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* ASMedia ASM1042A USB 3.0: compat/asmedia-asm1042a.toml */
	{ { 0x1b21, 0x1142, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* AMD 43d0 USB controller: compat/amd-43d0-xhci.toml */
	{ { 0x1022, 0x43d0, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 32, 0x00, 0xff },
	/* LSI SAS1078 (MPT Fusion): compat/lsi-sas1078.toml */
	{ { 0x1000, 0x0062, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 35, 0x00, 0xff },
	/* VIA VL805/806 USB 3.0: compat/via-vl805.toml */
	{ { 0x1106, 0x3483, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	/* Qualcomm WCN7850/QCN9274/QCC2072 (ath12k): compat/qualcomm-ath12k.toml */
	{ { 0x17cb, 0x1107, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x17cb, 0x1109, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x17cb, 0x1112, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	/* Qualcomm QCA6390/WCN6855/QCN9074 (ath11k): compat/qualcomm-ath11k.toml */
	{ { 0x17cb, 0x1101, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x17cb, 0x1103, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x17cb, 0x1104, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	/* MediaTek MT7990/7992/7996: compat/mediatek-mt7996.toml */
	{ { 0x14c3, 0x7990, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x14c3, 0x7991, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x14c3, 0x7992, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x14c3, 0x799a, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x14c3, 0x7993, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x14c3, 0x799b, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	/* Intel Trusted Execution Engine: compat/intel-txe.toml */
	{ { 0x8086, 0x0f18, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x8086, 0x2298, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	/* Intel Wireless 4965: compat/intel-iwl4965.toml */
	{ { 0x8086, 0x4229, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	{ { 0x8086, 0x4230, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 36, 0x00, 0xff },
	/* NVIDIA nForce Ethernet: compat/nvidia-forcedeth.toml */
	{ { 0x10de, 0x0037, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0038, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0056, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0057, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0268, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0269, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0372, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0373, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x03e5, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x03e6, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x03ee, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x03ef, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0450, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0451, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0452, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0453, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x054c, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x054d, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x054e, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x054f, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0760, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0761, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0762, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0763, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x07dc, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x07dd, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x07de, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x07df, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0ab0, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0ab1, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0ab2, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0ab3, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	{ { 0x10de, 0x0d7d, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 39, 0x00, 0xff },
	/* SLAC data acquisition card (datadev): compat/slac-datadev.toml */
	{ { 0x1a4a, 0x2030, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* Netronome NFP4000/5000/6000: compat/netronome-nfp6000.toml */
	{ { 0x19ee, 0x4000, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x19ee, 0x5000, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x19ee, 0x6000, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x19ee, 0x6003, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* Broadcom BCM5714/5715/5780: compat/broadcom-tg3-epb.toml */
	{ { 0x14e4, 0x1668, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x14e4, 0x1669, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x14e4, 0x166a, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x14e4, 0x166b, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x14e4, 0x1678, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x14e4, 0x1679, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* Broadcom network chip behind a ServerWorks EPB: compat/broadcom-tg3-behind-epb.toml */
	{ { 0x14e4, PCI_ANY_ID, PCI_ANY_ID, PCI_ANY_ID, 0x020000, 0xffff00 }, 40, 0x00, 0xff,
	  iova_policy_broadcom_tg3_behind_epb_0 },
	/* Broadcom BCM5708: compat/broadcom-bcm5708.toml */
	{ { 0x14e4, 0x164c, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x14e4, 0x16ac, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* AMD Cape Verde graphics: compat/amd-verde.toml */
	{ { 0x1002, 0x6820, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6821, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6822, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6823, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6824, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6825, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6826, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6827, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6828, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6829, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x682a, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x682b, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x682c, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x682d, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x682f, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6830, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6831, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6835, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6837, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6838, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6839, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x683b, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x683d, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x683f, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* AMD Tahiti graphics: compat/amd-tahiti.toml */
	{ { 0x1002, 0x6780, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6784, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6788, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x678a, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6790, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6791, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6792, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6798, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6799, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x679a, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x679b, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x679e, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x679f, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* AMD Pitcairn graphics: compat/amd-pitcairn.toml */
	{ { 0x1002, 0x6800, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6801, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6802, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6806, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6808, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6809, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6810, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6811, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6816, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6817, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6818, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6819, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* AMD Oland graphics: compat/amd-oland.toml */
	{ { 0x1002, 0x6600, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6601, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6602, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6603, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6604, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6605, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6606, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6607, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6608, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6610, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6611, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6613, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6617, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6620, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6621, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6623, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6631, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* AMD Hainan graphics: compat/amd-hainan.toml */
	{ { 0x1002, 0x6660, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6663, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6664, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6665, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x6667, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	{ { 0x1002, 0x666f, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 40, 0x00, 0xff },
	/* Cisco SCSI NIC (snic): compat/cisco-snic.toml */
	{ { 0x1137, 0x0046, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	/* ASMedia ASM1060/1061R/1062R/1062+JMB575 SATA: compat/asmedia-asm106x.toml */
	{ { 0x1b21, 0x0601, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	{ { 0x1b21, 0x0602, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	{ { 0x1b21, 0x0621, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	{ { 0x1b21, 0x0622, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	{ { 0x1b21, 0x0624, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	/* ASMedia ASM1061/1062 SATA: compat/asmedia-asm1061.toml */
	{ { 0x1b21, 0x0611, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	{ { 0x1b21, 0x0612, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 43, 0x00, 0xff },
	/* PMC-Sierra PM8001/8006 and Adaptec/ATTO relatives: compat/pmc-pm8001.toml */
	{ { 0x11f8, 0x8001, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x11f8, 0x8006, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x11f8, 0x8008, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x11f8, 0x8009, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x11f8, 0x8018, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x11f8, 0x8019, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x11f8, 0x8074, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x11f8, 0x8076, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x11f8, 0x8077, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8001, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8006, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8008, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8009, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8018, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8019, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8074, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8076, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x9005, 0x8077, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	{ { 0x117c, 0x0042, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 44, 0x00, 0xff },
	/* Cisco VIC Fibre Channel (fnic): compat/cisco-fnic.toml */
	{ { 0x1137, 0x0045, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 47, 0x00, 0xff },
	/* Cisco VIC Ethernet (enic): compat/cisco-enic.toml */
	{ { 0x1137, 0x0043, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 47, 0x00, 0xff },
	{ { 0x1137, 0x0044, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 47, 0x00, 0xff },
	{ { 0x1137, 0x0071, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 47, 0x00, 0xff },
	/* Intel QAT DH895xCC and virtual function: compat/intel-qat-dh895xcc.toml */
	{ { 0x8086, 0x0435, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	{ { 0x8086, 0x0443, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	/* Intel QAT C62x and virtual function: compat/intel-qat-c62x.toml */
	{ { 0x8086, 0x37c8, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	{ { 0x8086, 0x37c9, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	/* Intel QAT C3xxx and virtual function: compat/intel-qat-c3xxx.toml */
	{ { 0x8086, 0x19e2, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	{ { 0x8086, 0x19e3, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	/* Amazon instance storage NVMe: compat/amazon-nvme-local.toml */
	{ { 0x1d0f, 0xcd00, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	{ { 0x1d0f, 0xcd01, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	{ { 0x1d0f, 0xcd02, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	/* Amazon EBS NVMe: compat/amazon-nvme-ebs.toml */
	{ { 0x1d0f, 0x0061, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	{ { 0x1d0f, 0x0065, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	{ { 0x1d0f, 0x8061, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 48, 0x00, 0xff },
	/* Tenstorrent Blackhole: compat/tenstorrent-blackhole.toml */
	{ { 0x1e52, 0xb140, PCI_ANY_ID, PCI_ANY_ID, 0, 0 }, 58, 0x00, 0xff },
};

#endif
