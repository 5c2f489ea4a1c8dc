//! Sizes on the command line and in sentences.

/// Less holds no recording.
const LEAST: u64 = 100_000;

/// "500K", "100M" or "2G": powers of ten, as disks are sold.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let hint = || "give a number and a unit, as in 500K, 100M or 2G".to_owned();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale: u64 = match text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase().as_str() {
        "K" | "KB" => 1000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        _ => return Err(hint()),
    };
    let number: u64 = digits.parse().map_err(|_| hint())?;
    let size = number.checked_mul(scale).filter(|&size| size >= LEAST);
    size.ok_or_else(|| "use 100K or more".to_owned())
}

/// "41.5 MB".
pub(crate) fn render(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    let unit = units.into_iter().find(|(scale, _)| bytes >= *scale);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(scale, name)| format!("{:.1} {name}", bytes as f64 / scale as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        assert_eq!(
            [parse("500K"), parse("2G"), parse("100mb")],
            [Ok(500_000), Ok(2_000_000_000), Ok(100_000_000)]
        );
        for bad in ["", "5", "1K", "x", "-3M", "99999999999999999999G", "1.5M", "10T"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!([render(999), render(1500), render(41_500_000)], ["999 B", "1.5 kB", "41.5 MB"]);
    }
}
