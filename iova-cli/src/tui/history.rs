//! What the last ten minutes brought, small enough to keep.

use super::columns::{self, COLUMNS, COUNT};
use super::events::Events;
use super::packed::{Heat, Packed};
use iova_core::finding::{Finding, Severity};
use iova_core::model::{Device, Step};
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

/// Rows of a heatmap: powers of two from 128 ns on; the first and the last hold all that is beyond.
pub(crate) const HEAT_ROWS: usize = 20;
/// log2 of where the second row begins.
const FIRST_BIT: u32 = 7;

/// Intervals that are kept. A row is 96 bytes, so 200 devices take 11 MiB, and 20 devices one.
const KEPT: usize = 600;

/// A thing that is wrong is kept once for so long, in a past whose figures are those of ten to twenty seconds anyway.
const SHARED_NS: u64 = 20_000_000_000;
/// Findings of a past moment that are kept, worst first.
const PAST_FINDINGS: usize = 50;

/// Who a row is about; shared by all of its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) bdf: String,
    /// What people call it: the disk, the interface, or the product.
    pub(crate) name: String,
    pub(crate) driver: String,
    /// Configured, and what the module was told if it was told something.
    pub(crate) policy: String,
}

impl Identity {
    pub(crate) fn of(device: &Device) -> Self {
        Self {
            bdf: device.bdf.clone(),
            name: device.short_name().to_owned(),
            driver: driver(device).to_owned(),
            policy: policy(device).into_owned(),
        }
    }

    /// The same question without making one: nearly always the answer is yes.
    fn is_of(&self, device: &Device) -> bool {
        self.name == device.short_name() && self.driver == driver(device) && self.policy == policy(device)
    }
}

fn driver(device: &Device) -> &str {
    device.driver.as_deref().unwrap_or("-")
}

fn policy(device: &Device) -> Cow<'_, str> {
    match (&device.policy.set, device.policy.state) {
        (Some(set), Some(state)) if set != "stock" || state != "idle" => format!("{set} {state}").into(),
        _ => device.policy.configured.unwrap_or("-").into(),
    }
}

/// One device in one interval.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) who: Rc<Identity>,
    /// A value per column, shown or not: who chooses another one sees its past.
    values: [Packed; COUNT],
    /// Timed allocations, and timed frees.
    pub(crate) heat: Heat,
    pub(crate) free_heat: Heat,
    /// It allocated, freed or faulted.
    pub(crate) active: bool,
    /// Some of its figures are not exact.
    pub(crate) approximate: bool,
}

impl Row {
    pub(crate) fn value(&self, column: usize) -> Option<f64> {
        self.values.get(column).and_then(|packed| packed.value())
    }

    /// The value of the column that shows a metric.
    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        self.value(columns::find(name)?)
    }
}

/// One interval.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// CLOCK_MONOTONIC at its end, ns.
    pub(crate) ns: u64,
    pub(crate) rows: Vec<Row>,
    /// Worst first.
    pub(crate) findings: Vec<Rc<Finding>>,
    /// What is not exact, in sentences.
    pub(crate) notes: Rc<Vec<String>>,
    /// CPU time of this process as a share of one core.
    pub(crate) own_cpu: Option<f64>,
    /// What the probes add to an allocation, ns: as measured last.
    pub(crate) added_ns: Option<f64>,
}

impl Moment {
    pub(crate) fn row(&self, bdf: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.who.bdf == bdf)
    }
}

