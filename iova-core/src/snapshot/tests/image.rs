//! A kernel made of bytes: the structs of one IOMMU group with one domain, laid out as recorded BTF says, in a file
//! that looks like `/proc/kcore`.

use std::fs;
use std::path::PathBuf;

use crate::kernel::btf::tests::recorded;
use crate::kernel::kcore::tests::core_file;
use crate::kernel::{Kernel, Root, Types};

pub(super) const BASE: u64 = 0xffff_8880_0000_0000;
const CPUS: u64 = 2;
/// What lies between the copies of per-CPU data.
const CPU_STEP: u64 = 0x8000;

/// What to put into the domain.
#[derive(Default)]
pub(super) struct Content {
    /// Nodes of the tree, in order.
    pub(super) nodes: Vec<(u64, u64)>,
    /// Per order: pages in the first CPU's `loaded` magazine.
    pub(super) loaded: Vec<Vec<u64>>,
    /// Full magazines in the depot of order 0.
    pub(super) depot: Vec<Vec<u64>>,
    /// Entries of the second CPU's flush queue, which begins near the end of the ring.
    pub(super) queued: Vec<(u64, u64)>,
    /// A host bridge window, in bytes.
    pub(super) window: (u64, u64),
}

/// A kernel in memory.
pub(super) struct Image {
    pub(super) btf: Types,
    line: &'static str,
    pub(super) memory: Vec<u8>,
    symbols: String,
}

impl Image {
    pub(super) fn new(line: &'static str, content: &Content) -> Self {
        let mut image =
            Self { btf: recorded(line).into(), line, memory: vec![0; 64], symbols: String::new() };
        image.build(content);
        image
    }

    fn at(&self, path: &str) -> u64 {
        u64::from(self.btf.offset(path).unwrap_or_else(|| panic!("{path} on {}", self.line)))
    }

    fn has(&self, path: &str) -> bool {
        self.btf.offset(path).is_some()
    }

    fn alloc(&mut self, size: u64) -> u64 {
        let address = BASE + self.memory.len() as u64;
        self.memory.resize(self.memory.len() + size as usize, 0);
        address
    }

    fn new_struct(&mut self, name: &str) -> u64 {
        self.alloc(u64::from(self.btf.size_of(name).unwrap()).next_multiple_of(8))
    }

    pub(super) fn put(&mut self, address: u64, value: u64, bytes: usize) {
        let at = (address - BASE) as usize;
        self.memory[at..at + bytes].copy_from_slice(&value.to_ne_bytes()[..bytes]);
    }

    fn set(&mut self, base: u64, path: &str, value: u64) {
        self.put(base + self.at(path), value, 8);
    }

    fn set32(&mut self, base: u64, path: &str, value: u64) {
        self.put(base + self.at(path), value, 4);
    }

    fn symbol(&mut self, name: &str, address: u64) {
        self.symbols.push_str(&format!("{address:016x} d {name}\n"));
    }

    /// A list of one entry.
    fn ring(&mut self, head: u64, entry: u64) {
        self.put(head, entry, 8);
        self.put(entry, head, 8);
    }

    /// Room for per-CPU data: what the kernel keeps as the pointer, and where each CPU's copy is.
    fn per_cpu(&mut self, size: u64) -> (u64, Vec<u64>) {
        let first = self.alloc(size);
        let copies: Vec<u64> = (0..CPUS).map(|cpu| first + cpu * CPU_STEP).collect();
        self.reserve(first + (CPUS - 1) * CPU_STEP + size);
        (first - BASE, copies)
    }

    fn build(&mut self, content: &Content) {
        let table = self.alloc(8 * CPUS);
        for cpu in 0..CPUS {
            self.put(table + 8 * cpu, BASE + cpu * CPU_STEP, 8);
        }
        self.symbol("__per_cpu_offset", table);
        let (iovad, cookie, domain) = self.domain();
        self.tree(iovad, &content.nodes);
        self.queues(iovad, cookie, &content.queued);
        self.caches(iovad, content);
        self.group(domain, content.window);
    }

