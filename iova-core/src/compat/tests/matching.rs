//! Records meet devices.

use super::*;
use crate::compat::parse;
use crate::compat::report::PciId;
use crate::kernel::Root;

pub(super) const ASM: &str = r#"name = "ASMedia ASM1061 SATA"
driver = "ahci"
verdict = "cap"
width = 43
failure = "truncated"
evidence = "quirk"
note = "Drops address bits 43 and up."

[[match]]
device = "1b21:0612"

[kernels]
mainline = "6.8"
stable = ["6.1.75"]

[[reference]]
url = "https://git.kernel.org/torvalds/c/20730e9b2778"
says = "The controllers ignore the upper 21 bits."
opened = true
"#;

/// The record [`ASM`] with some texts replaced.
pub(crate) fn record(file: &str, changes: &[(&str, &str)]) -> Record {
    let text = changes.iter().fold(ASM.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    parse::parse(file, &text).unwrap_or_else(|complaints| panic!("{complaints:?}\n{text}")).record
}

/// It says that the device is good up to `width`.
pub(crate) fn ok(file: &str, width: u8) -> Record {
    let width = format!("width = {width}");
    record(
        file,
        &[
            ("\"cap\"", "\"ok\""),
            ("width = 43", &width),
            ("failure = \"truncated\"\n", ""),
            ("quirk", "verified"),
        ],
    )
}

pub(crate) fn list(records: &[(Origin, Record)]) -> List {
    let listed = |(origin, record): &(Origin, Record)| Listed { origin: *origin, record: record.clone() };
    List { entries: records.iter().map(listed).collect() }
}

fn asm1061() -> PciFacts {
    PciFacts {
        id: (0x1b21, 0x0612),
        subsystem: (0x1b21, 0x1060),
        revision: Some(2),
        class: Some(0x01_0601),
        bridge: Some((0x8086, 0xa110)),
        path: Some(vec![PciId(0x8086, 0xa110)]),
        mask_bits: None,
    }
}

fn fit(conditions: &str, device: &PciFacts) -> Fit {
    record("asmedia-a.toml", &[("device = \"1b21:0612\"", conditions)]).fits(device)
}

#[test]
fn every_condition_has_to_hold() {
    let device = asm1061();
    for (conditions, expected) in [
        ("device = \"1b21:0612\"", Fit::Yes),
        ("device = \"1b21:*\"", Fit::Yes),
        ("device = \"1b21:0611\"", Fit::No),
        ("device = \"1b22:*\"", Fit::No),
        ("device = \"1b21:0612\"\nsubsystem = \"1b21:1060\"", Fit::Yes),
        ("device = \"1b21:0612\"\nsubsystem = \"1b21:1061\"", Fit::No),
        ("device = \"1b21:0612\"\nrevision = \"02\"", Fit::Yes),
        ("device = \"1b21:0612\"\nrevision = \"00-10\"", Fit::Yes),
        ("device = \"1b21:0612\"\nrevision = \"03-10\"", Fit::No),
        ("device = \"1b21:0612\"\nclass = \"01\"", Fit::Yes),
        ("device = \"1b21:0612\"\nclass = \"010601\"", Fit::Yes),
        ("device = \"1b21:0612\"\nclass = \"0c03\"", Fit::No),
        ("device = \"1b21:0612\"\nbridge = [\"1022:1453\", \"8086:*\"]", Fit::Yes),
        ("device = \"1b21:0612\"\nbridge = [\"8086:a111\"]", Fit::OtherBridge),
        ("device = \"1b21:0612\"\nrevision = \"03\"\nbridge = [\"8086:*\"]", Fit::No),
        // The best of several.
        ("device = \"1b21:0611\"\n[[match]]\ndevice = \"1b21:0612\"", Fit::Yes),
    ] {
        assert_eq!(fit(conditions, &device), expected, "{conditions}");
    }
    let on_root = PciFacts { bridge: None, path: Some(Vec::new()), ..device };
    assert_eq!(fit("device = \"1b21:0612\"\nbridge = [\"8086:*\"]", &on_root), Fit::OtherBridge);
}

#[test]
fn a_path_is_all_bridges_in_their_order() {
    let on = |path: &str| {
        let mut good = ok("asmedia-b.toml", 48);
        let text = format!("device = \"1b21:0612\"\npath = {path}");
        let other = ASM
            .replace("device = \"1b21:0612\"", &text)
            .replace("\"cap\"", "\"ok\"")
            .replace("failure = \"truncated\"\n", "");
        good.matches = parse::parse("asmedia-b.toml", &other).unwrap().record.matches;
        good
    };
    let device = asm1061();
    assert_eq!(on("[\"8086:a110\"]").fits(&device), Fit::Yes);
    for other in ["[]", "[\"8086:a111\"]", "[\"8086:a110\", \"8086:a110\"]"] {
        assert_eq!(on(other).fits(&device), Fit::OtherBridge, "{other}");
    }
    let root = PciFacts { bridge: None, path: Some(Vec::new()), ..asm1061() };
    assert_eq!((on("[]").fits(&root), on("[\"8086:a110\"]").fits(&root)), (Fit::Yes, Fit::OtherBridge));
    let unknown = PciFacts { path: None, ..asm1061() };
    assert_eq!(on("[]").fits(&unknown), Fit::OtherBridge, "nothing is granted in doubt");
}

#[test]
fn what_cannot_be_read_keeps_a_cap_and_grants_nothing() {
    let blind = PciFacts { revision: None, class: None, ..asm1061() };
    let conditions =
        [("device = \"1b21:0612\"", "device = \"1b21:0612\"\nrevision = \"03\"\nclass = \"0c\"")];
    assert_eq!(record("asmedia-a.toml", &conditions).fits(&blind), Fit::Yes);
    let mut good = ok("asmedia-b.toml", 48);
    good.matches = record("asmedia-a.toml", &conditions).matches;
    assert_eq!(good.fits(&blind), Fit::No);
}

#[test]
fn a_device_is_read_from_sysfs_with_the_port_above() {
    let dir = std::env::temp_dir().join(format!("iova-compat-{}", std::process::id()));
    let port = dir.join("sys/devices/pci0000:00/0000:00:1c.0");
    let device = port.join("0000:02:00.0");
    std::fs::create_dir_all(device.join("driver")).unwrap();
    let files = [
        (&port, "vendor", "0x8086"),
        (&port, "device", "0xa110"),
        (&device, "vendor", "0x1b21"),
        (&device, "device", "0x0612"),
        (&device, "subsystem_vendor", "0x1b21"),
        (&device, "subsystem_device", "0x1060"),
        (&device, "revision", "0x02"),
        (&device, "class", "0x010601"),
        (&device, "dma_mask_bits", "64"),
        (&device, "consistent_dma_mask_bits", "64"),
    ];
    for (place, name, text) in files {
        std::fs::write(place.join(name), format!("{text}\n")).unwrap();
    }
    let bus = dir.join("sys/bus/pci/devices");
    std::fs::create_dir_all(&bus).unwrap();
    std::os::unix::fs::symlink(
        "../../../devices/pci0000:00/0000:00:1c.0/0000:02:00.0",
        bus.join("0000:02:00.0"),
    )
    .unwrap();
    std::os::unix::fs::symlink("../../../devices/pci0000:00/0000:00:1c.0", bus.join("0000:00:1c.0")).unwrap();
    std::fs::create_dir_all(device.join("iommu_group")).unwrap();
    std::fs::write(device.join("iommu_group/type"), "DMA-FQ\n").unwrap();
    let root = Root::at(&dir);
    let read = PciFacts::read(&root, "0000:02:00.0");
    let port = PciFacts::read(&root, "0000:00:1c.0").unwrap();
    let all = check(&root, &list(&[(Origin::Shipped, record("asmedia-a.toml", &[]))]));
    std::fs::remove_dir_all(&dir).unwrap();
    assert_eq!(read, Some(PciFacts { mask_bits: Some(64), ..asm1061() }));
    assert_eq!((port.id, port.bridge, port.mask_bits), ((0x8086, 0xa110), None, None));
    let open: Vec<_> = all.iter().map(|device| (device.bdf.as_str(), device.is_open())).collect();
    assert_eq!(open, [("0000:00:1c.0", false), ("0000:02:00.0", true)]);
    assert_eq!(all[1].bridge.as_deref(), Some("8086:a110"));
}

#[test]
fn narrower_beats_wider() {
    let wide = record("asmedia-a.toml", &[]);
    let narrow = record("asmedia-b.toml", &[("width = 43", "width = 36")]);
    let word = list(&[(Origin::Shipped, wide), (Origin::Local, narrow)]).word(&asm1061(), None);
    assert_eq!((word.cap, word.deciding().unwrap().id.as_str()), (Some(36), "asmedia-b"));
    let narrow = record("asmedia-a.toml", &[("width = 43", "width = 36")]);
    let local_wide = record("asmedia-b.toml", &[]);
    let word = list(&[(Origin::Shipped, narrow), (Origin::Local, local_wide)]).word(&asm1061(), None);
    assert_eq!(word.cap, Some(36), "a local cap does not widen a shipped one");
}

#[test]
fn a_quarantine_beats_every_shipped_ok_and_an_ok_ends_at_the_cap() {
    let (local, shipped) = (Origin::Local, Origin::Shipped);
    let cap = |width: &str| record("asmedia-a.toml", &[("width = 43", width)]);
    let word = |records: &[(Origin, Record)]| {
        let word = list(records).word(&asm1061(), None);
        (word.cap, word.ok)
    };
    let good = ok("asmedia-b.toml", 40);
    assert_eq!(word(&[(shipped, good.clone())]), (None, Some(40)));
    assert_eq!(word(&[(shipped, good.clone()), (shipped, ok("asmedia-c.toml", 36))]), (None, Some(40)));
    assert_eq!(word(&[(shipped, good.clone()), (shipped, cap("width = 36"))]), (Some(36), Some(36)));
    assert_eq!(word(&[(shipped, good.clone()), (local, cap("width = 43"))]), (Some(43), None));
    assert_eq!(word(&[(local, good.clone()), (local, cap("width = 43"))]), (Some(43), Some(40)));
    assert_eq!(word(&[(shipped, good), (local, ok("asmedia-c.toml", 36))]), (None, Some(36)));
}

#[test]
fn a_local_file_stands_in_for_the_shipped_one_of_its_name() {
    let shipped = list(&[(Origin::Shipped, record("asmedia-a.toml", &[("width = 43", "width = 36")]))]);
    let local = list(&[(Origin::Local, record("asmedia-a.toml", &[]))]);
    let word = shipped.with_local(local).word(&asm1061(), None);
    assert_eq!((word.cap, word.entries.len(), word.entries[0].origin), (Some(43), 1, Origin::Local));
}

#[test]
fn another_path_is_told_and_does_not_count() {
    let behind = [("\"1b21:0612\"", "\"1b21:0612\"\nbridge = [\"1022:*\"]")];
    let word = list(&[(Origin::Shipped, record("asmedia-a.toml", &behind))]).word(&asm1061(), None);
    assert_eq!((word.cap, word.entries.len(), word.entries[0].holds_here), (None, 1, false));
    assert!(word.deciding().is_none() && word.needed().is_none());
}

#[test]
fn needing_high_addresses_is_no_cap() {
    let high = record("asmedia-a.toml", &[("truncated", "needs-high")]);
    let word = list(&[(Origin::Shipped, high)]).word(&asm1061(), None);
    assert_eq!((word.cap, word.needs_high, word.entries[0].applied), (None, true, false));
}

#[test]
fn the_mask_of_a_bound_driver_is_believed_before_any_version() {
    let list = list(&[(Origin::Shipped, record("asmedia-a.toml", &[]))]);
    let knowledge = |mask_bits, release: Option<&str>| {
        let running = release.and_then(|release| Running::parse(release, None));
        list.word(&PciFacts { mask_bits, ..asm1061() }, running).entries[0].kernel.unwrap()
    };
    let since = "6.8".parse().unwrap();
    assert_eq!(knowledge(None, Some("6.9.1")), Knowledge::Version { since });
    assert_eq!(knowledge(None, Some("6.1.74")), Knowledge::No { mask_bits: None });
    assert_eq!(knowledge(None, Some("5.14.0-503.el9")), Knowledge::Unclear);
    assert_eq!(knowledge(None, None), Knowledge::Unclear);
    assert_eq!(knowledge(Some(43), Some("5.14.0-503.el9")), Knowledge::Mask { bits: 43 });
    // A vendor took the quirk out again.
    assert_eq!(knowledge(Some(64), Some("6.9.1")), Knowledge::No { mask_bits: Some(64) });
    let never = record("asmedia-a.toml", &[("[kernels]\nmainline = \"6.8\"\nstable = [\"6.1.75\"]\n", "")]);
    let word = super::matching::list(&[(Origin::Shipped, never)]).word(&asm1061(), None);
    assert_eq!(word.entries[0].kernel, Some(Knowledge::No { mask_bits: None }));
    assert_eq!(word.needed().map(|entry| entry.width), Some(43));
}
