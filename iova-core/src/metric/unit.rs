//! Units, and how a value of each is written for people.

/// Unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Nanoseconds,
    /// Seconds.
    Seconds,
    /// Things per second.
    PerSecond,
    /// A share between 0 and 1.
    Ratio,
    /// A width in bits.
    Bits,
    /// A number that only names something (a group, an exit code).
    Number,
}

impl Unit {
    /// Its name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Nanoseconds => "nanoseconds",
            Self::Seconds => "seconds",
            Self::PerSecond => "per second",
            Self::Ratio => "ratio",
            Self::Bits => "bits",
            Self::Number => "number",
        }
    }

    /// `value` with its unit, "-" if unknown. Short enough for a table.
    pub fn render(self, value: Option<f64>) -> String {
        let Some(value) = value else { return "-".to_owned() };
        match self {
            Self::Count => count(value),
            Self::Bytes => bytes(value),
            Self::Nanoseconds => nanoseconds(value),
            Self::Seconds => format!("{value:.1} s"),
            Self::PerSecond => per_second(value),
            Self::Ratio => percent(value),
            Self::Bits => format!("{value:.0} bit"),
            Self::Number => format!("{value:.0}"),
        }
    }
}

/// Exact below a thousand million: counts are compared with other tools' counts. Then two or three digits.
fn count(value: f64) -> String {
    if value < 1e9 {
        grouped(value.round() as u64)
    } else {
        scaled(value, 1000.0, &["", "k", "M", "G", "T", "P"])
    }
}

fn per_second(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { count(value) }
}

fn bytes(value: f64) -> String {
    if value < 1024.0 {
        return format!("{value:.0} B");
    }
    scaled(value, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB"])
}

fn nanoseconds(value: f64) -> String {
    if value < 999.5 {
        return format!("{value:.0}ns");
    }
    scaled(value, 1000.0, &["ns", "µs", "ms", "s", "ks"])
}

/// A share that is not quite nothing or not quite all never reads as "0 %" or "100 %".
fn percent(value: f64) -> String {
    let percent = value * 100.0;
    match percent {
        _ if percent <= 0.0 => "0%".to_owned(),
        _ if percent < 0.1 => "<0.1%".to_owned(),
        _ if percent < 10.0 => format!("{percent:.1}%"),
        _ if percent < 99.5 || value == 1.0 => format!("{percent:.0}%"),
        _ if percent < 100.0 => ">99%".to_owned(),
        _ => format!("{percent:.0}%"),
    }
}

/// Two or three significant digits and the unit that fits.
fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut rest = value;
    for (index, unit) in units.iter().enumerate() {
        let last = index + 1 == units.len();
        if rest < step - 0.5 || last {
            // Sizes are whole powers of two more often than not; a measured value never is.
            let whole = step == 1024.0 && rest.fract() < 0.05;
            let text =
                if rest < 9.95 && index > 0 && !whole { format!("{rest:.1}") } else { format!("{rest:.0}") };
            return text + unit;
        }
        rest /= step;
    }
    format!("{value:.0}")
}

/// 1234567 as "1,234,567".
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_short_and_carry_their_unit() {
        let cases = [
            (Unit::Count, 0.0, "0"),
            (Unit::Count, 999_999.0, "999,999"),
            (Unit::Count, 1_234_567.0, "1,234,567"),
            (Unit::Count, 1.25e10, "12G"),
            (Unit::Bytes, 4096.0, "4 KiB"),
            (Unit::Bytes, 1.5 * 1024.0 * 1024.0, "1.5 MiB"),
            (Unit::Bytes, 4294967296.0, "4 GiB"),
            (Unit::Nanoseconds, 812.0, "812ns"),
            (Unit::Nanoseconds, 999.7, "1.0µs"),
            (Unit::Nanoseconds, 1_234.0, "1.2µs"),
            (Unit::Nanoseconds, 45_000.0, "45µs"),
            (Unit::Nanoseconds, 2_100_000_000.0, "2.1s"),
            (Unit::Ratio, 0.0, "0%"),
            (Unit::Ratio, 0.0004, "<0.1%"),
            (Unit::Ratio, 0.012, "1.2%"),
            (Unit::Ratio, 0.999, ">99%"),
            (Unit::Ratio, 1.0, "100%"),
            (Unit::Ratio, 1.27, "127%"),
            (Unit::PerSecond, 0.33, "0.3"),
            (Unit::PerSecond, 41_203.4, "41,203"),
            (Unit::Seconds, 10.02, "10.0 s"),
            (Unit::Bits, 64.0, "64 bit"),
        ];
        for (unit, value, want) in cases {
            assert_eq!(unit.render(Some(value)), want, "{unit:?} {value}");
        }
        assert_eq!(Unit::Bytes.render(None), "-");
    }
}
