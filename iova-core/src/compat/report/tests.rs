mod format;
mod hostile;
mod planted;
mod sample;

pub(crate) use sample::{device, report, step, verified};
