//! What is made from records: checked-in files, and udev's own compiler over them. `UPDATE_DOCS=1 cargo test` writes the
//! files anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::matching::{list, ok, record};
use super::*;

/// One of each kind.
fn samples() -> Vec<Record> {
    let with = |more: &str| format!("device = \"1b21:0612\"{more}");
    let plain = with(
        "\n\n[[match]]\ndevice = \"1b21:0611\"\nsubsystem = \"1b21:1060\"\n\n[[match]]\ndevice = \"1106:*\"\nclass = \"0604\"",
    );
    let path = with("\nrevision = \"00-0a\"\nbridge = [\"8086:*\", \"1b21:2806\"]");
    vec![
        record("asmedia-a.toml", &[("device = \"1b21:0612\"", &plain)]),
        record("asmedia-b.toml", &[("device = \"1b21:0612\"", &path), ("width = 43", "width = 36")]),
        record("asmedia-narrow.toml", &[("width = 43", "width = 30"), ("1b21:0612", "1b21:0613")]),
        record(
            "asmedia-report.toml",
            &[("quirk", "report"), ("opened = true", "opened = false"), ("1b21:0612", "1b21:1166")],
        ),
        record("asmedia-high.toml", &[("truncated", "needs-high"), ("1b21:0612", "1b21:0614")]),
        ok("asmedia-ok.toml", 48),
    ]
}

fn made(make: impl Fn(&[&Record]) -> String) -> String {
    let records = samples();
    let mut records: Vec<&Record> = records.iter().collect();
    let text = make(&records);
    records.reverse();
    assert_eq!(text, make(&records), "the order of files must not matter");
    text
}

/// Compares with a checked-in file.
pub(crate) fn same(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == there, "{} is old: UPDATE_DOCS=1 writes it anew", path.display());
}

#[test]
fn hwdb() {
    same("src/compat/tests/sample.hwdb", &made(build::hwdb));
}

#[test]
fn c() {
    same("src/compat/tests/sample.h", &made(build::c));
}

