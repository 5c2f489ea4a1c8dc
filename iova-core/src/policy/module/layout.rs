//! Whether the module looks for the allocator where the running kernel has it.

use super::Info;
use crate::kernel::Types;

/// What comparing the module with the kernel's BTF gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The module uses no private structure, or none whose place could differ.
    Unused,
    /// Both agree.
    Agrees,
    /// The kernel has no BTF to compare with; the module's own check of the contents has to do.
    Unknown,
    /// They differ: the module was built for another kernel, and must not touch this one.
    Differs {
        /// Where the module looks.
        module: u32,
        /// Where the allocator is.
        kernel: u32,
    },
}

impl Layout {
    /// Compares the offset of `iova_domain` in `struct iommu_dma_cookie` (`drivers/iommu/dma-iommu.c`, private to that
    /// file on all lines).
    pub fn compare(info: &Info, types: Option<&Types>) -> Self {
        let Some(module) = info.iovad_offset else { return Self::Unused };
        match types.and_then(|types| types.offset("iommu_dma_cookie.iovad")) {
            None => Self::Unknown,
            Some(kernel) if kernel == module => Self::Agrees,
            Some(kernel) => Self::Differs { module, kernel },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::tests::recorded;
    use crate::policy::Mechanisms;

    #[test]
    fn against_recorded_kernels() {
        let info = |iovad_offset| Info {
            abi: (1, 0),
            features: Mechanisms::default(),
            lease_min_ms: 100,
            lease_max_ms: 1000,
            iovad_offset,
        };
        let compare = |offset, line| Layout::compare(&info(offset), Some(&recorded(line).into()));
        assert_eq!(compare(Some(8), "6.12"), Layout::Agrees);
        assert_eq!(compare(Some(8), "7.3"), Layout::Differs { module: 8, kernel: 0 });
        assert_eq!(compare(Some(0), "7.3"), Layout::Agrees);
        assert_eq!(compare(None, "7.3"), Layout::Unused);
        assert_eq!(Layout::compare(&info(Some(8)), None), Layout::Unknown);
    }
}