    fn domain(&mut self) -> (u64, Option<u64>, u64) {
        let (iovad, cookie, domain);
        if self.has("dmar_domain.iovad") {
            let own = self.new_struct("dmar_domain");
            (domain, cookie) = (own + self.at("dmar_domain.domain"), None);
            iovad = own + self.at("dmar_domain.iovad");
            self.set(domain, "iommu_domain.ops", BASE + 8);
            self.symbol("intel_iommu_ops", BASE + 8);
        } else {
            domain = self.new_struct("iommu_domain");
            let made = self.new_struct("iommu_dma_cookie");
            (cookie, iovad) = (Some(made), made + self.at("iommu_dma_cookie.iovad"));
            self.set(domain, "iommu_domain.iova_cookie", made);
            if self.has("iommu_domain.cookie_type") {
                self.set32(domain, "iommu_domain.cookie_type", 1);
            }
        }
        self.set32(domain, "iommu_domain.type", 3);
        self.set(iovad, "iova_domain.granule", 4096);
        self.set(iovad, "iova_domain.start_pfn", 1);
        self.set(iovad, "iova_domain.dma_32bit_pfn", 1 << 20);
        self.set(iovad, "iova_domain.max32_alloc_size", 1 << 20);
        (iovad, cookie, domain)
    }

    fn tree(&mut self, iovad: u64, nodes: &[(u64, u64)]) {
        let mut all = nodes.to_vec();
        all.push((u64::MAX, u64::MAX));
        let root = self.subtree(&all);
        self.set(iovad, "iova_domain.rbroot.rb_node", root);
    }

    fn subtree(&mut self, nodes: &[(u64, u64)]) -> u64 {
        if nodes.is_empty() {
            return 0;
        }
        let middle = nodes.len() / 2;
        let (left, right) = (self.subtree(&nodes[..middle]), self.subtree(&nodes[middle + 1..]));
        let iova = self.new_struct("iova");
        self.set(iova, "iova.pfn_lo", nodes[middle].0);
        self.set(iova, "iova.pfn_hi", nodes[middle].1);
        self.set(iova, "iova.node.rb_left", left);
        self.set(iova, "iova.node.rb_right", right);
        let node = iova + self.at("iova.node");
        for child in [left, right].into_iter().filter(|child| *child != 0) {
            // Black, as every other node is at some time.
            self.put(child, node | 1, 8);
        }
        node
    }

    fn queues(&mut self, iovad: u64, cookie: Option<u64>, queued: &[(u64, u64)]) {
        let entry_size = u64::from(self.btf.size_of("iova_fq_entry").unwrap());
        let (pointer, copies) =
            self.per_cpu(u64::from(self.btf.size_of("iova_fq").unwrap()) + 256 * entry_size);
        match cookie {
            None => self.set(iovad, "iova_domain.fq", pointer),
            Some(cookie) => {
                let field = if self.has("iommu_dma_cookie.fq") { "fq" } else { "percpu_fq" };
                self.set(cookie, &format!("iommu_dma_cookie.{field}"), pointer);
                self.set(cookie, "iommu_dma_cookie.fq_domain", BASE);
            }
        }
        for copy in &copies {
            if self.has("iova_fq.mod_mask") {
                self.set32(*copy, "iova_fq.mod_mask", 255);
            }
        }
        let head = 254;
        self.set32(copies[1], "iova_fq.head", head);
        self.set32(copies[1], "iova_fq.tail", (head + queued.len() as u64) % 256);
        for (index, (pfn, pages)) in queued.iter().enumerate() {
            let slot = (head + index as u64) % 256;
            let entry = copies[1] + self.at("iova_fq.entries") + slot * entry_size;
            self.set(entry, "iova_fq_entry.iova_pfn", *pfn);
            self.set(entry, "iova_fq_entry.pages", *pages);
        }
    }

    /// Makes the memory reach to `end`.
    fn reserve(&mut self, end: u64) {
        let size = (end - BASE) as usize;
        self.memory.resize(self.memory.len().max(size), 0);
    }

    fn caches(&mut self, iovad: u64, content: &Content) {
        let stride = u64::from(self.btf.size_of("iova_rcache").unwrap());
        let mut array = iovad + self.at("iova_domain.rcaches");
        if self.btf.is_pointer(self.btf.member("iova_domain.rcaches").unwrap()) {
            let made = self.alloc(6 * stride);
            self.put(array, made, 8);
            array = made;
        }
        for order in 0..6 {
            let rcache = array + order as u64 * stride;
            let size = u64::from(self.btf.size_of("iova_cpu_rcache").unwrap());
            let (pointer, copies) = self.per_cpu(size);
            self.set(rcache, "iova_rcache.cpu_rcaches", pointer);
            if let Some(pfns) = content.loaded.get(order) {
                let magazine = self.magazine(pfns);
                self.set(copies[0], "iova_cpu_rcache.loaded", magazine);
            }
        }
        self.depot(array, &content.depot);
    }

