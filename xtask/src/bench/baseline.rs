//! What was measured before, and whether it got worse.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::start::{self, Start};
use crate::kernels::Line;
use crate::{paths, say};

/// How much more a profile may add before it is a regression. Repeated measurements agree to 0.1 %.
const TOLERANCE: f64 = 0.02;

/// How far two measurements of the same thing may be apart.
const REPEATS: f64 = 0.001;

/// Instructions per map+unmap pair of 4 KiB on one kernel: VT-d, lazy, served from the caches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    /// The line, as the command line spells it.
    #[serde(default)]
    pub(crate) line: String,
    /// `uname -r`.
    pub(crate) kernel: String,
    /// With no tracer.
    pub(crate) none: u64,
    /// With no tracer, and the module iova_policy loaded with nothing to do.
    #[serde(default, skip_serializing)]
    pub(crate) stock: Option<u64>,
    /// With empty programs in the places of each profile's.
    pub(crate) floor: Profiles,
    /// With `iova report` in each profile.
    pub(crate) iova: Profiles,
    /// With `iova record --events` in profile default, by the share of calls that are kept: shown, not judged.
    #[serde(default, skip_serializing)]
    pub(crate) events: BTreeMap<String, u64>,
    /// In a strict domain, on one kernel: judged by a limit.
    #[serde(default, skip_serializing)]
    pub(crate) strict: Option<Strict>,
    /// Of a start of `iova`: judged by limits, not by what was before.
    #[serde(default, skip_serializing)]
    pub(crate) start: Option<Start>,
}

/// Instructions in a strict domain: an unmap waits for the IOMMU, and profile default times one in 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Strict {
    /// With no tracer.
    pub(crate) none: u64,
    /// With `iova report` in profile default.
    pub(crate) default: u64,
}

impl Strict {
    /// Most that profile default may add.
    const MOST: u64 = 1000;

    /// Instructions that profile default adds.
    pub(crate) fn added(self) -> u64 {
        self.default.saturating_sub(self.none)
    }

    fn beyond(self) -> Option<String> {
        let (added, most) = (self.added(), Self::MOST);
        (added > most)
            .then(|| format!("strict: profile default adds {added} instructions per pair, at most {most}"))
    }
}

/// One number per profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Profiles {
    pub(crate) light: u64,
    pub(crate) default: u64,
    pub(crate) full: u64,
}

impl Profiles {
    /// By name, least first.
    pub(crate) fn named(self) -> [(&'static str, u64); 3] {
        [("light", self.light), ("default", self.default), ("full", self.full)]
    }
}

impl Pair {
    /// Reads what the guest printed.
    pub(crate) fn parse(line: Line, json: &str) -> Result<Self> {
        let pair: Self = serde_json::from_str(json).with_context(|| format!("the guest printed '{json}'"))?;
        Ok(Self { line: line.to_string(), ..pair })
    }

    /// Of its kernel among all.
    pub(crate) fn place(&self) -> Option<usize> {
        Line::COUNTED.iter().position(|line| line.name() == self.line)
    }

    /// What each profile adds to the pair.
    pub(crate) fn added(&self) -> [(&'static str, u64); 3] {
        self.iova.named().map(|(name, total)| (name, total.saturating_sub(self.none)))
    }

    /// What each profile adds to the empty programs: the part that is ours whatever the kernel's trampolines cost.
    fn own(&self) -> [(&'static str, u64); 3] {
        let floors = self.floor.named();
        let mut index = 0;
        self.iova.named().map(|(name, total)| {
            let own = total.saturating_sub(floors[index].1);
            index += 1;
            (name, own)
        })
    }
}

/// The checked-in measurements.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Baseline {
    pairs: Vec<Pair>,
}

impl Baseline {
    fn place() -> PathBuf {
        paths::root().join("tests/bench/baseline.json")
    }

