//! Durations on the command line.

use std::time::Duration;

/// Shorter intervals hold too few allocations to say anything; longer ones belong to a recording.
const RANGE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_hours(24));

/// "500ms", "10s", "10", "2m" or "1h".
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("'{unit}' is no unit of time: use ms, s, m or h, as in 500ms, 10s or 2m")),
    };
    let number: f64 =
        number.parse().map_err(|_| "give a number and a unit, as in 500ms, 10s or 2m".to_owned())?;
    let duration = Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())?;
    if duration < RANGE.0 || duration > RANGE.1 {
        return Err("use 10ms to 24h".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_understood() {
        for (text, millis) in
            [("10", 10_000), ("500ms", 500), ("2m", 120_000), ("1.5s", 1500), ("1h", 3_600_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_hint() {
        for text in ["", "s", "-1", "10x", "0", "1ms", "25h", "1e3", "..s", "9999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
