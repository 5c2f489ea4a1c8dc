//! The units in dist/systemd may do little.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Exposure at most, in tenths, as `systemd-analyze security` counts it. A newer systemd may count more.
const EXPOSED: &[(&str, u32)] = &[
    ("iova-boot-trial-apply.service", 40),
    ("iova-boot-trial.service", 40),
    ("iova-export.service", 20),
    ("iova-policy-boot-ok.service", 15),
    ("iova-policy.service", 30),
];

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/systemd")
}

/// The host's, else that of the lab's guests.
fn analyze() -> Option<Command> {
    let host = Command::new("systemd-analyze");
    if Command::new(host.get_program()).arg("--version").output().is_ok() {
        return Some(host);
    }
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = || set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    let cache = set("IOVA_CACHE").or_else(|| base().map(|base| base.join("iova-lab")))?;
    let roots = fs::read_dir(cache.join("systemd")).ok()?.flatten().map(|entry| entry.path());
    let root = roots.filter(|root| root.join("usr/bin/systemd-analyze").exists()).max()?;
    let library = root.join("usr/lib/x86_64-linux-gnu");
    let mut lab = Command::new(root.join("usr/bin/systemd-analyze"));
    lab.env("LD_LIBRARY_PATH", format!("{}:{}", library.join("systemd").display(), library.display()));
    Some(lab)
}

#[test]
fn every_service_has_a_limit() {
    let files =
        fs::read_dir(units()).unwrap().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut services: Vec<String> = files.filter(|name| name.ends_with(".service")).collect();
    services.sort_unstable();
    assert_eq!(services, EXPOSED.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn services_may_do_little() {
    let mut too_much = BTreeMap::new();
    for (name, limit) in EXPOSED {
        let Some(mut analyze) = analyze() else { return eprintln!("skipped: systemd-analyze is not here") };
        analyze.args(["security", "--offline=yes", "--no-pager", &format!("--threshold={limit}")]);
        let output = analyze.arg(units().join(name)).output().unwrap();
        if !output.status.success() {
            too_much
                .insert(name, String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned());
        }
    }
    assert!(too_much.is_empty(), "{too_much:#?}");
}
