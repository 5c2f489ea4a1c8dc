//! Which guests the suites run in.

use std::fmt;
use std::time::Duration;

use iova_guest::random::Random;

use crate::kernels::Line;
use crate::lab::{GuestSpec, Iommu};

/// What is special about a guest's boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Variant {
    /// Nothing
    Plain,
    /// Nothing, for a few tests of everything
    Quick,
    /// Unmaps synchronously
    Strict,
    /// Devices bypass the IOMMU
    Passthrough,
    /// There is no IOMMU in use
    Off,
    /// Kernel memory can't be read, not even by root
    Lockdown,
    /// Policies are changed
    Policy,
    /// A kernel with PREEMPT_RT: whether counts are true there, and policies
    Realtime,
    /// The edu device keeps 36 bits of an address
    Edu36,
    /// The edu device keeps 43 bits of an address
    Edu43,
    /// 200 devices, each in a domain of its own
    Crowd,
    /// A whole systemd, booted twice: persisted policies
    Boot,
    /// The same, again and again, and now and then it dies; then udev applies the compatibility list
    BootDies,
    /// The same, with the files that `iova advise` has written
    BootAdvice,
    /// Everything at once, with every kernel object checked
    Storm,
    /// Allocations fail
    Failslab,
    /// The eBPF programs log what happens on rare paths
    BpfLog,
    /// Time is counted in instructions, so that a small change shows
    Icount,
    /// Edu devices of known widths, for `iova verify`
    Verify,
    /// The same with devices, widths and an order that a seed chooses (IOVA_VERIFY_SEED)
    VerifySeed,
    /// Eight edu devices, one of which drops address bits: which?
    Whodunit,
    /// The power is cut in the middle of `iova verify`, at moments that a seed chooses (IOVA_CUTS_SEED), again and again
    /// (IOVA_CUTS)
    Cuts,
}

/// One guest of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    pub(crate) line: Line,
    pub(crate) iommu: Iommu,
    pub(crate) variant: Variant,
}

/// Every kernel with the commonest IOMMU, the other IOMMUs where their drivers differ, and what else a host may be
/// like on the kernel that most have.
const MATRIX: [Configuration; 24] = [
    plain(Line::V5_10, Iommu::Intel),
    plain(Line::V6_1, Iommu::Intel),
    plain(Line::V6_12, Iommu::Intel),
    plain(Line::V7_3, Iommu::Intel),
    plain(Line::V6_12, Iommu::Amd),
    plain(Line::V6_12, Iommu::Virtio),
    special(Variant::Strict),
    special(Variant::Passthrough),
    special(Variant::Off),
    special(Variant::Lockdown),
    policy(Line::V5_10, Iommu::Intel),
    policy(Line::V6_1, Iommu::Intel),
    policy(Line::V6_12, Iommu::Intel),
    policy(Line::V6_12, Iommu::Amd),
    policy(Line::V7_3, Iommu::Intel),
    Configuration { line: Line::Rt, iommu: Iommu::Intel, variant: Variant::Realtime },
    special(Variant::Edu36),
    special(Variant::Edu43),
    special(Variant::Crowd),
    verify(Line::V6_12, Iommu::Intel),
    verify(Line::V6_12, Iommu::Amd),
    special(Variant::Boot),
    special(Variant::Whodunit),
    special(Variant::Icount),
];

/// The guest of `--quick`.
const QUICK: Configuration = special(Variant::Quick);

/// What takes long and seldom finds anything: left out of a run without filters, unless it is one of `--all`.
const LONG: [Configuration; 15] = [
    plain(Line::V7_3, Iommu::Amd),
    policy(Line::V5_10, Iommu::Amd),
    policy(Line::V7_3, Iommu::Amd),
    policy(Line::Rt, Iommu::Intel),
    verify(Line::V7_3, Iommu::Intel),
    special(Variant::VerifySeed),
    special(Variant::BpfLog),
    special(Variant::Cuts),
    special(Variant::BootDies),
    special(Variant::BootAdvice),
    Configuration { line: Line::V6_1, iommu: Iommu::Intel, variant: Variant::BootAdvice },
    Configuration { line: Line::V6_12, iommu: Iommu::Amd, variant: Variant::Whodunit },
    Configuration { line: Line::V6_1, iommu: Iommu::Intel, variant: Variant::Storm },
    Configuration { line: Line::V7_3, iommu: Iommu::Amd, variant: Variant::Storm },
    Configuration { line: Line::Rt, iommu: Iommu::Intel, variant: Variant::Storm },
];