    fn magazine(&mut self, pfns: &[u64]) -> u64 {
        let magazine = self.new_struct("iova_magazine");
        self.set(magazine, "iova_magazine.size", pfns.len() as u64);
        let start = magazine + self.at("iova_magazine.pfns");
        for (index, pfn) in pfns.iter().enumerate() {
            self.put(start + 8 * index as u64, *pfn, 8);
        }
        magazine
    }

    fn depot(&mut self, rcache: u64, depot: &[Vec<u64>]) {
        let mut next = 0;
        for (index, pfns) in depot.iter().enumerate() {
            let magazine = self.magazine(pfns);
            if self.has("iova_magazine.next") {
                self.set(magazine, "iova_magazine.next", next);
                next = magazine;
                self.set(rcache, "iova_rcache.depot", magazine);
            } else {
                self.put(rcache + self.at("iova_rcache.depot") + 8 * index as u64, magazine, 8);
            }
        }
        self.set32(rcache, "iova_rcache.depot_size", depot.len() as u64);
    }

    fn group(&mut self, domain: u64, window: (u64, u64)) {
        let pci = self.new_struct("pci_dev");
        let dev = pci + self.at("pci_dev.dev");
        self.bus(pci, dev, window);
        let name = self.alloc(16);
        let at = (name - BASE) as usize;
        self.memory[at..at + 12].copy_from_slice(b"0000:00:02.0");
        self.set(dev, "device.kobj.name", name);
        let group = self.new_struct("iommu_group");
        self.set32(group, "iommu_group.id", 7);
        self.set(group, "iommu_group.default_domain", domain);
        let member = self.new_struct("group_device");
        self.set(member, "group_device.dev", dev);
        self.ring(group + self.at("iommu_group.devices"), member + self.at("group_device.list"));
        let kset = self.new_struct("kset");
        let entry = group + self.at("iommu_group.kobj") + self.at("kobject.entry");
        self.ring(kset + self.at("kset.list"), entry);
        let pointer = self.alloc(8);
        self.put(pointer, kset, 8);
        self.symbol("iommu_group_kset", pointer);
    }

    /// A root bus whose host bridge has one memory window; for 5.10 VT-d the list of reservations made at boot.
    fn bus(&mut self, pci: u64, dev: u64, window: (u64, u64)) {
        let kind = self.alloc(8);
        self.symbol("pci_bus_type", kind);
        self.set(dev, "device.bus", kind);
        let (bus, bridge) = (self.new_struct("pci_bus"), self.new_struct("pci_host_bridge"));
        self.set(pci, "pci_dev.bus", bus);
        self.set(bus, "pci_bus.bridge", bridge + self.at("pci_host_bridge.dev"));
        let (entry, resource) = (self.new_struct("resource_entry"), self.new_struct("resource"));
        self.set(entry, "resource_entry.res", resource);
        self.set(resource, "resource.start", window.0);
        self.set(resource, "resource.end", window.1);
        self.set(resource, "resource.flags", 0x200);
        self.ring(bridge + self.at("pci_host_bridge.windows"), entry);
        let ranges = bridge + self.at("pci_host_bridge.dma_ranges");
        self.put(ranges, ranges, 8);
        let list = self.new_struct("iova_domain");
        self.tree(list, &[(window.0 >> 12, window.1 >> 12)]);
        self.symbol("reserved_iova_list", list);
    }

    /// Writes the files and reads them back as a kernel.
    pub(super) fn kernel(&self, name: &str) -> Kernel {
        let root = Root::at(self.directory(name));
        let write = |path: &str, content: &[u8]| {
            let path = root.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let data =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/btf-{}.bin", self.line));
        write("sys/kernel/btf/vmlinux", &fs::read(data).unwrap());
        write("proc/kallsyms", self.symbols.as_bytes());
        write("sys/devices/system/cpu/possible", b"0-1\n");
        write("sys/kernel/iommu_groups/7/reserved_regions", b"0x00000000fee00000 0x00000000feefffff msi\n");
        // Reads are whole pages.
        let mut memory = self.memory.clone();
        memory.resize(memory.len().next_multiple_of(4096), 0);
        write("proc/kcore", &core_file(BASE, &memory));
        Kernel::load_from(root).unwrap()
    }

    fn directory(&self, name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("iova-image-{}-{}-{name}", std::process::id(), self.line))
    }

    pub(super) fn remove(&self, name: &str) {
        let _ = fs::remove_dir_all(self.directory(name));
    }
}
