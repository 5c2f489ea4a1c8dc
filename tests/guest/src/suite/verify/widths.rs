//! Devices that keep a known number of bits.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use super::answer;
use crate::Outcome;
use crate::policy::device::{self, Device, NIC};
use crate::policy::edu::{BYTES, ask, number};
use crate::policy::host;

/// Appears if the device changed a byte that it was not told to.
const STRAY: &str = "/tmp/edu-stray";
/// So many writes make a step.
const WRITES: usize = 2;
/// Below 64 GiB the machine has windows for PCI: no step tells these widths apart by data alone.
const CLOSED: u64 = 36;

const NIC_WORK: &str = "ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.2.2; \
                        for i in 1 2 3 4 5 6 7 8 9 10; do ping -c 3 -i 0.2 -W 2 10.0.2.2 && exit 0; done; exit 1";

/// What `iova verify` runs for an edu device: some writes, which must arrive, and only where they belong.
pub(crate) fn edu_work(device: &str) -> ExitCode {
    match work(device) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("# {device}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn work(device: &str) -> Result<()> {
    let answer = ask(&format!("on={device} write bytes={BYTES} count={WRITES} pause_ms=0 canaries=1"))?;
    let of =
        |key: &str| (0..WRITES).map(|index| number(&answer, &format!("{key}_{index}"))).sum::<Result<u64>>();
    let (arrived, stray) = (of("arrived")?, of("stray")?);
    if stray > 0 {
        fs::write(STRAY, format!("{device}: {stray} bytes"))?;
    }
    ensure!(stray == 0, "{stray} bytes were changed that are nobody's business");
    ensure!(arrived == BYTES * WRITES as u64, "{arrived} bytes arrived");
    Ok(())
}

/// The edu devices of this guest, with the bits that each keeps: "08=0xffffffff,0a=0xfffffffff".
pub(super) fn edus() -> Result<Vec<(Device, u64)>> {
    device::module()?;
    device::modprobe("iova_edu")?;
    let edus = std::env::var("IOVA_LAB_MORE_EDUS").context("this guest has no more edu devices")?;
    let device = |text: &str| {
        let (slot, mask) = text.split_once("=0x").context("neither a slot nor a mask")?;
        // It lives as long as the guest.
        let name: &'static str = format!("0000:00:{slot}.0").leak();
        Ok((Device(name), u64::from(u64::from_str_radix(mask, 16)?.trailing_ones())))
    };
    edus.split(',').map(device).collect()
}

pub(super) fn found() -> Result<Outcome> {
    let _ = fs::remove_file(STRAY);
    let mut wrong = Vec::new();
    for (device, bits) in edus()? {
        let said = one(device, bits).with_context(|| format!("{} of {bits} bits", device.0));
        wrong.extend(said.err().map(|error| format!("{error:#}")));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(Outcome::Passed)
}

fn one(device: Device, bits: u64) -> Result<()> {
    let honest = bits >= top(device)?;
    let command = command(device)?;
    let record = answer::verify(device, i32::from(!honest), &command.each_ref().map(String::as_str))?;
    println!("# {} keeps {bits} bits: {}", device.0, record["sentence"]);
    ensure!(!Path::new(STRAY).exists(), "{}", fs::read_to_string(STRAY)?);
    if honest {
        answer::is_whole(&record)?;
        return Ok(());
    }
    let (least, most) = answer::bits(&record)?;
    ensure!(record["answer"]["verdict"] == "limit", "no limit was found: {}", record["answer"]);
    let basis = if host::reports_faults() { "fault" } else { "data" };
    ensure!(record["answer"]["basis"] == basis, "not by {basis}: {}", record["answer"]);
    if host::reports_faults() || bits >= CLOSED {
        ensure!((least, most) == (bits, bits), "found {least} to {most}");
    } else {
        ensure!(least <= bits && bits <= most && most < CLOSED, "found {least} to {most}");
    }
    Ok(())
}

/// The command for a device: this program.
pub(super) fn command(device: Device) -> Result<[String; 4]> {
    let program = std::env::current_exe()?;
    let program = program.to_str().context("this program has a strange name")?;
    Ok(["--", program, "--edu-work", device.0].map(str::to_owned))
}

/// The widest that this machine offers the device.
fn top(device: Device) -> Result<u64> {
    let record = answer::verify(device, 0, &["--dry-run"])?;
    record["ladder"]["top"].as_u64().with_context(|| format!("no ladder: {}", record["ladder"]))
}

pub(super) fn network() -> Result<Outcome> {
    device::module()?;
    let record = answer::verify(NIC, 0, &["--", "/bin/busybox", "sh", "-c", NIC_WORK])?;
    println!("# {}", record["sentence"]);
    answer::is_whole(&record)?;
    Ok(Outcome::Passed)
}
