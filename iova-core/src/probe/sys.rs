//! The few `bpf(2)` commands that aya does not offer.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const MAP_LOOKUP_ELEM: libc::c_long = 1;
const PROG_LOAD: libc::c_long = 5;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const MAP_LOOKUP_BATCH: libc::c_long = 24;

/// Offsets in `struct bpf_prog_info` (include/uapi/linux/bpf.h): since 5.1, and since 5.12.
const RUN_TIME_NS: usize = 192;
const RUN_CNT: usize = 200;
const RECURSION_MISSES: usize = 208;

#[repr(C)]
struct LookupAttr {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

#[repr(C)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

/// Types of `include/uapi/linux/bpf.h`.
const PROG_TYPE_TRACING: u32 = 26;
const TRACE_FENTRY: u32 = 24;

#[derive(Default)]
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_count: u32,
    insns: u64,
    license: u64,
    log: [u64; 2],
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    ifindex: u32,
    expected_attach_type: u32,
    btf_fd: u32,
    func_info_size: u32,
    func_info: u64,
    func_info_count: u32,
    line_info_size: u32,
    line_info: u64,
    line_info_count: u32,
    attach_btf_id: u32,
}

/// Loads a program that does nothing for the entry of a function (its number in the kernel's BTF), and drops it again:
/// whether that is allowed here can't be told from capabilities alone.
pub(super) fn try_tracing(function: u32) -> io::Result<()> {
    // r0 = 0; exit
    let insns: [u64; 2] = [0xb7, 0x95];
    let mut attr = LoadAttr {
        prog_type: PROG_TYPE_TRACING,
        insn_count: 2,
        insns: insns.as_ptr() as u64,
        license: c"GPL".as_ptr() as u64,
        expected_attach_type: TRACE_FENTRY,
        attach_btf_id: function,
        ..LoadAttr::default()
    };
    let fd = call(PROG_LOAD, &mut attr)?;
    // SAFETY: the kernel has just made this descriptor for us.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

fn bpf<T>(command: libc::c_long, attr: &mut T) -> io::Result<()> {
    call(command, attr).map(|_| ())
}

fn call<T>(command: libc::c_long, attr: &mut T) -> io::Result<i32> {
    // SAFETY: `attr` is a valid, initialised struct of the size passed, laid out as the kernel's union member for
    // `command`; the pointers in it are to buffers that outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(result).unwrap_or(-1)) }
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// Reads the value (of all CPUs) at `index` of an array map into `value`, which must be as large as the kernel fills:
/// the value size rounded up to 8, times the possible CPUs.
pub(super) fn lookup(map: BorrowedFd<'_>, index: u32, value: &mut [u64]) -> io::Result<()> {
    let mut attr = LookupAttr {
        map_fd: raw(map),
        pad: 0,
        key: std::ptr::from_ref(&index) as u64,
        value: value.as_mut_ptr() as u64,
        flags: 0,
    };
    bpf(MAP_LOOKUP_ELEM, &mut attr)
}

/// Reads `count` values from the start of an array map in one call (per-CPU arrays: 5.13 and later).
pub(super) fn lookup_batch(map: BorrowedFd<'_>, keys: &mut [u32], values: &mut [u64]) -> io::Result<usize> {
    let mut next = 0u32;
    let mut attr = BatchAttr {
        in_batch: 0,
        out_batch: std::ptr::from_mut(&mut next) as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: u32::try_from(keys.len()).unwrap_or(u32::MAX),
        map_fd: raw(map),
        elem_flags: 0,
        flags: 0,
    };
    match bpf(MAP_LOOKUP_BATCH, &mut attr) {
        Ok(()) => Ok(attr.count as usize),
        // The end of the map was reached.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(attr.count as usize),
        Err(error) => Err(error),
    }
}

/// How often the kernel skipped a program because it was already running on that CPU; `None` before 5.12.
pub(super) fn recursion_misses(program: BorrowedFd<'_>) -> Option<u64> {
    info(program, [RECURSION_MISSES]).map(|[misses]| misses)
}

/// What a program did while the kernel's statistics were on.
pub(super) struct RunStats {
    /// Time, ns.
    pub(super) run_ns: u64,
    /// Runs.
    pub(super) runs: u64,
}

/// Of a program since it was loaded.
pub(super) fn run_stats(program: BorrowedFd<'_>) -> Option<RunStats> {
    info(program, [RUN_TIME_NS, RUN_CNT]).map(|[run_ns, runs]| RunStats { run_ns, runs })
}

/// Words of what the kernel knows about a program; `None` if it knows less.
fn info<const N: usize>(program: BorrowedFd<'_>, offsets: [usize; N]) -> Option<[u64; N]> {
    let mut info = [0u64; 32];
    let mut attr = InfoAttr {
        bpf_fd: raw(program),
        info_len: u32::try_from(size_of_val(&info)).unwrap_or(0),
        info: info.as_mut_ptr() as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attr).ok()?;
    let known = attr.info_len as usize;
    offsets.iter().all(|offset| known >= offset + 8).then(|| offsets.map(|offset| info[offset / 8]))
}

/// Kernels before 5.11 charge BPF maps to RLIMIT_MEMLOCK. A refusal shows up when the maps are made.
pub(super) fn raise_memlock() {
    let all = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a valid rlimit.
    let _ = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const all) };
}

/// CLOCK_MONOTONIC in ns: the clock of `bpf_ktime_get_ns`.
pub(super) fn monotonic_ns() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid timespec; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// Gives memory that was freed back to the system: an allocator keeps it otherwise, in pieces too small to be of use.
pub(super) fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it touches only what is free.
    unsafe {
        libc::malloc_trim(0)
    };
}

/// From this size on a block has its own mapping: the tables of a kernel, not what is read every second.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 2 << 20;

/// Lets large blocks grow without a second copy, and lets them go back to the system at once. glibc does so until the
/// first of them is freed, and then keeps the next ones among the small ones (malloc/malloc.c, M_MMAP_THRESHOLD).
pub(super) fn keep_large_apart() {
    #[cfg(target_env = "gnu")]
    // SAFETY: only a number is set.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE)
    };
}
