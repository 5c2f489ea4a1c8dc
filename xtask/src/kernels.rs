//! Debian's stock kernels: the newest of each line, unpacked into the cache and never installed.

mod built;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};

use self::built::Flavour;
use crate::apt::{self, Apt, Suite};
use crate::chroot::Compiler;
use crate::fsx::{self, Lock};
use crate::{cmd, paths, say};

/// A kernel line the project supports; each stands for one generation of the IOVA allocator's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Line {
    V5_10,
    V6_1,
    V6_12,
    V7_3,
    /// 6.12 with PREEMPT_RT, as Debian builds it.
    Rt,
    /// 6.12 with KASAN, lockdep and kmemleak, built here from Debian's source; no part of the matrix.
    Debug,
    /// The same with KCSAN instead of KASAN.
    Kcsan,
    /// 6.12, built here by clang with ThinLTO, which renames and inlines what gcc leaves alone.
    Lto,
    /// The same with 7.3.
    Lto73,
}

impl Line {
    /// The stock ones.
    pub(crate) const ALL: [Self; 5] = [Self::V5_10, Self::V6_1, Self::V6_12, Self::V7_3, Self::Rt];
    /// Those whose instructions are counted. On a real-time kernel an instruction count says little: what matters there is
    /// who waits for whom.
    pub(crate) const COUNTED: [Self; 4] = [Self::V5_10, Self::V6_1, Self::V6_12, Self::V7_3];
    const WITH_BUILT: [Self; 9] = [
        Self::V5_10,
        Self::V6_1,
        Self::V6_12,
        Self::V7_3,
        Self::Rt,
        Self::Debug,
        Self::Kcsan,
        Self::Lto,
        Self::Lto73,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V5_10 => "5.10",
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::V7_3 => "7.3",
            Self::Rt => "6.12-rt",
            Self::Debug => "6.12-debug",
            Self::Kcsan => "6.12-kcsan",
            Self::Lto => "6.12-lto",
            Self::Lto73 => "7.3-lto",
        }
    }

    /// The Debian release whose compiler built this kernel.
    pub(crate) fn suite(self) -> Suite {
        match self {
            Self::V5_10 => Suite::Bullseye,
            Self::V6_1 | Self::V6_12 | Self::Rt | Self::Debug | Self::Kcsan | Self::Lto => Suite::Bookworm,
            Self::V7_3 | Self::Lto73 => Suite::Trixie,
        }
    }

    /// The compiler that built this kernel, and builds modules for it.
    pub(crate) fn compiler(self) -> Compiler {
        match self {
            Self::Lto => Compiler::Clang(19),
            Self::Lto73 => Compiler::Clang(22),
            _ => Compiler::Gcc,
        }
    }

    /// What surrounds the one number that grows in a release name, as in `6.1.0-` 56 `-amd64`.
    fn release_parts(self) -> (&'static str, &'static str) {
        match self {
            Self::V5_10 => ("5.10.0-", "-amd64"),
            Self::V6_1 => ("6.1.0-", "-amd64"),
            Self::V6_12 | Self::Debug | Self::Kcsan | Self::Lto => ("6.12.", "+deb12-amd64"),
            Self::V7_3 | Self::Lto73 => ("7.3.", "+deb13-amd64"),
            Self::Rt => ("6.12.", "+deb12-rt-amd64"),
        }
    }

    /// Recipe of a kernel that is built here.
    fn flavour(self) -> Option<Flavour> {
        const COMMON: &str = "tests/built-kernel.config";
        let (source, configs, suffix): (_, &[&str], _) = match self {
            Self::Debug => ("linux-source-6.12", &[COMMON, "tests/debug-kernel.config"], "-iova-debug"),
            Self::Kcsan => ("linux-source-6.12", &[COMMON, "tests/kcsan-kernel.config"], "-iova-kcsan"),
            Self::Lto => ("linux-source-6.12", &["tests/lto-kernel.config"], "-iova-lto"),
            Self::Lto73 => ("linux-source-7.3", &["tests/lto-kernel.config"], "-iova-lto"),
            _ => return None,
        };
        Some(Flavour { line: self, source, configs, suffix })
    }

    /// True for a kernel that is built here: nearly all of them check themselves, and are slow.
    pub(crate) fn is_built(self) -> bool {
        self.flavour().is_some()
    }

    fn packages(self, release: &str) -> Vec<String> {
        let base = release.trim_end_matches("-amd64");
        let image: &[&str] = match self {
            Self::V7_3 => &["linux-binary-", "linux-modules-", "linux-base-"],
            _ => &["linux-image-"],
        };
        // The tools are the same for every flavour, common headers are not.
        let (version, common) = match base.strip_suffix("-rt") {
            Some(version) => (version, format!("{version}-common-rt")),
            None => (base, format!("{base}-common")),
        };
        let kbuild = match self {
            Self::V5_10 | Self::V6_1 => self.name(),
            _ => version,
        };
        let mut packages: Vec<_> = image.iter().map(|prefix| format!("{prefix}{release}")).collect();
        packages.push(format!("linux-headers-{release}"));
        packages.push(format!("linux-headers-{common}"));
        packages.push(format!("linux-kbuild-{kbuild}"));
        packages
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Line {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::WITH_BUILT.into_iter().find(|line| line.name() == text).ok_or_else(|| {
            anyhow!("no kernel line {text}; there are {}", Self::WITH_BUILT.map(Self::name).join(", "))
        })
    }
}

