//! Where going along with a source begins, be it the running kernel or a recording.

use super::Source;
use super::missing::{self, Sampling};
use iova_core::inventory::Inventory;
use iova_core::model::{Cursor, HostFigures};
use iova_core::probe::Profile;
use iova_core::sample::Sample;
use iova_core::snapshot::Snapshot;

/// A cursor at the first sample of `source`, with what was known then.
pub(crate) fn cursor(
    source: &dyn Source,
    profile: Profile,
    inventory: Inventory,
    snapshot: Snapshot,
    first: Sample,
) -> Cursor {
    let host = HostFigures::new(&inventory, source.sac_control(&inventory));
    // One domain that is too busy now may be read later; kernel memory that can't be read stays so.
    let blind = Some(&snapshot).filter(|snapshot| snapshot.domains.is_empty());
    let unknown = missing::all(
        source,
        profile,
        Sampling::of(&first),
        &inventory,
        blind.unwrap_or(&Snapshot::default()),
    );
    Cursor::new(host, profile.to_string(), inventory, readable(snapshot), unknown, first)
}

/// What there is to see in a snapshot, if there is anything.
pub(crate) fn readable(snapshot: Snapshot) -> Option<Snapshot> {
    Some(snapshot).filter(|snapshot| !snapshot.domains.is_empty())
}
