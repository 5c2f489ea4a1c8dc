//! Which system calls either process may still make: an allow-list, enforced by the kernel (seccomp).
//!
//! Any other call is answered with ENOSYS, as by a kernel that does not have it: the C library then takes an older call where it
//! knows one, and a call that was forgotten here fails instead of ending the exporter.

use super::calls::{
    ANSWERING, COMMON, CONNECTING, FILES, MAPS, NONBLOCKING, PERF_DISABLE, READER, WRITING, older,
};
use crate::output;
use libc::c_long;
use seccompiler::{
    BackendError, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::BTreeMap;

/// Calls, each with alternatives of what its arguments must be; none: whatever they are.
type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// What the reader goes on doing besides reading.
pub(super) struct Reader {
    /// It writes a file and removes it at the end.
    pub(super) writes: bool,
    /// The server, which it may end.
    pub(super) server: Option<libc::pid_t>,
}

/// Confines this thread and those that it starts to what reading takes. No network: not one call that makes a socket.
pub(super) fn confine_reader(reader: &Reader) {
    confine(rules_of_reader(reader));
}

/// The same for the server, which opens no file, unless it `reaches_out`: names are looked up with the help of files.
pub(super) fn confine_server(reaches_out: bool) {
    confine(rules_of_server(reaches_out));
}

/// A host whose kernel has no such filters is measured all the same.
fn confine(rules: Result<Rules, BackendError>) {
    if let Err(why) = rules.map_err(seccompiler::Error::from).and_then(apply) {
        output::complain(&format!(
            "system calls can't be filtered ({why}): the exporter goes on without that"
        ));
    }
}

fn apply(rules: Rules) -> Result<(), seccompiler::Error> {
    let refused = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch)?;
    let program: seccompiler::BpfProgram = filter.try_into()?;
    seccompiler::apply_filter(&program)
}

fn rules_of_reader(reader: &Reader) -> Result<Rules, BackendError> {
    let mut rules = common()?;
    allow(&mut rules, &[FILES, READER, older::FILES, older::WAITING]);
    only(&mut rules, libc::SYS_openat, reading_only()?);
    for command in MAPS {
        only(&mut rules, libc::SYS_bpf, equal(0, command)?);
    }
    only(&mut rules, libc::SYS_ioctl, equal(1, PERF_DISABLE)?);
    if let Some(server) = reader.server {
        only(&mut rules, libc::SYS_kill, equal(0, u64::from(server.cast_unsigned()))?);
        // The file of its socket.
        allow(&mut rules, &[&[libc::SYS_unlinkat], older::REMOVING]);
    }
    if reader.writes {
        allow(&mut rules, &[WRITING, &[libc::SYS_unlinkat], older::WRITING, older::REMOVING]);
    }
    Ok(rules)
}

fn rules_of_server(reaches_out: bool) -> Result<Rules, BackendError> {
    let mut rules = common()?;
    allow(&mut rules, &[ANSWERING, older::ANSWERING]);
    only(&mut rules, libc::SYS_ioctl, equal(1, NONBLOCKING)?);
    if reaches_out {
        allow(&mut rules, &[CONNECTING, FILES, older::FILES, older::WAITING]);
        only(&mut rules, libc::SYS_openat, reading_only()?);
    }
    Ok(rules)
}

fn common() -> Result<Rules, BackendError> {
    let mut rules = Rules::new();
    allow(&mut rules, &[COMMON]);
    // Memory to run code from is never made.
    only(&mut rules, libc::SYS_mmap, without(2, libc::PROT_EXEC)?);
    only(&mut rules, libc::SYS_mprotect, without(2, libc::PROT_EXEC)?);
    // Threads, but no processes. Those flags of clone3 no filter can see, so the C library has to do with clone.
    let thread = libc::CLONE_THREAD as u64;
    only(&mut rules, libc::SYS_clone, condition(0, Width::Dword, Is::MaskedEq(thread), thread)?);
    for command in [libc::F_DUPFD_CLOEXEC, libc::F_GETFD, libc::F_SETFD, libc::F_GETFL, libc::F_SETFL] {
        only(&mut rules, libc::SYS_fcntl, equal(1, command as u64)?);
    }
    // The name of a thread; limits as they are; a signal to itself, which is how it aborts.
    only(&mut rules, libc::SYS_prctl, equal(0, libc::PR_SET_NAME as u64)?);
    only(&mut rules, libc::SYS_prlimit64, condition(2, Width::Qword, Is::Eq, 0)?);
    only(&mut rules, libc::SYS_tgkill, equal(0, u64::from(std::process::id()))?);
    Ok(rules)
}

