//! Sorts a guest's frames: output to where it belongs, files to the host, the rest into the result.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use iova_guest::Report;
use iova_guest::wire::Kind;

use super::kmsg::KernelLog;
use super::spec::{GuestResult, GuestSpec, Io, Out};
use super::spent::Spent;

/// What a guest has sent so far.
pub(crate) struct Collector {
    io: Io,
    out: Vec<Out>,
    started: Instant,
    boot: Option<Duration>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    log: KernelLog,
    file: Option<File>,
    report: Option<Report>,
}

impl Collector {
    /// For a guest that was started at `started`.
    pub(crate) fn new(spec: &GuestSpec, started: Instant) -> Self {
        Self {
            io: spec.io,
            out: spec.out.clone(),
            started,
            boot: None,
            stdout: Vec::new(),
            stderr: Vec::new(),
            log: KernelLog::default(),
            file: None,
            report: None,
        }
    }

    /// Takes one frame.
    pub(crate) fn frame(&mut self, kind: Kind, payload: &[u8]) -> Result<()> {
        if self.reported() {
            bail!("the guest went on after its result; is there more than one guest-init in the image?");
        }
        match kind {
            Kind::Started => self.boot = Some(self.started.elapsed()),
            Kind::Stdout => {
                self.output(&mut std::io::stdout().lock(), payload, |collector| &mut collector.stdout)?
            }
            Kind::Stderr => {
                self.output(&mut std::io::stderr().lock(), payload, |collector| &mut collector.stderr)?
            }
            Kind::Kmsg => self.log.push(payload),
            Kind::File => self.file = Some(self.create(&String::from_utf8_lossy(payload))?),
            Kind::Data => {
                let file = self.file.as_mut().context("the guest sent a file's content before its name")?;
                file.write_all(payload).context("cannot write a file that the guest sent")?;
            }
            Kind::Report => {
                self.report = Some(serde_json::from_slice(payload).context("reading the result")?)
            }
        }
        Ok(())
    }

    /// What the command has printed so far.
    pub(crate) fn stdout(&self) -> &[u8] {
        &self.stdout
    }

    /// The same of a guest that says nothing any more.
    pub(crate) fn into_stdout(self) -> Vec<u8> {
        self.stdout
    }

    /// Whether the guest has said its last word.
    pub(crate) fn reported(&self) -> bool {
        self.report.is_some()
    }

    /// What the guest took, whose QEMU is gone and took this CPU time.
    pub(crate) fn spent(&self, cpu: Option<Duration>) -> Spent {
        let iova = self.report.as_ref().and_then(|report| report.iova);
        Spent { wall: self.started.elapsed(), boot: self.boot, cpu, iova }
    }

    /// The result, if the guest reported one.
    pub(crate) fn finish(self, spent: Spent) -> Option<GuestResult> {
        let report = self.report?;
        Some(GuestResult {
            code: report.code,
            stdout: self.stdout,
            stderr: self.stderr,
            log: self.log,
            problems: report.problems,
            spent,
        })
    }

    fn output(
        &mut self,
        ours: &mut impl Write,
        payload: &[u8],
        kept: impl Fn(&mut Self) -> &mut Vec<u8>,
    ) -> Result<()> {
        if matches!(self.io, Io::Capture | Io::Tee) {
            kept(self).extend(payload);
        }
        if self.io != Io::Capture {
            let written = ours.write_all(payload).and_then(|()| ours.flush());
            written.context("nobody reads the guest's output any more")?;
        }
        Ok(())
    }

    fn create(&self, name: &str) -> Result<File> {
        let path = host_path(&self.out, name)
            .with_context(|| format!("the guest sent {name:?}, which nobody asked for"))?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        File::create(&path).with_context(|| format!("cannot create {}", path.display()))
    }
}

/// Where a file named `INDEX/NAME` goes; `None` if it would leave the directory that was meant for it.
fn host_path(out: &[Out], name: &str) -> Option<PathBuf> {
    let (index, name) = name.split_once('/')?;
    let directory = &out.get(index.parse::<usize>().ok()?)?.host;
    let plain =
        !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_in_their_directory() {
        let out = [Out { guest: "/tmp/a".into(), host: "results".into() }];
        assert_eq!(host_path(&out, "0/a/b.json"), Some(PathBuf::from("results/a/b.json")));
        for bad in ["0/../x", "0//etc/x", "1/a", "a/b", "0/", "0", "/0/a"] {
            assert_eq!(host_path(&out, bad), None, "{bad}");
        }
    }
}
