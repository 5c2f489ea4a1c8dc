//! Patterns for devices: `*` for anything, `?` for one character, and capital letters as small ones.

/// True if `pattern` fits all of `text`.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let letters = |text: &str| -> Vec<char> { text.to_lowercase().chars().collect() };
    let (pattern, text) = (letters(pattern), letters(text));
    // How much of the pattern may be used up by the text so far. A row per letter keeps it linear in both.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    skip_stars(&pattern, &mut reached);
    for letter in text {
        let mut next = vec![false; pattern.len() + 1];
        for (at, &wanted) in pattern.iter().enumerate().filter(|(at, _)| reached[*at]) {
            let fits = wanted == '?' || wanted == letter;
            next[at] |= wanted == '*';
            next[at + 1] |= wanted != '*' && fits;
        }
        skip_stars(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

/// A star may stand for nothing.
fn skip_stars(pattern: &[char], reached: &mut [bool]) {
    for (at, &wanted) in pattern.iter().enumerate() {
        reached[at + 1] |= reached[at] && wanted == '*';
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, fits) in [
            ("nvme*", "nvme0n1", true),
            ("nvme*", "xnvme", false),
            ("*:00.0", "0000:01:00.0", true),
            ("eth?", "eth0", true),
            ("eth?", "eth10", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("NVMe", "nvme", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
        // Not one step per way to deal the letters among the stars.
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
    }
}
