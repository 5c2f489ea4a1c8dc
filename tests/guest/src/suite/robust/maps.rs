//! What the maps take, as the kernel counts it, is what `iova doctor` has said.

use std::fs;
use std::io::ErrorKind;

use anyhow::{Context, Result, ensure};

use super::run::{Running, ask, remark};
use crate::Outcome;

/// `enum bpf_map_type` (include/uapi/linux/bpf.h).
const PERCPU_ARRAY: u64 = 6;
const RINGBUF: u64 = 27;
/// Kernels before 5.11 count whole pages; all of them count a map's own structure, which is smaller than one.
const PAGE: u64 = 4096;

/// A map of a process, as `/proc/PID/fdinfo` has it.
struct Map {
    kind: u64,
    entries: u64,
    memlock: u64,
}

/// The beginning of the sentence of `iova doctor`.
struct Said {
    bytes: u64,
    slots: u64,
    counters: u64,
}

pub(crate) fn take_what_doctor_says() -> Result<Outcome> {
    let said = doctor()?;
    let running = Running::measure(&["--format", "json"])?;
    let maps = maps(running.pid())?;
    running.end()?.code(0)?;
    let sum: u64 = maps.iter().map(|map| map.memlock).sum();
    remark(&format!("{} maps: the kernel counts {sum} bytes, doctor says {}", maps.len(), said.bytes));
    let is_counters = |map: &&Map| map.kind == PERCPU_ARRAY && map.entries == said.slots;
    let counters = maps.iter().filter(is_counters).map(|map| map.memlock);
    let counters = counters.max().with_context(|| format!("no map has {} entries", said.slots))?;
    // A pointer for each entry.
    let more = PAGE + 8 * said.slots;
    ensure!(
        (said.counters..=said.counters + more).contains(&counters),
        "counters take {counters} bytes, doctor says {}",
        said.counters
    );
    let margin = PAGE * maps.len() as u64;
    // From 5.11 to 6.3 the kernel counts keys and values only, and nothing of a ring.
    let is_whole = maps.iter().any(|map| map.kind == RINGBUF && map.memlock > 0);
    let least = if is_whole { said.bytes.saturating_sub(margin) } else { said.counters };
    ensure!((least..=said.bytes + margin).contains(&sum), "{sum} bytes, doctor says {}", said.bytes);
    Ok(Outcome::Passed)
}

fn doctor() -> Result<Said> {
    let json = ask(&["doctor", "--format", "json"])?.json()?;
    let abilities = json["abilities"].as_array().context("no abilities")?;
    let found = abilities.iter().find(|ability| ability["name"] == "map memory");
    let found = found.and_then(|ability| ability["found"].as_str()).context("no map memory")?;
    let text = found.replace(',', "");
    let numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|word| word.parse().ok());
    let numbers: Vec<u64> = numbers.collect();
    let [bytes, slots, value, cpus, counters, ..] = numbers[..] else {
        anyhow::bail!("too few numbers: {found}")
    };
    ensure!(slots * value * cpus == counters, "{found}");
    Ok(Said { bytes, slots, counters })
}

fn maps(pid: libc::pid_t) -> Result<Vec<Map>> {
    let mut maps = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))? {
        let text = match fs::read_to_string(entry?.path()) {
            // A file that was only being read; its maps stay open.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            text => text?,
        };
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse::<u64>().ok())
        };
        if let (Some(kind), Some(entries), Some(memlock)) =
            (number("map_type"), number("max_entries"), number("memlock"))
        {
            maps.push(Map { kind, entries, memlock });
        }
    }
    ensure!(!maps.is_empty(), "it holds no maps");
    Ok(maps)
}
