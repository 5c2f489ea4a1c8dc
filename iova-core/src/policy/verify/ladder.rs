//! Which widths there are to be tried.

use serde::{Deserialize, Serialize};

use super::{FIRST, LAST};
use crate::policy::Refusal;

/// What ends the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// The driver's DMA mask.
    Mask,
    /// The IOMMU's width, or a limit of the bus.
    Iommu,
    /// The module goes no further.
    Module,
    /// `--to`.
    Asked,
}

/// The widths of one device on its path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// Bits that are proved already.
    pub proved: u8,
    /// Widths to try, ascending, all above `proved`.
    pub widths: Vec<u8>,
    /// Widths between them that can't be had: the host keeps those addresses for PCI windows.
    pub closed: Vec<u8>,
    /// The widest there is.
    pub top: u8,
    /// Why it ends there.
    pub bound: Bound,
}

impl Ladder {
    /// Asks for every width whether it could be had. `to`: the widest that is wanted.
    ///
    /// # Errors
    /// The refusal, if it has nothing to do with the width.
    pub fn new(
        proved: u8,
        to: Option<u8>,
        mut ask: impl FnMut(u8) -> Result<(), Refusal>,
    ) -> Result<Self, Refusal> {
        let proved = proved.max(FIRST);
        let mut ladder =
            Self { proved, widths: Vec::new(), closed: Vec::new(), top: FIRST, bound: Bound::Module };
        for width in FIRST + 1..=LAST {
            if to.is_some_and(|to| width > to) {
                ladder.bound = Bound::Asked;
                break;
            }
            match ask(width) {
                Ok(()) => ladder.widths.push(width),
                Err(Refusal::Width) => ladder.closed.push(width),
                Err(Refusal::Mask) => {
                    ladder.bound = Bound::Mask;
                    break;
                }
                Err(Refusal::Narrower) => {
                    ladder.bound = Bound::Iommu;
                    break;
                }
                Err(other) => return Err(other),
            }
        }
        // What can't be had at the upper end is no step that is missing.
        ladder.top = ladder.widths.last().copied().unwrap_or(FIRST);
        ladder.closed.retain(|&width| width < ladder.top && width > proved);
        ladder.widths.retain(|&width| width > proved);
        Ok(ladder)
    }

    /// The next width above this one.
    pub fn after(&self, width: u8) -> Option<u8> {
        self.widths.iter().copied().find(|&next| next > width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A VT-d of 48 bits with PCI windows from 4 to 36 GiB, and a driver's mask.
    fn host(mask: u8) -> impl FnMut(u8) -> Result<(), Refusal> {
        move |width| match width {
            _ if width > mask => Err(Refusal::Mask),
            49.. => Err(Refusal::Narrower),
            33..=35 => Err(Refusal::Width),
            _ => Ok(()),
        }
    }

    #[test]
    fn up_to_the_narrower_of_mask_and_iommu() {
        let wide = Ladder::new(0, None, host(64)).unwrap();
        assert_eq!((wide.proved, wide.top, wide.bound), (32, 48, Bound::Iommu));
        assert_eq!((wide.widths.first(), wide.widths.last()), (Some(&36), Some(&48)));
        assert_eq!(wide.closed, [33, 34, 35]);
        let narrow = Ladder::new(0, None, host(40)).unwrap();
        assert_eq!((narrow.top, narrow.bound), (40, Bound::Mask));
        let none = Ladder::new(0, None, host(35)).unwrap();
        assert_eq!((none.top, none.widths.len(), none.closed.len()), (32, 0, 0));
    }

    #[test]
    fn what_is_proved_is_left_out_and_what_is_not_wanted_too() {
        let some = Ladder::new(38, Some(41), host(64)).unwrap();
        assert_eq!(
            (some.widths, some.closed, some.top, some.bound),
            (vec![39, 40, 41], vec![], 41, Bound::Asked)
        );
        let done = Ladder::new(42, Some(41), host(64)).unwrap();
        assert_eq!((done.widths.len(), done.top), (0, 41));
    }

    #[test]
    fn other_refusals_are_none_of_the_width() {
        assert_eq!(Ladder::new(0, None, |_| Err(Refusal::Quarantined)), Err(Refusal::Quarantined));
    }
}