/// Guests that run only if their kernel is asked for by name: that has to be built first, and on one that checks itself everything takes
/// several times as long.
const ON_REQUEST: [Configuration; 8] = [
    policy(Line::Debug, Iommu::Intel),
    policy(Line::Debug, Iommu::Amd),
    Configuration { line: Line::Debug, iommu: Iommu::Intel, variant: Variant::Storm },
    Configuration { line: Line::Debug, iommu: Iommu::Amd, variant: Variant::Storm },
    Configuration { line: Line::Debug, iommu: Iommu::Intel, variant: Variant::Failslab },
    Configuration { line: Line::Kcsan, iommu: Iommu::Intel, variant: Variant::Storm },
    plain(Line::Lto, Iommu::Intel),
    plain(Line::Lto73, Iommu::Intel),
];

/// With their root ports, which are devices as well, and the usual ones there are 200.
const CROWD: u8 = 98;

/// Widths of the edu devices that `iova verify` has to find; the last is honest.
const VERIFY_BITS: [u32; 6] = [32, 33, 36, 40, 43, 64];

/// Of the eight devices of a boot trial, the first has a place of its own.
const HONEST: usize = 7;
/// Which of the others is not honest, and how many bits it keeps.
const CULPRIT: usize = 4;
const CULPRIT_BITS: u32 = 40;

/// Where it is.
pub(super) fn culprit_address() -> String {
    let slot = SLOTS.clone().nth(CULPRIT).unwrap_or_default();
    format!("0000:00:{slot:02x}.0")
}

/// Widths that a seed chooses from.
const SEEDED_BITS: [u32; 18] = [32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49];

/// Devices of a seed.
const SEEDED: usize = 10;

/// Slots for edu devices that only some suites want.
const SLOTS: std::ops::RangeInclusive<u8> = 8..=30;

fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// Which seed: that of the environment, else the first.
fn verify_seed() -> u64 {
    std::env::var("IOVA_VERIFY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// Slots, in the order in which they are looked at, and masks of 32 to 49 bits: all that a VT-d of 48 bits can tell apart,
/// and honest ones.
fn seeded(seed: u64) -> Vec<(u8, u64)> {
    let mut random = Random::new(seed);
    let mut free: Vec<u8> = SLOTS.collect();
    let mut device = || {
        let slot = free.swap_remove(random.below(free.len()));
        (slot, mask(random.pick(&SEEDED_BITS)))
    };
    (0..SEEDED).map(|_| device()).collect()
}

/// The configurations that the filters of the command line leave.
pub(crate) fn wanted(args: &crate::test::Args) -> Vec<Configuration> {
    if args.quick {
        return vec![QUICK];
    }
    let long = LONG.into_iter().filter(|_| args.all || args.has_filters());
    let asked = ON_REQUEST.into_iter().filter(|configuration| args.kernel.contains(&configuration.line));
    let quick = args.variant.contains(&QUICK.variant).then_some(QUICK);
    let all = MATRIX.into_iter().chain(long).chain(asked).chain(quick);
    all.filter(|configuration| configuration.is_wanted(args)).collect()
}

/// All that there is, for those who have asked for something else.
pub(crate) fn known() -> String {
    let all = MATRIX.iter().chain(&LONG).chain(&ON_REQUEST).chain([&QUICK]).map(ToString::to_string);
    all.collect::<Vec<_>>().join(", ")
}

const fn plain(line: Line, iommu: Iommu) -> Configuration {
    Configuration { line, iommu, variant: Variant::Plain }
}

const fn policy(line: Line, iommu: Iommu) -> Configuration {
    Configuration { line, iommu, variant: Variant::Policy }
}

const fn verify(line: Line, iommu: Iommu) -> Configuration {
    Configuration { line, iommu, variant: Variant::Verify }
}

const fn special(variant: Variant) -> Configuration {
    Configuration { line: Line::V6_12, iommu: Iommu::Intel, variant }
}

impl Variant {
    /// Whether it is several boots, of which none runs the suites that are asked for.
    fn is_a_row(self) -> bool {
        matches!(self, Self::Boot | Self::BootDies | Self::BootAdvice | Self::Whodunit | Self::Cuts)
    }

    /// Whether they are boots of a whole systemd.
    pub(super) fn has_systemd(self) -> bool {
        matches!(self, Self::Boot | Self::BootDies | Self::BootAdvice | Self::Whodunit)
    }

    /// As the command line and the guest spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Quick => "quick",
            Self::Strict => "strict",
            Self::Passthrough => "passthrough",
            Self::Off => "off",
            Self::Lockdown => "lockdown",
            Self::Policy => "policy",
            Self::Realtime => "realtime",
            Self::Edu36 => "edu36",
            Self::Edu43 => "edu43",
            Self::Crowd => "crowd",
            Self::Boot => "boot",
            Self::BootDies => "boot-dies",
            Self::BootAdvice => "boot-advice",
            Self::Storm => "storm",
            Self::Failslab => "failslab",
            Self::BpfLog => "bpf-log",
            Self::Icount => "icount",
            Self::Verify => "verify",
            Self::VerifySeed => "verify-seed",
            Self::Whodunit => "whodunit",
            Self::Cuts => "cuts",
        }
    }
}

