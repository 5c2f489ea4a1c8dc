#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# For dracut (Fedora, RHEL, SUSE, Arch): goes to /usr/lib/dracut/modules.d/95iova-boot-trial. Then: dracut -f --add iova-boot-trial

check() {
	require_binaries modprobe || return 1
	# Only where it is asked for.
	return 255
}

depends() {
	return 0
}

installkernel() {
	instmods iova_policy
}

install() {
	inst_script /usr/lib/iova/iova-boot-trial
	inst_hook pre-trigger 10 /usr/lib/iova/iova-boot-trial
}
