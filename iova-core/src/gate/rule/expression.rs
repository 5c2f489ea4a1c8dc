//! The text of a rule: `METRIC <= [FACTOR x] baseline [+ NUMBER]`, or `METRIC <= NUMBER`.

use crate::metric::Unit;

/// How the value has to stand to the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::gate) enum Relation {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

/// Longest first.
const RELATIONS: [(&str, Relation); 5] = [
    ("<=", Relation::AtMost),
    (">=", Relation::AtLeast),
    ("==", Relation::Equal),
    ("<", Relation::Below),
    (">", Relation::Above),
];

impl Relation {
    /// True if `value` is as it has to be.
    pub(in crate::gate) fn holds(self, value: f64, bound: f64) -> bool {
        // 1.01 x 3000 is 3030 to whoever writes it, and 3030.0000000000005 to no one.
        let same = (value - bound).abs() <= 1e-12 * value.abs().max(bound.abs());
        match self {
            Self::Below => value < bound && !same,
            Self::AtMost => value < bound || same,
            Self::Above => value > bound && !same,
            Self::AtLeast => value > bound || same,
            Self::Equal => same,
        }
    }

    /// True if large values are bad.
    pub(in crate::gate) fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }
}

/// Units a number may have: what they measure, and how much of its base unit.
const UNITS: [(&str, Dimension, f64); 10] = [
    ("ns", Dimension::Time, 1.0),
    ("us", Dimension::Time, 1e3),
    ("µs", Dimension::Time, 1e3),
    ("ms", Dimension::Time, 1e6),
    ("s", Dimension::Time, 1e9),
    ("B", Dimension::Bytes, 1.0),
    ("KiB", Dimension::Bytes, 1024.0),
    ("MiB", Dimension::Bytes, 1_048_576.0),
    ("GiB", Dimension::Bytes, 1_073_741_824.0),
    ("%", Dimension::Share, 1.0),
];

/// What the unit of a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dimension {
    None,
    Time,
    Bytes,
    Share,
}

/// A number as written: in ns, bytes or percent if it has a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantity {
    number: f64,
    dimension: Dimension,
}

impl Quantity {
    const NOTHING: Self = Self { number: 0.0, dimension: Dimension::None };

    /// The number in the metric's unit.
    pub(super) fn in_unit(self, unit: Unit) -> Result<f64, String> {
        match (self.dimension, unit) {
            (Dimension::None, _) | (Dimension::Time, Unit::Nanoseconds) | (Dimension::Bytes, Unit::Bytes) => {
                Ok(self.number)
            }
            (Dimension::Time, Unit::Seconds) => Ok(self.number / 1e9),
            (Dimension::Share, Unit::Ratio) => Ok(self.number / 100.0),
            (_, Unit::Nanoseconds | Unit::Seconds) => Err("it is a time: use ns, us, ms or s".to_owned()),
            (_, Unit::Bytes) => Err("it is in bytes: use B, KiB, MiB or GiB".to_owned()),
            (_, Unit::Ratio) => Err("it is a share: use a number between 0 and 1, or %".to_owned()),
            (_, Unit::Count | Unit::PerSecond | Unit::Bits | Unit::Number) => {
                Err("it has no unit: use a plain number".to_owned())
            }
        }
    }

    /// The number, if it is in percent.
    pub(super) fn percent(self) -> Option<f64> {
        (self.dimension == Dimension::Share).then_some(self.number)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let unit = UNITS.iter().filter(|(name, ..)| text.ends_with(name)).max_by_key(|(name, ..)| name.len());
        let (digits, dimension, scale) = match unit {
            Some((name, dimension, scale)) => (text.strip_suffix(name).unwrap_or(text), *dimension, *scale),
            None => (text, Dimension::None, 1.0),
        };
        let number = digits.trim().replace('_', "").parse::<f64>().ok().filter(|number| number.is_finite());
        let number =
            number.ok_or_else(|| format!("'{}' is no number: write 0.8, 1.10 or 10us", brief(text)))?;
        Ok(Self { number: number * scale, dimension })
    }
}

/// A rule in its parts.
pub(super) struct Parsed {
    pub(super) metric: String,
    pub(super) relation: Relation,
    /// Of the baseline; `None` for a rule without one.
    pub(super) factor: Option<f64>,
    pub(super) quantity: Quantity,
}

pub(super) fn parse(text: &str) -> Result<Parsed, String> {
    let form = "write METRIC <= 1.10 x baseline, METRIC < NUMBER or METRIC == NUMBER";
    let Some(at) = text.find(['<', '>', '=', '!']) else {
        return Err(format!("'{}' compares nothing: {form}", brief(text)));
    };
    let (metric, rest) = text.split_at(at);
    let found = RELATIONS.iter().find_map(|(sign, relation)| Some((*relation, rest.strip_prefix(sign)?)));
    let (relation, bound) = found.ok_or_else(|| format!("'{}': use <, <=, >, >= or ==", brief(text)))?;
    let metric = metric.trim();
    if metric.is_empty() || metric.contains(char::is_whitespace) {
        return Err(format!("'{}' is no name of a metric: {form}", brief(metric)));
    }
    let (factor, quantity) = bound_of(bound.trim(), text)?;
    if factor.is_some() && relation == Relation::Equal {
        return Err("== with a baseline leaves no room for chance: use <= or >=".to_owned());
    }
    Ok(Parsed { metric: metric.to_owned(), relation, factor, quantity })
}

fn bound_of(bound: &str, text: &str) -> Result<(Option<f64>, Quantity), String> {
    let Some((before, after)) = bound.split_once("baseline") else {
        return Ok((None, Quantity::parse(bound)?));
    };
    let before = before.trim();
    let factor = match before.strip_suffix(['x', '*', '×']) {
        None if before.is_empty() => 1.0,
        None => {
            return Err(format!("'{}': there is no x before baseline, as in 1.10 x baseline", brief(text)));
        }
        Some(number) => {
            let number = number.trim();
            let factor = number.parse::<f64>().ok().filter(|factor| factor.is_finite() && *factor > 0.0);
            factor.ok_or_else(|| format!("'{}' is no factor: write 1.10 x baseline", brief(number)))?
        }
    };
    let after = after.trim();
    let quantity = match (after.strip_prefix('+'), after.strip_prefix('-')) {
        (Some(more), _) => Quantity::parse(more)?,
        (_, Some(less)) => {
            let quantity = Quantity::parse(less)?;
            Quantity { number: -quantity.number, ..quantity }
        }
        _ if after.is_empty() => Quantity::NOTHING,
        _ => return Err(format!("'{}' after baseline: use + or - and a number, or nothing", brief(after))),
    };
    Ok((Some(factor), quantity))
}

/// Enough to find it again.
pub(super) fn brief(text: &str) -> String {
    text.chars().take(60).collect()
}
