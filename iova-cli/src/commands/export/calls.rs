//! The system calls that the exporter's processes make, by what they are for.

use libc::c_long;

/// Memory, threads, clocks, and what is done with descriptors that are open.
pub(super) const COMMON: &[c_long] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// Reading files; opening them is allowed apart.
pub(super) const FILES: &[c_long] = &[
    libc::SYS_faccessat,
    libc::SYS_fstat,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_readlinkat,
    libc::SYS_statx,
    libc::SYS_uname,
];

/// Calls of the reader alone: waiting for its child, the CPU time of a thread.
pub(super) const READER: &[c_long] =
    &[libc::SYS_getrusage, libc::SYS_sysinfo, libc::SYS_wait4, libc::SYS_waitid];

/// Writing a file and replacing another one with it.
pub(super) const WRITING: &[c_long] = &[libc::SYS_fchmod, libc::SYS_openat, libc::SYS_renameat];

/// Answering at sockets that are open.
pub(super) const ANSWERING: &[c_long] = &[
    libc::SYS_accept4,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_shutdown,
];

/// Asking for an address by name, and connecting to it.
pub(super) const CONNECTING: &[c_long] = &[
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_mmap,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_setsockopt,
    libc::SYS_socket,
];

/// Older names of some of these calls, which newer architectures do not have.
#[cfg(target_arch = "x86_64")]
pub(super) mod older {
    use libc::c_long;

    pub(in super::super) const FILES: &[c_long] =
        &[libc::SYS_access, libc::SYS_lstat, libc::SYS_readlink, libc::SYS_stat];
    pub(in super::super) const WRITING: &[c_long] = &[libc::SYS_rename];
    pub(in super::super) const REMOVING: &[c_long] = &[libc::SYS_unlink];
    pub(in super::super) const ANSWERING: &[c_long] = &[libc::SYS_epoll_wait];
    pub(in super::super) const WAITING: &[c_long] = &[libc::SYS_poll];
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) mod older {
    use libc::c_long;

    pub(in super::super) const FILES: &[c_long] = &[];
    pub(in super::super) const WRITING: &[c_long] = &[];
    pub(in super::super) const REMOVING: &[c_long] = &[];
    pub(in super::super) const ANSWERING: &[c_long] = &[];
    pub(in super::super) const WAITING: &[c_long] = &[];
}

/// Uses of a map that is open, and what is known of a program (enum bpf_cmd of include/uapi/linux/bpf.h): looking up, updating
/// and deleting an element, the next key, taking one out, the same in batches, and information by descriptor. Nothing is
/// loaded or attached.
pub(super) const MAPS: [u64; 10] = [1, 2, 3, 4, 15, 21, 24, 25, 26, 27];
/// `PERF_EVENT_IOC_DISABLE` of include/uapi/linux/perf_event.h: to detach.
pub(super) const PERF_DISABLE: u64 = 0x2401;
/// `FIONBIO` of include/uapi/asm-generic/ioctls.h.
pub(super) const NONBLOCKING: u64 = 0x5421;
