//! A private apt per Debian suite: own sources, lists and package cache, so that neither the host's
//! release nor its configuration matters, nothing is installed on it, and root is not needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::cmd;
use crate::fsx::Lock;
use crate::paths;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A Debian release that kernels or compilers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    Bullseye,
    Bookworm,
    Trixie,
}

impl Suite {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// Archive and distribution of every source; kernels are where the newest point release appears first.
    fn sources(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bullseye => &[("debian", "bullseye"), ("debian-security", "bullseye-security")],
            Self::Bookworm => &[("debian", "bookworm"), ("debian-security", "bookworm-security")],
            Self::Trixie => &[
                ("debian", "trixie"),
                ("debian-security", "trixie-security"),
                ("debian", "trixie-backports"),
            ],
        }
    }
}

/// The private apt of one suite, its lists fresh as of [`Apt::open`]. Holds the suite's lock.
#[derive(Debug)]
pub(crate) struct Apt {
    suite: Suite,
    dir: PathBuf,
    _lock: Lock,
}

impl Apt {
    /// Writes the configuration and updates the lists.
    pub(crate) fn open(suite: Suite) -> Result<Self> {
        if !Path::new(KEYRING).exists() {
            bail!("{KEYRING} is missing; install the package debian-archive-keyring");
        }
        let lock = Lock::take(&format!("apt-{}", suite.name()))?;
        let apt = Self { suite, dir: paths::cache()?.join("apt").join(suite.name()), _lock: lock };
        apt.write_configuration()?;
        cmd::run(apt.command("apt-get").args(["update", "--error-on=any", "-qq"])).with_context(|| {
            format!("cannot read Debian's package lists of {}; is there a network?", suite.name())
        })?;
        Ok(apt)
    }

    /// Names of the packages that match an extended regular expression.
    pub(crate) fn names(&self, pattern: &str) -> Result<Vec<String>> {
        let found = cmd::stdout(self.command("apt-cache").args(["search", "--names-only", pattern]))?;
        Ok(found.lines().filter_map(|line| line.split(' ').next()).map(String::from).collect())
    }

    /// Downloads exactly these packages into `dir`.
    pub(crate) fn download(&self, packages: &[String], dir: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(dir)?;
        cmd::run(self.command("apt-get").args(["download", "-qq"]).args(packages).current_dir(dir))?;
        debs_in(dir)
    }

    /// Downloads these packages and everything they depend on into `dir`.
    pub(crate) fn download_closure(&self, packages: &[&str], dir: &Path) -> Result<Vec<PathBuf>> {
        fs::create_dir_all(dir.join("partial"))?;
        let archives = format!("Dir::Cache::archives={}", dir.display());
        cmd::run(
            self.command("apt-get")
                .args(["install", "--download-only", "--no-install-recommends", "-qq", "-y", "-o", &archives])
                .args(packages),
        )?;
        debs_in(dir)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = cmd::command(program);
        command.env("APT_CONFIG", self.dir.join("apt.conf")).env("LC_ALL", "C");
        command
    }

    fn write_configuration(&self) -> Result<()> {
        let dir = &self.dir;
        for sub in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(sub)).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        let mirror = std::env::var("IOVA_DEBIAN_MIRROR").unwrap_or_else(|_| "http://deb.debian.org".into());
        let sources: String = self
            .suite
            .sources()
            .iter()
            .map(|(archive, name)| format!("deb [signed-by={KEYRING}] {mirror}/{archive} {name} main\n"))
            .collect();
        fs::write(dir.join("sources.list"), sources)?;
        // An empty status file: nothing counts as installed, so a closure is complete.
        fs::write(dir.join("status"), "")?;
        fs::write(dir.join("apt.conf"), configuration(dir))?;
        Ok(())
    }
}

/// No dates: old suites have Release files past theirs, and a machine's clock may be behind the archive's.
/// Signatures are checked all the same.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::State "{dir}";
Dir::State::lists "{dir}/lists";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}/cache";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "";
"#
    )
}

/// Unpacks a package without installing it.
pub(crate) fn unpack(deb: &Path, dir: &Path) -> Result<()> {
    cmd::run(cmd::command("dpkg-deb").arg("--extract").arg(deb).arg(dir))
}

fn debs_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut debs: Vec<_> = fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    debs.retain(|path| path.extension().is_some_and(|e| e == "deb"));
    debs.sort();
    if debs.is_empty() {
        bail!("apt-get said it worked and downloaded nothing into {}", dir.display());
    }
    Ok(debs)
}
