//! Whether KVM works here, found out by booting a kernel with it.
//!
//! `/dev/kvm` may exist and still be of no use: under some hypervisors a stock kernel fails in its first
//! milliseconds. The verdict is kept until the machine restarts or gets another QEMU.

use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::initramfs::{self, Programs};
use super::qemu::{self, Accel};
use super::run;
use super::signals::Interrupted;
use super::spec::{GuestSpec, Iommu};
use crate::fsx::Lock;
use crate::kernels::{self, Line};
use crate::{cmd, paths, say};

/// A kernel under a working KVM is up in two.
const PATIENCE: Duration = Duration::from_secs(20);

/// The accelerator to use on this machine.
pub(crate) fn choose() -> Result<Accel> {
    if fs::File::options().read(true).write(true).open("/dev/kvm").is_err() {
        return Ok(Accel::Tcg);
    }
    let verdict = paths::cache()?.join("kvm-verdict");
    let machine = fingerprint()?;
    if let Some(accel) = known(&verdict, &machine) {
        return Ok(accel);
    }
    let _lock = Lock::take("kvm-verdict")?;
    if let Some(accel) = known(&verdict, &machine) {
        return Ok(accel);
    }
    let accel = probe()?;
    let word = if accel == Accel::Kvm { "works" } else { "fails" };
    fs::write(&verdict, format!("{machine} {word}\n"))
        .with_context(|| format!("cannot write {}", verdict.display()))?;
    Ok(accel)
}

fn known(verdict: &Path, machine: &str) -> Option<Accel> {
    let text = fs::read_to_string(verdict).ok()?;
    match text.trim().split_once(' ')? {
        (of, "works") if of == machine => Some(Accel::Kvm),
        (of, "fails") if of == machine => Some(Accel::Tcg),
        _ => None,
    }
}

fn probe() -> Result<Accel> {
    let mut spec = GuestSpec::new(Line::V6_12, Iommu::Intel, vec!["true".into()]);
    spec.timeout = PATIENCE;
    let kernel = kernels::ensure(spec.line)?;
    // Built out here: an image that can't be built says nothing about KVM.
    let image = initramfs::pack(&kernel, &spec, &Programs::bare()?)?;
    match run::boot(&kernel, &spec, Accel::Kvm, &image) {
        Ok(result) if result.code == 0 => {
            say(format_args!("KVM works here: a kernel was up in {:.1} s", result.boot().as_secs_f32()));
            Ok(Accel::Kvm)
        }
        Err(error) if error.is::<Interrupted>() => Err(error),
        failed => {
            let why = failed.map_or_else(|error| reason(&format!("{error:#}")), |_| "init failed".into());
            say(format_args!(
                "KVM does not boot a stock kernel here ({why}); QEMU's translator does, slowly"
            ));
            Ok(Accel::Tcg)
        }
    }
}

/// The telling line of a failure's many: what QEMU says about itself, else the first.
fn reason(error: &str) -> String {
    let lines = || error.lines().map(str::trim);
    lines().find_map(|line| line.strip_prefix("QEMU: ")).or(lines().next()).unwrap_or_default().to_owned()
}

/// Changes when the machine, its boot or its QEMU does.
fn fingerprint() -> Result<String> {
    let mut hasher = DefaultHasher::new();
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().hash(&mut hasher);
    cmd::stdout(cmd::command(qemu::PROGRAM).arg("--version"))?.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemu_knows_best_why_it_failed() {
        assert_eq!(
            reason("the guest ended.\n    QEMU: error: failed to set MSR\n    more"),
            "error: failed to set MSR"
        );
        assert_eq!(reason("the guest panicked.\n    The last lines"), "the guest panicked.");
    }
}
