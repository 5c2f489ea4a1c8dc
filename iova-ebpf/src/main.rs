//! The eBPF programs of `iova`: one file per subject, no policy, no formatting.
//!
//! Rules of this crate:
//! - No reachable panic (the build fails on one), no unbounded loop, no record per allocation unless somebody asks for that.
//! - Every counter is per CPU and changed by one atomic add, because an interrupt may run the same program between
//!   any two instructions.
//! - Kernel structs are read through typed pointers at offsets from [`iova_common::offsets`], never with helpers that
//!   lockdown=confidentiality forbids (the fault probe, which has no other way, is the exception).
//! - A call is joined to the calls inside it by the address of its saved arguments on the kernel stack, never by CPU
//!   or task: see [`frame`].
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod alloc;
mod asm;
mod call;
mod device;
mod domain;
mod event;
mod fault;
mod flush;
mod frame;
mod free;
mod hist;
mod kernel;
mod lock;
mod log;
mod map;
mod maps;
mod tree;
mod way;

/// The helpers these programs call are offered to GPL programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
