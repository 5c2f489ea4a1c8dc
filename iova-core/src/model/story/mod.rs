//! What a picture over time needs of every interval, in little memory: a day takes no more than ten minutes.
//!
//! Intervals are columns. When there are too many, neighbours become one: counts and distributions are added, and of
//! the spaces the fullest stays. Live and in replay it is fed by the same [`Step`]s.

mod columns;
mod space;
mod stretch;

pub use columns::Column;
pub use space::{Look, SpaceStory};
pub use stretch::{DeviceStory, Happened, Stretch};

use super::cursor::Step;
use columns::Columns;

/// Columns that are kept at most.
pub const COLUMNS: usize = 600;
/// Devices and domains that are kept at most, each; the rest is counted.
const KEPT: usize = 1024;

/// Everything since the first step. 200 devices that never rest take some 50 MiB, and 20 devices five.
#[derive(Clone, Debug, Default)]
pub struct Story {
    columns: Columns,
    devices: Vec<DeviceStory>,
    spaces: Vec<SpaceStory>,
    left_out: bool,
}

impl Story {
    /// Takes what an interval brought.
    pub fn push(&mut self, step: &Step) {
        if self.columns.is_full() {
            self.halve();
        }
        let column = self.columns.push(step.ns, step.interval.duration_s);
        for device in step.interval.devices.iter().filter(|device| device.active()) {
            if let Some(story) = self.device_mut(&device.bdf) {
                story.add(column, Stretch::of(device));
            }
        }
        for incident in &step.incidents {
            if let Some(story) = self.device_mut(&incident.device) {
                story.note(column, incident);
            }
        }
        for domain in step.interval.domains.iter().filter(|domain| domain.space.granule > 0) {
            let room = self.spaces.len() < KEPT;
            match self.spaces.iter_mut().find(|story| story.is_of(domain)) {
                Some(story) => story.add(column, domain),
                None if room => self.spaces.push(SpaceStory::new(column, domain)),
                None => self.left_out = true,
            }
        }
    }

    fn device_mut(&mut self, bdf: &str) -> Option<&mut DeviceStory> {
        if let Some(index) = self.devices.iter().position(|story| story.bdf == bdf) {
            return self.devices.get_mut(index);
        }
        if self.devices.len() >= KEPT {
            self.left_out = true;
            return None;
        }
        self.devices.push(DeviceStory::new(bdf));
        self.devices.last_mut()
    }

    fn halve(&mut self) {
        self.columns.halve();
        self.devices.iter_mut().for_each(DeviceStory::halve);
        self.spaces.iter_mut().for_each(SpaceStory::halve);
    }

    /// The columns, oldest first.
    pub fn columns(&self) -> &[Column] {
        self.columns.all()
    }

    /// How many intervals a column is made of; the last one may have fewer.
    pub fn intervals_per_column(&self) -> usize {
        self.columns.width()
    }

    /// What the device with this address did; `None` if it did nothing.
    pub fn device(&self, bdf: &str) -> Option<&DeviceStory> {
        self.devices.iter().find(|story| story.bdf == bdf)
    }

    /// How the space of the domain at this `struct iova_domain` looked; `None` if it could not be read.
    pub fn space(&self, iovad: u64) -> Option<&SpaceStory> {
        // Memory is used again: the last one that was there is the one meant.
        self.spaces.iter().rev().find(|story| story.iovad == iovad)
    }

    /// True if there were more devices or domains than are kept.
    pub fn left_out(&self) -> bool {
        self.left_out
    }
}

#[cfg(test)]
mod tests;
