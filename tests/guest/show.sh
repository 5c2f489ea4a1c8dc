#!/bin/sh
# What `cargo xtask lab` shows on a terminal if nothing else is asked for: `iova top`, while the disk's space below 4 GiB
# fills up within two minutes. Arguments go to `iova top`. Init ends the load when the user has seen enough.

# The screen belongs to one program, not to the kernel.
dmesg -n 1
# So that the cure can be tried.
modprobe iova_policy
lab-load filling 120 >/dev/null 2>&1 &

exec iova top --profile full "$@"
