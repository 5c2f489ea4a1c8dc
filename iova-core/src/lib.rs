//! The library under `iova`.
