//! `cargo xtask test`: the stages on the host, then the suites in virtual machines, with a time for each.

use anyhow::Result;

use crate::kernels::Line;
use crate::vm_suites;

/// What to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only what needs no virtual machine
    #[arg(long)]
    pub(crate) host_only: bool,
    /// Only these kernels
    #[arg(long, value_enum, value_name = "LINE")]
    pub(crate) kernel: Vec<Line>,
    /// Only these IOMMUs: intel, amd, virtio
    #[arg(long, value_name = "KIND")]
    pub(crate) iommu: Vec<String>,
    /// Only suites whose name contains one of these
    #[arg(long, value_name = "TEXT")]
    pub(crate) suite: Vec<String>,
}

/// Runs every stage.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.host_only {
        return Ok(());
    }
    vm_suites::run(args)
}
