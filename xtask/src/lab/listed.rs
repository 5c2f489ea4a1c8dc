//! The module iova_policy with another list, put into it as a distribution would.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::fsx::{self, Lock};
use crate::kernels::Kernel;
use crate::{cmd, module, paths};

/// Where it is below the guest's module directory; `insmod` finds it there, `modprobe` does not.
pub(super) const PLACE: &str = "extra/listed/iova_policy.ko";

/// Records of QEMU's devices.
const RECORDS: &str = "tests/compat";
const TABLE: &str = "iova_policy_list.h";

/// Builds it with the table that `iova` makes of the records.
pub(super) fn build(kernel: &Kernel, iova: &Path) -> Result<PathBuf> {
    let _lock = Lock::take("listed")?;
    let source = paths::root().join("iova-kmod");
    let copy = paths::target().join("lab/iova-kmod-listed");
    if copy.exists() {
        fsx::remove_tree(&copy)?;
    }
    for file in fsx::files_below(&source)? {
        fsx::copy_file(&file, &copy.join(file.strip_prefix(&source)?))?;
    }
    let records = paths::root().join(RECORDS);
    let make = ["compat", "build", "--format", "c", "--list"];
    cmd::run(cmd::command(iova).args(make).arg(records).arg("-o").arg(copy.join(TABLE)))?;
    module::build(kernel, &copy)
}
