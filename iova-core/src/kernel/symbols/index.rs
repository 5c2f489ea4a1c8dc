//! The kernel's own index of symbol names, asked for one name at a time.
//!
//! `kallsyms_lookup_name()` (kernel/kallsyms.c) bisects an index of all names from 6.2 on; before that it expands every name
//! up to the wanted one. A BPF program of type syscall may call it (`bpf_kallsyms_lookup_name()`, kernel/bpf/syscall.c, 5.16)
//! on behalf of whoever may see addresses in `/proc/kallsyms`. Measured on 6.12: 30,000 instructions for a name, where
//! printing all of them takes 550 million.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::super::Types;
use crate::bpf;

/// Bytes of a name at most, its end mark included.
const NAME_LEN: usize = 64;
/// A symbol of every kernel.
const ALWAYS: &str = "_text";

/// One question and its answer: what the program gets as its context, and writes to.
#[repr(C)]
struct Question {
    name: [u8; NAME_LEN],
    address: u64,
}

/// The loaded program.
#[derive(Debug)]
pub(super) struct Index(OwnedFd);

impl Index {
    /// `None` where the kernel has no quick look-up, or refuses it to this process.
    pub(super) fn open(types: &Types) -> Option<Self> {
        let helper = types.enumerator("bpf_func_id", "BPF_FUNC_kallsyms_lookup_name")?;
        // Came with the index, in 6.2.
        let quick = ["kallsyms_lookup_names", "kallsyms_on_each_match_symbol"];
        if !quick.iter().any(|function| types.has_function(function)) {
            return None;
        }
        let index = Self(bpf::load_syscall(&program(i32::try_from(helper).ok()?)).ok()?);
        // Refused only when it is asked: addresses are hidden from this process.
        index.address(ALWAYS).ok()?.map(|_| index)
    }

    /// Address of a symbol; `None` if no symbol has this name.
    pub(super) fn address(&self, name: &str) -> io::Result<Option<u64>> {
        let mut question = Question { name: [0; NAME_LEN], address: 0 };
        let place = question.name[..NAME_LEN - 1].get_mut(..name.len());
        place.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(name.as_bytes());
        match bpf::run_syscall(self.0.as_fd(), &mut question)? {
            0 => Ok(Some(question.address)),
            error if error == -libc::ENOENT => Ok(None),
            error => Err(io::Error::from_raw_os_error(-error)),
        }
    }
}

/// `bpf_kallsyms_lookup_name(name, NAME_LEN, 0, &address)`. It takes no pointer into the context, so name and answer go by
/// way of the stack.
fn program(helper: i32) -> Vec<u64> {
    let name = -(NAME_LEN as i16);
    let address = name - 8;
    let mut program = vec![insn(MOV_REGISTER, 6, 1, 0, 0)];
    for word in (0..NAME_LEN as i16).step_by(8) {
        program.extend([insn(LOAD, 2, 6, word, 0), insn(STORE, STACK, 2, name + word, 0)]);
    }
    program.extend([
        insn(STORE_NUMBER, STACK, 0, address, 0),
        insn(MOV_REGISTER, 1, STACK, 0, 0),
        insn(ADD_NUMBER, 1, 0, 0, name.into()),
        insn(MOV_NUMBER, 2, 0, 0, NAME_LEN as i32),
        insn(MOV_NUMBER, 3, 0, 0, 0),
        insn(MOV_REGISTER, 4, STACK, 0, 0),
        insn(ADD_NUMBER, 4, 0, 0, address.into()),
        insn(CALL, 0, 0, 0, helper),
        insn(LOAD, 1, STACK, address, 0),
        insn(STORE, 6, 1, NAME_LEN as i16, 0),
        insn(EXIT, 0, 0, 0, 0),
    ]);
    program
}

/// Opcodes on 64 bits (Documentation/bpf/standardization/instruction-set.rst), and the register of the stack.
const ADD_NUMBER: u8 = 0x07;
const LOAD: u8 = 0x79;
const STORE_NUMBER: u8 = 0x7a;
const STORE: u8 = 0x7b;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const MOV_NUMBER: u8 = 0xb7;
const MOV_REGISTER: u8 = 0xbf;
const STACK: u8 = 10;

fn insn(opcode: u8, target: u8, source: u8, offset: i16, number: i32) -> u64 {
    u64::from(opcode)
        | u64::from(target) << 8
        | u64::from(source) << 12
        | u64::from(offset.cast_unsigned()) << 16
        | u64::from(number.cast_unsigned()) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_little_endian_words() {
        // *(u64 *)(r10 - 72) = 0, as clang assembles it.
        assert_eq!(insn(STORE_NUMBER, STACK, 0, -72, 0).to_le_bytes(), [0x7a, 0x0a, 0xb8, 0xff, 0, 0, 0, 0]);
        let program = program(179);
        assert_eq!(program.iter().filter(|insn| **insn == 179 << 32 | 0x85).count(), 1);
        assert_eq!(program.last(), Some(&0x95));
    }
}
