#!/bin/sh
# The lab's loads, until somebody ends them. `lab-load mixed`: disk, network, and a device whose driver maps many sizes.
# `lab-load filling SECONDS`: beside that, the disk's space below 4 GiB fills up. What stays are buffers of 384 KiB, as of a
# driver that never gives them back: each takes an aligned block of 512 KiB and leaves a hole for small requests only. In
# the end half a megabyte is nowhere, although a fifth of the space is free.

DISK=00:04.0

disk() { while :; do dd if=/dev/nvme0n1 of=/dev/null bs="$1" count="$2" iflag=direct 2>/dev/null; done; }
net() { while :; do nc echo 7 </dev/zero >/dev/null 2>&1; done; }
tell() { echo "$1" >/dev/iova_load; }
# In short commands: the module does one after the other.
pairs() {
	while tell "loop dev=00:05.0 sizes=4K,16K,64K,128K,512K count=200 burst=20 pause_us=5000"; do :; done
}
now() { cut -d. -f1 /proc/uptime; }

mixed() {
	disk 4k 2000 &
	disk 128k 200 &
	disk 1M 50 &
	net &
	modprobe iova_load && pairs &
}

filling() {
	modprobe iova_load
	tell "walk dev=$DISK"
	blocks=$(sed -n 's/^blocks_7=//p' /dev/iova_load)
	mixed
	start=$(now) held=0
	# By the clock: a guest may be slow.
	while [ "$held" -lt "$blocks" ]; do
		sleep 1
		due=$((blocks * ($(now) - start) / $1))
		[ "$due" -le "$blocks" ] || due=$blocks
		[ "$due" -gt "$held" ] || continue
		tell "hold dev=$DISK size=384K count=$((due - held)) keep=buffers"
		held=$due
	done
	tell "fill32 dev=$DISK size=384K keep=buffers"
	# Many small ones in the holes: they are what a search in vain walks past.
	tell "hold dev=$DISK size=4K count=20000 keep=small"
}

"$@"
wait
