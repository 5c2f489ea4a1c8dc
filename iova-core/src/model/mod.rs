//! Samples and snapshots to figures.
