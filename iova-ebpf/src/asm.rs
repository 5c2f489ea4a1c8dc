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

/// `value`, at most `max`, in a form whose bound the optimiser cannot take away from the verifier.
#[inline(always)]
pub fn at_most<const MAX: u64>(value: u64) -> u64 {
    let mut bounded = value;
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
