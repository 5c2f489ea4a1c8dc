//! The few instructions that rustc cannot be asked for on this target.

use core::arch::asm;

/// Adds to a counter with one instruction (`lock add`), so that an interrupt between load and store loses nothing.
macro_rules! add {
    ($place:expr, $value:expr) => {
        crate::asm::add64(unsafe { $place }, $value as u64)
    };
}
pub(crate) use add;

/// What [`add!`] does.
#[inline(always)]
pub fn add64(place: *mut u64, value: u64) {
    unsafe { asm!("lock *(u64 *)({p} + 0) += {v}", p = in(reg) place, v = in(reg) value, options(nostack)) }
}

/// The same for a counter of 32 bits, by one.
#[inline(always)]
pub fn increment32(place: *mut u32) {
    unsafe { asm!("lock *(u32 *)(r1 + 0) += w2", in("r1") place, in("r2") 1, options(nostack)) }
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
