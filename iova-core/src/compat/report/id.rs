//! What stands for a host: the same in all its reports, and of no use for finding it.

use std::io::{self, Read as _};

use super::ReportId;
use crate::kernel::Root;
use crate::policy::state_dir::{self, StateDir, StateError};

/// The file with the salt, in the state directory. Who removes it gets another id; the host then looks like another one
/// to `iova compat merge`.
pub const SALT_FILE: &str = "report-salt";

const SALT: usize = 32;

impl ReportId {
    /// Of this host; makes the salt if there is none yet.
    ///
    /// A keyed hash (HMAC-SHA-256) over the machine id, so that hosts made from one image are told apart; the key is
    /// random and never leaves the host, so nobody else can compute it for a machine id that he knows.
    ///
    /// # Errors
    /// If the salt can be neither read nor made.
    pub fn of_host(dir: &StateDir, root: &Root) -> Result<Self, StateError> {
        let salt = salt(dir)?;
        let machine = root.text("etc/machine-id").unwrap_or_default();
        let message = format!("iova compat report\n{machine}");
        let hash = hmac_sha256::HMAC::mac(message.as_bytes(), salt);
        let mut id = [0; 16];
        id.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        Ok(Self(id))
    }
}

fn salt(dir: &StateDir) -> Result<[u8; SALT], StateError> {
    let path = dir.prepare(None)?.join(SALT_FILE);
    let failed = |error| StateError::new(&path, error);
    let mut salt = [0; SALT];
    if let Some(file) = state_dir::open_read(&path)? {
        let mut text = Vec::new();
        file.take(SALT as u64 + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() == SALT {
            salt.copy_from_slice(&text);
            return Ok(salt);
        }
        // Torn or emptied by somebody: as if there were none.
    }
    random(&mut salt).map_err(failed)?;
    state_dir::replace(&path, &salt)?;
    Ok(salt)
}

fn random(bytes: &mut [u8]) -> io::Result<()> {
    // SAFETY: the buffer is ours and as long as said.
    let got = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if usize::try_from(got).is_ok_and(|got| got == bytes.len()) {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testdir::TestDir;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn one_host_one_id() {
        let dir = TestDir::new("report-id");
        dir.file("etc/machine-id", "5a7d00c0ffee4242b00b135724681357\n");
        let state = dir.state();
        let first = ReportId::of_host(&state, &dir.root()).unwrap();
        assert_eq!(ReportId::of_host(&state, &dir.root()).unwrap(), first);
        let salt = state.path().join(SALT_FILE);
        assert_eq!(std::fs::metadata(&salt).unwrap().permissions().mode() & 0o777, 0o600);
        // A clone with a machine id of its own, and a host without its salt.
        dir.file("etc/machine-id", "ffffffffffffffffffffffffffffffff\n");
        let clone = ReportId::of_host(&state, &dir.root()).unwrap();
        assert_ne!(clone, first);
        std::fs::remove_file(&salt).unwrap();
        assert_ne!(ReportId::of_host(&state, &dir.root()).unwrap(), clone);
        std::fs::write(&salt, "torn").unwrap();
        assert!(ReportId::of_host(&state, &dir.root()).is_ok());
        assert_eq!(std::fs::read(&salt).unwrap().len(), SALT);
    }
}
