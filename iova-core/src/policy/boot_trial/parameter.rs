//! `iova.trial=ID.ROUND/WIDTH=BDF,BDF/…`: which devices get which width in this boot.
//!
//! `dist/initramfs/iova-boot-trial` reads it before any driver that is a module: the kernel's command line is the one thing
//! that every initramfs can read, and that is gone with the boot. The kernel takes a word with a dot for a parameter of a
//! module and does not hand it to init (`unknown_bootoption()`, init/main.c).

use std::collections::BTreeMap;

use crate::policy::Bdf;

/// The word.
pub const NAME: &str = "iova.trial=";

/// Longest parameter: x86 takes 2,048 bytes in all (`COMMAND_LINE_SIZE`, arch/x86/include/asm/setup.h), and the usual ones
/// want room too.
pub const MAX: usize = 1024;

/// The parameter of a round.
pub fn write(id: &str, round: u32, devices: impl IntoIterator<Item = (Bdf, u8)>) -> String {
    let mut widths: BTreeMap<u8, Vec<String>> = BTreeMap::new();
    for (bdf, width) in devices {
        let text = bdf.to_string();
        // Most machines have one segment.
        let short = text.strip_prefix("0000:").map(str::to_owned);
        widths.entry(width).or_default().push(short.unwrap_or(text));
    }
    let parts = widths.iter().map(|(width, list)| format!("/{width}={}", list.join(",")));
    format!("{NAME}{id}.{round}{}", parts.collect::<String>())
}

/// The trial and the round of a command line.
pub fn read(cmdline: &str) -> Option<(&str, u32)> {
    let word = cmdline.split_ascii_whitespace().find_map(|word| word.strip_prefix(NAME))?;
    let (id, round) = word.split('/').next()?.rsplit_once('.')?;
    Some((id, round.parse().ok()?))
}

/// A command line with this trial instead of an earlier one, and with what brings back a machine that panics.
pub fn command_line(now: &str, trial: &str, more: &[&str]) -> String {
    let ours = |word: &&str| !word.starts_with(NAME) && !more.contains(word) && *word != PANIC;
    let kept: Vec<&str> = now.split_ascii_whitespace().filter(ours).collect();
    let panics = kept.iter().any(|word| word.starts_with("panic="));
    let words = kept.into_iter().chain([trial]).chain(more.iter().copied());
    words.chain((!panics).then_some(PANIC)).collect::<Vec<_>>().join(" ")
}

/// Restarts half a minute after a panic, which ends the trial.
const PANIC: &str = "panic=30";

#[cfg(test)]
mod tests {
    use super::*;

    fn bdf(text: &str) -> Bdf {
        text.parse().unwrap()
    }

    #[test]
    fn it_says_which_devices_get_which_width() {
        let devices = [(bdf("0000:00:08.0"), 48), (bdf("0001:00:09.0"), 48), (bdf("0000:03:00.1"), 40)];
        let word = write("5f3a", 2, devices);
        assert_eq!(word, "iova.trial=5f3a.2/40=03:00.1/48=00:08.0,0001:00:09.0");
        assert_eq!(read(&format!("quiet {word} x=y")), Some(("5f3a", 2)));
        for none in ["", "quiet", "iova.trial=", "iova.trial=x", "iova.trial=x.y/48=1", "xiova.trial=a.1"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_trial_takes_the_place_of_the_one_before() {
        let now = "root=/dev/sda1 iova.trial=a.1/48=00:08.0 quiet iommu.forcedac=1 panic=30";
        let next = command_line(now, "iova.trial=a.2/48=00:09.0", &["iommu.forcedac=1"]);
        assert_eq!(next, "root=/dev/sda1 quiet iova.trial=a.2/48=00:09.0 iommu.forcedac=1 panic=30");
        assert_eq!(command_line("panic=-1 x", "t", &[]), "panic=-1 x t");
        assert_eq!(command_line("x", "t", &[]), "x t panic=30");
    }

    /// Two hundred devices in a boot are more than a command line holds: the caller has to look.
    #[test]
    fn many_devices_do_not_fit() {
        let all = (0..255).map(|bus| (Bdf::from_raw(bus << 8), 48));
        assert!(write("5f3a", 1, all).len() > MAX);
    }
}
