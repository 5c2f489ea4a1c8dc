//! What guests take of the host, and what `iova` takes of a guest.

use std::ops::Add;
use std::process::Child;
use std::time::Duration;

use iova_guest::Processes;

/// What one guest took, or several; what is not known of one of them is not known of their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// From QEMU's start to its end.
    pub(crate) wall: Duration,
    /// From QEMU's start to the command's.
    pub(crate) boot: Option<Duration>,
    /// CPU time of QEMU.
    pub(crate) cpu: Option<Duration>,
    /// Processes of `iova` in the guest.
    pub(crate) iova: Option<Processes>,
}

impl Spent {
    /// Of a guest of which only this is known.
    pub(crate) fn only(wall: Duration) -> Self {
        Self { wall, ..Self::default() }
    }

    /// Time in which QEMU did not run: it waited for a CPU, or its guest for something to happen.
    pub(crate) fn waiting(&self) -> Option<Duration> {
        self.cpu.map(|cpu| self.wall.saturating_sub(cpu))
    }
}

impl Add for Spent {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        let both = |(a, b): (Duration, Duration)| a + b;
        let iova =
            |(a, b): (Processes, Processes)| Processes { started: a.started + b.started, cpu: a.cpu + b.cpu };
        Self {
            wall: self.wall + more.wall,
            boot: self.boot.zip(more.boot).map(both),
            cpu: self.cpu.zip(more.cpu).map(both),
            iova: self.iova.zip(more.iova).map(iova),
        }
    }
}

/// CPU time of a child that has been told to end. It waits for that, and leaves the child for its owner to wait for.
pub(super) fn cpu_time(child: &Child) -> Option<Duration> {
    // SAFETY: zeroes are valid in both, and are filled below.
    let (mut info, mut usage): (libc::siginfo_t, libc::rusage) = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOWAIT;
    // The C library's waitid() lacks the last argument.
    // SAFETY: both places are ours and of the kernel's type.
    let result = unsafe {
        libc::syscall(libc::SYS_waitid, libc::P_PID, child.id(), &raw mut info, flags, &raw mut usage)
    };
    (result == 0).then(|| duration(usage.ru_utime) + duration(usage.ru_stime))
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn cpu_time_is_the_childs_own() {
        let count = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";
        let mut busy = Command::new("sh").args(["-c", count]).spawn().unwrap();
        let mut idle = Command::new("true").spawn().unwrap();
        let (worked, rested) = (cpu_time(&busy).unwrap(), cpu_time(&idle).unwrap());
        assert!(worked > 2 * rested, "{worked:?}, {rested:?}");
        assert!(busy.wait().unwrap().success() && idle.wait().unwrap().success());
    }

    #[test]
    fn what_is_unknown_of_one_is_unknown_of_all() {
        let second = Duration::from_secs(1);
        let iova = Some(Processes { started: 2, cpu: second });
        let known = Spent { wall: 3 * second, boot: Some(second), cpu: Some(2 * second), iova };
        let both = known + known;
        assert_eq!((both.boot, both.waiting()), (Some(2 * second), Some(2 * second)));
        assert_eq!(both.iova, Some(Processes { started: 4, cpu: 2 * second }));
        assert_eq!(known + Spent::only(second), Spent::only(4 * second));
    }
}
