//! The units of the guest: ours, the state disk's mount, and those of the test.

use std::fs;

use anyhow::{Context as _, Result};

use crate::lab::cpio::Archive;
use crate::{fsx, paths};

const HOME: &str = "usr/lib/systemd/system";

/// Written like an administrator's.
const STATE: &str = "\
[Unit]
Description=What outlives a boot

[Mount]
What=/dev/vda
Where=/var/lib/iova
Type=ext4

[Install]
WantedBy=local-fs.target
";

/// In a boot that is to fail this is where it does: the policies are applied, and nothing says that the boot is good.
const EARLY: &str = "\
[Unit]
Description=Test before the boot is complete
After=basic.target iova-policy.service
Before=boot-complete.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/guest-boot early

[Install]
RequiredBy=boot-complete.target
";

const LATE: &str = "\
[Unit]
Description=Test of a system that is up
After=multi-user.target iova-policy-boot-ok.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/guest-boot late

[Install]
WantedBy=multi-user.target
";

/// In some boots, before udev looks at any device.
const FILES: &str = "\
[Unit]
Description=Test of files for udev: the compatibility list's, or those of advice
DefaultDependencies=no
ConditionKernelCommandLine=|iova.boot=capped
ConditionKernelCommandLine=|iova.boot=advised
ConditionKernelCommandLine=|iova.boot=fleet
Before=systemd-udevd.service systemd-udev-trigger.service sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/guest-boot files

[Install]
WantedBy=sysinit.target
";

/// At the end of every boot, while the state disk is still mounted.
const DOWN: &str = "\
[Unit]
Description=Test at the end of a boot
ConditionKernelCommandLine=iova.boot=whodunit
RequiresMountsFor=/var/lib/iova
After=basic.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/busybox true
ExecStop=/usr/bin/guest-boot down

[Install]
WantedBy=multi-user.target
";

/// Wants a bus, or a terminal, or is slow, and is no part of the test.
const MASKED: [&str; 3] = ["systemd-logind.service", "getty.target", "systemd-networkd-wait-online.service"];

/// A slow machine is not a fault. A guest that hangs is ended by its own time limit.
const PATIENT: &str = "\
[Manager]
DefaultTimeoutStartSec=infinity
DefaultTimeoutStopSec=infinity
DefaultDeviceTimeoutSec=infinity
";

/// Enabled by the test: in the other boots its probes would be in the way.
const BY_HAND: &str = "iova-export.";

/// Adds and enables them.
pub(super) fn add(archive: &mut Archive) -> Result<()> {
    let own = [
        ("var-lib-iova.mount", STATE),
        ("iova-test-early.service", EARLY),
        ("iova-test-late.service", LATE),
        ("iova-test-files.service", FILES),
        ("iova-test-down.service", DOWN),
    ];
    for (name, text) in own {
        install(archive, name, text);
    }
    for file in fsx::files_below(&paths::root().join("dist/systemd"))? {
        let name = file.file_name().and_then(|name| name.to_str()).context("a unit without a name")?;
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        if name.starts_with(BY_HAND) {
            add_unit(archive, name, &text);
        } else {
            install(archive, name, &text);
        }
    }
    archive.file("etc/systemd/system.conf.d/patient.conf", 0o644, PATIENT.as_bytes());
    for name in MASKED {
        archive.symlink(&format!("etc/systemd/system/{name}"), "/dev/null");
    }
    archive.symlink("etc/systemd/system/default.target", &format!("/{HOME}/multi-user.target"));
    Ok(())
}

/// As `systemctl enable` does.
fn install(archive: &mut Archive, name: &str, text: &str) {
    add_unit(archive, name, text);
    for link in links(name, text) {
        archive.symlink(&format!("etc/systemd/system/{link}"), &format!("/{HOME}/{name}"));
    }
}

fn add_unit(archive: &mut Archive, name: &str, text: &str) {
    archive.file(&format!("{HOME}/{name}"), 0o644, text.as_bytes());
}

fn links(name: &str, text: &str) -> Vec<String> {
    let of = |key: &'static str, directory: &'static str| {
        let lines = text.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='));
        lines
            .flat_map(str::split_whitespace)
            .map(move |target| format!("{target}.{directory}/{name}"))
            .collect::<Vec<_>>()
    };
    [of("WantedBy", "wants"), of("RequiredBy", "requires")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_linked_where_it_wants() {
        assert_eq!(links("a.service", LATE), ["multi-user.target.wants/a.service"]);
        assert_eq!(links("b.service", EARLY), ["boot-complete.target.requires/b.service"]);
        assert!(links("c.service", "[Unit]\nDescription=WantedBy=nobody\n").is_empty());
    }
}
