//! The live source: load and attach the eBPF programs, read their maps.
