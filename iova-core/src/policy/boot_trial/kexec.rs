//! The one boot: the running kernel again, with another command line.
//!
//! What kexec loads is in memory alone, so whatever ends that boot, a reset, a panic, a power cut or a reboot in good order,
//! the next one comes from the firmware and the boot loader, and is stock.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use crate::kernel::Root;

/// Where distributions keep the kernel of a release, and its initramfs.
const IMAGES: [&str; 3] = ["boot/vmlinuz-{}", "usr/lib/modules/{}/vmlinuz", "lib/modules/{}/vmlinuz"];
const INITRDS: [&str; 4] =
    ["boot/initrd.img-{}", "boot/initramfs-{}.img", "boot/initrd-{}", "usr/lib/modules/{}/initrd"];

/// The kernel image of a release.
pub fn image(root: &Root, release: &str) -> Option<PathBuf> {
    find(root, &IMAGES, release)
}

/// The initramfs of a release.
pub fn initrd(root: &Root, release: &str) -> Option<PathBuf> {
    find(root, &INITRDS, release)
}

fn find(root: &Root, places: &[&str], release: &str) -> Option<PathBuf> {
    let named = places.iter().map(|place| place.replace("{}", release));
    named.map(|name| root.path(name)).find(|path| path.is_file())
}

/// Loads a kernel for the next `reboot(LINUX_REBOOT_CMD_KEXEC)`, which `systemctl kexec` ends in. A kernel loaded before is
/// replaced.
///
/// kexec_file_load(2): CONFIG_KEXEC_FILE, CAP_SYS_BOOT; under lockdown only a signed kernel.
///
/// # Errors
/// One sentence that says what to do.
pub fn load(image: &Path, initrd: &Path, command_line: &str) -> Result<(), String> {
    let open = |path: &Path| File::open(path).map_err(|error| format!("{}: {error}", path.display()));
    let (kernel, ramdisk) = (open(image)?, open(initrd)?);
    let line = CString::new(command_line).map_err(|_| "the command line has a NUL in it".to_owned())?;
    // SAFETY: both descriptors are open, and the string with its NUL outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            kernel.as_raw_fd(),
            ramdisk.as_raw_fd(),
            line.as_bytes_with_nul().len(),
            line.as_ptr(),
            0_usize,
        )
    };
    if result == 0 { Ok(()) } else { Err(sentence(&io::Error::last_os_error(), image)) }
}

fn sentence(error: &io::Error, image: &Path) -> String {
    let image = image.display();
    match error.raw_os_error() {
        Some(libc::ENOSYS) => {
            "this kernel has no kexec_file_load (CONFIG_KEXEC_FILE): boot once by hand with the parameters \
                               that --print shows"
                .to_owned()
        }
        Some(libc::EPERM | libc::EACCES | libc::EKEYREJECTED) => format!(
            "the kernel does not let us load {image} ({error}): it needs CAP_SYS_BOOT, kernel.kexec_load_disabled=0, and \
             under lockdown a signed kernel; or boot once by hand with the parameters that --print shows"
        ),
        Some(libc::EBUSY) => "another kernel is being loaded right now: try again".to_owned(),
        _ => format!("loading {image} failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testdir::TestDir;

    #[test]
    fn distributions_keep_kernels_in_different_places() {
        let dir = TestDir::new("kexec");
        assert_eq!(image(&dir.root(), "6.12"), None);
        dir.file("usr/lib/modules/6.12/vmlinuz", "x");
        assert!(image(&dir.root(), "6.12").unwrap().ends_with("usr/lib/modules/6.12/vmlinuz"));
        dir.file("boot/vmlinuz-6.12", "x");
        dir.file("boot/initramfs-6.12.img", "x");
        assert!(image(&dir.root(), "6.12").unwrap().ends_with("boot/vmlinuz-6.12"));
        assert!(initrd(&dir.root(), "6.12").unwrap().ends_with("boot/initramfs-6.12.img"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = load(Path::new("/nonexistent/vmlinuz"), Path::new("/dev/null"), "x").unwrap_err();
        assert!(error.starts_with("/nonexistent/vmlinuz: "), "{error}");
    }
}
