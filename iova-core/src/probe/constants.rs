//! The constants of the programs: see [`iova_common::patch`].

use aya_obj::generated::bpf_insn;
use iova_common::config::Config;
use iova_common::offsets::Offsets;
use iova_common::patch::{self, Field};

use super::object::ObjectError;

/// `BPF_LD | BPF_IMM | BPF_DW`: a constant of 64 bits, in two slots.
const LOAD_64: u8 = 0x18;

/// What the programs are told of this kernel and this measurement.
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
        while at + 1 < code.len() {
            if code[at].code != LOAD_64 {
                at += 1;
                continue;
            }
            // A number of its own, and no address of a map.
            if code[at].src_reg() == 0 {
                let (low, high) = (code[at].imm as u32, code[at + 1].imm as u32);
                let constant = u64::from(high) << 32 | u64::from(low);
                if let Some(field) = patch::field(constant) {
                    let value = self.value(field).ok_or(ObjectError::Constant(constant))?;
                    (code[at].imm, code[at + 1].imm) = (value as i32, (value >> 32) as i32);
                }
            }
            at += 2;
        }
        Ok(())
    }

    fn value(&self, field: Field) -> Option<u64> {
        match field {
            Field::Config(place) => {
                let bytes = bytes_of(&self.config).get(place..place + 8)?;
                bytes.try_into().ok().map(u64::from_ne_bytes)
            }
            Field::Offset(place) => {
                let bytes = bytes_of(&self.offsets).get(place..place + 4)?;
                bytes.try_into().ok().map(|bytes| u64::from(u32::from_ne_bytes(bytes)))
            }
        }
    }
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
        let slot = |code, imm: u64| bpf_insn {
            code,
            _bitfield_align_1: [],
            _bitfield_1: bpf_insn::new_bitfield_1(0, 0),
            off: 0,
            imm: imm as u32 as i32,
        };
        [slot(LOAD_64, constant), slot(0, constant >> 32)]
    }

    fn written(code: &[bpf_insn]) -> Vec<u64> {
        code.chunks(2)
            .map(|pair| u64::from(pair[1].imm as u32) << 32 | u64::from(pair[0].imm as u32))
            .collect()
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
