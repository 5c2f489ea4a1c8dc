//! What a guest needs before its command: file systems, modules, devices, an address.
//!
//! Nothing here ends the run. A kernel without tracefs or a machine without a NIC is something to measure too, so
//! what is missing becomes a line of the report.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use iova_guest::Job;

/// Devices of a guest under TCG on a busy machine take seconds, not minutes.
const DEVICE_DEADLINE: Duration = Duration::from_secs(60);

/// (file system, where, options, whether every kernel of the matrix has it)
const MOUNTS: [(&str, &str, &str, bool); 11] = [
    ("proc", "/proc", "", true),
    ("sysfs", "/sys", "", true),
    ("devtmpfs", "/dev", "mode=0755", true),
    ("devpts", "/dev/pts", "mode=0620,ptmxmode=0666", false),
    ("tmpfs", "/dev/shm", "mode=1777", true),
    ("tmpfs", "/tmp", "mode=1777", true),
    ("tmpfs", "/run", "mode=0755", true),
    ("debugfs", "/sys/kernel/debug", "", false),
    ("tracefs", "/sys/kernel/tracing", "", false),
    ("bpf", "/sys/fs/bpf", "mode=0700", false),
    ("securityfs", "/sys/kernel/security", "", false),
];

/// Mounts the file systems that a full user space would have.
pub(crate) fn mounts() -> Vec<String> {
    let mut problems = Vec::new();
    for (kind, target, options, needed) in MOUNTS {
        // sysfs makes its own mount points; where it has none the kernel lacks the feature.
        let _ = fs::create_dir_all(target);
        if let Err(error) = mount(kind, target, options)
            && needed
        {
            problems.push(format!("{target}: {error:#}"));
        }
    }
    for (link, to) in [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
    ] {
        let _ = std::os::unix::fs::symlink(to, link);
    }
    problems
}

/// Gives the guest a name, for whoever prints one.
pub(crate) fn name(name: &str) {
    // SAFETY: the pointer and the length describe a live string.
    unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
}

/// Mounts one file system.
pub(crate) fn mount(kind: &str, target: &str, options: &str) -> Result<()> {
    let (kind, target, options) = (CString::new(kind)?, CString::new(target)?, CString::new(options)?);
    // SAFETY: all pointers are NUL-terminated strings that outlive the call.
    let result =
        unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    if result != 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(())
}

/// Loads modules in the order given.
pub(crate) fn modules(paths: &[String]) -> Vec<String> {
    paths.iter().filter_map(|path| load(path).err().map(|error| format!("{error:#}"))).collect()
}

fn load(path: &str) -> Result<()> {
    let file = File::open(path).with_context(|| format!("opening module {path}"))?;
    // SAFETY: the descriptor is open, and the parameter string is a static NUL-terminated one.
    let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    let error = std::io::Error::last_os_error();
    if result != 0 && error.raw_os_error() != Some(libc::EEXIST) {
        return Err(error).with_context(|| format!("loading module {path}"));
    }
    Ok(())
}

/// Lets a driver that does nothing claim each device and leave it again; its IOMMU group stays.
pub(crate) fn claim(devices: &[String]) -> Vec<String> {
    let claim = |device: &String| -> Result<()> {
        let wish = Path::new("/sys/bus/pci/devices").join(device).join("driver_override");
        fs::write(&wish, "pci-stub")?;
        fs::write("/sys/bus/pci/drivers_probe", device)?;
        fs::write("/sys/bus/pci/drivers/pci-stub/unbind", device)?;
        Ok(fs::write(&wish, "\n")?)
    };
    let failed =
        |device| claim(device).err().map(|error| format!("claiming {device} with pci-stub: {error:#}"));
    devices.iter().filter_map(failed).collect()
}

/// Waits for the job's devices and configures its network interface.
pub(crate) fn devices(job: &Job) -> Vec<String> {
    let deadline = Instant::now() + DEVICE_DEADLINE;
    let mut problems = Vec::new();
    problems.extend(run(&["ip", "link", "set", "lo", "up"]).err().map(|e| format!("{e:#}")));
    if let Some(name) = &job.netdev {
        problems.extend(network(name, deadline).err().map(|error| format!("{error:#}")));
    }
    for path in &job.wait_for {
        if !wait(deadline, || Path::new(path).exists()) {
            problems.push(format!("{path} did not appear within {} s", DEVICE_DEADLINE.as_secs()));
        }
    }
    problems
}

/// The address that QEMU's user-mode network expects a guest to have.
fn network(name: &str, deadline: Instant) -> Result<()> {
    if !wait(deadline, || Path::new("/sys/class/net").join(name).exists()) {
        bail!("network interface {name} did not appear within {} s", DEVICE_DEADLINE.as_secs());
    }
    run(&["ip", "addr", "add", "10.0.2.15/24", "dev", name])?;
    run(&["ip", "link", "set", name, "up"])?;
    run(&["ip", "route", "add", "default", "via", "10.0.2.2"])?;
    let carrier = Path::new("/sys/class/net").join(name).join("carrier");
    if !wait(deadline, || fs::read_to_string(&carrier).is_ok_and(|text| text.trim() == "1")) {
        bail!("network interface {name} has no link after {} s", DEVICE_DEADLINE.as_secs());
    }
    Ok(())
}

/// Polls until `ready` or the deadline.
fn wait(deadline: Instant, ready: impl Fn() -> bool) -> bool {
    while !ready() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

fn run(argv: &[&str]) -> Result<()> {
    let output = Command::new("/bin/busybox").args(argv).output().context("running busybox")?;
    if !output.status.success() {
        bail!("{}: {}", argv.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
