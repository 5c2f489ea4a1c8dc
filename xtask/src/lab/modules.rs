//! Which of a kernel's modules a guest needs, in the order in which they load.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cmd;

/// A kernel's `modules.dep`: what depends on what.
pub(crate) struct Index {
    /// Module name to its file and those it needs, relative to the module directory.
    dependencies: BTreeMap<String, (String, Vec<String>)>,
    builtin: Vec<String>,
}

impl Index {
    /// Reads the index that depmod left in a `lib/modules/RELEASE` directory.
    pub(crate) fn read(modules: &Path) -> Result<Self> {
        let path = modules.join("modules.dep");
        let text = fs::read_to_string(&path).with_context(|| {
            format!(
                "cannot read {}; remove the kernel from the cache and run `cargo xtask setup`",
                path.display()
            )
        })?;
        let builtin = fs::read_to_string(modules.join("modules.builtin")).unwrap_or_default();
        Ok(Self::parse(&text, &builtin))
    }

    fn parse(dependencies: &str, builtin: &str) -> Self {
        let dependencies = dependencies
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(file, needs)| {
                let needs = needs.split_whitespace().map(str::to_owned).collect();
                (name(file), (file.to_owned(), needs))
            })
            .collect();
        Self { dependencies, builtin: builtin.lines().map(name).collect() }
    }

    /// Files to load for the modules named, dependencies first, none twice.
    pub(crate) fn load_order(&self, wanted: &[&str]) -> Result<Vec<String>> {
        let mut order: Vec<String> = Vec::new();
        for module in wanted {
            let Some((file, needs)) = self.dependencies.get(*module) else {
                if self.builtin.iter().any(|builtin| builtin == module) {
                    continue;
                }
                bail!("this kernel has no module {module}; the lab can't build its machine on it");
            };
            // modules.dep names the one to load first last.
            for file in needs.iter().rev().chain([file]) {
                if !order.contains(file) {
                    order.push(file.clone());
                }
            }
        }
        Ok(order)
    }

    /// The line of a guest's own `modules.dep` for a file that [`load_order`](Self::load_order) returned.
    pub(crate) fn dependencies_of(&self, file: &str) -> String {
        let needs = self.dependencies.get(&name(file)).map_or(&[][..], |(_, needs)| needs);
        let needs: String = needs.iter().map(|file| format!(" {}", uncompressed(file))).collect();
        format!("{}:{needs}\n", uncompressed(file))
    }
}

/// The file's name in a guest, where no module is compressed.
pub(crate) fn uncompressed(file: &str) -> &str {
    file.strip_suffix(".xz").unwrap_or(file)
}

/// A module's name as the kernel spells it.
fn name(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    base.split(".ko").next().unwrap_or(base).replace('-', "_")
}

/// A module's content, uncompressed: not every kernel of the matrix can decompress one itself.
pub(crate) fn content(busybox: &Path, file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_some_and(|extension| extension == "ko") {
        return fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let output = cmd::command(busybox)
        .arg("xzcat")
        .arg(file)
        .output()
        .with_context(|| format!("cannot run {} to decompress modules", busybox.display()))?;
    if !output.status.success() || output.stdout.is_empty() {
        bail!("cannot decompress {}: {}", file.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/nvme/nvme.ko.xz: kernel/nvme/nvme-core.ko.xz kernel/lib/crc64.ko.xz\n\
                       kernel/nvme/nvme-core.ko.xz: kernel/lib/crc64.ko.xz\n\
                       kernel/lib/crc64.ko.xz:\n\
                       kernel/iommu/virtio-iommu.ko:\n";

    #[test]
    fn dependencies_come_first_and_once() {
        let index = Index::parse(DEP, "kernel/drivers/virtio/virtio_pci.ko\n");
        assert_eq!(
            index.load_order(&["virtio_pci", "virtio_iommu", "nvme_core", "nvme"]).unwrap(),
            [
                "kernel/iommu/virtio-iommu.ko",
                "kernel/lib/crc64.ko.xz",
                "kernel/nvme/nvme-core.ko.xz",
                "kernel/nvme/nvme.ko.xz"
            ]
        );
    }

    #[test]
    fn a_guest_knows_uncompressed_files_only() {
        let line = Index::parse(DEP, "").dependencies_of("kernel/nvme/nvme.ko.xz");
        assert_eq!(line, "kernel/nvme/nvme.ko: kernel/nvme/nvme-core.ko kernel/lib/crc64.ko\n");
    }

    #[test]
    fn an_unknown_module_is_an_error() {
        assert!(Index::parse(DEP, "").load_order(&["floppy"]).unwrap_err().to_string().contains("floppy"));
    }
}
