//! Samples on paper: how they are written, and what is refused when they are read back.

use std::collections::BTreeMap;

use iova_common::hist;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::Histogram;
use crate::probe::hooks::metric_named;

/// Nothing is counted beyond this: enough for three years at 10^8 a second, and far from the end of u64, so that what
/// adds counts up does not run over.
const MOST: u64 = 1 << 53;

#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(deserialize_with = "buckets")]
    buckets: Vec<(usize, u64)>,
    sum: u64,
    max: u64,
}

impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let filled = self.buckets.iter().copied().enumerate().filter(|(_, count)| *count > 0);
        Written { buckets: filled.collect(), sum: self.sum, max: self.max }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { buckets, sum, max } = Written::deserialize(deserializer)?;
        let mut histogram = Self { sum, max, ..Self::default() };
        for (index, count) in buckets {
            if let Some(bucket) = histogram.buckets.get_mut(index) {
                *bucket = count;
            }
        }
        Ok(histogram)
    }
}

/// At most one entry for each bucket that there is, in order: what is read never takes more memory than that.
fn buckets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(usize, u64)>, D::Error> {
    struct Buckets;
    impl<'de> Visitor<'de> for Buckets {
        type Value = Vec<(usize, u64)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("pairs of a bucket's index and its count")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut buckets: Vec<(usize, u64)> = Vec::new();
            while let Some((index, count)) = entries.next_element::<(usize, u64)>()? {
                let ascends = buckets.last().is_none_or(|(before, _)| *before < index);
                if index >= hist::BUCKETS || !ascends {
                    return Err(A::Error::custom(format!("bucket {index} is out of range or out of order")));
                }
                if count > MOST {
                    return Err(A::Error::custom(format!("{count} samples in a bucket are no count")));
                }
                buckets.push((index, count));
            }
            Ok(buckets)
        }
    }
    deserializer.deserialize_seq(Buckets)
}

/// Counts by metric, under the names that this version has.
pub(super) fn metrics<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<&'static str, u64>, D::Error> {
    let counts = <BTreeMap<String, u64>>::deserialize(deserializer)?;
    let known = |(name, count): (String, u64)| match metric_named(&name) {
        Some(metric) => Ok((metric, count)),
        None => Err(D::Error::custom(format!("no probe measures {name:.40}"))),
    };
    counts.into_iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::model::testdata;

    fn sample() -> Sample {
        let event = |what| Event { ns: 1, cpu: 2, dev: u64::MAX, iovad: 3, what };
        let fault =
            What::Fault { addr: 1 << 40, bdf: Some("0000:00:03.0".into()), reason: None, read: Some(true) };
        let slow = What::SlowCall { duration_ns: 7, size: 4096, stack: vec!["alloc_iova+0x1".into()] };
        let mut sample = testdata::sample(9, vec![testdata::counters()], vec![testdata::domain_counters()]);
        sample.quality.missed = [("alloc.count", 3), ("lock.wait_ns", 0)].into();
        sample.watched = Some(Watched { dev: 5, by_order: vec![Histogram::default(); 2] });
        sample.events = [fault, slow, What::CacheFlush, What::DeviceNew].map(event).to_vec();
        sample
    }

    #[test]
    fn a_sample_comes_back_as_it_was() {
        let text = serde_json::to_string(&sample()).unwrap();
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), sample());
        assert!(!text.contains("0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"), "empty buckets: {text}");
    }

    #[test]
    fn what_is_no_histogram_is_refused() {
        let read = |buckets: &str| {
            let text = format!(r#"{{"buckets":{buckets},"sum":1,"max":1}}"#);
            serde_json::from_str::<Histogram>(&text).map(|histogram| histogram.buckets.len())
        };
        assert_eq!(read("[[0,1],[272,5]]").unwrap(), hist::BUCKETS);
        for bad in [
            "[[273,1]]",
            "[[5,1],[5,1]]",
            "[[5,1],[4,1]]",
            "[[-1,1]]",
            "[[18446744073709551615,1]]",
            "[[1,18446744073709551615]]",
            "[[1]]",
            "{}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_metric_of_nobody_is_refused() {
        let text = serde_json::to_string(&sample()).unwrap().replace("lock.wait_ns", "lock.colour");
        let error = serde_json::from_str::<Sample>(&text).unwrap_err();
        assert!(error.to_string().contains("lock.colour"), "{error}");
    }
}
