//! The eBPF object in the kernel: its maps, and those of its programs that are wanted.
//!
//! aya-obj reads and links the object, and maps are aya's. Programs are loaded here: aya's own loader parses all of the
//! kernel's types to find one function's number, three times in all, which takes 240 million instructions and 20 MiB;
//! [`crate::kernel::Types`] has the number at hand.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use aya::maps::{Map, MapData, MapError};
use aya_obj::generated::bpf_map_type;
use aya_obj::{EbpfSectionKind, Function};
use iova_common::frames;
use iova_common::patch::Field;

use super::constants::Constants;
use super::entries::Entries;
use super::hooks::Place;
use crate::bpf::{self, LoadAttr};
use crate::kernel::btf::TypeId;

/// Why the object can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It makes no sense.
    #[error(transparent)]
    Damaged(#[from] aya_obj::ParseError),
    /// Its type information makes no sense.
    #[error(transparent)]
    Types(#[from] aya_obj::btf::BtfError),
    /// Its parts don't fit together.
    #[error(transparent)]
    Linking(#[from] aya_obj::relocation::EbpfRelocationError),
    /// The programs want a constant that there is not.
    #[error("the programs want a constant that this iova does not have ({0:?})")]
    Constant(Field),
    /// A map could not be made.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The kernel refused its type information, or its constants.
    #[error("{what}: {error}")]
    Refused {
        /// The part that was refused.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
}

/// Why a program is not at work.
#[derive(Debug)]
pub(super) enum AttachError {
    /// The object, or this kernel's types, have no such thing.
    Absent,
    /// The verifier refused it; with its log, if that is asked for.
    Load { error: io::Error, log: Option<String> },
    /// It is loaded, and can't be attached.
    Attach(io::Error),
}

/// The maps and the programs at work. When it is dropped, the kernel takes both away.
pub(super) struct Object {
    maps: HashMap<String, Map>,
    attached: BTreeMap<String, Attached>,
    linked: aya_obj::Object,
    btf: Option<OwnedFd>,
}

struct Attached {
    program: OwnedFd,
    _link: OwnedFd,
}

impl Object {
    /// Makes the maps, with other sizes where `entries` has them, links the programs to them, and writes the constants into the
    /// programs.
    pub(super) fn load(bytes: &[u8], constants: &Constants, entries: &Entries) -> Result<Self, ObjectError> {
        let mut object = aya_obj::Object::parse(bytes)?;
        object.functions.values_mut().try_for_each(|function| constants.write(&mut function.instructions))?;
        let btf = types(&mut object)?;
        let mut made = Vec::new();
        for (name, mut map) in object.maps.drain() {
            if let Some(entries) = entries.of(&name) {
                map.set_max_entries(entries);
            }
            if name == frames::SECTION {
                map.set_value_size(entries.frames_bytes());
            }
            let data = make(&name, &mut map, btf.as_ref().map(AsFd::as_fd))?;
            made.push((name, map, data));
        }
        let texts: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        let relocations =
            made.iter().map(|(name, map, data)| (name.as_str(), data.fd().as_fd().as_raw_fd(), map));
        object.relocate_maps(relocations, &texts)?;
        object.relocate_calls(&texts)?;
        object.sanitize_functions(aya::features());
        let maps =
            made.into_iter().filter_map(|(name, map, data)| Some((name, typed(&map, data)?))).collect();
        Ok(Self { maps, attached: BTreeMap::new(), linked: object, btf })
    }

    /// Loads a program for a function of the kernel, or for a tracepoint whose arguments have this type, and attaches it.
    pub(super) fn attach(
        &mut self,
        program: &str,
        place: Place,
        target: Option<TypeId>,
    ) -> Result<(), AttachError> {
        let target = target.ok_or(AttachError::Absent)?;
        let found = self.linked.programs.get(program).ok_or(AttachError::Absent)?;
        let function = self.linked.functions.get(&found.function_key()).ok_or(AttachError::Absent)?;
        let loaded = self.load_function(program, function, place, target)?;
        let link = bpf::open_raw_tracepoint(loaded.as_fd()).map_err(AttachError::Attach)?;
        self.attached.insert(program.to_owned(), Attached { program: loaded, _link: link });
        Ok(())
    }

    fn load_function(
        &self,
        name: &str,
        function: &Function,
        place: Place,
        target: TypeId,
    ) -> Result<OwnedFd, AttachError> {
        let (funcs, lines) = (function.func_info.func_info_bytes(), function.line_info.line_info_bytes());
        let mut attr = LoadAttr::tracing(name, place.attach_type(), target);
        if let Some(btf) = &self.btf {
            attr.with_btf(
                btf.as_fd(),
                (&funcs, function.func_info_rec_size),
                (&lines, function.line_info_rec_size),
            );
        }
        bpf::load(&mut attr, &function.instructions).map_err(|error| {
            // Only now: writing the log takes the verifier several times as long.
            let log = std::env::var_os("IOVA_VERIFIER_LOG")
                .is_some()
                .then(|| bpf::verifier_log(&mut attr, &function.instructions));
            AttachError::Load { error, log }
        })
    }

    /// A map.
    pub(super) fn map(&self, name: &str) -> Option<&Map> {
        self.maps.get(name)
    }

    /// The same, to change it.
    pub(super) fn map_mut(&mut self, name: &str) -> Option<&mut Map> {
        self.maps.get_mut(name)
    }

    /// The programs at work, by name.
    pub(super) fn programs(&self) -> impl Iterator<Item = (&str, BorrowedFd<'_>)> {
        self.attached.iter().map(|(name, attached)| (name.as_str(), attached.program.as_fd()))
    }

    /// Gives back what only loading programs takes.
    pub(super) fn complete(&mut self) {
        self.linked.programs = HashMap::new();
        self.linked.functions = BTreeMap::new();
        self.linked.btf = None;
        self.linked.btf_ext = None;
    }
}

impl Place {
    /// `enum bpf_attach_type` (include/uapi/linux/bpf.h).
    fn attach_type(self) -> u32 {
        match self {
            Self::Tracepoint => 23,
            Self::Entry => 24,
            Self::Exit => 25,
        }
    }
}

/// The object's own types, as far as this kernel understands them; for whoever looks at its maps and programs.
fn types(object: &mut aya_obj::Object) -> Result<Option<OwnedFd>, ObjectError> {
    let Some(features) = aya::features().btf() else { return Ok(None) };
    let Some(btf) = object.fixup_and_sanitize_btf(features)? else { return Ok(None) };
    let loaded = bpf::load_btf(&btf.to_bytes());
    loaded.map(Some).map_err(|error| ObjectError::Refused { what: "its type information", error })
}

/// Makes a map and fills it with its constants.
fn make(name: &str, map: &mut aya_obj::Map, btf: Option<BorrowedFd<'_>>) -> Result<MapData, ObjectError> {
    if map.map_type() == bpf_map_type::BPF_MAP_TYPE_RINGBUF as u32 {
        // Entries have no fixed size.
        map.set_value_size(0);
        map.set_max_entries(ring_bytes(map.max_entries()));
    }
    let data = MapData::create(map.clone(), name, btf)?;
    let refused = |error| ObjectError::Refused { what: "its constants", error };
    if !map.data().is_empty() {
        bpf::update(data.fd().as_fd(), 0, map.data()).map_err(refused)?;
    }
    if map.section_kind() == EbpfSectionKind::Rodata {
        bpf::freeze(data.fd().as_fd()).map_err(refused)?;
    }
    Ok(data)
}

/// A map as what it is; `None` for those that only programs look at.
fn typed(map: &aya_obj::Map, data: MapData) -> Option<Map> {
    Some(match map.map_type().try_into().ok()? {
        bpf_map_type::BPF_MAP_TYPE_ARRAY => Map::Array(data),
        bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY => Map::PerCpuArray(data),
        bpf_map_type::BPF_MAP_TYPE_HASH => Map::HashMap(data),
        bpf_map_type::BPF_MAP_TYPE_QUEUE => Map::Queue(data),
        bpf_map_type::BPF_MAP_TYPE_RINGBUF => Map::RingBuf(data),
        bpf_map_type::BPF_MAP_TYPE_STACK_TRACE => Map::StackTraceMap(data),
        _ => return None,
    })
}

/// The size of a ring that holds so many bytes: pages, a power of two of them.
pub(super) fn ring_bytes(bytes: u32) -> u32 {
    bytes.max(page_size()).next_power_of_two()
}

fn page_size() -> u32 {
    // SAFETY: sysconf reads one number.
    u32::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}