impl Configuration {
    /// The guest that runs `argv` in this configuration. It finds the configuration in its environment.
    pub(crate) fn guest(self, argv: Vec<String>) -> GuestSpec {
        let mut spec = GuestSpec::new(self.line, self.iommu, argv);
        match self.variant {
            Variant::Plain
            | Variant::Realtime
            | Variant::Boot
            | Variant::BootDies
            | Variant::BootAdvice
            | Variant::Cuts
            | Variant::BpfLog
            | Variant::Failslab => {}
            Variant::Quick | Variant::Policy => spec.listed = true,
            Variant::Edu36 => spec.edu_mask = (1 << 36) - 1,
            Variant::Edu43 => spec.edu_mask = (1 << 43) - 1,
            // Poison, red zones, checks, and the origin of every object.
            //
            // Not on one CPU of the host: there the storm met a fault of 6.1's NVMe driver, which frees its doorbell buffers with the last
            // reference to the controller, when the device may have no domain any more (nvme_pci_free_ctrl(), drivers/nvme/host/pci.c,
            // 6.1.192). With no module of ours loaded the kernel dies if /dev/nvme0 is open while the device is removed, and then closed.
            Variant::Storm => {
                spec.append.push("slub_debug=FZPU".into());
                spec.pinned = false;
            }
            Variant::Icount => (spec.icount, spec.unread_console) = (true, true),
            Variant::Crowd => (spec.crowd, spec.listed) = (CROWD, true),
            Variant::Verify => spec.more_edus = SLOTS.zip(VERIFY_BITS.map(mask)).collect(),
            Variant::VerifySeed => spec.more_edus = seeded(verify_seed()),
            Variant::Whodunit => {
                spec.edu_mask = u64::MAX;
                let bits = |index| if index == CULPRIT { CULPRIT_BITS } else { u64::BITS };
                spec.more_edus = SLOTS.zip((0..HONEST).map(|index| mask(bits(index)))).collect();
            }
            Variant::Strict => spec.strict = true,
            Variant::Passthrough => spec.passthrough = true,
            Variant::Off => spec.append.push("intel_iommu=off".into()),
            Variant::Lockdown => spec.append.push("lockdown=confidentiality".into()),
        }
        spec.env = vec![
            ("IOVA_LAB_KERNEL".into(), self.line.to_string()),
            ("IOVA_LAB_IOMMU".into(), self.iommu.name().into()),
            ("IOVA_LAB_VARIANT".into(), self.variant.name().into()),
            ("IOVA_LAB_EDU_MASK".into(), format!("{:#x}", spec.edu_mask)),
        ];
        let edus = spec.more_edus.iter().map(|(slot, mask)| format!("{slot:02x}={mask:#x}"));
        spec.env.push(("IOVA_LAB_MORE_EDUS".into(), edus.collect::<Vec<_>>().join(",")));
        // The storm can be made another one, and a longer one.
        for name in ["IOVA_STORM_SEED", "IOVA_STORM_OPERATIONS"] {
            spec.env.extend(std::env::var(name).map(|value| (name.into(), value)));
        }
        spec.timeout = self.patience();
        spec
    }

