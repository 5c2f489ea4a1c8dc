//! The constants of the programs: see [`iova_common::patch`].

use aya_obj::generated::bpf_insn;
use iova_common::config::Config;
use iova_common::offsets::Offsets;
use iova_common::patch::{self, Field};

use super::object::ObjectError;

/// `BPF_LD | BPF_IMM | BPF_DW`: a constant of 64 bits, in two slots.
const LOAD_64: u8 = 0x18;
/// `BPF_LDX`: a load, in the lowest bits of the code.
const LOAD: u8 = 0x01;
const CLASS: u8 = 0x07;
/// `BPF_ALU64 | BPF_AND | BPF_K`.
const AND: u8 = 0x57;

/// Facts of this kernel and decisions of this measurement, for the programs.
pub(super) struct Constants {
    pub(super) config: Config,
    pub(super) offsets: Offsets,
}

impl Constants {
    /// Puts the values where the code has placeholders.
    ///
    /// # Errors
    /// `Constant` if one stands for a field that there is not: the object is another version's.
    pub(super) fn write(&self, code: &mut [bpf_insn]) -> Result<(), ObjectError> {
        let mut at = 0;
        while let Some(instruction) = code.get_mut(at) {
            at += 1;
            if instruction.code & CLASS == LOAD {
                if let Some(place) = patch::loaded(instruction.off) {
                    instruction.off = self.distance(place)?;
                }
            } else if instruction.code == AND {
                if let Some(place) = patch::masked(instruction.imm) {
                    instruction.imm = self.value(Field::Config(place))? as i32;
                }
            } else if instruction.code == LOAD_64 {
                self.write_number(&mut code[at - 1..])?;
                at += 1;
            }
        }
        Ok(())
    }

    fn write_number(&self, code: &mut [bpf_insn]) -> Result<(), ObjectError> {
        let [low, high, ..] = code else { return Ok(()) };
        // Not the address of a map.
        if low.src_reg() == 0 {
            let constant = u64::from(high.imm as u32) << 32 | u64::from(low.imm as u32);
            if let Some(field) = patch::field(constant) {
                let value = self.value(field)?;
                (low.imm, high.imm) = (value as i32, (value >> 32) as i32);
            }
        }
        Ok(())
    }

    /// Of a field in its struct.
    fn distance(&self, place: usize) -> Result<i16, ObjectError> {
        let offset = self.value(Field::Offset(place))?;
        Ok(i16::try_from(offset).ok().filter(|offset| *offset < patch::LOADS).unwrap_or(patch::REFUSED))
    }

    fn value(&self, field: Field) -> Result<u64, ObjectError> {
        match field {
            Field::Config(place) => number(&self.config, place).map(u64::from_ne_bytes),
            Field::Offset(place) => {
                number(&self.offsets, place).map(|bytes| u64::from(u32::from_ne_bytes(bytes)))
            }
        }
        .ok_or(ObjectError::Constant(field))
    }
}

/// The bytes of a number at `place`.
fn number<T: aya::Pod, const N: usize>(of: &T, place: usize) -> Option<[u8; N]> {
    bytes_of(of).get(place..place + N)?.try_into().ok()
}

fn bytes_of<T: aya::Pod>(value: &T) -> &[u8] {
    // SAFETY: plain data without padding, as `Pod` demands.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    fn load(constant: u64) -> [bpf_insn; 2] {
        [slot(LOAD_64, 0, constant as i32), slot(0, 0, (constant >> 32) as i32)]
    }

    fn written(code: &[bpf_insn]) -> Vec<u64> {
        code.chunks(2)
            .map(|pair| u64::from(pair[1].imm as u32) << 32 | u64::from(pair[0].imm as u32))
            .collect()
    }

    fn slot(code: u8, off: i16, imm: i32) -> bpf_insn {
        bpf_insn { code, _bitfield_align_1: [], _bitfield_1: bpf_insn::new_bitfield_1(0, 0), off, imm }
    }

    #[test]
    fn loads_and_masks_are_written_and_others_stay() {
        let config = Config { cpu_mask: 63, ..Config::DEFAULT };
        let constants = Constants { config, offsets: Offsets { device_iommu: 0x2e8, ..Offsets::NONE } };
        let (known, absent) = (offset_of!(Offsets, device_iommu), offset_of!(Offsets, device_bus));
        let mut code = [
            slot(0x79, patch::load(known), 0),
            slot(0x71, patch::load(absent), 0),
            slot(0x79, 0x1a0, 0),
            slot(AND, 0, patch::mask(offset_of!(Config, cpu_mask))),
            slot(AND, 0, 1023),
        ];
        constants.write(&mut code).unwrap();
        assert_eq!(code.map(|slot| slot.off), [0x2e8, patch::REFUSED, 0x1a0, 0, 0]);
        assert_eq!(code.map(|slot| slot.imm), [0, 0, 0, 63, 1023]);
    }

    #[test]
    fn fields_are_written_and_numbers_stay() {
        let config = Config { watch_dev: 0xffff_8881_0000_1000, ..Config::DEFAULT };
        let constants = Constants { config, offsets: Offsets { iova_pfn_hi: 24, ..Offsets::NONE } };
        let number = 0x1234_5678_9abc_def0;
        let (watched, high, group) = (
            patch::config(offset_of!(Config, watch_dev)),
            patch::offset(offset_of!(Offsets, iova_pfn_hi)),
            patch::offset(offset_of!(Offsets, device_iommu_group)),
        );
        let mut code: Vec<_> = [watched, high, group, number].into_iter().flat_map(load).collect();
        constants.write(&mut code).unwrap();
        assert_eq!(written(&code), [config.watch_dev, 24, 0xffff_ffff, number]);
        let mut foreign = load(patch::config(4096));
        assert!(matches!(constants.write(&mut foreign), Err(ObjectError::Constant(_))));
    }
}
