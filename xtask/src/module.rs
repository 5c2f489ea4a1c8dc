//! Building a kernel module for one kernel, in the chroot of that kernel's own release.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::fsx::{self, Lock};
use crate::kernels::{self, Kernel, Line};
use crate::setup::{self, Need};
use crate::{chroot, cmd, paths, say};

/// Raise it when flags or checks below change: modules built by another recipe are built anew.
const RECIPE: u32 = 2;

/// The `.ko` made from a Kbuild directory, from the cache if nothing changed.
pub(crate) fn build(kernel: &Kernel, src: &Path) -> Result<PathBuf> {
    let src = fs::canonicalize(src).with_context(|| format!("no module sources at {}", src.display()))?;
    let name = src.file_name().and_then(|n| n.to_str()).context("a module's directory needs a name")?;
    let home = paths::cache()?.join("modules").join(&kernel.release);
    let _lock = Lock::take(&format!("module-{}-{name}", kernel.release))?;
    let done = home.join(format!("{name}-{:016x}", fingerprint(&src)?));
    if !done.exists() {
        let started = Instant::now();
        fsx::forget_old(&home, name)?;
        fsx::make_dir(&done, |dir| compile(kernel, &src, dir))?;
        say(format_args!(
            "module {name} for {}: built ({:.0} s)",
            kernel.release,
            started.elapsed().as_secs_f32()
        ));
    }
    only_module(&done)
}

/// `cargo xtask module`: prints where each module is.
pub(crate) fn run(src: &Path, lines: &[Line]) -> Result<()> {
    let lines = if lines.is_empty() { &Line::ALL } else { lines };
    setup::ensure(&[Need::Kernels(lines.to_vec()), Need::Chroots(lines.to_vec())])?;
    for line in lines {
        println!("{}", build(&kernels::ensure(*line)?, src)?.display());
    }
    Ok(())
}

fn fingerprint(src: &Path) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    RECIPE.hash(&mut hasher);
    for file in fsx::files_below(src)? {
        file.strip_prefix(src)?.hash(&mut hasher);
        fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Leaves nothing but the module in `dir`.
fn compile(kernel: &Kernel, src: &Path, dir: &Path) -> Result<()> {
    let (suite, compiler) = (kernel.line.suite(), kernel.line.compiler());
    let root = chroot::ensure_for_modules(suite, compiler)?;
    let work = dir.join("work");
    for file in fsx::files_below(src)? {
        fsx::copy_file(&file, &work.join(file.strip_prefix(src)?))?;
    }
    let headers = kernel.dir.join("usr/src");
    let kbuild = kbuild_dir(kernel)?;
    let kbuild_inside = format!("/usr/lib/{}", kbuild.file_name().unwrap_or_default().to_string_lossy());
    let binds: [(&Path, &str); 3] = [(&work, "/build"), (&headers, "/usr/src"), (&kbuild, &kbuild_inside)];
    // No BTF: it would need the very pahole that the kernel was built with, and nothing here reads a module's BTF.
    let make = format!(
        "make -C /usr/src/linux-headers-{} M=/build {} W=1 CONFIG_DEBUG_INFO_BTF_MODULES= -j$(nproc) modules
         strip --strip-debug /build/*.ko",
        kernel.release,
        compiler.make_variable(suite)
    );
    let log = cmd::both(&mut chroot::inside(&root, &binds, &make))?;
    refuse_warnings(&log)?;
    let module = only_module(&work)?;
    fs::rename(&module, dir.join(module.file_name().unwrap_or_default()))?;
    fsx::remove_tree(&work)
}

/// The kernel's own build tools (modpost, objtool), where its headers' links point.
fn kbuild_dir(kernel: &Kernel) -> Result<PathBuf> {
    let lib = kernel.dir.join("usr/lib");
    let mut entries = fs::read_dir(&lib).with_context(|| format!("no {}", lib.display()))?.flatten();
    entries
        .find(|entry| entry.file_name().to_string_lossy().starts_with("linux-kbuild-"))
        .map(|entry| entry.path())
        .with_context(|| format!("no linux-kbuild in {}", lib.display()))
}

/// Debian's headers warn a little under W=1; our own sources must not.
fn refuse_warnings(log: &str) -> Result<()> {
    let ours: Vec<_> = log.lines().filter(|line| is_our_warning(line)).collect();
    if !ours.is_empty() {
        bail!("the module builds with warnings; fix them:\n    {}", ours.join("\n    "));
    }
    Ok(())
}

fn is_our_warning(line: &str) -> bool {
    if line.starts_with("WARNING:") {
        return true; // modpost and objtool speak of our module only
    }
    let Some((place, _)) = line.split_once(": warning: ") else { return false };
    let of_kernel = ["/usr/src/", "./include/", "include/", "./arch/", "arch/", "Makefile", "scripts/"];
    !of_kernel.iter().any(|prefix| place.starts_with(prefix))
}

fn only_module(dir: &Path) -> Result<PathBuf> {
    let files = fsx::files_below(dir)?;
    let mut modules = files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "ko"));
    match (modules.next(), modules.next()) {
        (Some(module), None) => Ok(module),
        (None, _) => bail!("the build left no .ko in {}; does its Kbuild say obj-m?", dir.display()),
        (Some(_), Some(_)) => {
            bail!("more than one .ko in {}; one directory builds one module", dir.display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_of_ours_are_told_from_the_kernels() {
        assert!(is_our_warning("/build/iova_load.c:3:5: warning: unused variable 'x' [-Wunused-variable]"));
        assert!(is_our_warning("iova_load.c:3:5: warning: unused variable 'x'"));
        assert!(is_our_warning("WARNING: modpost: missing MODULE_DESCRIPTION() in iova_load.o"));
        assert!(!is_our_warning("/usr/src/linux-headers-6.1.0-56-common/include/linux/a.h:1:2: warning: x"));
        assert!(!is_our_warning("./include/linux/kernel.h:1:2: warning: x"));
        assert!(!is_our_warning("warning: the compiler differs from the one used to build the kernel"));
    }
}