    /// So long it takes, about, beside others: the longest begin first.
    pub(super) fn seconds(self) -> u32 {
        match self.variant {
            Variant::Cuts => 900,
            Variant::Plain | Variant::Policy if self.is_an_end() => 450,
            Variant::Verify if self.iommu == Iommu::Intel => 450,
            Variant::BootDies | Variant::Whodunit | Variant::Storm | Variant::Failslab => 400,
            Variant::Plain | Variant::Policy if self.iommu == Iommu::Intel => 300,
            Variant::Policy
            | Variant::Crowd
            | Variant::Boot
            | Variant::BootAdvice
            | Variant::Verify
            | Variant::Realtime => 200,
            Variant::Plain | Variant::VerifySeed | Variant::Icount | Variant::Quick => 100,
            Variant::Edu36 | Variant::Edu43 | Variant::BpfLog => 50,
            Variant::Strict | Variant::Passthrough | Variant::Off | Variant::Lockdown => 30,
        }
    }

    /// Whether the suites for the oldest kernel and the newest run there.
    fn is_an_end(self) -> bool {
        self.iommu == Iommu::Intel && matches!(self.line, Line::V5_10 | Line::V7_3)
    }

    /// Under TCG on a busy machine everything takes its time, the more so where every access to memory is checked.
    fn patience(self) -> Duration {
        Duration::from_secs(if self.line.is_built() { 2 * 3600 } else { 1800 })
    }

    /// Whether the filters of the command line leave it; an empty one leaves everything.
    fn is_wanted(self, args: &crate::test::Args) -> bool {
        (args.kernel.is_empty() || args.kernel.contains(&self.line))
            && (args.iommu.is_empty() || args.iommu.contains(&self.iommu))
            && (args.variant.is_empty() || args.variant.contains(&self.variant))
            && (!self.variant.is_a_row() || is_named(&args.suite, self.variant.name()))
    }
}

/// Whether a filter leaves a suite of this name.
fn is_named(filter: &[String], suite: &str) -> bool {
    filter.is_empty() || filter.iter().any(|text| suite.contains(text.as_str()))
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.line, self.iommu.name())?;
        if self.variant == Variant::Plain { Ok(()) } else { write!(f, " {}", self.variant.name()) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: crate::test::Args,
    }

    fn names(words: &str) -> Vec<String> {
        let command = Command::parse_from(format!("test {words}").split_whitespace());
        wanted(&command.args).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_seed_is_always_the_same_and_another_another() {
        assert_eq!(seeded(1), seeded(1));
        assert_ne!(seeded(1), seeded(2));
        for seed in 1..=5 {
            let slots: std::collections::BTreeSet<_> =
                seeded(seed).into_iter().map(|(slot, _)| slot).collect();
            assert!(slots.len() == SEEDED && slots.iter().all(|slot| SLOTS.contains(slot)), "{slots:?}");
        }
        assert_eq!((mask(32), mask(64)), (0xffff_ffff, u64::MAX));
    }

    #[test]
    fn what_is_long_runs_for_those_who_want_all_or_name_something() {
        let named = |matrix: &[Configuration]| matrix.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(""), named(&MATRIX));
        assert_eq!(names("--all"), named(&[&MATRIX[..], &LONG].concat()));
        assert_eq!(names("--variant storm"), ["6.1 intel storm", "7.3 amd storm", "6.12-rt intel storm"]);
        assert_eq!(names("--variant realtime"), ["6.12-rt intel realtime"]);
        assert_eq!(names("--suite boot --variant boot"), ["6.12 intel boot"]);
        assert_eq!(names("--quick"), ["6.12 intel quick"]);
        assert_eq!(names("--variant quick"), names("--quick"));
        assert!(names("--kernel 7.3").contains(&"7.3 amd storm".into()));
    }

    #[test]
    fn the_debug_kernel_runs_for_those_who_name_it() {
        assert_eq!(
            names("--kernel 6.12-debug --variant storm"),
            ["6.12-debug intel storm", "6.12-debug amd storm"]
        );
        assert_eq!(names("--kernel 6.12-debug --kernel 7.3 --iommu amd --variant storm").len(), 2);
        assert!(names("--kernel 6.12-debug --variant plain").is_empty());
    }
}
