//! The line that a test ends with: `ok NAME (1.2 s)`, `not ok NAME: WHY (1.2 s)` or `skip NAME: REASON (1.2 s)`.

use std::fmt;
use std::time::Duration;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It held.
    Passed,
    /// It did not, for this reason.
    Failed(&'a str),
    /// It can't run here, for this reason.
    Skipped(&'a str),
}

/// A test and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The suite, a dot, and what is tested.
    pub name: &'a str,
    /// How it ended.
    pub verdict: Verdict<'a>,
    /// How long it took, if that is known.
    pub took: Option<Duration>,
}

impl<'a> Line<'a> {
    /// Reads a line of output; `None` if it is something else.
    pub fn parse(line: &'a str) -> Option<Self> {
        let kinds = [
            ("ok ", (|_| Verdict::Passed) as fn(&'a str) -> Verdict<'a>),
            ("not ok ", Verdict::Failed),
            ("skip ", Verdict::Skipped),
        ];
        let (rest, verdict) =
            kinds.into_iter().find_map(|(start, verdict)| Some((line.strip_prefix(start)?, verdict)))?;
        let (rest, took) = seconds(rest).map_or((rest, None), |(rest, took)| (rest, Some(took)));
        let (name, why) = rest.split_once(": ").unwrap_or((rest, ""));
        Some(Self { name, verdict: verdict(why), took })
    }

    /// What comes before the first dot of the name.
    pub fn suite(&self) -> &'a str {
        self.name.split('.').next().unwrap_or(self.name)
    }
}

/// Takes ` (1.2 s)` off the end.
fn seconds(text: &str) -> Option<(&str, Duration)> {
    let (rest, seconds) = text.strip_suffix(" s)")?.rsplit_once(" (")?;
    Some((rest, Duration::try_from_secs_f64(seconds.parse().ok()?).ok()?))
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.verdict {
            Verdict::Passed => write!(f, "ok {name}")?,
            Verdict::Failed(why) => write!(f, "not ok {name}: {why}")?,
            Verdict::Skipped(reason) => write!(f, "skip {name}: {reason}")?,
        }
        self.took.map_or(Ok(()), |took| write!(f, " ({:.1} s)", took.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_written() {
        for verdict in [Verdict::Passed, Verdict::Failed("3: 4 (of 5 s)"), Verdict::Skipped("needs 6.12")] {
            for took in [None, Some(Duration::from_millis(61_500))] {
                let line = Line { name: "top.ends", verdict, took };
                assert_eq!(Line::parse(&line.to_string()), Some(line), "{line}");
            }
        }
    }

    #[test]
    fn remarks_are_no_lines() {
        for other in ["# ok a", "okay", "", "not so"] {
            assert_eq!(Line::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_failure_is_one_however_it_looks() {
        let line = Line::parse("not ok a.b").unwrap();
        assert_eq!((line.suite(), line.verdict, line.took), ("a", Verdict::Failed(""), None));
    }
}
