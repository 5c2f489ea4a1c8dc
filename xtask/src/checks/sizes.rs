//! No source file grows beyond what one can keep in mind.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{fsx, paths};

const MAX_LINES: usize = 800;
const KINDS: [&str; 5] = ["rs", "c", "h", "py", "sh"];

pub(crate) fn check() -> Result<()> {
    let long = too_long(&paths::root())?;
    if !long.is_empty() {
        let list: String =
            long.iter().map(|(file, lines)| format!("\n    {} has {lines}", file.display())).collect();
        bail!("files over {MAX_LINES} lines; split them by subject:{list}");
    }
    Ok(())
}

fn too_long(root: &Path) -> Result<Vec<(PathBuf, usize)>> {
    let mut long = Vec::new();
    for file in fsx::files_below(root)? {
        if !file.extension().and_then(|e| e.to_str()).is_some_and(|e| KINDS.contains(&e)) {
            continue;
        }
        let content = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let lines = content.iter().filter(|&&byte| byte == b'\n').count();
        if lines > MAX_LINES {
            long.push((file.strip_prefix(root)?.to_path_buf(), lines));
        }
    }
    Ok(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_source_file_is_named() {
        let dir = std::env::temp_dir().join(format!("xtask-sizes-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("long.rs"), "\n".repeat(MAX_LINES + 1)).unwrap();
        std::fs::write(dir.join("fits.c"), "\n".repeat(MAX_LINES)).unwrap();
        std::fs::write(dir.join("data.json"), "\n".repeat(5000)).unwrap();
        let found = too_long(&dir).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found, [("long.rs".into(), MAX_LINES + 1)]);
    }
}
