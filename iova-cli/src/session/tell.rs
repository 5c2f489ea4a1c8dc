//! Goes along with a measurement, for a report that shows how its figures came.

use super::Source;
use super::missing::{self, Sampling};
use iova_core::inventory::Inventory;
use iova_core::model::story::Story;
use iova_core::model::{Cursor, HostFigures};
use iova_core::probe::Profile;
use iova_core::sample::Sample;
use iova_core::snapshot::Snapshot;
use std::time::{Duration, Instant};

/// The space is looked at again when this many times as long has passed as the last look took: 1 % of a core.
const REST: u32 = 100;
/// But not more often than this, and not less.
const REST_LEAST: Duration = Duration::from_millis(900);
const REST_MOST: Duration = Duration::from_mins(2);

pub(super) struct Teller<'a> {
    story: &'a mut Story,
    cursor: Cursor,
    next_look: Instant,
}

impl<'a> Teller<'a> {
    /// Begins where the measurement does: with these devices, this space and this reading.
    pub(super) fn begin(
        story: &'a mut Story,
        source: &dyn Source,
        profile: Profile,
        host: HostFigures,
        (inventory, start, first): (&Inventory, &Option<Snapshot>, &Sample),
    ) -> Self {
        let nothing = Snapshot::default();
        let unknown =
            missing::all(source, profile, Sampling::of(first), inventory, start.as_ref().unwrap_or(&nothing));
        let profile = profile.to_string();
        let cursor = Cursor::new(host, profile, inventory.clone(), start.clone(), unknown, first.clone());
        Self { story, cursor, next_look: Instant::now() + REST_LEAST }
    }

    /// Takes the reading of an interval.
    pub(super) fn step(&mut self, source: &mut dyn Source, sample: Sample) {
        let start = Instant::now();
        if source.looked().unwrap_or(start >= self.next_look)
            && let Ok((inventory, snapshot)) = source.look()
        {
            self.learn(inventory, snapshot);
            let rest = (start.elapsed() * REST).clamp(REST_LEAST, REST_MOST);
            self.next_look = Instant::now() + rest;
        }
        self.story.push(&self.cursor.step(sample));
    }

    /// Takes what was seen last.
    pub(super) fn end(mut self, inventory: &Inventory, end: &Snapshot, last: Sample) {
        self.learn(inventory.clone(), end.clone());
        self.story.push(&self.cursor.step(last));
    }

    fn learn(&mut self, inventory: Inventory, snapshot: Snapshot) {
        self.cursor.learn(inventory, Some(snapshot).filter(|snapshot| !snapshot.domains.is_empty()));
    }
}
