//! The measurements as a table.

use std::fmt::Write as _;

use super::baseline::Pair;

/// The same job done by bpftrace 0.27 (fentry and fexit, a histogram per `iovad`, allocations and frees, no device
/// names), measured the same way on 6.12.
const BPFTRACE: u64 = 3581;

/// Instructions per pair, and what each profile adds with what its empty programs alone would.
pub(crate) fn render(measured: &[Pair]) -> String {
    let mut text = String::from(
        "guest instructions per map+unmap pair (4 KiB, NVMe, VT-d, lazy): added by each profile,\n\
         in brackets what empty programs in the same places add\n\n\
         kernel                     alone          light        default           full\n",
    );
    for pair in measured {
        let floors = pair.floor.named();
        let _ = write!(text, "{:<24} {:>7}", pair.kernel, pair.none);
        for ((_, added), (_, floor)) in pair.added().into_iter().zip(floors) {
            let floor = floor.saturating_sub(pair.none);
            let _ = write!(text, " {:>14}", format!("+{added} [{floor}]"));
        }
        text.push('\n');
        if let Some(strict) = pair.strict {
            let (none, added) = (strict.none, strict.added());
            let _ = writeln!(text, "{:<24} {none:>7} strict {:>23}", "", format!("+{added}"));
        }
        for (share, total) in &pair.events {
            let added = total.saturating_sub(pair.iova.default);
            let _ = writeln!(text, "{:<24} default, and +{added} with iova record --events={share}", "");
        }
    }
    text.push('\n');
    for (pair, start) in measured.iter().filter_map(|pair| Some((pair, pair.start?))) {
        let _ = writeln!(text, "{:<24} start: {}", pair.kernel, start.describe());
    }
    let _ = writeln!(text, "\nbpftrace 0.27, the same job as default on 6.12: +{BPFTRACE}");
    text
}

#[cfg(test)]
mod tests {
    use super::super::baseline::{Profiles, Strict};
    use super::super::start::Start;
    use super::*;

    #[test]
    fn a_row_per_kernel() {
        let floor = Profiles { light: 2500, default: 2700, full: 3000 };
        let iova = Profiles { light: 2700, default: 3300, full: 4100 };
        let pair = Pair {
            line: "6.12".into(),
            kernel: "6.12.1".into(),
            none: 2052,
            stock: None,
            floor,
            iova,
            events: [("1/64".into(), 3350)].into(),
            strict: Some(Strict { none: 4000, default: 4950 }),
            start: Some(Start { default: 317_900_000, full: 500_000_000, devices: 78_000_000 }),
        };
        let text = render(&[pair]);
        assert!(
            text.contains("6.12.1                      2052     +648 [448]    +1248 [648]    +2048 [948]"),
            "{text}"
        );
        assert!(text.contains("                            4000 strict                    +950\n"), "{text}");
        assert!(text.contains("default, and +50 with iova record --events=1/64\n"), "{text}");
        assert!(text.contains("start: first sample 317 million, first sample of full 500 million"), "{text}");
    }
}
