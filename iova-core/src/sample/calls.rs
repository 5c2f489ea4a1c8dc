//! Single allocations and frees: drawn at random from all of them, for what no counter can tell, such as how long each
//! address was held.

pub use iova_common::call::CallKind;

/// One allocation or free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// CLOCK_MONOTONIC, ns: when an allocation returned, or when a free began.
    pub ns: u64,
    /// Which of them it was.
    pub kind: CallKind,
    /// CPU.
    pub cpu: u32,
    /// Address of the `struct device`.
    pub dev: u64,
    /// First page frame, of 4 KiB; `None` if the allocation failed.
    pub pfn: Option<u64>,
    /// Pages asked for or given back; `u32::MAX` for as many and more.
    pub pages: u32,
    /// Highest page frame allowed; `None` of a free.
    pub limit_pfn: Option<u64>,
    /// Entry to return, ns, at most `u32::MAX`; `None` of a free, and of an allocation that was not timed.
    pub latency_ns: Option<u32>,
}

impl Call {
    /// The order that the allocator rounds its pages up to.
    pub fn order(&self) -> u32 {
        u32::BITS - self.pages.saturating_sub(1).leading_zeros()
    }
}

/// Calls of some interval, and those that are not among them: together exactly as many as allocations and frees were
/// counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// One call in so many was drawn.
    pub sampling: u32,
    /// Drawn and lost, because more came than was fetched.
    pub lost: u64,
    /// Not drawn.
    pub passed: u64,
    /// Those that were fetched, oldest first.
    pub list: Vec<Call>,
}

impl Calls {
    /// How many calls there were.
    pub fn total(&self) -> u64 {
        self.lost.saturating_add(self.passed).saturating_add(self.list.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_holds_its_pages() {
        let call = |pages| Call {
            ns: 1,
            kind: CallKind::Free,
            cpu: 0,
            dev: 1,
            pfn: Some(1),
            pages,
            limit_pfn: None,
            latency_ns: None,
        };
        let orders = [0, 1, 2, 3, 4, 5, 64, 65, u32::MAX].map(|pages| call(pages).order());
        assert_eq!(orders, [0, 0, 1, 2, 2, 3, 6, 7, 32]);
    }
}
