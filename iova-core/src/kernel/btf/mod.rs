//! A reader of the kernel's type information (`/sys/kernel/btf/vmlinux`), just as large as `iova` needs.
//!
//! The format is `Documentation/bpf/btf.rst`. One pass records where each type stands, another puts the names of functions, structs
//! and typedefs into a hash table; everything else is read from the bytes when asked, so that start-up stays in milliseconds
//! for the 5 to 8 MiB of a distribution kernel.

mod members;
mod module;
mod names;
mod parse;

pub use members::Member;
pub use module::ModuleBtf;
pub use parse::BtfError;

use names::Names;
use parse::Header;

/// Kinds of `include/uapi/linux/btf.h`.
pub(crate) mod kind {
    pub(crate) const INT: u32 = 1;
    pub(crate) const PTR: u32 = 2;
    pub(crate) const ARRAY: u32 = 3;
    pub(crate) const STRUCT: u32 = 4;
    pub(crate) const UNION: u32 = 5;
    pub(crate) const ENUM: u32 = 6;
    pub(crate) const FWD: u32 = 7;
    pub(crate) const TYPEDEF: u32 = 8;
    pub(crate) const VOLATILE: u32 = 9;
    pub(crate) const CONST: u32 = 10;
    pub(crate) const RESTRICT: u32 = 11;
    pub(crate) const FUNC: u32 = 12;
    pub(crate) const FUNC_PROTO: u32 = 13;
    pub(crate) const VAR: u32 = 14;
    pub(crate) const DATASEC: u32 = 15;
    pub(crate) const FLOAT: u32 = 16;
    pub(crate) const DECL_TAG: u32 = 17;
    pub(crate) const TYPE_TAG: u32 = 18;
    pub(crate) const ENUM64: u32 = 19;
}

/// Number of a type within its BTF; 0 is `void`.
pub type TypeId = u32;

/// Parsed type information of the kernel proper.
#[derive(Debug)]
pub struct Btf {
    data: Vec<u8>,
    header: Header,
    /// Offset in `data` of type number `index + 1`.
    types: Vec<u32>,
    /// Of every named function, struct, union, enum and typedef.
    names: Names,
}

/// What a type record says before its kind-specific part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) name: u32,
    pub(crate) kind: u32,
    pub(crate) vlen: usize,
    /// `kind_flag`: member offsets carry bitfield sizes.
    pub(crate) flag: bool,
    /// Size in bytes, or the type referred to.
    pub(crate) size_or_type: u32,
    /// Where the kind-specific part begins.
    pub(crate) tail: usize,
}

impl Btf {
    /// Reads type information from the bytes of `/sys/kernel/btf/vmlinux`.
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let header = Header::read(&data)?;
        let types = parse::index(&data, &header)?;
        let names = Names::of(&types, |at| {
            let record =
                parse::record(&data, at).filter(|record| record.name != 0 && is_asked_for(record.kind))?;
            header.strings_from(&data, record.name)
        });
        Ok(Self { data, header, types, names })
    }

    /// Number of types, `void` not counted.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// True if there is no type at all.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// True if the kernel's type information has a function of this name.
    ///
    /// That proves neither that the function can be attached to (it may be inlined, split by the compiler, or
    /// `__init`): see [`super::Kernel::hookable`].
    pub fn has_function(&self, name: &str) -> bool {
        self.function(name).is_some()
    }

    /// Number of arguments of a function.
    pub fn arg_count(&self, name: &str) -> Option<usize> {
        let func = self.function(name)?;
        let proto = self.record(self.record(func)?.size_or_type)?;
        (proto.kind == kind::FUNC_PROTO).then_some(proto.vlen)
    }

    /// The function of this name: what `attach_btf_id` wants.
    pub fn function(&self, name: &str) -> Option<TypeId> {
        self.named(name, |k| k == kind::FUNC).next()
    }

    /// The typedef of this name; `btf_trace_X` is what a program for the tracepoint X attaches to.
    pub fn typedef(&self, name: &str) -> Option<TypeId> {
        self.named(name, |k| k == kind::TYPEDEF).next()
    }

    /// Value of an enumerator; `None` if the enum or the enumerator does not exist here.
    pub fn enumerator(&self, enum_name: &str, value: &str) -> Option<u64> {
        self.named(enum_name, |k| k == kind::ENUM || k == kind::ENUM64)
            .find_map(|id| self.enumerator_in(id, value))
    }

    fn enumerator_in(&self, id: TypeId, value: &str) -> Option<u64> {
        let record = self.record(id)?;
        let step = if record.kind == kind::ENUM64 { 12 } else { 8 };
        (0..record.vlen).map(|i| record.tail + i * step).find_map(|at| {
            if self.str_at(self.u32_at(at)?) != Some(value.as_bytes()) {
                return None;
            }
            let low = u64::from(self.u32_at(at + 4)?);
            let high = if step == 12 { u64::from(self.u32_at(at + 8)?) } else { 0 };
            Some(high << 32 | low)
        })
    }

    pub(crate) fn record(&self, id: TypeId) -> Option<Record> {
        let at = *self.types.get(id.checked_sub(1)? as usize)? as usize;
        parse::record(&self.data, at)
    }

    /// Types of a given name whose kind is wanted, lowest number first.
    pub(crate) fn named<'a>(
        &'a self,
        name: &'a str,
        wanted: impl Fn(u32) -> bool + 'a,
    ) -> impl Iterator<Item = TypeId> + 'a {
        self.names.candidates(name.as_bytes()).filter(move |&id| {
            self.record(id).is_some_and(|r| wanted(r.kind) && self.str_at(r.name) == Some(name.as_bytes()))
        })
    }

    pub(crate) fn u32_at(&self, at: usize) -> Option<u32> {
        parse::u32_at(&self.data, at)
    }

    /// String at an offset of the string section, without its end mark.
    pub(crate) fn str_at(&self, offset: u32) -> Option<&[u8]> {
        parse::str_at(&self.data, &self.header, offset)
    }
}

/// True for kinds that are looked up by name.
fn is_asked_for(kind: u32) -> bool {
    const WANTED: u32 = 1 << kind::FUNC
        | 1 << kind::STRUCT
        | 1 << kind::UNION
        | 1 << kind::ENUM
        | 1 << kind::ENUM64
        | 1 << kind::TYPEDEF;
    WANTED >> (kind & 31) & 1 != 0
}

#[cfg(test)]
mod extract;
#[cfg(test)]
pub(crate) mod tests;