impl clap::ValueEnum for Line {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::WITH_BUILT
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.name()))
    }
}

/// One unpacked kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) line: Line,
    /// As `uname -r` says it.
    pub(crate) release: String,
    pub(crate) vmlinuz: PathBuf,
    /// `…/lib/modules/RELEASE`, with `modules.dep`.
    pub(crate) modules: PathBuf,
    /// What the kernel was unpacked into; `usr/src` holds its headers.
    pub(crate) dir: PathBuf,
}

/// The cached kernel of a line, or else the newest that Debian has.
pub(crate) fn ensure(line: Line) -> Result<Kernel> {
    let _lock = Lock::take(&format!("kernel-{line}"))?;
    match cached(line)? {
        Some(kernel) => Ok(kernel),
        None => fetch(line),
    }
}

/// The newest kernel of a line; the cached one if Debian's archive does not answer or has moved on.
pub(crate) fn upgrade(line: Line) -> Result<Kernel> {
    let _lock = Lock::take(&format!("kernel-{line}"))?;
    let Some(old) = cached(line)? else { return fetch(line) };
    fetch(line).or_else(|error| {
        say(format_args!("kernel {line}: keeping the cached {}, because: {error:#}", old.release));
        Ok(old)
    })
}

/// The kernel in the cache, if any, without touching the network.
pub(crate) fn cached(line: Line) -> Result<Option<Kernel>> {
    let Ok(release) = fs::read_link(home(line)?.join("current")) else { return Ok(None) };
    let release = release.to_str().with_context(|| format!("odd release name {release:?}"))?.to_owned();
    // A user may have emptied part of the cache: then it's as if there were none.
    Ok(describe(line, &release).ok())
}

fn home(line: Line) -> Result<PathBuf> {
    Ok(paths::cache()?.join("kernels").join(line.name()))
}

fn describe(line: Line, release: &str) -> Result<Kernel> {
    let dir = home(line)?.join(release);
    let modules = dir.join("lib/modules").join(release);
    let images = [dir.join(format!("boot/vmlinuz-{release}")), modules.join("vmlinuz")];
    let vmlinuz = images.into_iter().find(|image| image.exists());
    let vmlinuz = vmlinuz.with_context(|| format!("no vmlinuz in {}", dir.display()))?;
    if !modules.join("modules.dep").exists() {
        bail!("no modules.dep in {}", modules.display());
    }
    Ok(Kernel { line, release: release.into(), vmlinuz, modules, dir })
}

fn fetch(line: Line) -> Result<Kernel> {
    if let Some(flavour) = line.flavour() {
        return built::build(flavour);
    }
    let started = Instant::now();
    let apt = Apt::open(line.suite())?;
    let release = newest(&apt, line)?;
    if let Ok(kernel) = describe(line, &release) {
        return Ok(kernel);
    }
    say(format_args!("kernel {line}: downloading {release}"));
    let dir = home(line)?.join(&release);
    fsx::make_dir(&dir, |dir| {
        let debs = dir.join("debs");
        for deb in apt.download(&line.packages(&release), &debs)? {
            apt::unpack(&deb, dir)?;
        }
        fsx::remove_tree(&debs)?;
        index_modules(dir, &release)
    })?;
    let kernel = describe(line, &release)?;
    fsx::relink(Path::new(&release), &home(line)?.join("current"))?;
    say(format_args!("kernel {line}: {release} ready ({:.0} s)", started.elapsed().as_secs_f32()));
    Ok(kernel)
}

