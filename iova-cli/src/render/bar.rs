//! Bars.

const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar of which `room` is all. Something that is there at all is never drawn as nothing.
pub(crate) fn bar(share: f64, room: usize, unicode: bool) -> String {
    if share <= 0.0 || room == 0 {
        return String::new();
    }
    let eighths = ((share.min(1.0) * room as f64 * 8.0).round() as usize).max(1);
    if !unicode {
        return "#".repeat(eighths.div_ceil(8));
    }
    let mut bar = "█".repeat(eighths / 8);
    bar.extend((eighths % 8).checked_sub(1).and_then(|rest| EIGHTHS.get(rest)));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_proportional_and_never_vanish() {
        assert_eq!(bar(1.0, 4, true), "████");
        assert_eq!(bar(0.5, 3, true), "█▌");
        assert_eq!(bar(0.0001, 4, true), "▏");
        assert_eq!(bar(0.0001, 4, false), "#");
        assert_eq!(bar(0.0, 4, true), "");
        assert_eq!(bar(1.0, 0, true), "");
    }
}
