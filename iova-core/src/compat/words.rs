//! The words of a record that can only be one of a few.

use serde::Serialize;

/// Makes an enum whose variants are words of the file format.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every word there is.
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// As it stands in a record.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            pub(super) fn find(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    };
}

words! {
    /// What a record says about its devices.
    Verdict {
        /// Never hand out an address of more bits than its width.
        Cap = "cap",
        /// Verified good up to its width.
        Ok = "ok",
    }
}

words! {
    /// What goes wrong above a cap.
    Failure {
        /// The device drops high address bits.
        Truncated = "truncated",
        /// The device changes address bits in another way.
        Mangled = "mangled",
        /// A bridge or the fabric above the device drops bits.
        Bridge = "bridge",
        /// One register holds the high half of all addresses.
        SharedHigh = "shared-high",
        /// A buffer across a 4 GiB line.
        Crossing = "crossing",
        /// Sums of address and length wrap at the top of the space.
        Wrap = "wrap",
        /// IOMMU or page tables have fewer bits than they say.
        IommuWidth = "iommu-width",
        /// The device uses high bits for something else.
        OtherUse = "other-use",
        /// The device can use high addresses only: narrowing breaks it.
        NeedsHigh = "needs-high",
        /// Something, and nobody knows what.
        Unknown = "unknown",
    }
}

words! {
    /// What a record rests on.
    EvidenceKind {
        /// A quirk in the mainline kernel.
        Quirk = "quirk",
        /// The driver declares the true mask.
        Declared = "declared",
        /// A credible report.
        Report = "report",
        /// `iova verify`.
        Verified = "verified",
        /// The vendor.
        Vendor = "vendor",
    }
}

impl Failure {
    /// What happens, in a few words.
    pub fn what(self) -> &'static str {
        match self {
            Self::Truncated => "the device drops high address bits",
            Self::Mangled => "the device changes address bits",
            Self::Bridge => "a bridge above the device drops address bits",
            Self::SharedHigh => "one register holds the high half of all addresses",
            Self::Crossing => "buffers across a 4 GiB line fail",
            Self::Wrap => "sums of address and length wrap at the top of the space",
            Self::IommuWidth => "the IOMMU or its page tables have fewer bits than they say",
            Self::OtherUse => "the device uses high address bits for something else",
            Self::NeedsHigh => "the device can use high addresses only",
            Self::Unknown => "what goes wrong is not known",
        }
    }
}

impl EvidenceKind {
    /// Where it comes from, in a few words.
    pub fn what(self) -> &'static str {
        match self {
            Self::Quirk => "a quirk in the mainline kernel",
            Self::Declared => "the mask its driver declares",
            Self::Report => "a report",
            Self::Verified => "iova verify",
            Self::Vendor => "its vendor",
        }
    }
}
