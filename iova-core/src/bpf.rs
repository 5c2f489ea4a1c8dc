//! The few `bpf(2)` commands that aya does not offer.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const MAP_LOOKUP_ELEM: libc::c_long = 1;
const MAP_UPDATE_ELEM: libc::c_long = 2;
const PROG_LOAD: libc::c_long = 5;
const PROG_TEST_RUN: libc::c_long = 10;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const BTF_LOAD: libc::c_long = 18;
const MAP_FREEZE: libc::c_long = 22;
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
const PROG_TYPE_SYSCALL: u32 = 31;
const TRACE_FENTRY: u32 = 24;
/// Programs of type syscall may be nothing else.
const SLEEPABLE: u32 = 1 << 4;
/// `BPF_OBJ_NAME_LEN`.
const NAME_LEN: usize = 16;
/// Room for what the verifier says.
const LOG_BYTES: usize = 4 << 20;

/// The argument of `BPF_PROG_LOAD`.
#[derive(Default)]
#[repr(C)]
pub(crate) struct LoadAttr {
    prog_type: u32,
    insn_count: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; NAME_LEN],
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

#[repr(C)]
struct RawTracepointAttr {
    name: u64,
    prog_fd: u32,
    /// The kernel refuses what is not zero behind the last field, the compiler's padding included.
    pad: u32,
}

#[repr(C)]
struct BtfAttr {
    btf: u64,
    log: u64,
    len: u32,
    log_size: u32,
    log_level: u32,
    pad: u32,
}

#[derive(Default)]
#[repr(C)]
struct RunAttr {
    prog_fd: u32,
    retval: u32,
    data_len: [u32; 2],
    data: [u64; 2],
    repeat: u32,
    duration: u32,
    ctx_len: [u32; 2],
    ctx: [u64; 2],
    flags: u32,
    cpu: u32,
    batch_size: u32,
    pad: u32,
}

impl LoadAttr {
    /// A program for the kernel function or tracepoint that has this number among the kernel's types.
    pub(crate) fn tracing(name: &str, attach_type: u32, target: u32) -> Self {
        let mut attr = Self {
            prog_type: PROG_TYPE_TRACING,
            expected_attach_type: attach_type,
            attach_btf_id: target,
            ..Self::default()
        };
        // The last byte stays the end mark.
        for (to, from) in attr.name.iter_mut().take(NAME_LEN - 1).zip(name.bytes()) {
            *to = from;
        }
        attr
    }

    /// The program's own types, and where its functions and lines begin: bytes of records of a size. They must outlive the
    /// load.
    pub(crate) fn with_btf(&mut self, btf: BorrowedFd<'_>, funcs: (&[u8], usize), lines: (&[u8], usize)) {
        let count = |(bytes, size): (&[u8], usize)| bytes.len().checked_div(size).unwrap_or(0) as u32;
        self.btf_fd = raw(btf);
        (self.func_info, self.func_info_size) = (funcs.0.as_ptr() as u64, funcs.1 as u32);
        (self.line_info, self.line_info_size) = (lines.0.as_ptr() as u64, lines.1 as u32);
        (self.func_info_count, self.line_info_count) = (count(funcs), count(lines));
    }
}

/// Loads a program; an instruction is 8 bytes.
pub(crate) fn load<I>(attr: &mut LoadAttr, insns: &[I]) -> io::Result<OwnedFd> {
    attr.insns = insns.as_ptr() as u64;
    attr.insn_count = u32::try_from(size_of_val(insns) / 8).unwrap_or(u32::MAX);
    attr.license = c"GPL".as_ptr() as u64;
    open(PROG_LOAD, attr)
}

/// The verifier's log of a program that it has just refused.
pub(crate) fn verifier_log<I>(attr: &mut LoadAttr, insns: &[I]) -> String {
    let mut log = vec![0u8; LOG_BYTES];
    (attr.log_level, attr.log_size, attr.log) = (1, LOG_BYTES as u32, log.as_mut_ptr() as u64);
    drop(load(attr, insns));
    (attr.log_level, attr.log_size, attr.log) = (0, 0, 0);
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(0);
    log.truncate(end);
    String::from_utf8_lossy(&log).into_owned()
}

