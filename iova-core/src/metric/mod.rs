//! THE table of metrics.
