//! Who on this machine does not stand the full address range? The library under `iova verify --boot`.
//!
//! For one boot, some devices get addresses from the top of what they and the IOMMU can do, from their driver's first
//! mapping on, with nothing mapped below. Then the machine works, and is looked at: an IOMMU fault whose address is a
//! live one without its high bits names its device. Where nothing tells (no fault is reported, a command failed, the
//! machine did not come up), halves of the devices are tried, one boot each, until one device is left.
//!
//! - [`Plan`]: what is to be done, and what came of it, on disk before anything happens;
//! - [`next`]: which devices the next boot tries, or the [`Answer`];
//! - [`parameter`]: what is said on the kernel's command line, and so holds for one boot only;
//! - [`faults`]: what the kernel's log says about faults;
//! - [`kexec`]: that one boot.

pub mod faults;
pub mod kexec;
mod next;
pub mod parameter;
mod plan;

pub use next::{Answer, Next, next};
pub use plan::{Culprit, How, LeftOut, Place, Plan, Round, RoundOutcome, Suspect, hold, load};
