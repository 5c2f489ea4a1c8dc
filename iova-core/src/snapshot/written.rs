//! The ranges of a domain on paper.

use std::sync::Arc;

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeSeq as _, Serializer};

use super::{Range, RangeKind};

/// Pages that 64-bit addresses reach: no range lies beyond.
const PAGES: u64 = 1 << 52;

/// Pages free before it, pages of it, its kind.
type Written = (u64, u64, RangeKind);

pub(super) fn serialize<S: Serializer>(ranges: &[Range], serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(ranges.len()))?;
    let mut end = 0;
    for range in ranges {
        let gap = range.pfn_lo.checked_sub(end);
        let pages = range.pfn_hi.checked_sub(range.pfn_lo).and_then(|last| last.checked_add(1));
        let (Some(gap), Some(pages)) = (gap, pages) else {
            return Err(S::Error::custom("the ranges are not in the order of their addresses"));
        };
        list.serialize_element::<Written>(&(gap, pages, range.kind))?;
        end = range.pfn_hi.saturating_add(1);
    }
    list.end()
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Range]>, D::Error> {
    struct Ranges;
    impl<'de> Visitor<'de> for Ranges {
        type Value = Arc<[Range]>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("lists of pages before a range, pages of it, and its kind")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut ranges = Vec::new();
            let mut end = 0u64;
            while let Some((gap, pages, kind)) = list.next_element::<Written>()? {
                let place = end.checked_add(gap).and_then(|lo| Some((lo, lo.checked_add(pages)?)));
                let Some((pfn_lo, after)) = place.filter(|(_, after)| pages > 0 && *after <= PAGES) else {
                    return Err(A::Error::custom("a range is empty, or ends beyond 64 bits"));
                };
                ranges.push(Range { pfn_lo, pfn_hi: after - 1, kind });
                end = after;
            }
            Ok(ranges.into())
        }
    }
    deserializer.deserialize_seq(Ranges)
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::model::testdata;

    #[test]
    fn a_snapshot_comes_back_as_it_was() {
        let mut snapshot = testdata::snapshot();
        let range = |pfn_lo, pfn_hi, kind| Range { pfn_lo, pfn_hi, kind };
        snapshot.domains[0].ranges = vec![
            range(0, 0, RangeKind::Reserved),
            range(1, 9, RangeKind::Live),
            range(16, 31, RangeKind::Cached),
            range((1 << 52) - 2, (1 << 52) - 1, RangeKind::Pending),
        ]
        .into();
        let text = serde_json::to_string(&snapshot).unwrap();
        assert!(text.contains(r#"[0,1,"reserved"],[0,9,"live"],[6,16,"cached"]"#), "{text}");
        assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), snapshot);
    }

    #[test]
    fn what_is_in_no_space_is_refused() {
        let text = |ranges: &str| {
            let mut snapshot = testdata::snapshot();
            snapshot.domains.truncate(1);
            snapshot.domains[0].ranges = Arc::default();
            let text = serde_json::to_string(&snapshot).unwrap();
            text.replace(r#""ranges":[]"#, &format!(r#""ranges":{ranges}"#))
        };
        assert!(serde_json::from_str::<Snapshot>(&text(r#"[[5,1,"live"]]"#)).is_ok());
        for bad in [
            r#"[[5,0,"live"]]"#,
            r#"[[5,4503599627370496,"live"]]"#,
            r#"[[18446744073709551615,1,"live"]]"#,
            r#"[[1,18446744073709551615,"live"]]"#,
            r#"[[1,1,"blue"]]"#,
            "[[1]]",
        ] {
            assert!(serde_json::from_str::<Snapshot>(&text(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_out_of_order_are_not_written() {
        let mut snapshot = testdata::snapshot();
        let range = Range { pfn_lo: 5, pfn_hi: 9, kind: RangeKind::Live };
        snapshot.domains[0].ranges = vec![range, range].into();
        assert!(serde_json::to_string(&snapshot).is_err());
    }
}
