//! Giving up what is no longer needed: neither process keeps rights over the host, and the server never uses any.
//!
//! All of this is per thread in Linux, so it happens before any other thread is started.

use crate::exit::Stop;
use crate::tui::LiveFeed;
use iova_core::exposition::{About, Privileges};
use iova_core::metric::ADDED_TIME;
use iova_core::model::Step;
use std::io;

/// `CAP_BPF` of include/uapi/linux/capability.h.
const BPF: u32 = 39;
/// More than any kernel has.
const CAPABILITIES: libc::c_ulong = 64;
/// `_LINUX_CAPABILITY_VERSION_3`.
const VERSION_3: u32 = 0x2008_0522;

/// Sets of capabilities, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sets {
    effective: u64,
    permitted: u64,
}

/// Gives up every right: for the server, which reads nothing. Nor does anybody without rights read its memory.
pub(super) fn give_up_all() -> Result<(), Stop> {
    seal().and_then(|()| shed(0)).map_err(failed)
}

/// Gives up every right that reading does not need, and proves with a first reading that it goes on without. With a
/// `server` its rights are told too: it answers nobody before it has given up all of them.
pub(super) fn give_up(feed: &mut LiveFeed, server: bool) -> Result<(About, Step), Stop> {
    let mut about = About { version: env!("CARGO_PKG_VERSION").to_owned(), ..About::default() };
    let sees = feed.hold_memory();
    if let Err(why) = &sees {
        about.unknown.push(("low_space".to_owned(), why.clone()));
    }
    about.unknown.push((
        ADDED_TIME.to_owned(),
        "measured only at the start: it takes CAP_SYS_ADMIN, which the exporter has given up".to_owned(),
    ));
    // Kernels before 5.19 want CAP_BPF for every use of a map where kernel.unprivileged_bpf_disabled is set
    // (__sys_bpf, kernel/bpf/syscall.c), so it stays in reserve until one was used without.
    seal().and_then(|()| shed(1 << BPF)).map_err(failed)?;
    let (first, kept) = match feed.read() {
        Ok(reading) => (reading, 0),
        Err(_) => {
            set(Sets { effective: 1 << BPF, permitted: 1 << BPF }).map_err(failed)?;
            (feed.read()?, 1 << BPF)
        }
    };
    set(Sets { effective: kept, permitted: kept }).map_err(failed)?;
    if sees.is_ok() {
        feed.look_again();
    }
    about.privileges.push(match kept {
        0 => none("reader"),
        _ => Privileges {
            process: "reader",
            capabilities: "CAP_BPF".to_owned(),
            reason: "this kernel wants it for every reading of a map (before 5.19)".to_owned(),
        },
    });
    about.privileges.extend(server.then(|| none("server")));
    Ok((about, first.step))
}

fn none(process: &'static str) -> Privileges {
    Privileges { process, capabilities: "none".to_owned(), reason: String::new() }
}

fn failed(error: io::Error) -> Stop {
    Stop::internal(format!("capabilities can't be given up: {error}"))
}

/// Closes this process to others of the same user: its memory and its descriptors are nobody's but root's with all rights.
fn seal() -> io::Result<()> {
    let none: libc::c_ulong = 0;
    // SAFETY: prctl gets no pointers.
    let result = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, none, none, none, none) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Gives up everything but `reserve`, which is kept, but not in effect; and the way to get anything back.
fn shed(reserve: u64) -> io::Result<()> {
    let none: libc::c_ulong = 0;
    // SAFETY: prctl gets no pointers; with no_new_privs no program that is executed gains anything.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, none, none, none) } != 0 {
        return Err(io::Error::last_os_error());
    }
    for capability in 0..CAPABILITIES {
        // Needs CAP_SETPCAP. Without it the set stays, and is of no use: no_new_privs is on.
        // SAFETY: prctl gets no pointers.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, none, none, none) };
    }
    // Ambient ones go with the inheritable ones.
    let have = get()?;
    set(Sets { effective: 0, permitted: have.permitted & reserve })
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// Lower 32 bits of each set in the first, upper in the second.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

fn get() -> io::Result<Sets> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: both pointers are to structs of the form that version 3 has.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    let [low, high] = data;
    let join = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let sets = Sets {
        effective: join(low.effective, high.effective),
        permitted: join(low.permitted, high.permitted),
    };
    if result == 0 { Ok(sets) } else { Err(io::Error::last_os_error()) }
}

/// Sets both; nothing is inheritable, and so nothing is ambient.
fn set(sets: Sets) -> io::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let half = |shift: u32| Data {
        effective: (sets.effective >> shift) as u32,
        permitted: (sets.permitted >> shift) as u32,
        inheritable: 0,
    };
    let data = [half(0), half(32)];
    // SAFETY: both pointers are to structs of the form that version 3 has.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of this thread's status.
    fn status(names: &[&str]) -> Vec<String> {
        let text = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let value = |name: &&str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
            line.unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
        };
        names.iter().map(value).collect()
    }

    /// Other tests keep their rights: those are each thread's own.
    #[test]
    fn nothing_is_left_and_nothing_comes_back() {
        let check = || {
            let before = get().unwrap();
            shed(1 << BPF).unwrap();
            let reserve = Sets { effective: 0, permitted: before.permitted & 1 << BPF };
            assert_eq!(get().unwrap(), reserve);
            // The reserve can be put into effect, as on an old kernel, and given up.
            set(Sets { effective: reserve.permitted, ..reserve }).unwrap();
            set(Sets::default()).unwrap();
            let zero = "0000000000000000";
            assert_eq!(status(&["CapEff", "CapPrm", "CapInh", "CapAmb"]), [zero; 4]);
            assert_eq!(status(&["NoNewPrivs"]), ["1"]);
            if before.effective >> 8 & 1 == 1 {
                assert_eq!(status(&["CapBnd"]), [zero], "with CAP_SETPCAP the bounding set goes as well");
            }
            assert!(set(Sets { effective: 1, permitted: 1 }).is_err());
            // What was started from here has nothing either.
            std::thread::spawn(move || assert_eq!(status(&["CapPrm"]), [zero])).join().unwrap();
        };
        std::thread::spawn(check).join().unwrap();
    }
}
