//! PID 1 of a lab guest: prepares the system, runs one [`Job`], reports, powers off.
//!
//! It is the only init there is: no udev, no services, no fixed sleeps. Whatever the host wants back travels as
//! frames over the second UART (see [`channel`]); the console stays for the kernel.

mod accounting;
mod collect;
mod command;
mod prepare;

use anyhow::{Context, Result};
use iova_guest::channel::{self, send};
use iova_guest::wire::Kind;
use iova_guest::{Job, Report, job};

use self::accounting::Accounting;

fn main() {
    if let Err(error) = serve() {
        // Without a channel the console is the only place left to speak; the host prints its last lines.
        eprintln!("guest-init: {error:#}");
    }
    power_off();
}

fn serve() -> Result<()> {
    prepare::name("iova-lab");
    let mut problems = prepare::mounts();
    let channel = channel::open(job::CHANNEL)?;
    let text =
        std::fs::read_to_string(job::JOB_PATH).with_context(|| format!("reading {}", job::JOB_PATH))?;
    let job: Job = serde_json::from_str(&text).with_context(|| format!("reading {}", job::JOB_PATH))?;

    let accounting = job.accounting.then(Accounting::start).flatten();
    problems.extend(prepare::modules(&job.modules));
    problems.extend(prepare::claim(&job.claim));
    problems.extend(prepare::devices(&job));
    send(&channel, Kind::Started, &[])?;
    let code = command::run(&job, &channel, &mut problems)?;
    let iova = accounting.and_then(Accounting::finish);

    for (index, path) in job.out.iter().enumerate() {
        if let Err(error) = collect::tree(&channel, index, path.as_ref()) {
            problems.push(format!("{path}: {error:#}"));
        }
    }
    if let Err(error) = channel::send_kernel_log(&channel) {
        problems.push(format!("/dev/kmsg: {error:#}"));
    }
    send(&channel, Kind::Report, &serde_json::to_vec(&Report { code, problems, iova })?)?;
    channel::drain(&channel);
    Ok(())
}

fn power_off() -> ! {
    if std::path::Path::new("/sys/module/virtio_iommu").exists() {
        // An orderly shutdown resets the virtio IOMMU before the devices behind it, whose drivers then wait for
        // ever on DMA that can't happen. This restarts at once; QEMU takes a restart for the end (-no-reboot).
        let _ = std::fs::write("/proc/sysrq-trigger", "b");
    }
    // SAFETY: sync and reboot take no pointers; PID 1 of this guest may end it.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
        // Reached if the machine has no way to power off: a restart ends QEMU too (-no-reboot).
        libc::reboot(libc::RB_AUTOBOOT);
    }
    loop {
        std::thread::park();
    }
}