/// Loads a program that does nothing for the entry of a function (its number in the kernel's BTF), and drops it again:
/// whether that is allowed here can't be told from capabilities alone.
pub(crate) fn try_tracing(function: u32) -> io::Result<()> {
    // r0 = 0; exit
    load(&mut LoadAttr::tracing("", TRACE_FENTRY, function), &[0xb7u64, 0x95]).map(drop)
}

/// Loads a program of type syscall (5.14 and later): it runs when it is asked to, in the context of who asks.
pub(crate) fn load_syscall(insns: &[u64]) -> io::Result<OwnedFd> {
    load(&mut LoadAttr { prog_type: PROG_TYPE_SYSCALL, flags: SLEEPABLE, ..LoadAttr::default() }, insns)
}

/// Runs such a program, which may read and write `context`; returns what it returns.
pub(crate) fn run_syscall<T>(program: BorrowedFd<'_>, context: &mut T) -> io::Result<i32> {
    let mut attr = RunAttr {
        prog_fd: raw(program),
        ctx_len: [u32::try_from(size_of::<T>()).unwrap_or(u32::MAX), 0],
        ctx: [std::ptr::from_mut(context) as u64, 0],
        ..RunAttr::default()
    };
    bpf(PROG_TEST_RUN, &mut attr)?;
    Ok(attr.retval.cast_signed())
}

/// Attaches a tracing program to what it was loaded for; closing the link detaches it.
pub(crate) fn open_raw_tracepoint(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    open(RAW_TRACEPOINT_OPEN, &mut RawTracepointAttr { name: 0, prog_fd: raw(program), pad: 0 })
}

/// Loads type information.
pub(crate) fn load_btf(btf: &[u8]) -> io::Result<OwnedFd> {
    let len = u32::try_from(btf.len()).unwrap_or(u32::MAX);
    open(BTF_LOAD, &mut BtfAttr { btf: btf.as_ptr() as u64, log: 0, len, log_size: 0, log_level: 0, pad: 0 })
}

/// Sets the value at `index` of an array map, which has to have the size of the map's values.
pub(crate) fn update(map: BorrowedFd<'_>, index: u32, value: &[u8]) -> io::Result<()> {
    let key = std::ptr::from_ref(&index) as u64;
    let mut attr = LookupAttr { map_fd: raw(map), pad: 0, key, value: value.as_ptr() as u64, flags: 0 };
    bpf(MAP_UPDATE_ELEM, &mut attr)
}

/// Makes a map read-only for user space, so that the verifier takes its values for constants (5.2 and later).
pub(crate) fn freeze(map: BorrowedFd<'_>) -> io::Result<()> {
    bpf(MAP_FREEZE, &mut raw(map))
}

fn open<T>(command: libc::c_long, attr: &mut T) -> io::Result<OwnedFd> {
    let fd = call(command, attr)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
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
pub(crate) fn lookup(map: BorrowedFd<'_>, index: u32, value: &mut [u64]) -> io::Result<()> {
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
pub(crate) fn lookup_batch(map: BorrowedFd<'_>, keys: &mut [u32], values: &mut [u64]) -> io::Result<usize> {
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

/// Number of runs that the kernel skipped because the program was already running on that CPU; `None` before 5.12.
pub(crate) fn recursion_misses(program: BorrowedFd<'_>) -> Option<u64> {
    info(program, [RECURSION_MISSES]).map(|[misses]| misses)
}

/// Run time and runs of a program while the kernel's statistics were on.
pub(crate) struct RunStats {
    /// Time, ns.
    pub(crate) run_ns: u64,
    /// Runs.
    pub(crate) runs: u64,
}

/// Of a program since it was loaded.
pub(crate) fn run_stats(program: BorrowedFd<'_>) -> Option<RunStats> {
    info(program, [RUN_TIME_NS, RUN_CNT]).map(|[run_ns, runs]| RunStats { run_ns, runs })
}

/// The number by which others find a program.
#[cfg(feature = "bpf-log")]
pub(crate) fn id(program: BorrowedFd<'_>) -> Option<u32> {
    // `type` and `id`, 32 bits each.
    info(program, [0]).map(|[word]| (word >> 32) as u32)
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
