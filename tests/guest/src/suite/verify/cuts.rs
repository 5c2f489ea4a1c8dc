//! One boot of a row in which the power is cut in the middle of a verification: what the cut before has left, and then
//! something to cut again. What is to be done stands on the kernel's command line.

mod journal;
mod sight;

use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use iova_guest::cuts::{BEGINS, Deed, ENDED, LEFT, MOUNT, PARAMETER, STATE};
use serde_json::Value;

use self::journal::Left;
use self::sight::Sight;
use super::answer::{self, tell};
use super::disk::{SCRATCH, appears};
use crate::Outcome;
use crate::policy::device::{self, NVME};
use crate::robust::run::{Answer, ask};

/// The disk that outlives a boot.
const STATE_DISK: &str = "/dev/vda";
/// Some steps are enough.
const TO: u64 = 38;
/// A cut comes long before that.
const UNCUT: Duration = Duration::from_secs(600);

pub(super) fn after_a_cut() -> Result<Outcome> {
    let deed = deed()?;
    mount()?;
    is_as_booted()?;
    let left = Left::read(STATE)?;
    println!("{LEFT}{left}");
    left.tell()?;
    alone_is_refused_if_open(&left)?;
    let resumes = left.is_open() && deed == Deed::Resume;
    match (deed, left.is_open()) {
        (Deed::Resume, _) => {}
        (Deed::Close, true) => close(&left)?,
        (_, true) => finish(&left)?,
        (_, false) => nothing_is_open(&left)?,
    }
    if deed == Deed::Last {
        return Ok(Outcome::Passed);
    }
    if !resumes {
        is_as_booted()?;
    }
    let args: &[&str] = if resumes { &["--resume"] } else { &["--scratch", SCRATCH, "--to", "38"] };
    run(args, resumes.then_some(&left))?;
    if deed == Deed::Whole {
        return Ok(Outcome::Passed);
    }
    std::thread::sleep(UNCUT);
    bail!("nobody has cut the power");
}

/// What this boot is for.
fn deed() -> Result<Deed> {
    let parameters = fs::read_to_string("/proc/cmdline")?;
    let name = parameters.split_whitespace().find_map(|word| word.strip_prefix(PARAMETER));
    let name = name.with_context(|| format!("the kernel's command line has no {PARAMETER}"))?;
    Deed::ALL.into_iter().find(|deed| deed.name() == name).with_context(|| format!("what is {name}?"))
}

/// The state disk, which the cut before has left as it was: ext4 recovers it.
fn mount() -> Result<()> {
    appears(STATE_DISK)?;
    let (source, target) = (CString::new(STATE_DISK)?, CString::new(MOUNT)?);
    // SAFETY: all pointers are NUL-terminated strings that outlive the call, or null where that is allowed.
    let result =
        unsafe { libc::mount(source.as_ptr(), target.as_ptr(), c"ext4".as_ptr(), 0, std::ptr::null()) };
    ensure!(result == 0, "mounting {STATE_DISK}: {}", std::io::Error::last_os_error());
    Ok(())
}

/// Nothing of a verification outlives a boot.
fn is_as_booted() -> Result<()> {
    device::modprobe("iova_policy")?;
    let strict = fs::read_to_string("/proc/cmdline")?.contains("iommu.strict=1");
    let (driver, domain) = (NVME.driver(), fs::read_to_string(NVME.path("iommu_group/type"))?);
    let booted = if strict { "DMA" } else { "DMA-FQ" };
    ensure!(domain.trim() == booted, "the domain is {}, not {booted}", domain.trim());
    ensure!(driver.as_deref() == Some("nvme"), "the driver is {driver:?}");
    let shown = ask(&["policy", "show", "--format", "json"])?.code(0)?.json()?;
    for device in shown["devices"].as_array().context("no devices")? {
        let policy = &device["policy"];
        let is_stock = policy.is_null() || (policy["policy"] == "stock" && policy["cap"].is_null());
        ensure!(is_stock, "{} has {policy}", device["bdf"]);
    }
    ensure!(NVME.get("state")? == "idle" && NVME.get("policy")? == "stock", "{}", NVME.shows()?);
    Ok(())
}

