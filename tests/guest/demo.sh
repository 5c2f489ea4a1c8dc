#!/bin/sh
# What `cargo xtask lab` runs if nothing else is asked for: a mixed load, and a report about it. Arguments replace the
# report's own. Init ends the load when the report is done.

disk() { while :; do dd if=/dev/nvme0n1 of=/dev/null bs="$1" count="$2" iflag=direct 2>/dev/null; done; }
net() { while :; do nc echo 7 </dev/zero >/dev/null 2>&1; done; }
# A device whose driver maps many sizes, a little at a time.
pairs() { echo "loop dev=00:05.0 sizes=4K,16K,64K,128K,512K count=1000000 burst=20 pause_us=5000" >/dev/iova_load; }

disk 4k 2000 &
disk 128k 200 &
disk 1M 50 &
net &
modprobe iova_load && pairs &

[ $# -gt 0 ] || set -- --duration 10
iova report "$@"
