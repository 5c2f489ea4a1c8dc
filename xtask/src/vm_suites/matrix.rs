//! Which guests the suites run in.

use std::fmt;
use std::time::Duration;

use crate::kernels::Line;
use crate::lab::{GuestSpec, Iommu};

/// What is special about a guest's boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Variant {
    /// Nothing
    Plain,
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
    /// The edu device keeps 36 bits of an address
    Edu36,
    /// The edu device keeps 43 bits of an address
    Edu43,
    /// A whole systemd, booted again and again: persisted policies
    Boot,
    /// Everything at once, with every kernel object checked
    Storm,
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
const MATRIX: [Configuration; 23] = [
    plain(Line::V5_10, Iommu::Intel),
    plain(Line::V6_1, Iommu::Intel),
    plain(Line::V6_12, Iommu::Intel),
    plain(Line::V7_3, Iommu::Intel),
    plain(Line::V6_12, Iommu::Amd),
    plain(Line::V7_3, Iommu::Amd),
    plain(Line::V6_12, Iommu::Virtio),
    special(Variant::Strict),
    special(Variant::Passthrough),
    special(Variant::Off),
    special(Variant::Lockdown),
    policy(Line::V5_10, Iommu::Intel),
    policy(Line::V5_10, Iommu::Amd),
    policy(Line::V6_1, Iommu::Intel),
    policy(Line::V6_12, Iommu::Intel),
    policy(Line::V6_12, Iommu::Amd),
    policy(Line::V7_3, Iommu::Intel),
    policy(Line::V7_3, Iommu::Amd),
    special(Variant::Edu36),
    special(Variant::Edu43),
    special(Variant::Boot),
    Configuration { line: Line::V6_1, iommu: Iommu::Intel, variant: Variant::Storm },
    Configuration { line: Line::V7_3, iommu: Iommu::Amd, variant: Variant::Storm },
];

/// What runs only if its kernel is asked for by name: on the kernel that checks itself everything takes several times as
/// long, and the kernel has to be built first.
const ON_REQUEST: [Configuration; 4] = [
    policy(Line::Debug, Iommu::Intel),
    policy(Line::Debug, Iommu::Amd),
    Configuration { line: Line::Debug, iommu: Iommu::Intel, variant: Variant::Storm },
    Configuration { line: Line::Debug, iommu: Iommu::Amd, variant: Variant::Storm },
];

/// The configurations that the filters of the command line leave.
pub(crate) fn wanted(args: &crate::test::Args) -> Vec<Configuration> {
    let asked = ON_REQUEST.into_iter().filter(|configuration| args.kernel.contains(&configuration.line));
    MATRIX.into_iter().chain(asked).filter(|configuration| configuration.is_wanted(args)).collect()
}

/// All that there is, for those who have asked for something else.
pub(crate) fn known() -> String {
    let all = MATRIX.iter().chain(&ON_REQUEST).map(ToString::to_string);
    all.collect::<Vec<_>>().join(", ")
}

const fn plain(line: Line, iommu: Iommu) -> Configuration {
    Configuration { line, iommu, variant: Variant::Plain }
}

const fn policy(line: Line, iommu: Iommu) -> Configuration {
    Configuration { line, iommu, variant: Variant::Policy }
}

const fn special(variant: Variant) -> Configuration {
    Configuration { line: Line::V6_12, iommu: Iommu::Intel, variant }
}

impl Variant {
    /// As the command line and the guest spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Strict => "strict",
            Self::Passthrough => "passthrough",
            Self::Off => "off",
            Self::Lockdown => "lockdown",
            Self::Policy => "policy",
            Self::Edu36 => "edu36",
            Self::Edu43 => "edu43",
            Self::Boot => "boot",
            Self::Storm => "storm",
        }
    }
}

impl Configuration {
    /// The guest that runs `argv` in this configuration. It finds the configuration in its environment.
    pub(crate) fn guest(self, argv: Vec<String>) -> GuestSpec {
        let mut spec = GuestSpec::new(self.line, self.iommu, argv);
        // Tracers attach while the disk is busy.
        spec.parallel &= !matches!(self.variant, Variant::Policy | Variant::Storm);
        match self.variant {
            Variant::Plain | Variant::Policy | Variant::Boot => {}
            Variant::Edu36 => spec.edu_mask = (1 << 36) - 1,
            Variant::Edu43 => spec.edu_mask = (1 << 43) - 1,
            // Poison, red zones, checks, and the origin of every object.
            Variant::Storm => spec.append.push("slub_debug=FZPU".into()),
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
        // The storm can be made another one.
        spec.env.extend(std::env::var("IOVA_STORM_SEED").map(|seed| ("IOVA_STORM_SEED".into(), seed)));
        spec.timeout = self.patience();
        spec
    }

    /// Under TCG on a busy machine everything takes its time, the more so where every access to memory is checked.
    fn patience(self) -> Duration {
        Duration::from_secs(if self.line == Line::Debug { 2 * 3600 } else { 1800 })
    }

    /// Whether the filters of the command line leave it; an empty one leaves everything.
    fn is_wanted(self, args: &crate::test::Args) -> bool {
        (args.kernel.is_empty() || args.kernel.contains(&self.line))
            && (args.iommu.is_empty() || args.iommu.contains(&self.iommu))
            && (args.variant.is_empty() || args.variant.contains(&self.variant))
            && (self.variant != Variant::Boot || is_named(&args.suite, Variant::Boot.name()))
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
    fn the_debug_kernel_runs_for_those_who_name_it() {
        assert_eq!(names(""), MATRIX.map(|configuration| configuration.to_string()));
        assert_eq!(names("--variant storm"), ["6.1 intel storm", "7.3 amd storm"]);
        assert_eq!(
            names("--kernel 6.12-debug --variant storm"),
            ["6.12-debug intel storm", "6.12-debug amd storm"]
        );
        assert_eq!(names("--kernel 6.12-debug --kernel 7.3 --iommu amd --variant storm").len(), 2);
        assert!(names("--kernel 6.12-debug --variant plain").is_empty());
    }
}
