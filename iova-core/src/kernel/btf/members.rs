//! Where members of structs are, how large types are.

use super::{Btf, Record, TypeId, kind};

/// Anonymous structs and unions are searched this deep; the kernel's nest three or four levels.
const MAX_DEPTH: u32 = 16;

/// A member of a struct or union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Bits from the start of the outermost struct.
    pub bit_offset: u32,
    /// Width in bits of a bitfield; 0 for an ordinary member.
    pub bit_width: u32,
    /// Its type.
    pub type_id: TypeId,
}

impl Member {
    /// Bytes from the start of the outermost struct (of a bitfield: of the byte its first bit is in).
    pub fn offset(&self) -> u32 {
        self.bit_offset / 8
    }
}

impl Btf {
    /// Looks up `"struct.member"` or `"struct.member.member"`; members of anonymous structs and unions count as
    /// members of what surrounds them, as in C.
    pub fn member(&self, path: &str) -> Option<Member> {
        let (outer, inner) = path.split_once('.')?;
        // The name of a type may occur twice (two files, two definitions); the one that has the member is meant.
        self.structs(outer).find_map(|id| self.member_of(id, inner))
    }

    /// Byte offset of a member, as [`Self::member`].
    pub fn offset(&self, path: &str) -> Option<u32> {
        self.member(path).map(|member| member.offset())
    }

    /// Size of a struct or union in bytes.
    pub fn size_of(&self, name: &str) -> Option<u32> {
        let id = self.structs(name).next()?;
        self.record(id).map(|record| record.size_or_type)
    }

    /// Number of elements if the member is an array.
    pub fn array_len(&self, member: Member) -> Option<u32> {
        let record = self.bare(member.type_id)?;
        if record.kind == kind::ARRAY { self.u32_at(record.tail + 8) } else { None }
    }

    /// True if the member is a pointer.
    pub fn is_pointer(&self, member: Member) -> bool {
        self.bare(member.type_id).is_some_and(|record| record.kind == kind::PTR)
    }

    /// Size of a member in bytes, where it is an integer, enum, pointer, struct or union.
    pub fn member_size(&self, member: Member) -> Option<u32> {
        let record = self.bare(member.type_id)?;
        match record.kind {
            kind::PTR => Some(8),
            kind::INT | kind::ENUM | kind::ENUM64 | kind::STRUCT | kind::UNION | kind::FLOAT => {
                Some(record.size_or_type)
            }
            _ => None,
        }
    }

    pub(super) fn structs<'a>(&'a self, name: &'a str) -> impl Iterator<Item = TypeId> + 'a {
        self.named(name, |k| k == kind::STRUCT || k == kind::UNION)
    }

    fn member_of(&self, id: TypeId, path: &str) -> Option<Member> {
        let (name, rest) = match path.split_once('.') {
            Some((name, rest)) => (name, Some(rest)),
            None => (path, None),
        };
        let member = self.find(&self.bare(id)?, name.as_bytes(), MAX_DEPTH)?;
        let Some(rest) = rest else { return Some(member) };
        let inner = self.member_of(member.type_id, rest)?;
        Some(Member { bit_offset: member.bit_offset + inner.bit_offset, ..inner })
    }

    fn find(&self, record: &Record, name: &[u8], depth: u32) -> Option<Member> {
        if record.kind != kind::STRUCT && record.kind != kind::UNION {
            return None;
        }
        (0..record.vlen).find_map(|index| {
            let (member_name, member) = self.nth_member(record, index)?;
            if member_name == 0 {
                let inner = self.find(&self.bare(member.type_id)?, name, depth.checked_sub(1)?)?;
                return Some(Member { bit_offset: member.bit_offset + inner.bit_offset, ..inner });
            }
            (self.str_at(member_name) == Some(name)).then_some(member)
        })
    }

    fn nth_member(&self, record: &Record, index: usize) -> Option<(u32, Member)> {
        let at = record.tail + 12 * index;
        let raw = self.u32_at(at + 8)?;
        let (bit_offset, bit_width) = if record.flag { (raw & 0xff_ffff, raw >> 24) } else { (raw, 0) };
        Some((self.u32_at(at)?, Member { bit_offset, bit_width, type_id: self.u32_at(at + 4)? }))
    }

    /// The type without `const`, `volatile`, typedefs and tags around it.
    pub(super) fn bare(&self, mut id: TypeId) -> Option<Record> {
        // A valid chain is short; a damaged one may be a circle.
        for _ in 0..32 {
            let record = self.record(id)?;
            match record.kind {
                kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG => {
                    id = record.size_or_type;
                }
                _ => return Some(record),
            }
        }
        None
    }
}