/// Who says nothing of what is open is told what there is to say. Where nothing is open, the run below shows that it goes.
fn alone_is_refused_if_open(left: &Left) -> Result<()> {
    if left.is_open() {
        let refused = ask(&["verify", "nvme0n1"])?.code(2)?;
        for word in ["was cut short", "--resume", "--close"] {
            ensure!(refused.stderr.contains(word), "nothing of {word} in: {}", refused.stderr.trim());
        }
    }
    Ok(())
}

fn close(left: &Left) -> Result<()> {
    let answer = ask(&["verify", "nvme0n1", "--close", "--format", "json"])?;
    tell(&answer);
    let record = answer.code(0)?.json()?;
    ensure!(record["answer"].is_null(), "closed with an answer: {}", record["answer"]);
    ensure!(record["problems"] == Value::Array(vec![]), "not put back: {}", record["problems"]);
    is_kept(left, &record)?;
    println!("# closed");
    nothing_is_open(&Left::read(STATE)?)
}

fn finish(left: &Left) -> Result<()> {
    let answer = ask(&["verify", "nvme0n1", "--resume", "--format", "json"])?;
    is_right(answer, Some(left))?;
    is_as_booted()?;
    nothing_is_open(&Left::read(STATE)?)
}

/// Neither is there anything to go on with, nor to close; and what was closed is not lost by asking.
fn nothing_is_open(left: &Left) -> Result<()> {
    ask(&["verify", "nvme0n1", "--resume"])?.code(2)?.sentence(&["nothing to go on with"])?;
    ask(&["verify", "nvme0n1", "--close"])?.code(2)?.sentence(&["nothing to close"])?;
    let now = Left::read(STATE)?;
    ensure!(
        now.closed() >= left.closed(),
        "{} journals were closed, and {} are",
        left.closed(),
        now.closed()
    );
    Ok(())
}

/// The run that is cut, or not.
fn run(args: &[&str], left: Option<&Left>) -> Result<()> {
    appears(SCRATCH)?;
    Left::read(STATE)?.tell()?;
    println!("{BEGINS}");
    let (started, sight) = (Instant::now(), Sight::start(NVME));
    let answer = ask(&[&["verify", "nvme0n1", "--format", "json"], args].concat());
    sight.end()?;
    println!("{ENDED}: {} ms", started.elapsed().as_millis());
    is_right(answer?, left)?;
    is_as_booted()
}

/// The answer of a run to its end. Who died twice at the same width is not asked again.
fn is_right(answer: Answer, left: Option<&Left>) -> Result<()> {
    tell(&answer);
    let deadly = left.and_then(Left::deadly);
    let record = answer.code(i32::from(deadly.is_some()))?.json()?;
    println!("# {}", record["sentence"]);
    ensure!(record["problems"] == Value::Array(vec![]), "not put back: {}", record["problems"]);
    match deadly {
        None => {
            let bits = answer::is_whole(&record)?;
            ensure!(bits == TO, "verified to {bits} bits");
        }
        Some(width) => {
            let said = &record["answer"];
            ensure!(said["verdict"] == "cannot-prove", "died twice at {width} bits, and says {said}");
        }
    }
    left.map_or(Ok(()), |left| is_kept(left, &record))
}

/// What had been proved before the cut is in the record.
fn is_kept(left: &Left, record: &Value) -> Result<()> {
    let steps = record["steps"].as_array().context("no steps")?;
    let widths: Vec<_> =
        steps.iter().take(left.steps().len()).filter_map(|step| step["width"].as_u64()).collect();
    ensure!(
        widths == left.steps(),
        "steps of {:?} bits had ended, and the record begins with {widths:?}",
        left.steps()
    );
    let journal = record["journal"].as_str().context("the record does not say where it is kept")?;
    ensure!(Path::new(journal).exists(), "{journal} is not there");
    Ok(())
}
