//! Type information for others: same numbers, hardly any content.

use super::{Btf, kind};

/// `struct btf_header` (include/uapi/linux/btf.h).
const HEADER_LEN: u32 = 24;
const MAGIC_VERSION_1: u32 = 0x0001_eb9f;

impl Btf {
    /// BTF in which the functions and typedefs of these names have the numbers they have here, and every other type is
    /// a nameless forward declaration. To load a program, its loader needs the number of one function; made of the
    /// whole kernel's types, its tables take 20 MiB.
    pub fn only(&self, names: &[&str]) -> Vec<u8> {
        let (mut types, mut strings, mut end) = (Vec::new(), vec![0], 0);
        for &at in &self.types {
            match self.wanted(at, names) {
                Some((kind, name, target)) => {
                    push(&mut types, [strings.len() as u32, kind << 24, target]);
                    strings.extend_from_slice(name.as_bytes());
                    strings.push(0);
                    end = types.len();
                }
                None => push(&mut types, [0, kind::FWD << 24, 0]),
            }
        }
        types.truncate(end);
        let mut data = Vec::with_capacity(HEADER_LEN as usize + types.len() + strings.len());
        let (types_len, strings_len) = (types.len() as u32, strings.len() as u32);
        push(&mut data, [MAGIC_VERSION_1, HEADER_LEN, 0]);
        push(&mut data, [types_len, types_len, strings_len]);
        data.append(&mut types);
        data.append(&mut strings);
        data
    }

    fn wanted<'a>(&self, at: u32, names: &[&'a str]) -> Option<(u32, &'a str, u32)> {
        let record = super::parse::record(&self.data, at as usize)?;
        if record.kind != kind::FUNC && record.kind != kind::TYPEDEF {
            return None;
        }
        let name = self.str_at(record.name)?;
        let name = names.iter().find(|wanted| wanted.as_bytes() == name)?;
        Some((record.kind, name, record.size_or_type))
    }
}

fn push(bytes: &mut Vec<u8>, words: [u32; 3]) {
    bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
}

#[cfg(test)]
mod tests {
    use crate::kernel::btf::{Btf, tests::recorded};

    #[test]
    fn numbers_are_kept() {
        let full = recorded("6.12");
        let slim = Btf::parse(full.only(&["iommu_dma_alloc_iova", "remove_iova", "no such"])).unwrap();
        assert_eq!(slim.function("iommu_dma_alloc_iova"), full.function("iommu_dma_alloc_iova"));
        assert!(slim.function("remove_iova").is_some() && slim.function("alloc_iova_fast").is_none());
        assert!(slim.len() <= full.len());
        assert_eq!(Btf::parse(full.only(&[])).unwrap().len(), 0);
    }
}
