//! Dependencies: known licences, one version of each, from crates.io alone. cargo-deny does more, but would
//! cost every fresh CI machine three minutes to build; this costs none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::spdx;
use crate::build::{HOST, cargo};
use crate::{cmd, paths};

/// Licences that ask for no more than a notice, and so fit both halves of our own "MIT OR Apache-2.0".
const ALLOWED: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that may be there in more than one version, each with the reason.
const MAY_BE_DUPLICATE: [(&str, &str); 2] = [
    ("syn", "a parser that only runs while building; aya's macros are a major version behind the others"),
    (
        "getrandom",
        "the later one only runs while building (jobserver); the hash of parquet is a version behind",
    ),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn check() -> Result<()> {
    let mut complaints = Vec::new();
    for (manifest, target) in [("Cargo.toml", HOST), ("iova-ebpf/Cargo.toml", "all")] {
        let path = paths::root().join(manifest);
        let found = judge(&metadata(&path)?, &built(&path, target)?)?;
        complaints.extend(found.into_iter().map(|complaint| format!("\n    {manifest}: {complaint}")));
    }
    if !complaints.is_empty() {
        bail!(
            "dependencies to reconsider (or to allow, with a reason, in xtask/src/checks/deny.rs):{}",
            complaints.concat()
        );
    }
    Ok(())
}

fn metadata(manifest: &Path) -> Result<Value> {
    let mut cargo = cargo();
    // What is only built for other systems is never ours.
    cargo
        .args(["metadata", "--format-version=1", "--filter-platform", HOST, "--manifest-path"])
        .arg(manifest);
    serde_json::from_str(&cmd::stdout(&mut cargo)?).context("cargo metadata printed no JSON")
}

/// "name vVersion" of what is built for `target`; metadata also has what only other systems would need.
fn built(manifest: &Path, target: &str) -> Result<BTreeSet<String>> {
    let mut cargo = cargo();
    cargo.args([
        "tree",
        "--workspace",
        "--all-features",
        "--prefix=none",
        "--format={p}",
        "--target",
        target,
    ]);
    let tree = cmd::stdout(cargo.arg("--manifest-path").arg(manifest))?;
    let package = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    Ok(tree.lines().map(package).collect())
}

fn judge(metadata: &Value, built: &BTreeSet<String>) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let mut complaints = Vec::new();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for package in packages {
        // Our own packages come from a path, not from a source.
        let Some(source) = package["source"].as_str() else { continue };
        let text = |key: &str| package[key].as_str().unwrap_or_default();
        let (name, version, licence) = (text("name"), text("version"), text("license"));
        if source != CRATES_IO {
            complaints.push(format!("{name} {version} comes from {source}, not from crates.io"));
        }
        if !built.contains(&format!("{name} v{version}")) {
            continue;
        }
        versions.entry(name).or_default().push(version);
        match spdx::is_satisfied(licence, &ALLOWED) {
            Some(true) => {}
            Some(false) => complaints.push(format!("{name} {version} has the licence {licence}")),
            None => complaints.push(format!("{name} {version} has an unreadable licence, {licence:?}")),
        }
    }
    complaints.extend(duplicates(&versions));
    Ok(complaints)
}

fn duplicates(versions: &BTreeMap<&str, Vec<&str>>) -> Vec<String> {
    let is_allowed = |name: &str| MAY_BE_DUPLICATE.iter().any(|(allowed, _)| *allowed == name);
    let twice = versions.iter().filter(|(name, versions)| versions.len() > 1 && !is_allowed(name));
    twice.map(|(name, versions)| format!("{name} is there as {}", versions.join(" and "))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_bad_dependency_is_named() {
        let package = |name: &str, version: &str, license: &str, source: Value| serde_json::json!({"name": name, "version": version, "license": license, "source": source});
        let packages = [
            package("ours", "0.1.0", "GPL-2.0-only", Value::Null),
            package("good", "1.0.0", "MIT OR GPL-3.0", CRATES_IO.into()),
            package("strict", "1.0.0", "AGPL-3.0", CRATES_IO.into()),
            package("fork", "1.0.0", "MIT", "git+https://example.org/fork".into()),
            package("twice", "1.0.0", "MIT", CRATES_IO.into()),
            package("twice", "2.0.0", "MIT", CRATES_IO.into()),
            package("silent", "1.0.0", "", CRATES_IO.into()),
            package("elsewhere", "1.0.0", "AGPL-3.0", CRATES_IO.into()),
        ];
        let built =
            ["good v1.0.0", "strict v1.0.0", "fork v1.0.0", "twice v1.0.0", "twice v2.0.0", "silent v1.0.0"];
        let built = built.map(str::to_owned).into();
        let complaints = judge(&serde_json::json!({ "packages": packages }), &built).unwrap();
        assert_eq!(
            complaints,
            [
                "strict 1.0.0 has the licence AGPL-3.0",
                "fork 1.0.0 comes from git+https://example.org/fork, not from crates.io",
                "silent 1.0.0 has an unreadable licence, \"\"",
                "twice is there as 1.0.0 and 2.0.0",
            ]
        );
    }
}
