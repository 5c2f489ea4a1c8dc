//! Which devices are tried, and which are not and why.

use super::super::ladder;
use super::Look;
use crate::args::verify::VerifyArgs;
use crate::commands::policy::host;
use crate::exit::Stop;
use iova_core::inventory::Device;
use iova_core::policy::boot_trial::{LeftOut, Plan, Suspect, kexec, parameter};
use iova_core::policy::history::Identity;
use iova_core::policy::module::Control;
use iova_core::policy::verify::{FIRST, Facts};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a boot is looked at without a command.
const WATCH: Duration = Duration::from_secs(60);

pub(super) fn plan(look: &Look, args: &VerifyArgs) -> Result<Plan, Stop> {
    let control = Control::open(Some(&look.kernel)).map_err(host::stop)?;
    let (mut suspects, mut left_out) = (Vec::new(), Vec::new());
    for device in devices(look, &args.device)? {
        match suspect(look, &control, device, args.root_disk) {
            Ok(suspect) => suspects.push(suspect),
            Err(why) => left_out.push(LeftOut { bdf: device.bdf.clone(), why }),
        }
    }
    if suspects.is_empty() {
        let first = left_out.first().map(|left| format!("{}: {}", left.bdf, left.why));
        let why = first.unwrap_or_else(|| "no PCI device is behind an IOMMU".to_owned());
        return Err(Stop::unusable(format!("no device can be tried; {why}")));
    }
    fits(&suspects)?;
    let kernel = look.inventory.host.kernel.clone();
    let file = |given: &Option<std::path::PathBuf>, found, what, option| {
        // Later rounds are prepared by a unit, whose directory is another one.
        given
            .as_ref()
            .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()))
            .or(found)
            .ok_or_else(|| {
                Stop::unusable(format!(
                    "the {what} of Linux {kernel} was not found in its usual places: name it with {option}"
                ))
            })
    };
    Ok(Plan {
        schema_version: 1,
        id: id(),
        image: file(&args.kernel_image, kexec::image(&look.root, &kernel), "image", "--kernel-image")?,
        initrd: file(&args.initrd, kexec::initrd(&look.root, &kernel), "initramfs", "--initrd")?,
        more: more(look, args, &left_out),
        kernel,
        suspects,
        left_out,
        bisect: args.bisect,
        reboot: args.reboot,
        watch_ms: u64::try_from(watch(args).as_millis()).unwrap_or(u64::MAX),
        command: from_anywhere(&args.command),
        rounds: Vec::new(),
        answer: None,
    })
}

/// The same command for a unit, whose directory is not this one: a program that was named by its place has its whole path.
fn from_anywhere(command: &[String]) -> Vec<String> {
    let mut command = command.to_vec();
    if let Some(program) = command.first_mut().filter(|program| program.contains('/'))
        && let Some(whole) = std::path::absolute(program.as_str())
            .ok()
            .and_then(|path| path.into_os_string().into_string().ok())
    {
        *program = whole;
    }
    command
}

/// A command is run once, unless a time is given.
fn watch(args: &VerifyArgs) -> Duration {
    args.step.unwrap_or(if args.command.is_empty() { WATCH } else { Duration::ZERO })
}

/// Those that were named, else every PCI device with a driver.
fn devices<'a>(look: &'a Look, named: &[String]) -> Result<Vec<&'a Device>, Stop> {
    if named.is_empty() {
        let all = look.inventory.devices.iter();
        return Ok(all.filter(|device| device.bus == "pci" && device.driver.is_some()).collect());
    }
    named.iter().map(|word| host::one(&look.inventory, word)).collect()
}

fn suspect(look: &Look, control: &Control, device: &Device, root_disk: bool) -> Result<Suspect, String> {
    let bdf = &device.bdf;
    let driver = device.driver.clone().ok_or("no driver is bound, so its width is not known")?;
    if is_built_in(look, device) {
        return Err(format!(
            "its driver {driver} is built into the kernel, and bound before a module is there"
        ));
    }
    if Facts::gather(&look.root, &look.inventory, device).is_root_disk && !root_disk {
        return Err("the root file system is on it; --root-disk tries it all the same".to_owned());
    }
    let widths = ladder::ask(control, device, FIRST, None).map_err(|stop| stop.message)?.widths;
    let width = *widths.last().ok_or("neither it nor its IOMMU can do more than 32 bits")?;
    let identity = Identity::read(&look.root, bdf).ok_or("it is no PCI device")?;
    let bdf = bdf.parse().map_err(|_| "the module has no number for its address".to_owned())?;
    Ok(Suspect { bdf, identity, driver, width })
}

/// A driver that is a module has a link to it.
fn is_built_in(look: &Look, device: &Device) -> bool {
    let link = |driver: &String| look.root.exists(format!("sys/bus/pci/drivers/{driver}/module"));
    device.driver.as_ref().is_some_and(|driver| !link(driver))
}

fn fits(suspects: &[Suspect]) -> Result<(), Stop> {
    let word = parameter::write("00000000", 1, suspects.iter().map(|suspect| (suspect.bdf, suspect.width)));
    if word.len() <= parameter::MAX {
        return Ok(());
    }
    Err(Stop::unusable(format!(
        "{} devices do not fit on the kernel's command line ({} of {} bytes): name fewer of them",
        suspects.len(),
        word.len(),
        parameter::MAX
    )))
}

/// Where every device is to be tried, those with a driver in the kernel are reached by the kernel's own switch.
fn more(look: &Look, args: &VerifyArgs, left_out: &[LeftOut]) -> Option<String> {
    let is_left = |device: &&Device| left_out.iter().any(|left| left.bdf == device.bdf);
    let built_in = look.inventory.devices.iter().filter(is_left).any(|device| is_built_in(look, device));
    let option = look.control.boot_option().filter(|_| args.device.is_empty() && built_in)?;
    let line = look.root.text("proc/cmdline").unwrap_or_default();
    (!line.split_ascii_whitespace().any(|word| word == option)).then(|| option.to_owned())
}

/// Tells trials of one machine apart; nothing more.
fn id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:08x}", since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_program_is_found_from_another_directory() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let here = std::env::current_dir().unwrap().join("check.sh").into_os_string().into_string().unwrap();
        assert_eq!(from_anywhere(&words(&["./check.sh", "./x"])), [here.as_str(), "./x"]);
        for same in [&["/bin/true"][..], &["fio", "a/b"], &[]] {
            assert_eq!(from_anywhere(&words(same)), same);
        }
    }
}
