//! QEMU's command line: the lab's machine.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;

use super::fds;
use super::spec::{GuestSpec, Iommu};
use crate::kernels::{Kernel, Line};

/// The program; Debian's package qemu-system-x86 has it.
pub(crate) const PROGRAM: &str = "qemu-system-x86_64";

/// Sparse, so it costs only what a guest writes.
pub(crate) const DISK_BYTES: u64 = 8 << 30;

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accel {
    /// The CPU itself.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

/// The descriptors of one guest; QEMU inherits them.
pub(crate) struct Backends {
    /// Console of the guest.
    pub(crate) console: UnixStream,
    /// Both ends of a console without a reader: QEMU inherits the other end as well, so that it stays open.
    pub(crate) unread: Option<(UnixStream, UnixStream)>,
    /// Frames between guest init and us.
    pub(crate) channel: UnixStream,
    /// The initramfs.
    pub(crate) image: File,
    /// The NVMe disk.
    pub(crate) disk: File,
}

/// The command that boots this guest.
pub(crate) fn command(kernel: &Kernel, spec: &GuestSpec, accel: Accel, backends: &Backends) -> Command {
    let mut qemu = Command::new(PROGRAM);
    qemu.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
    qemu.args(["-name", "iova-lab"]);
    // Names that a machine has, for the test that no report tells them.
    qemu.args(["-uuid", "5a7dfeed-0ddb-4a11-9cab-c01dbeefcafe"]);
    qemu.args(["-smbios", "type=1,manufacturer=Lab,product=Lab Machine,serial=SN5A7D0442,sku=SKU5A7D0443"]);
    qemu.args([
        "-smbios",
        "type=2,serial=BSN5A7D0445",
        "-smbios",
        "type=3,serial=CSN5A7D0446,asset=TAG5A7D0447",
    ]);
    machine(&mut qemu, spec, accel);
    devices(&mut qemu, spec, backends);
    qemu.arg("-kernel").arg(&kernel.vmlinuz);
    qemu.args(["-initrd", &fds::own_path(&backends.image)]);
    qemu.args(["-append", &parameters(spec, accel)]);
    let sockets = [backends.console.as_raw_fd(), backends.channel.as_raw_fd()];
    let unread: Vec<_> =
        backends.unread.iter().flat_map(|(near, far)| [near.as_raw_fd(), far.as_raw_fd()]).collect();
    let state: Vec<_> = spec.state.iter().chain(&spec.state_log).map(AsRawFd::as_raw_fd).collect();
    let files = [backends.image.as_raw_fd(), backends.disk.as_raw_fd()];
    fds::inherit(&mut qemu, [&sockets[..], &unread, &files, &state].concat());
    qemu
}

fn machine(qemu: &mut Command, spec: &GuestSpec, accel: Accel) {
    // VT-d's interrupt remapping wants the I/O APIC in user space.
    qemu.args(["-machine", if spec.iommu == Iommu::Intel { "q35,kernel-irqchip=split" } else { "q35" }]);
    qemu.args(["-cpu", "max", "-m", &spec.memory.to_string()]);
    let cpus = if spec.icount { 1 } else { spec.cpus };
    qemu.args(["-smp", &cpus.to_string()]);
    match accel {
        Accel::Kvm => qemu.args(["-accel", "kvm"]),
        Accel::Tcg if spec.icount => qemu.args(["-accel", "tcg", "-icount", "shift=0,sleep=off"]),
        // One thread for all CPUs. The kernel patches its text when a tracer attaches, and at boot; with a thread for each
        // CPU, QEMU runs such an instruction half patched now and then ("Oops: int3"): in 2 of 37 boots of
        // 6.12 with a small suite.
        Accel::Tcg => qemu.args(["-accel", "tcg,thread=single"]),
    };
}

/// Slots are fixed, so that a device has the same address behind every IOMMU.
fn devices(qemu: &mut Command, spec: &GuestSpec, backends: &Backends) {
    // The IOMMU comes first: QEMU puts only later devices behind it.
    qemu.args([
        "-device",
        match spec.iommu {
            Iommu::Intel => "intel-iommu,intremap=on,aw-bits=48",
            Iommu::Amd => "amd-iommu",
            Iommu::Virtio => "virtio-iommu-pci,addr=02.0",
        },
    ]);
    // A guest's TCP connection to this address comes back to it byte by byte: traffic in both directions.
    qemu.args(["-netdev", "user,id=net,guestfwd=tcp:10.0.2.100:7-cmd:cat"]);
    qemu.args(["-device", "e1000e,netdev=net,mac=52:54:00:c0:ff:ee,romfile=,addr=03.0"]);
    let disk = backends.disk.as_raw_fd();
    qemu.args(["-add-fd", &format!("fd={disk},set=1")]);
    qemu.args([
        "-blockdev",
        "driver=raw,node-name=disk,discard=unmap,file.driver=file,file.filename=/dev/fdset/1",
    ]);
    qemu.args(["-device", "nvme,drive=disk,serial=iova-lab,addr=04.0"]);
    if let Some(state) = &spec.state {
        state_disk(qemu, state, spec.state_log.as_deref());
    }
    // It drops address bits silently, as broken hardware does.
    qemu.args(["-device", &format!("edu,dma_mask={:#x},addr=05.0", spec.edu_mask)]);
    crowd(qemu, spec.crowd);
    for (slot, mask) in &spec.more_edus {
        qemu.args(["-device", &format!("edu,dma_mask={mask:#x},addr={slot:02x}.0")]);
    }
    let read = [("console", &backends.console), ("channel", &backends.channel)];
    for (name, socket) in read.into_iter().chain(backends.unread.iter().map(|(near, _)| ("unread", near))) {
        qemu.args(["-chardev", &format!("socket,id={name},fd={}", socket.as_raw_fd())]);
        qemu.args(["-serial", &format!("chardev:{name}")]);
    }
}

/// A disk that outlives the guest, and the log of what is written to it.
fn state_disk(qemu: &mut Command, state: &File, log: Option<&File>) {
    qemu.args(["-add-fd", &format!("fd={},set=2", state.as_raw_fd())]);
    qemu.args(["-blockdev", "driver=raw,node-name=state,file.driver=file,file.filename=/dev/fdset/2"]);
    let mut drive = "state";
    if let Some(log) = log {
        qemu.args(["-add-fd", &format!("fd={},set=3", log.as_raw_fd())]);
        qemu.args(["-blockdev", "driver=raw,node-name=log,file.driver=file,file.filename=/dev/fdset/3"]);
        // Its head counts each entry at once, since nobody else will.
        qemu.args([
            "-blockdev",
            "driver=blklogwrites,node-name=logged,file=state,log=log,log-super-update-interval=1",
        ]);
        drive = "logged";
    }
    qemu.args(["-device", &format!("virtio-blk-pci,drive={drive},addr=06.0")]);
}

/// Devices that do nothing by themselves. Eight root ports share a slot; the first slots are others'. SeaBIOS would give each
/// port 4 KiB of the 64 KiB of I/O ports, and hang when they are used up.
fn crowd(qemu: &mut Command, count: u8) {
    for number in 0..count {
        let (slot, function) = (7 + number / 8, number % 8);
        let port = format!("pcie-root-port,id=port{number},chassis={number},addr={slot:02x}.{function}");
        qemu.args(["-device", &format!("{port},multifunction=on,hotplug=off,io-reserve=0")]);
        qemu.args(["-device", &format!("edu,bus=port{number}")]);
    }
}

/// The kernel's parameters.
fn parameters(spec: &GuestSpec, accel: Accel) -> String {
    // The log is large, because a splat check over half a log proves nothing. A task that died of an oops leaves others
    // waiting for ever: better an end with a message.
    let mut words = Vec::from(if spec.unread_console { &["console=ttyS2"][..] } else { &[] });
    words.extend(["console=ttyS0", "quiet", "oops=panic", "panic=-1", "log_buf_len=4M"]);
    if accel == Accel::Tcg {
        // A translated guest stands still whenever the host is busy. That is no reason to find the timer broken
        // (VT-d even panics then) or a CPU stuck.
        words.extend(["no_timer_check", "watchdog_thresh=60", "rcupdate.rcu_cpu_stall_timeout=120"]);
        // A second of each boot, for ciphers that nothing here uses.
        words.push("cryptomgr.notests");
    }
    if spec.iommu == Iommu::Intel {
        words.push("intel_iommu=on");
    }
    words.push(if spec.passthrough { "iommu=pt" } else { "iommu.passthrough=0" });
    if spec.strict {
        words.push("iommu.strict=1");
        if spec.line == Line::V5_10 && spec.iommu == Iommu::Intel {
            // There VT-d has a switch of its own and ignores the common one.
            words.push("intel_iommu=strict");
        }
    }
    words.extend(spec.append.iter().map(String::as_str));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strictness_is_spelled_per_kernel() {
        let mut spec = GuestSpec::new(Line::V5_10, Iommu::Intel, vec![]);
        assert!(!parameters(&spec, Accel::Tcg).contains("strict"));
        spec.strict = true;
        assert!(
            parameters(&spec, Accel::Tcg)
                .ends_with("intel_iommu=on iommu.passthrough=0 iommu.strict=1 intel_iommu=strict")
        );
        spec.line = Line::V6_12;
        assert!(parameters(&spec, Accel::Tcg).ends_with("iommu.strict=1"));
    }

    #[test]
    fn only_a_translated_guest_gets_patience() {
        let spec = GuestSpec::new(Line::V6_12, Iommu::Intel, vec![]);
        assert!(parameters(&spec, Accel::Tcg).contains("no_timer_check"));
        assert!(!parameters(&spec, Accel::Kvm).contains("no_timer_check"));
    }

    #[test]
    fn the_users_parameters_come_last() {
        let mut spec = GuestSpec::new(Line::V6_12, Iommu::Amd, vec![]);
        spec.append = vec!["loglevel=7".into(), "lockdown=integrity".into()];
        assert!(parameters(&spec, Accel::Tcg).ends_with("iommu.passthrough=0 loglevel=7 lockdown=integrity"));
    }
}