    /// Reads it; an absent file is an empty baseline.
    pub(crate) fn load() -> Result<Self> {
        let place = Self::place();
        match fs::read(&place) {
            Ok(json) => {
                serde_json::from_slice(&json).with_context(|| format!("{} is damaged", place.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", place.display())),
        }
    }

    /// Puts new measurements in the place of those of the same kernel lines.
    pub(crate) fn replace(&mut self, measured: Vec<Pair>) {
        self.pairs.retain(|old| measured.iter().all(|new| new.line != old.line));
        self.pairs.extend(measured);
        self.pairs.sort_by_key(Pair::place);
    }

    /// Writes it.
    pub(crate) fn store(&self) -> Result<()> {
        let place = Self::place();
        fs::write(&place, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("cannot write {}", place.display()))?;
        say(format_args!("{}: updated", place.display()));
        Ok(())
    }

    /// Fails if a module that is asked for nothing is not free.
    fn module_is_free(measured: &[Pair]) -> Result<()> {
        for pair in measured {
            let stock =
                pair.stock.with_context(|| format!("{}: nothing measured with the module", pair.line))?;
            if stock.abs_diff(pair.none) as f64 > (pair.none as f64 * REPEATS).ceil() {
                bail!("{}: {} instructions per pair, {stock} with the module loaded", pair.line, pair.none);
            }
        }
        Ok(())
    }

    /// Fails if a profile adds over 2 % more than before, the module anything, or a start takes too long. On another build of the kernel only our own part is compared:
    /// what its trampolines cost is not our doing.
    pub(crate) fn judge(&self, measured: &[Pair]) -> Result<()> {
        Self::module_is_free(measured)?;
        let slow: Vec<String> = measured.iter().flat_map(start::beyond).collect();
        ensure!(slow.is_empty(), "{}", slow.join("; "));
        let strict: Vec<String> = measured.iter().filter_map(|pair| pair.strict?.beyond()).collect();
        ensure!(strict.is_empty(), "{}", strict.join("; "));
        let worse: Vec<String> = measured.iter().flat_map(|new| self.worse(new)).collect();
        if worse.is_empty() {
            return Ok(());
        }
        bail!("{}. If that is meant, `cargo xtask bench --update` makes it the baseline", worse.join("; "));
    }

    fn worse(&self, new: &Pair) -> Vec<String> {
        let Some(old) = self.pairs.iter().find(|old| old.line == new.line) else {
            return vec![format!("{}: no baseline", new.line)];
        };
        let (what, before, now) = if old.kernel == new.kernel {
            ("added", old.added(), new.added())
        } else {
            ("of our own", old.own(), new.own())
        };
        let pairs = before.into_iter().zip(now);
        pairs
            .filter(|((_, before), (_, now))| *now as f64 > *before as f64 * (1.0 + TOLERANCE))
            .map(|((name, before), (_, now))| {
                format!("{} {name}: {now} instructions {what} per pair, {before} before", new.line)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(kernel: &str, floor: u64, default: u64) -> Pair {
        let flat = |n| Profiles { light: n, default: n, full: n };
        Pair {
            line: "6.12".into(),
            kernel: kernel.into(),
            none: 2000,
            stock: Some(2000),
            floor: flat(floor),
            iova: flat(default),
            events: BTreeMap::new(),
            strict: None,
            start: Some(Start::default()),
        }
    }

    #[test]
    fn two_percent_of_what_is_added_is_a_regression() {
        let baseline = Baseline { pairs: vec![pair("a", 2600, 3000)] };
        assert!(baseline.judge(&[pair("a", 2600, 3020)]).is_ok());
        assert!(baseline.judge(&[pair("a", 2600, 3021)]).is_err());
    }

    #[test]
    fn another_kernel_answers_for_its_trampolines() {
        let baseline = Baseline { pairs: vec![pair("a", 2600, 3000)] };
        assert!(baseline.judge(&[pair("b", 2800, 3200)]).is_ok());
        assert!(baseline.judge(&[pair("b", 2600, 3009)]).is_err());
    }

    #[test]
    fn a_module_with_nothing_to_do_costs_nothing() {
        let with = |stock| Pair { stock, ..pair("a", 2600, 3000) };
        assert!(Baseline::module_is_free(&[with(Some(2002)), with(Some(1998))]).is_ok());
        assert!(Baseline::module_is_free(&[with(Some(2003))]).is_err());
        assert!(Baseline::module_is_free(&[with(None)]).is_err());
    }

    #[test]
    fn an_unknown_line_has_no_baseline() {
        assert!(Baseline::default().judge(&[pair("a", 1, 2)]).is_err());
    }
}