/// With what the table needs of the kernel's headers.
#[test]
fn a_compiler_takes_the_table() {
    let dir = std::env::temp_dir().join(format!("iova-list-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("linux")).unwrap();
    let pci = "typedef unsigned char u8;\n#define PCI_ANY_ID (~0)\nstruct pci_device_id { unsigned int vendor, device, \
               subvendor, subdevice, class, class_mask; unsigned long driver_data; };\n";
    std::fs::write(dir.join("linux/pci.h"), pci).unwrap();
    std::fs::write(dir.join("linux/types.h"), "").unwrap();
    let list = List::shipped();
    for text in [made(build::c), build::c(&list.records().collect::<Vec<_>>()), build::c(&[])] {
        std::fs::write(dir.join("table.h"), text).unwrap();
        let used = "#include \"table.h\"\nconst void *use(void) { return iova_policy_list; }\n";
        std::fs::write(dir.join("table.c"), used).unwrap();
        let mut cc = Command::new("cc");
        let output = cc.args(["-Wall", "-Werror", "-fsyntax-only", "-I"]).arg(&dir).arg(dir.join("table.c"));
        let output = output.output().expect("a C compiler, as cargo needs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn markdown() {
    same("src/compat/tests/sample.md", &made(build::markdown));
}

#[test]
fn json() {
    let json = made(|records| build::json(records).unwrap());
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(document["schema"], "iova.compat.list");
    let second = &document["records"][1];
    assert_eq!((second["id"].as_str(), second["width"].as_u64()), (Some("asmedia-b"), Some(36)));
    assert_eq!(second["match"][0]["revision"], "00-0a");
    assert_eq!(second["match"][0]["bridge"][1], "1b21:2806");
    assert_eq!(second["kernels"]["stable"][0], "6.1.75");
}

#[test]
fn the_page_of_the_list_is_in_step() {
    let list = List::shipped();
    same("../docs/compat.md", &build::markdown(&list.records().collect::<Vec<_>>()));
}

#[test]
fn the_table_of_the_module_is_in_step() {
    let list = List::shipped();
    same("../iova-kmod/iova_policy_list.h", &build::c(&list.records().collect::<Vec<_>>()));
}

#[test]
fn the_list_has_no_complaint() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compat");
    let records = lint_paths(&[dir]).unwrap_or_else(|complaints| {
        let lines: Vec<_> = complaints.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    });
    assert_eq!(records.len(), List::shipped().entries.len(), "the list that is built in is another");
}

/// The grammar of parse_hwdb.py in systemd: what is matched, upper case, no match twice, only the properties announced.
#[test]
fn the_hwdb_of_the_list_is_well_formed() {
    let list = List::shipped();
    for text in [made(build::hwdb), build::hwdb(&list.records().collect::<Vec<_>>())] {
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            if let Some(property) = line.strip_prefix(' ') {
                let (name, value) = property.split_once('=').unwrap();
                assert!(text.contains(&format!("#   {name} ")) && !value.is_empty(), "{line}");
                assert!(!["ID_IOVA_APPLY", "ID_IOVA_QUARANTINE"].contains(&name), "{line}");
            } else {
                let ids = line.strip_prefix("pci:v").unwrap();
                assert!(
                    line.ends_with('*') && ids[..8].bytes().all(|b| b"0123456789ABCDEF".contains(&b)),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn properties_for_rules() {
    let device = PciFacts { id: (0x1b21, 0x0612), revision: Some(1), ..PciFacts::default() };
    let here = PciFacts { bridge: Some((0x8086, 1)), ..device.clone() };
    let all: Vec<_> = samples().into_iter().map(|record| (Origin::Shipped, record)).collect();
    let properties = |device| build::properties(&list(&all).word(device, None));
    assert_eq!(
        properties(&here),
        "ID_IOVA_CHECKED=1\nID_IOVA_WIDTH_OK=36\nID_IOVA_WIDTH_MAX=36\nID_IOVA_EVIDENCE=quirk\n\
         ID_IOVA_REF=https://git.kernel.org/torvalds/c/20730e9b2778\n"
    );
    assert!(properties(&device).contains("ID_IOVA_WIDTH_MAX=43"));
    assert_eq!(
        properties(&PciFacts { id: (0x1b21, 0x1166), ..device.clone() }),
        "ID_IOVA_CHECKED=1\n",
        "nobody could open the reference"
    );
    let quarantine = [(Origin::Local, all[3].1.clone())];
    let local = list(&quarantine).word(&PciFacts { id: (0x1b21, 0x1166), ..device.clone() }, None);
    assert!(build::properties(&local).contains("WIDTH_MAX=43"), "the administrator is taken at the word");
}

#[test]
fn rules_widen_only_on_a_local_word() {
    let rules = build::rules();
    let widening: Vec<_> = rules.lines().filter(|line| line.contains("iova_policy/policy")).collect();
    assert!(
        matches!(widening.as_slice(), [one] if one.starts_with("ENV{ID_IOVA_APPLY}==\"1\"")),
        "{widening:?}"
    );
    let order = [
        "WIDTH_MAX}==\"?*\", TEST",
        "QUARANTINE}==\"?*\", TEST",
        "QUARANTINE}==\"?*\", GOTO",
        "ID_IOVA_CHECKED}!=\"1\", GOTO",
        "ID_IOVA_APPLY}",
    ];
    let places: Vec<_> = order.iter().map(|text| rules.rfind(text).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
}

/// udev's own compiler, if it is here.
fn systemd_hwdb() -> Option<PathBuf> {
    let named = std::env::var_os("IOVA_SYSTEMD_HWDB").map(PathBuf::from);
    let places = ["/usr/bin/systemd-hwdb", "/bin/systemd-hwdb"].map(PathBuf::from);
    named.into_iter().chain(places).find(|path| path.exists())
}

#[test]
fn systemd_finds_what_the_file_says() {
    let Some(program) = systemd_hwdb() else {
        eprintln!(
            "skipped: there is no systemd-hwdb here (Debian: package udev; IOVA_SYSTEMD_HWDB names another)"
        );
        return;
    };
    let root = std::env::temp_dir().join(format!("iova-hwdb-{}", std::process::id()));
    let place = root.join("etc/udev/hwdb.d");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("60-iova-policy.hwdb"), made(build::hwdb)).unwrap();
    std::fs::write(place.join("90-local.hwdb"), "pci:v00001B21d00000611*\n ID_IOVA_QUARANTINE=36\n").unwrap();
    let run = |args: &[&str]| {
        let output = Command::new(&program).arg("--root").arg(&root).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["update", "--strict"]);
    let query = |alias: &str| run(&["query", alias]);
    let subsystem = query("pci:v00001B21d00000611sv00001B21sd00001060bc01sc06i01");
    assert!(subsystem.contains("ID_IOVA_WIDTH_MAX=43\n"), "{subsystem}");
    assert!(subsystem.contains("ID_IOVA_QUARANTINE=36\n"), "{subsystem}");
    let other = query("pci:v00001B21d00000611sv00001B21sd00001061bc01sc06i01");
    assert!(!other.contains("WIDTH_MAX"), "{other}");
    // A cap and an ok for one device, and a width that depends on the path.
    let both = query("pci:v00001B21d00000612sv00000000sd00000000bc01sc06i01");
    for property in
        ["ID_IOVA_WIDTH_MAX=43", "ID_IOVA_WIDTH_OK=48", "ID_IOVA_CHECK=1", "ID_IOVA_EVIDENCE=quirk"]
    {
        assert!(both.contains(property), "{property}: {both}");
    }
    assert!(query("pci:v00001106d00003288sv00001106sd00003288bc06sc04i00").contains("WIDTH_MAX=43"));
    assert_eq!(query("pci:v00001106d00003483sv00001106sd00003483bc0Csc03i30"), "", "another class");
    assert_eq!(query("pci:v00001B21d00001166sv00001B21sd00002116bc01sc06i01"), "", "left out");
    std::fs::remove_dir_all(&root).unwrap();
}