/// Something that is wrong: what, how bad, with which device or group.
type Wrong = (&'static str, Severity, Option<String>, Option<u32>);

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct History {
    moments: VecDeque<Moment>,
    /// All findings of the newest.
    wrong: Vec<Rc<Finding>>,
    /// The whole figures of the newest.
    pub(crate) newest: Option<Step>,
    /// What rarely happens.
    pub(crate) events: Events,
    /// By address.
    known: BTreeMap<String, Rc<Identity>>,
    /// What past moments share, and since when.
    found: BTreeMap<Wrong, (u64, Rc<Finding>)>,
}

impl History {
    pub(crate) fn push(&mut self, step: Step, own_cpu: Option<f64>) {
        let seconds = step.interval.duration_s;
        let rows: Vec<Row> = step.interval.devices.iter().map(|device| self.row(device, seconds)).collect();
        let devices: Vec<_> = rows.iter().map(|row| Rc::clone(&row.who)).collect();
        self.events.push(&step, &devices, self.moments.front().map_or(0, |oldest| oldest.ns));
        self.thin_out();
        let last = self.moments.back();
        // The same report for two intervals has the same findings.
        let same = self.newest.as_ref().filter(|newest| Arc::ptr_eq(&newest.lately, &step.lately));
        let findings = match (same, self.wrong.is_empty()) {
            (Some(_), false) => self.wrong.clone(),
            _ => step.lately.findings.iter().cloned().map(Rc::new).collect(),
        };
        self.wrong.clone_from(&findings);
        let notes = shared(last.map(|last| &last.notes), &step.lately.quality.notes);
        let added_ns = step.interval.quality.added_ns_per_alloc.or(last.and_then(|last| last.added_ns));
        self.moments.push_back(Moment { ns: step.ns, rows, findings, notes, own_cpu, added_ns });
        if self.moments.len() > KEPT {
            self.moments.pop_front();
        }
        self.newest = Some(step);
    }

    /// The newest moment is about to be a past one: findings take more room than all else.
    fn thin_out(&mut self) {
        let Self { moments, found, .. } = self;
        let Some(last) = moments.back_mut() else { return };
        let ns = last.ns;
        found.retain(|_, (since, _)| ns.saturating_sub(*since) < SHARED_NS);
        last.findings.truncate(PAST_FINDINGS);
        last.findings.shrink_to_fit();
        for finding in &mut last.findings {
            let what = (finding.id, finding.severity, finding.device.clone(), finding.group);
            let (_, shared) = found.entry(what).or_insert_with(|| (ns, Rc::clone(finding)));
            *finding = Rc::clone(shared);
        }
    }

    fn row(&mut self, device: &Device, seconds: f64) -> Row {
        let value = |column: usize| COLUMNS.get(column).and_then(|column| column.value(device, seconds));
        Row {
            who: self.identity(device),
            values: std::array::from_fn(|column| Packed::of(value(column))),
            heat: Heat::of(&device.alloc.latency_ns.buckets),
            free_heat: Heat::of(&device.free.latency_ns.buckets),
            active: device.active(),
            approximate: !device.approximate.is_empty(),
        }
    }

    fn identity(&mut self, device: &Device) -> Rc<Identity> {
        if let Some(known) = self.known.get(&device.bdf).filter(|known| known.is_of(device)) {
            return Rc::clone(known);
        }
        let identity = Rc::new(Identity::of(device));
        self.known.insert(identity.bdf.clone(), Rc::clone(&identity));
        identity
    }

    pub(crate) fn len(&self) -> usize {
        self.moments.len()
    }

    /// The one so many steps before the newest.
    pub(crate) fn back(&self, steps: usize) -> Option<&Moment> {
        self.moments.len().checked_sub(steps + 1).and_then(|index| self.moments.get(index))
    }

    /// Up to `count` moments that end so many steps before the newest, oldest first.
    pub(crate) fn until(&self, steps: usize, count: usize) -> impl Iterator<Item = &Moment> {
        let end = self.moments.len().saturating_sub(steps);
        self.moments.range(end.saturating_sub(count)..end)
    }
}

/// The same list is kept once.
fn shared<T: Clone + PartialEq>(last: Option<&Rc<Vec<T>>>, now: &Vec<T>) -> Rc<Vec<T>> {
    match last {
        Some(last) if **last == *now => Rc::clone(last),
        _ => Rc::new(now.clone()),
    }
}

/// The row of the heatmap that a latency is in.
pub(super) fn heat_row(ns: u64) -> usize {
    let bits = ns.max(1).ilog2().saturating_sub(FIRST_BIT - 1) as usize;
    bits.min(HEAT_ROWS - 1)
}

/// Where a row of the heatmap begins, ns.
pub(crate) fn heat_from(row: usize) -> u64 {
    if row == 0 { 0 } else { 1 << (row as u32 + FIRST_BIT - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_moments_share_what_is_wrong() {
        let report = crate::render::fixtures::cliff();
        let mut history = History::default();
        for second in 0..30 {
            let ns = second * 1_000_000_000;
            let (interval, lately) = (report.clone(), report.clone().into());
            history.push(Step { ns, interval, lately, incidents: Vec::new() }, None);
        }
        let first = |back: usize| Rc::clone(&history.back(back).unwrap().findings[0]);
        assert!(Rc::ptr_eq(&first(29), &first(10)) && !Rc::ptr_eq(&first(29), &first(9)));
        assert_eq!(*first(0), report.findings[0]);
    }

    #[test]
    fn rows_of_the_heatmap_are_powers_of_two() {
        assert_eq!(
            [heat_row(0), heat_row(127), heat_row(128), heat_row(255), heat_row(256)],
            [0, 0, 1, 1, 2]
        );
        assert_eq!(heat_row(u64::MAX), HEAT_ROWS - 1);
        for row in 1..HEAT_ROWS {
            assert_eq!(heat_row(heat_from(row)), row);
        }
    }
}
