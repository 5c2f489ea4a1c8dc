// SPDX-License-Identifier: GPL-2.0
/*
 * iova_policy: devices that went and may come back
 *
 * A reset of a slot (DPC, "remove" and "rescan") takes a device away and brings it
 * back within a second, above all one that misbehaves. Its protective cap and its
 * quarantine wait for it: by its path through the bridges and its IDs, until the
 * module goes.
 */

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "iovp.h"

#define IOVP_DEPTH	12	/* devices from a root port to an endpoint */
#define IOVP_REMEMBERED	256

/**
 * struct iovp_place - a device, wherever its bus numbers may go
 * @segment: PCI domain
 * @root: number of the root bus
 * @path: devfn of the device and of the bridges above it, upwards
 * @depth: used of @path
 * @ids: vendor, device, subsystem vendor, subsystem
 */
struct iovp_place {
	u32 segment;
	u8 root;
	u8 depth;
	u8 path[IOVP_DEPTH];
	u16 ids[4];
};

/**
 * struct iovp_memory - what waits for a device
 * @node: oldest first
 * @place: device
 * @cap: in bits, or 0
 * @quarantine: enum iova_policy_cause, or 0
 * @evidence: of the quarantine
 */
struct iovp_memory {
	struct list_head node;
	struct iovp_place place;
	u8 cap;
	u32 quarantine;
	struct iova_policy_evidence evidence;
};

static LIST_HEAD(iovp_memories);
static unsigned int iovp_nr_memories;
static DEFINE_MUTEX(iovp_memories_lock);

static void iovp_place(struct iovp_place *place, struct pci_dev *pdev)
{
	struct pci_dev *up;

	memset(place, 0, sizeof(*place));
	place->ids[0] = pdev->vendor;
	place->ids[1] = pdev->device;
	place->ids[2] = pdev->subsystem_vendor;
	place->ids[3] = pdev->subsystem_device;
	place->segment = pci_domain_nr(pdev->bus);
	for (up = pdev; up; up = pci_upstream_bridge(up)) {
		if (place->depth < IOVP_DEPTH)
			place->path[place->depth++] = up->devfn;
		place->root = up->bus->number;
	}
}

static void iovp_memory_drop(struct iovp_memory *memory)
{
	list_del(&memory->node);
	iovp_nr_memories--;
	kfree(memory);
}

static void iovp_memory_add(struct iovp_memory *memory)
{
	struct iovp_memory *oldest;

	if (iovp_nr_memories == IOVP_REMEMBERED) {
		oldest = list_first_entry(&iovp_memories, struct iovp_memory, node);
		pr_warn("iova_policy: too many removed devices, the oldest one's cap and quarantine are forgotten\n");
		iovp_memory_drop(oldest);
	}
	list_add_tail(&memory->node, &iovp_memories);
	iovp_nr_memories++;
}

/* A device goes. It is not in use any more. */
void iovp_remember(const struct iovp_dev *d)
{
	struct iovp_memory *memory;

	if (!d->cap && !d->quarantine)
		return;
	memory = kzalloc(sizeof(*memory), GFP_KERNEL);
	if (!memory) {
		dev_warn(iovp_device(d), "iova_policy: no memory to keep its cap and quarantine\n");
		return;
	}
	iovp_place(&memory->place, d->pdev);
	memory->cap = d->cap;
	memory->quarantine = d->quarantine;
	memory->evidence = d->evidence;
	mutex_lock(&iovp_memories_lock);
	iovp_memory_add(memory);
	mutex_unlock(&iovp_memories_lock);
}

/**
 * iovp_recall - a device has come
 * @d: device that nobody else knows yet; it gets its quarantine back
 *
 * Return: its cap of before, or 0.
 */
u8 iovp_recall(struct iovp_dev *d)
{
	struct iovp_memory *memory, *next;
	struct iovp_place place;
	u8 cap = 0;

	iovp_place(&place, d->pdev);
	mutex_lock(&iovp_memories_lock);
	list_for_each_entry_safe(memory, next, &iovp_memories, node) {
		if (memcmp(&memory->place, &place, sizeof(place)))
			continue;
		cap = memory->cap;
		d->quarantine = memory->quarantine;
		d->evidence = memory->evidence;
		iovp_memory_drop(memory);
	}
	mutex_unlock(&iovp_memories_lock);
	return cap;
}

/* All is switched off. */
void iovp_remember_no_caps(void)
{
	struct iovp_memory *memory;

	mutex_lock(&iovp_memories_lock);
	list_for_each_entry(memory, &iovp_memories, node)
		memory->cap = 0;
	mutex_unlock(&iovp_memories_lock);
}

void iovp_remember_exit(void)
{
	struct iovp_memory *memory, *next;

	list_for_each_entry_safe(memory, next, &iovp_memories, node)
		iovp_memory_drop(memory);
}
