//! Makes the recorded BTF in `tests/data/`: of a whole kernel's type information (5 MiB) only the structs and
//! functions this crate asks for. Pointers point to nothing, embedded structs of no interest are empty.
//!
//! `IOVA_BTF_FULL=vmlinux.btf IOVA_BTF_OUT=tests/data/btf-7.3.bin cargo test -p iova-core -- --ignored record_btf`

use std::collections::HashMap;

use super::{Btf, Record, TypeId, kind};

/// Structs and unions recorded with all their members.
const STRUCTS: &[&str] = &[
    "amd_iommu",
    "dev_iommu",
    "device",
    "dmar_domain",
    "group_device",
    "intel_iommu",
    "iommu_dma_cookie",
    "iommu_dma_options",
    "iommu_domain",
    "iommu_group",
    "iova",
    "iova_cpu_rcache",
    "iova_domain",
    "iova_fq",
    "iova_fq_entry",
    "iova_magazine",
    "iova_rcache",
    "kobject",
    "kset",
    "pci_bus",
    "pci_dev",
    "pci_host_bridge",
    "rb_node",
    "rb_root",
    "resource",
    "resource_entry",
    "rt_mutex_base",
    "spinlock",
];

/// Enums whose values are asked for.
const ENUMS: &[&str] = &["iommu_dma_cookie_type", "iommu_dma_queue_type", "iommu_domain_cookie_type"];

/// Functions for tests of existence and of argument counts.
const FUNCTIONS: &[&str] = &[
    "alloc_iova_fast",
    "dma_iova_try_alloc",
    "intel_alloc_iova",
    "iommu_dma_alloc_iova",
    "iommu_dma_free_iova",
    "iova_magazine_free_pfns",
    "iova_rcache_insert",
    "private_free_iova",
    "remove_iova",
];

struct Extract<'a> {
    full: &'a Btf,
    types: Vec<u8>,
    count: u32,
    strings: Vec<u8>,
    done: HashMap<usize, TypeId>,
}

impl Extract<'_> {
    fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }

    fn begin(&mut self, name: u32, record_kind: u32, vlen: usize, flag: bool, size: u32) -> TypeId {
        self.words(&[name, record_kind << 24 | vlen as u32 | u32::from(flag) << 31, size]);
        self.count += 1;
        self.count
    }

    fn string(&mut self, offset: u32) -> u32 {
        let text = self.full.str_at(offset).unwrap().to_vec();
        if text.is_empty() {
            return 0;
        }
        let new = self.strings.len() as u32;
        self.strings.extend_from_slice(&text);
        self.strings.push(0);
        new
    }

    fn name(&self, record: &Record) -> &str {
        std::str::from_utf8(self.full.str_at(record.name).unwrap()).unwrap()
    }

    fn any(&mut self, id: TypeId) -> TypeId {
        let Some(record) = self.full.bare(id) else { return 0 };
        if let Some(&known) = self.done.get(&record.tail) {
            return known;
        }
        let new = match record.kind {
            kind::PTR => self.begin(0, kind::PTR, 0, false, 0),
            kind::ARRAY => self.array(&record),
            kind::STRUCT | kind::UNION => self.aggregate(&record),
            kind::ENUM => self.enumeration(&record),
            _ => self.integer(&record),
        };
        self.done.insert(record.tail, new);
        new
    }

    fn integer(&mut self, record: &Record) -> TypeId {
        let name = self.string(record.name);
        let id = self.begin(name, kind::INT, 0, false, record.size_or_type);
        self.words(&[8 * record.size_or_type]);
        id
    }

    fn array(&mut self, record: &Record) -> TypeId {
        let element = self.any(self.full.u32_at(record.tail).unwrap());
        let id = self.begin(0, kind::ARRAY, 0, false, 0);
        self.words(&[element, 0, self.full.u32_at(record.tail + 8).unwrap()]);
        id
    }

    fn enumeration(&mut self, record: &Record) -> TypeId {
        if !ENUMS.contains(&self.name(record)) {
            return self.integer(record);
        }
        let values: Vec<u32> = (0..record.vlen)
            .flat_map(|i| {
                let at = record.tail + 8 * i;
                [self.string(self.full.u32_at(at).unwrap()), self.full.u32_at(at + 4).unwrap()]
            })
            .collect();
        let name = self.string(record.name);
        let id = self.begin(name, kind::ENUM, record.vlen, record.flag, record.size_or_type);
        self.words(&values);
        id
    }

    fn aggregate(&mut self, record: &Record) -> TypeId {
        let wanted = record.name == 0 || STRUCTS.contains(&self.name(record));
        let members: Vec<u32> = (0..if wanted { record.vlen } else { 0 })
            .flat_map(|i| {
                let at = record.tail + 12 * i;
                let word = |n| self.full.u32_at(at + n).unwrap();
                [self.string(word(0)), self.any(word(4)), word(8)]
            })
            .collect();
        let name = self.string(record.name);
        let id = self.begin(name, record.kind, members.len() / 3, record.flag, record.size_or_type);
        self.words(&members);
        id
    }

    fn function(&mut self, name: &str) {
        let Some(args) = self.full.arg_count(name) else { return };
        let func = self.full.record(self.full.function(name).unwrap()).unwrap();
        let name = self.string(func.name);
        let proto = self.begin(0, kind::FUNC_PROTO, args, false, 0);
        self.words(&vec![0; 2 * args]);
        self.begin(name, kind::FUNC, 0, false, proto);
    }

    fn finish(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let header = [0x0001_eb9f, 24, 0, types, types, strings];
        let mut file: Vec<u8> = header.iter().flat_map(|word| word.to_ne_bytes()).collect();
        file.extend(self.types);
        file.extend(self.strings);
        file
    }
}

fn extract(full: &Btf) -> Vec<u8> {
    let mut extract = Extract { full, types: Vec::new(), count: 0, strings: vec![0], done: HashMap::new() };
    for name in STRUCTS.iter() {
        let ids: Vec<_> = full.structs(name).collect();
        for id in ids {
            extract.any(id);
        }
    }
    for name in ENUMS {
        let ids: Vec<_> = full.named(name, |k| k == kind::ENUM).collect();
        for id in ids {
            extract.any(id);
        }
    }
    for name in FUNCTIONS {
        extract.function(name);
    }
    extract.finish()
}

#[test]
#[ignore = "a tool: makes the recorded BTF from that of a whole kernel"]
fn record_btf() {
    let full = std::env::var("IOVA_BTF_FULL").unwrap();
    let out = std::env::var("IOVA_BTF_OUT").unwrap();
    let full = Btf::parse(std::fs::read(full).unwrap()).unwrap();
    std::fs::write(out, extract(&full)).unwrap();
}

#[test]
fn a_recording_of_a_recording_is_the_same() {
    let first = super::tests::recorded("6.12");
    let data = std::fs::read(super::tests::path("6.12")).unwrap();
    assert_eq!(extract(&first), data);
}