/// Has depmod index the modules below `dir`. From 7.3 on they are below `usr/lib` alone; one layout serves everyone,
/// depmod too.
pub(crate) fn index_modules(dir: &Path, release: &str) -> Result<()> {
    if !dir.join("lib").exists() {
        std::os::unix::fs::symlink("usr/lib", dir.join("lib"))?;
    }
    let depmod = cmd::which("depmod").context("depmod is missing; install the package kmod")?;
    cmd::run(cmd::command(depmod).arg("-b").arg(dir).arg(release))
}

fn newest(apt: &Apt, line: Line) -> Result<String> {
    let (before, after) = line.release_parts();
    let names = apt.names(&format!("^linux-(image|binary|headers)-{}", before.replace('.', "[.]")))?;
    pick(line, &names).with_context(|| {
        format!(
            "Debian's {} has no kernel {before}N{after} any more; the line needs a new home",
            line.suite().name()
        )
    })
}

/// The newest release that has both an image and headers: the archive keeps images longer than headers.
fn pick(line: Line, packages: &[String]) -> Option<String> {
    let (before, after) = line.release_parts();
    let image = if line == Line::V7_3 { "linux-binary-" } else { "linux-image-" };
    let number = |name: &str, kind: &str| -> Option<u32> {
        name.strip_prefix(kind)?.strip_prefix(before)?.strip_suffix(after)?.parse().ok()
    };
    let with_headers: Vec<_> = packages.iter().filter_map(|name| number(name, "linux-headers-")).collect();
    let images = packages.iter().filter_map(|name| number(name, image));
    let newest = images.filter(|n| with_headers.contains(n)).max()?;
    Some(format!("{before}{newest}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_parse_as_they_print() {
        for line in Line::WITH_BUILT {
            assert_eq!(line.to_string().parse::<Line>().unwrap(), line);
        }
        assert!("6.6".parse::<Line>().unwrap_err().to_string().contains("5.10, 6.1, 6.12, 7.3"));
    }

    #[test]
    fn package_names_follow_each_line() {
        assert_eq!(
            Line::V6_1.packages("6.1.0-56-amd64"),
            [
                "linux-image-6.1.0-56-amd64",
                "linux-headers-6.1.0-56-amd64",
                "linux-headers-6.1.0-56-common",
                "linux-kbuild-6.1"
            ]
        );
        let split = Line::V7_3.packages("7.3.4+deb13-amd64");
        assert!(split.contains(&"linux-modules-7.3.4+deb13-amd64".into()));
        assert!(split.contains(&"linux-kbuild-7.3.4+deb13".into()));
        assert_eq!(
            Line::Rt.packages("6.12.117+deb12-rt-amd64"),
            [
                "linux-image-6.12.117+deb12-rt-amd64",
                "linux-headers-6.12.117+deb12-rt-amd64",
                "linux-headers-6.12.117+deb12-common-rt",
                "linux-kbuild-6.12.117+deb12"
            ]
        );
    }

    #[test]
    fn the_newest_release_with_headers_wins() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let packages = names(&[
            "linux-image-6.1.0-9-amd64",
            "linux-headers-6.1.0-9-amd64",
            "linux-image-6.1.0-56-amd64",
            "linux-headers-6.1.0-56-amd64",
            "linux-image-6.1.0-57-amd64",
            "linux-image-6.1.0-99-cloud-amd64",
            "linux-headers-6.1.0-99-cloud-amd64",
            "linux-image-6.1.0-0.deb11.52-amd64",
        ]);
        assert_eq!(pick(Line::V6_1, &packages).as_deref(), Some("6.1.0-56-amd64"));
        let split = names(&["linux-binary-7.3.4+deb13-amd64", "linux-headers-7.3.4+deb13-amd64"]);
        assert_eq!(pick(Line::V7_3, &split).as_deref(), Some("7.3.4+deb13-amd64"));
        assert_eq!(pick(Line::V5_10, &packages), None);
        let flavours = names(&[
            "linux-image-6.12.117+deb12-amd64",
            "linux-headers-6.12.117+deb12-amd64",
            "linux-image-6.12.115+deb12-rt-amd64",
            "linux-headers-6.12.115+deb12-rt-amd64",
        ]);
        assert_eq!(pick(Line::V6_12, &flavours).as_deref(), Some("6.12.117+deb12-amd64"));
        assert_eq!(pick(Line::Rt, &flavours).as_deref(), Some("6.12.115+deb12-rt-amd64"));
    }
}
