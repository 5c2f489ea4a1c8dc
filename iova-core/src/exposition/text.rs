//! The text formats: Prometheus 0.0.4 and OpenMetrics 1.0.0. They differ in where a name ends and in a few words.

use super::histogram::{BOUNDS_NS, cumulative};
use super::{Distribution, Exposed, Family, Kind, Series, Value};
use std::fmt::{self, Write as _};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Prometheus,
    OpenMetrics,
}

/// Prometheus text format 0.0.4.
pub fn prometheus(families: &[Exposed<'_>]) -> String {
    write(families, Dialect::Prometheus)
}

/// OpenMetrics 1.0.0, without the `# EOF` at the end, so that more can follow.
pub fn openmetrics(families: &[Exposed<'_>]) -> String {
    write(families, Dialect::OpenMetrics)
}

fn write(families: &[Exposed<'_>], dialect: Dialect) -> String {
    let mut text = String::with_capacity(64 << 10);
    for exposed in families {
        // A String takes everything.
        let _ = head(&mut text, exposed.family, dialect);
        for series in &exposed.series {
            let _ = match series.value {
                Value::Number(value) => sample(&mut text, &exposed.family.full_name(), series, None, value),
                Value::Distribution(distribution) => {
                    histogram(&mut text, &exposed.family.name, series, distribution)
                }
            };
        }
    }
    text
}

fn head(text: &mut String, family: &Family, dialect: Dialect) -> fmt::Result {
    let open = dialect == Dialect::OpenMetrics;
    let name = if open { family.name.clone() } else { family.full_name() };
    let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
    let help = if open { help.replace('"', "\\\"") } else { help };
    let kind = if family.kind == Kind::Info && !open { Kind::Gauge } else { family.kind };
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name())?;
    if open && !family.unit.is_empty() {
        writeln!(text, "# UNIT {name} {}", family.unit)?;
    }
    Ok(())
}

fn sample(
    text: &mut String,
    name: &str,
    series: &Series<'_>,
    le: Option<&str>,
    value: impl fmt::Display,
) -> fmt::Result {
    text.write_str(name)?;
    let mut open = '{';
    for (label, value) in series.labels().chain(le.map(|le| ("le", le))) {
        write!(text, "{open}{label}=\"")?;
        escape(text, value);
        text.push('"');
        open = ',';
    }
    if open == ',' {
        text.push('}');
    }
    writeln!(text, " {value}")
}

fn escape(text: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

fn histogram(text: &mut String, name: &str, series: &Series<'_>, it: &Distribution) -> fmt::Result {
    let bucket = format!("{name}_bucket");
    for (bound, count) in BOUNDS_NS.into_iter().zip(cumulative(it)) {
        sample(text, &bucket, series, Some(&seconds(bound)), count)?;
    }
    sample(text, &bucket, series, Some("+Inf"), it.count)?;
    sample(text, &format!("{name}_sum"), series, None, seconds(it.sum_ns))?;
    sample(text, &format!("{name}_count"), series, None, it.count)
}

/// Nanoseconds as seconds, to the last digit.
fn seconds(ns: u64) -> String {
    let text = format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
    let trimmed = text.trim_end_matches('0');
    if trimmed.ends_with('.') { format!("{trimmed}0") } else { trimmed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact() {
        for (ns, text) in
            [(0, "0.0"), (255, "0.000000255"), (1_500_000_000, "1.5"), (u64::MAX, "18446744073.709551615")]
        {
            assert_eq!(seconds(ns), text);
        }
    }
}
