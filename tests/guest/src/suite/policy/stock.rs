//! A module that is loaded and asked for nothing changes nothing.

use anyhow::{Result, anyhow, ensure};

use super::device::{self, EDU};
use crate::Outcome;
use crate::load::Load;

/// A fixed sequence of several sizes, with gaps made on the way. What is freed goes through the flush queue to the
/// caches of whichever CPU has its timer; emptying both makes that the same every time.
const SEQUENCE: [&str; 6] = [
    "hold mask=64 size=4K count=200 keep=small show",
    "hold mask=64 size=48K count=50 keep=odd show",
    "release keep=small every=3; drain timeout_ms=60000; flush",
    "hold mask=64 size=4K count=100 keep=again show",
    "hold mask=64 size=2M count=9 keep=large show",
    "release keep=*",
];

/// The same addresses, one by one, without the module and with it.
pub(super) fn addresses() -> Result<Outcome> {
    device::rmmod("iova_policy")?;
    let without = pinned()?;
    device::modprobe("iova_policy")?;
    let with = pinned()?;
    ensure!(EDU.get("policy")? == "stock", "the policy is {}", EDU.get("policy")?);
    ensure!(without.len() == 359, "the sequence has {} addresses", without.len());
    for (index, pair) in without.iter().zip(&with).enumerate() {
        ensure!(pair.0 == pair.1, "allocation {index}: {} without the module, {} with it", pair.0, pair.1);
    }
    Ok(Outcome::Passed)
}

/// On one CPU: each has caches of its own. A thread that ends takes that with it.
fn pinned() -> Result<Vec<String>> {
    std::thread::spawn(sequence).join().map_err(|_| anyhow!("the sequence panicked"))?
}

/// In a new domain.
fn sequence() -> Result<Vec<String>> {
    pin()?;
    EDU.replug()?;
    let load = Load::new(EDU.0)?;
    let mut all = Vec::new();
    for command in SEQUENCE {
        let answer = load.run(command)?;
        let addresses = (0..).map_while(|index| answer.text(&format!("addr_{index}")).ok());
        all.extend(addresses.map(str::to_owned));
    }
    Ok(all)
}

/// Keeps this thread on the first CPU.
fn pin() -> Result<()> {
    // SAFETY: zeroes are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours, and 0 is in its range.
    unsafe { libc::CPU_SET(0, &mut set) };
    // SAFETY: the set outlives the call and is as long as said.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    ensure!(result == 0, "pinning: {}", std::io::Error::last_os_error());
    Ok(())
}
