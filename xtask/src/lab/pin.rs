//! One CPU of the host for all threads of a translated guest.
//!
//! With one thread for all of the guest's CPUs, QEMU 7.2 leaves out the guest's memory barriers (`tcg_gen_mb()`, tcg/tcg-op.c;
//! mended in 8.1 by c914d46d0a64), though its devices run in another thread. A driver that writes where the device looks, and then
//! reads whether it has to be woken (the NVMe driver's shadow doorbells), may then miss each other, and a queue stands still until the
//! driver resets the disk a minute later. On one CPU of the host every thread sees the stores of the others in order.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// How many guests each CPU has.
static GUESTS: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// A CPU that a guest has as long as this lives.
#[derive(Debug)]
pub(super) struct Pin(usize);

impl Pin {
    /// The allowed CPU with the fewest guests; `None` if the kernel does not say which are allowed.
    pub(super) fn take() -> Option<Self> {
        let allowed = allowed()?;
        let mut guests = GUESTS.lock().unwrap_or_else(PoisonError::into_inner);
        guests.resize(libc::CPU_SETSIZE as usize, 0);
        let cpus = (0..guests.len()).filter(|cpu| is_in(*cpu, &allowed));
        let cpu = cpus.min_by_key(|cpu| guests[*cpu])?;
        guests[cpu] += 1;
        Some(Self(cpu))
    }

    /// The command, and all threads that it starts, will run there.
    pub(super) fn apply(&self, command: &mut Command) {
        // SAFETY: zeroes are an empty set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: the set is ours, and `take` found the number in one of its size.
        unsafe { libc::CPU_SET(self.0, &mut set) };
        // SAFETY: between fork and exec only an async-signal-safe call is made, on a copy of the set.
        unsafe {
            command.pre_exec(move || {
                // Without it the guest runs all the same.
                libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
                Ok(())
            });
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut guests = GUESTS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = guests.get_mut(self.0) {
            *count = count.saturating_sub(1);
        }
    }
}

fn allowed() -> Option<libc::cpu_set_t> {
    // SAFETY: zeroes are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours and as long as said.
    let result = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    (result == 0).then_some(set)
}

fn is_in(cpu: usize, set: &libc::cpu_set_t) -> bool {
    // SAFETY: the number is below CPU_SETSIZE.
    unsafe { libc::CPU_ISSET(cpu, set) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_side_by_side_have_different_cpus() {
        let (first, second) = (Pin::take().unwrap(), Pin::take().unwrap());
        let several = std::thread::available_parallelism().unwrap().get() > 1;
        assert_eq!(first.0 != second.0, several);
        let mut command = Command::new("grep");
        second.apply(command.args(["Cpus_allowed_list", "/proc/self/status"]));
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(text.split_whitespace().last(), Some(second.0.to_string().as_str()));
    }
}