/// Allows these calls whatever their arguments are.
fn allow(rules: &mut Rules, lists: &[&[c_long]]) {
    for call in lists.iter().copied().flatten() {
        rules.insert(*call, Vec::new());
    }
}

/// Allows a call on this condition as well, unless it is allowed on none.
fn only(rules: &mut Rules, call: c_long, rule: SeccompRule) {
    let known = rules.get(&call).is_some_and(Vec::is_empty);
    if !known {
        rules.entry(call).or_default().push(rule);
    }
}

fn condition(argument: u8, width: Width, is: Is, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, width, is, value)?])
}

fn equal(argument: u8, value: u64) -> Result<SeccompRule, BackendError> {
    condition(argument, Width::Dword, Is::Eq, value)
}

/// None of these bits.
fn without(argument: u8, bits: libc::c_int) -> Result<SeccompRule, BackendError> {
    condition(argument, Width::Dword, Is::MaskedEq(u64::from(bits.cast_unsigned())), 0)
}

/// Of openat: for reading, and nothing is made.
fn reading_only() -> Result<SeccompRule, BackendError> {
    without(2, libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::{self, Write as _};
    use std::net::{TcpListener, UdpSocket};

    /// In a thread of its own, which alone is confined.
    fn confined(rules: Rules, check: impl FnOnce() + Send + 'static) {
        let check = move || {
            apply(rules).unwrap();
            check();
        };
        std::thread::spawn(check).join().unwrap();
    }

    fn refused<T>(result: io::Result<T>) -> bool {
        result.is_err_and(|error| error.raw_os_error() == Some(libc::ENOSYS))
    }

    #[test]
    fn the_reader_reads_and_has_no_network() {
        let reader = Reader { writes: false, server: Some(1) };
        confined(rules_of_reader(&reader).unwrap(), || {
            assert!(fs::read_to_string("/proc/thread-self/status").unwrap().contains("Seccomp:\t2\n"));
            assert!(fs::read_dir("/proc/self/fd").unwrap().count() > 2);
            std::thread::spawn(|| ()).join().unwrap();
            assert!(refused(TcpListener::bind("127.0.0.1:0")));
            assert!(refused(File::create("/tmp/iova-sandbox")));
            assert!(refused(std::process::Command::new("/bin/true").status()));
        });
    }

    #[test]
    fn a_reader_with_a_file_writes_it() {
        let path = std::env::temp_dir().join(format!("iova-sandbox-{}", std::process::id()));
        confined(rules_of_reader(&Reader { writes: true, server: None }).unwrap(), move || {
            File::create(&path).unwrap().write_all(b"text").unwrap();
            let other = path.with_extension("prom");
            fs::rename(&path, &other).unwrap();
            fs::remove_file(other).unwrap();
        });
    }

    #[test]
    fn the_server_opens_nothing() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        confined(rules_of_server(false).unwrap(), move || {
            assert!(refused(File::open("/proc/self/status")));
            assert!(refused(UdpSocket::bind("127.0.0.1:0")));
            assert!(refused(std::process::Command::new("/bin/true").status()));
            writer.write_all(b"x").unwrap();
            io::Read::read_exact(&mut reader, &mut [0]).unwrap();
        });
    }

    #[test]
    fn a_server_that_pushes_reads_files_and_connects() {
        confined(rules_of_server(true).unwrap(), || {
            assert!(fs::read_to_string("/proc/thread-self/status").is_ok());
            assert!(UdpSocket::bind("127.0.0.1:0").is_ok());
            assert!(refused(File::create("/tmp/iova-sandbox")));
            assert!(refused(std::process::Command::new("/bin/true").status()));
        });
    }
}
