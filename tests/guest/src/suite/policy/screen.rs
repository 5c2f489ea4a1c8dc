//! A policy tried from `iova top`, by keys on a real terminal, while the disk is busy; and taken back when the screen
//! dies.

use anyhow::{Result, ensure};

use super::device::{self, NVME};
use super::disk;
use super::tool::Landed;
use crate::Outcome;
use crate::top::Pty;

const THREADS: usize = 2;
/// What the IOMMU makes of a policy is tested without the screen.
const ELSEWHERE: &str = "the screen is the same with every IOMMU: tested with VT-d on each kernel";

fn elsewhere() -> bool {
    std::env::var("IOVA_LAB_IOMMU").is_ok_and(|iommu| iommu != "intel")
}

pub(super) fn tried() -> Result<Outcome> {
    if elsewhere() {
        return Ok(Outcome::Skipped(ELSEWHERE.into()));
    }
    device::module()?;
    let stock = NVME.shows()?;
    let io = disk::Load::start(THREADS);
    let mut pty = Pty::open()?;
    let before = pty.settings()?;
    let mut child = pty.start(&["top"])?;
    plan(&mut pty)?;

    // Taken back by hand.
    pty.press("t")?;
    pty.shows("Try dac:40")?;
    ensure!(NVME.shows()? == stock, "one key has changed {stock} to {}", NVME.shows()?);
    pty.press("y")?;
    pty.shows("last 1s")?;
    ensure!(NVME.get("state")?.starts_with("leased"), "the state is {}", NVME.get("state")?);
    pty.press("R")?;
    pty.shows("Take dac:40 back?")?;
    pty.press("n")?;
    pty.until("trial", |screen| screen.contains("on trial for"))?;
    pty.press("Ry")?;
    pty.shows("was taken back: the answer was no")?;
    ensure!(NVME.shows()? == stock, "{stock}; taken back {}", NVME.shows()?);

    // Kept, and back to stock.
    plan(&mut pty)?;
    pty.press("ty")?;
    pty.shows("last 1s")?;
    pty.press("K")?;
    pty.shows("Keep dac:40?")?;
    pty.press("y")?;
    pty.shows("is kept until the next boot")?;
    ensure!(NVME.get("policy")? == "dac:40", "kept, but the policy is {}", NVME.get("policy")?);
    pty.press("P")?;
    pty.shows("Enter: what it would do")?;
    pty.press("G\r")?;
    pty.shows("t goes back to stock")?;
    pty.press("t")?;
    pty.shows("back to stock?")?;
    pty.press("y")?;
    pty.shows("is back to stock")?;
    NVME.until("policy", |policy| policy == "stock", device::PATIENCE)?;
    let now = Landed::now(NVME, "1s")?;
    ensure!(now.all_low(), "after that, {now}");

    pty.press("q")?;
    let code = pty.wait(&mut child)?;
    ensure!(code == 0, "the exit code is {code}");
    ensure!(!pty.is_taken() && pty.settings()? == before, "the terminal was not given back");
    io.stop()?.is_clean()?;
    Ok(Outcome::Passed)
}

/// From any screen to the dry run of dac:40 for the disk.
fn plan(pty: &mut Pty) -> Result<()> {
    pty.shows("nvme0n1")?;
    pty.press("\u{1b}")?;
    pty.until("the table", |screen| screen.contains("allocs/s"))?;
    // And without an earlier filter.
    pty.press("\u{1b}")?;
    pty.shows("eth0")?;
    pty.press("/nvme\r")?;
    pty.until("only the disk", |screen| screen.contains("nvme0n1") && !screen.contains("eth0"))?;
    pty.press("P")?;
    pty.shows("Enter: what it would do")?;
    // Wherever the choice stood.
    pty.press("g\r")?;
    pty.shows("t tries it for 10 minutes")
}

/// Whoever sits before the screen, or the screen itself, may go at any moment.
pub(super) fn killed() -> Result<Outcome> {
    if elsewhere() {
        return Ok(Outcome::Skipped(ELSEWHERE.into()));
    }
    device::module()?;
    let stock = NVME.shows()?;
    let io = disk::Load::start(THREADS);
    for signal in [libc::SIGKILL, libc::SIGTERM] {
        let mut pty = Pty::open()?;
        let mut child = pty.start(&["top"])?;
        plan(&mut pty)?;
        pty.press("ty")?;
        pty.shows("last 1s")?;
        ensure!(NVME.get("state")?.starts_with("leased"), "the state is {}", NVME.get("state")?);
        // SAFETY: a process of ours that has not been waited for.
        unsafe { libc::kill(child.id().cast_signed(), signal) };
        let took = NVME.until("state", |state| state == "idle", device::PATIENCE)?;
        println!("# signal {signal} to stock: {} ms", took.as_millis());
        ensure!(NVME.shows()? == stock, "{stock}; after signal {signal} {}", NVME.shows()?);
        let status = child.wait()?;
        if signal == libc::SIGTERM {
            ensure!(status.code() == Some(0), "after SIGTERM it ends with {status}");
            pty.shows("taken back")?;
        }
    }
    io.stop()?.is_clean()?;
    Ok(Outcome::Passed)
}
