//! The few instructions that rustc cannot be asked for on this target.

use core::arch::asm;

/// Adds to a counter, a field of a struct, with one instruction (`lock add`), so that an interrupt between load and store loses
/// nothing.
macro_rules! add {
    ($base:expr, $struct:ident.$field:ident, $value:expr) => {
        crate::asm::add_at::<{ core::mem::offset_of!($struct, $field) }>($base.cast::<u8>(), $value as u64)
    };
}
pub(crate) use add;

/// The instruction of [`add!`]. The offset is in the instruction and costs nothing.
#[inline(always)]
pub fn add_at<const OFFSET: usize>(base: *mut u8, value: u64) {
    unsafe {
        asm!("lock *(u64 *)({p} + {o}) += {v}", p = in(reg) base, v = in(reg) value, o = const OFFSET, options(nostack))
    }
}

/// The same for a counter of 32 bits, by one.
#[inline(always)]
pub fn increment32_at<const OFFSET: usize>(base: *mut u8) {
    unsafe {
        asm!("lock *(u32 *)(r1 + {o}) += w2", in("r1") base, in("r2") 1, o = const OFFSET, options(nostack))
    }
}

/// The number that user space writes into this instruction before the program is loaded: [`iova_common::patch`].
#[inline(always)]
pub fn patched<const MARK: u64>() -> u64 {
    let value: u64;
    unsafe { asm!("{v} = {m} ll", v = out(reg) value, m = const MARK, options(pure, nomem, nostack)) }
    value
}

/// The field of a kernel struct at the offset that user space writes into the load: [`iova_common::patch`]. A bad pointer reads as 0:
/// the verifier makes these loads fault-tolerant.
pub trait Loaded {
    /// Loads it.
    fn load<const MARK: i16>(base: *const u8) -> Self;
}

macro_rules! loaded {
    ($($type:ty = $load:literal;)*) => {
        $(impl Loaded for $type {
            #[inline(always)]
            fn load<const MARK: i16>(base: *const u8) -> Self {
                let value: u64;
                unsafe { asm!($load, v = out(reg) value, b = in(reg) base, o = const MARK, options(readonly, nostack)) }
                value as Self
            }
        })*
    };
}

loaded! {
    u8 = "{v} = *(u8 *)({b} + {o})";
    i32 = "{v} = *(u32 *)({b} + {o})";
    u64 = "{v} = *(u64 *)({b} + {o})";
    *const u8 = "{v} = *(u64 *)({b} + {o})";
}

/// `value & mask`, for a mask that user space writes into the instruction.
#[inline(always)]
pub fn patched_mask<const MARK: i32>(value: u64) -> u64 {
    let mut masked = value;
    unsafe { asm!("{v} &= {m}", v = inout(reg) masked, m = const MARK, options(pure, nomem, nostack)) }
    masked
}

/// The number of this CPU, as the kernel's helper has it (`bpf_get_smp_processor_id`). The wrapper of aya would shorten it to 32
/// bits, which takes two shifts.
#[inline(always)]
pub fn cpu() -> u64 {
    let cpu: u64;
    unsafe {
        asm!("call 8", lateout("r0") cpu, lateout("r1") _, lateout("r2") _, lateout("r3") _, lateout("r4") _, lateout("r5") _,
            options(nomem, nostack))
    }
    cpu
}

/// The low half of a pointer, as a number: the verifier allows no arithmetic on pointers, but a 32-bit move makes a
/// scalar of one (`check_alu_op`, kernel/bpf/verifier.c, since 4.9).
#[inline(always)]
pub fn low32<T>(pointer: *const T) -> u64 {
    let low: u64;
    unsafe { asm!("w0 = w1", in("r1") pointer, lateout("r0") low, options(pure, nomem, nostack)) }
    low
}

/// `value`, of which the verifier knows nothing any more. Costs nothing: the "byte swap" to the order it is in already
/// is no instruction on x86, and the verifier takes its result for unknown.
///
/// Two uses: branches that only differ in a number then end in one state, so verification stays linear; and 5.10, which
/// follows impossible branches, can't derive contradictory bounds from them and refuse the pointer made with them.
#[inline(always)]
pub fn forget(value: u64) -> u64 {
    let mut unknown = value;
    unsafe { asm!("{v} = le64 {v}", v = inout(reg) unknown, options(pure, nomem, nostack)) }
    unknown
}

/// `value`, at most `MAX`, in a form whose bound the optimiser cannot take away from the verifier.
#[inline(always)]
pub fn at_most<const MAX: u64>(value: u64) -> u64 {
    let mut bounded = forget(value);
    unsafe {
        asm!(
            "if {v} <= {max} goto +1",
            "{v} = {max}",
            v = inout(reg) bounded,
            max = const MAX,
            options(pure, nomem, nostack)
        );
    }
    bounded
}

/// `value & MASK`, in a form that the optimiser keeps: the verifier must see the bound.
#[inline(always)]
pub fn masked<const MASK: u64>(value: u64) -> u64 {
    let mut masked = value;
    unsafe { asm!("{v} &= {mask}", v = inout(reg) masked, mask = const MASK, options(pure, nomem, nostack)) }
    masked
}

/// One step of finding the highest set bit of `v`: if any bit at or above `test` is set, shifts `v` down and counts it.
macro_rules! narrow {
    ($v:ident, $count:ident, $test:literal, $shift:literal, $step:expr) => {
        if $v >> $test != 0 {
            $v >>= $shift;
            $count += $step;
        }
        $v = crate::asm::forget($v);
        $count = crate::asm::forget($count);
    };
}
pub(crate) use narrow;
