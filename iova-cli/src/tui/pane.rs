//! The parts of the view of one device; one is shown at a time.

/// One part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pane {
    /// Latencies and pressure over time.
    #[default]
    Device,
    /// The map of the space, and the caches.
    Space,
    /// What is asked for, and how long it takes.
    Calls,
    /// What rarely happens.
    Events,
}

impl Pane {
    /// From left to right.
    pub(crate) const ALL: [Self; 4] = [Self::Device, Self::Space, Self::Calls, Self::Events];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Space => "space",
            Self::Calls => "calls",
            Self::Events => "events",
        }
    }

    pub(crate) fn next(self) -> Self {
        match self {
            Self::Device => Self::Space,
            Self::Space => Self::Calls,
            Self::Calls => Self::Events,
            Self::Events => Self::Device,
        }
    }

    pub(crate) fn before(self) -> Self {
        self.next().next().next()
    }
}
