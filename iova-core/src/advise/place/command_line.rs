//! The kernel's command line, as each distribution has it configured.

use super::{File, Places};
use crate::kernel::Root;
use serde::Serialize;

/// What configures the kernel's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandLine {
    /// Files in /etc/default/grub.d, then update-grub: Debian, Ubuntu.
    GrubDropIn,
    /// grubby: Fedora and RHEL.
    Grubby,
    /// rpm-ostree: hosts whose system is an image.
    Ostree,
    /// A TuneD profile that includes the active one.
    Tuned,
    /// /etc/kernel/cmdline, which has no drop-in directory (systemd 257, 90-loaderentry.install).
    KernelInstall,
    /// Not known: by hand.
    ByHand,
}

const GRUB: &str = "etc/default/grub.d/50-iova.cfg";
const TUNED: &str = "etc/tuned/profiles/iova/tuned.conf";

impl CommandLine {
    /// What is used on the host below `root`.
    pub fn of(root: &Root) -> Self {
        let release = root.bytes("etc/os-release").unwrap_or_default();
        let release = String::from_utf8_lossy(&release);
        let ids: Vec<&str> = release
            .lines()
            .filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")))
            .flat_map(|value| value.trim_matches('"').split_whitespace())
            .collect();
        let is = |names: &[&str]| ids.iter().any(|id| names.contains(id));
        if root.exists("run/ostree-booted") {
            Self::Ostree
        } else if root.exists("etc/tuned/active_profile")
            && root.text("etc/tuned/active_profile").is_some_and(|name| !name.is_empty())
        {
            Self::Tuned
        } else if root.exists("etc/default/grub.d") && is(&["debian", "ubuntu"]) {
            Self::GrubDropIn
        } else if is(&["fedora", "rhel", "centos"]) {
            Self::Grubby
        } else if root.exists("etc/kernel/cmdline") {
            Self::KernelInstall
        } else {
            Self::ByHand
        }
    }

    /// Puts all of `options`, which are one or more, where they belong. What stands last on the command line counts, and each
    /// of these ways puts it there.
    pub(super) fn put(self, options: &[&str], root: &Root, places: &mut Places) {
        let all = options.join(" ");
        let (install, remove) = match self {
            Self::GrubDropIn => {
                places.files.push(grub(&all));
                ("update-grub, and reboot".to_owned(), format!("rm /{GRUB}; update-grub; and reboot"))
            }
            Self::Grubby => (
                format!("grubby --update-kernel=ALL --args=\"{all}\", and reboot"),
                format!("grubby --update-kernel=ALL --remove-args=\"{all}\", and reboot"),
            ),
            Self::Ostree => {
                let each = |verb: &str| {
                    options.iter().map(|option| format!(" --{verb}={option}")).collect::<String>()
                };
                (
                    format!("rpm-ostree kargs{}, and reboot", each("append-if-missing")),
                    format!("rpm-ostree kargs{}, and reboot", each("delete-if-present")),
                )
            }
            Self::Tuned => {
                let active = root.text("etc/tuned/active_profile").unwrap_or_default();
                let active = active.trim();
                places.files.push(tuned(active, &all));
                (
                    "tuned-adm profile iova, and reboot".to_owned(),
                    format!("tuned-adm profile {active}, and reboot"),
                )
            }
            Self::KernelInstall => (
                format!("append {all} to /etc/kernel/cmdline, kernel-install add-all, and reboot"),
                format!("remove {all} from /etc/kernel/cmdline, kernel-install add-all, and reboot"),
            ),
            Self::ByHand => (
                format!("append {all} to the kernel's command line, and reboot"),
                format!("remove {all} from the kernel's command line, and reboot"),
            ),
        };
        places.install.push(install);
        places.remove.push(remove);
    }
}

/// GRUB puts this variable behind GRUB_CMDLINE_LINUX, and leaves it out of the recovery entries (grub-mkconfig, 10_linux): what
/// goes wrong with an option can be mended there without it.
pub(crate) fn grub(options: &str) -> File {
    let text = format!(
        "# Advised by iova. Recovery entries do without it.\n\
         GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT {options}\"\n"
    );
    File { path: GRUB.to_owned(), text }
}

/// On top of the profile that is active.
pub(crate) fn tuned(active: &str, options: &str) -> File {
    let include = if active.is_empty() { String::new() } else { format!("include={active}\n") };
    let text = format!("[main]\nsummary=Advised by iova\n{include}\n[bootloader]\ncmdline_iova=+{options}\n");
    File { path: TUNED.to_owned(), text }
}
