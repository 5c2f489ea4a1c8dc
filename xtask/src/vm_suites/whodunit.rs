//! A boot trial (`iova verify --boot --bisect --reboot`) that nobody attends: the guest restarts itself by kexec until it has
//! an answer, then by its firmware, which ends the emulator. What it has left on its disk is looked at in one more boot.
//!
//! Where no fault tells, the machine also dies of the first boot, and is switched on again.

use std::sync::Arc;

use anyhow::{Context as _, Result, bail};

use super::boots::MODULE;
use super::goes_on;
use super::matrix::{Configuration, culprit_address};
use super::tally::Tally;
use crate::lab::{self, GuestSpec, Io, Iommu, Programs};
use crate::{fsx, say};

/// As `tests/guest/src/boot` has them: the trial itself, and the boot after it.
const BOOTS: [&str; 2] = ["whodunit", "stock-again"];
/// Room for a kernel and an initramfs.
const DISK_MIB: u64 = 512;

pub(super) fn run(
    configuration: Configuration,
    programs: &Programs,
    io: Io,
    text: &mut String,
) -> Result<Tally> {
    let name = configuration.to_string();
    let image = lab::Image::systemd(configuration.line, programs, &[MODULE, "tests/iova_edu"])?;
    let state = Arc::new(disk(&image)?);
    let mut total = Tally::default();
    // As tests/guest/src/boot has it.
    let mut dies = configuration.iommu == Iommu::Amd;
    for boot in BOOTS {
        let mut spec = GuestSpec { io, state: Some(Arc::clone(&state)), ..configuration.guest(Vec::new()) };
        // The initramfs is in memory twice while the next kernel is loaded.
        spec.memory = 3072;
        let culprit = format!("iova.culprit={}", culprit_address());
        spec.append.extend(["systemd.condition-needs-update=0".into(), format!("iova.boot={boot}"), culprit]);
        spec.append.extend((configuration.iommu == Iommu::Amd).then(|| "iova.dies".into()));
        let result = match image.boot(&spec) {
            Err(error) => match error.downcast_ref() {
                Some(lab::EndedEarly(spent)) if dies => {
                    say(format_args!("{name}: {boot}: died, as it should; switched on again"));
                    total.spend(*spent);
                    dies = false;
                    image.boot(&spec)?
                }
                _ => return Err(error),
            },
            Ok(result) => result,
        };
        if dies {
            bail!("{boot} should have died of its first trial");
        }
        let off = result.spent.wall.as_secs_f32();
        say(format_args!("{name}: {boot}: off after {off:.1} s"));
        if !goes_on(&name, &result, io, text, &mut total) {
            break;
        }
    }
    Ok(total)
}

/// The guest's own kernel, where it can load it from.
fn disk(image: &lab::Image) -> Result<std::fs::File> {
    let stage = fsx::stage("whodunit");
    let boot = stage.join("boot");
    std::fs::create_dir_all(&boot).with_context(|| format!("cannot create {}", boot.display()))?;
    let made = image.write(&boot).and_then(|()| lab::state_disk(DISK_MIB, Some(&stage)));
    let removed = fsx::remove_tree(&stage);
    let disk = made?;
    removed.map(|()| disk)
}
