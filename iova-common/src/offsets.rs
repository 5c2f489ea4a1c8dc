//! Where the fields of kernel structs are on the running kernel: the one table.
//!
//! rustc emits no CO-RE relocations, so user space resolves these from `/sys/kernel/btf/vmlinux` before the programs
//! are loaded and writes them into the code ([`crate::patch`]). They are constants to the verifier, so loads at these offsets
//! are type-checked against the kernel's BTF and branches on [`ABSENT`] are removed.

/// The field does not exist on this kernel.
pub const ABSENT: u32 = u32::MAX;

macro_rules! offsets {
    ($($(#[$doc:meta])* $field:ident = $path:literal;)*) => {
        /// Byte offsets of kernel fields, or [`ABSENT`].
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Offsets {
            $($(#[$doc])* pub $field: u32,)*
        }

        impl Offsets {
            /// Nothing known yet.
            pub const NONE: Self = Self { $($field: ABSENT,)* };

            /// `(name in this table, "struct.member[.member]" in BTF)` of every field, in order.
            pub const PATHS: &'static [(&'static str, &'static str)] = &[$((stringify!($field), $path),)*];

            /// Sets the field that stands at position `index` of [`Self::PATHS`]; an index past the end is ignored.
            pub fn set(&mut self, index: usize, offset: u32) {
                let fields = [$(&mut self.$field,)*];
                if let Some(field) = fields.into_iter().nth(index) {
                    *field = offset;
                }
            }
        }
    };
}

offsets! {
    /// `struct dev_iommu *`; 5.8 and later
    device_iommu = "device.iommu";
    /// A bit of a `u32`; 6.5 and later
    dev_iommu_pci_32bit_workaround = "dev_iommu.pci_32bit_workaround";
    /// `const struct bus_type *`
    device_bus = "device.bus";
    /// `u64`, 0 for no limit
    device_bus_dma_limit = "device.bus_dma_limit";
    /// `struct iommu_group *`
    device_iommu_group = "device.iommu_group";
    /// `int`
    iommu_group_id = "iommu_group.id";
    /// `struct iommu_dma_cookie *`; on 7.x a member of a union, valid if the cookie type says so.
    iommu_domain_iova_cookie = "iommu_domain.iova_cookie";
    /// `struct iova_domain`, embedded
    iommu_dma_cookie_iovad = "iommu_dma_cookie.iovad";
    /// 5.10 VT-d: `struct iova_domain`, embedded
    dmar_domain_iovad = "dmar_domain.iovad";
    /// `unsigned long`
    iova_pfn_lo = "iova.pfn_lo";
    /// `unsigned long`
    iova_pfn_hi = "iova.pfn_hi";
    /// `dma_addr_t`; 6.16 and later
    dma_iova_state_addr = "dma_iova_state.addr";
    /// `u64`, the size and in its top bit a flag; 6.16 and later
    dma_iova_state_size = "dma_iova_state.__size";
    /// `struct timer_list`, embedded; 6.1 and later
    iommu_dma_cookie_fq_timer = "iommu_dma_cookie.fq_timer";
    /// `struct timer_list`, embedded; 5.10
    iova_domain_fq_timer = "iova_domain.fq_timer";
    /// `void __iomem *`
    intel_iommu_reg = "intel_iommu.reg";
    /// `u64`
    intel_iommu_cap = "intel_iommu.cap";
    /// `u16`
    intel_iommu_segment = "intel_iommu.segment";
}

#[cfg(feature = "user")]
// SAFETY: repr(C), u32 fields only, any bit pattern is valid.
unsafe impl aya::Pod for Offsets {}
