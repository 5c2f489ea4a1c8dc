//! The order a guest gets, and the answer it ends with. Both travel as JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where the initramfs holds the [`Job`].
pub const JOB_PATH: &str = "/etc/job.json";

/// The UART that carries [`wire`](crate::wire) frames; the console has one of its own, so that boot noise never
/// mixes with a command's output.
pub const CHANNEL: &str = "/dev/ttyS1";

/// The UART of the console, where an interactive command gets its terminal.
pub const CONSOLE: &str = "/dev/ttyS0";

/// What a guest is to do between boot and power-off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The command and its arguments; the command is looked up in `PATH`.
    pub argv: Vec<String>,
    /// Environment on top of init's own.
    pub env: Vec<(String, String)>,
    /// Modules to load before anything else, dependencies first, as paths inside the guest.
    pub modules: Vec<String>,
    /// PCI devices without a driver that a driver must claim once, because their IOMMU takes in no others.
    pub claim: Vec<String>,
    /// Paths that must exist before the command starts, such as `/dev/nvme0n1`.
    pub wait_for: Vec<String>,
    /// The network interface to configure, if there is one to configure.
    pub netdev: Option<String>,
    /// Files and directories to send to the host when the command has ended.
    pub out: Vec<String>,
    /// Have the kernel note every process that ends, for [`Report::iova`]. That costs instructions.
    pub accounting: bool,
    /// Set if the command gets the console as its terminal instead of the two output streams.
    pub terminal: Option<Terminal>,
}

/// The user's terminal, for a command that draws on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// `TERM` on the host.
    pub term: String,
    /// Height in rows.
    pub rows: u16,
    /// Width in columns.
    pub cols: u16,
}

/// The last word of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The command's exit code; 128 plus the signal's number if a signal ended it.
    pub code: i32,
    /// What went wrong around the command (a module that did not load, a device that did not appear).
    pub problems: Vec<String>,
    /// The processes of `iova`, if they were counted.
    pub iova: Option<Processes>,
}

/// Processes that have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processes {
    /// Programs that were started.
    pub started: u64,
    /// CPU time, user and system.
    pub cpu: Duration,
}
