//! A host full of names, of which none may be in its report.

use crate::compat::report::{PciId, ReportId, Sources, StepResult, WorkKind};
use crate::inventory::{Device, DomainType, Host, Inventory};
use crate::model::{Figures, HostFigures, Model, Report, SacControl};
use crate::policy::Policy;
use crate::policy::history::{Action, Entry, Identity, ToolEntry};
use crate::policy::testdir::{DEVICE, TestDir};
use crate::policy::verify::Past;
use crate::sample::Sample;

const PLANTED: [&str; 12] = [
    "alice",
    "secretbox",
    "525400c0ffee",
    "52:54:00:c0:ff:ee",
    "5ea1-4242",
    "5a7d00c0",
    "b00b135724681357",
    "0000:00:04.0",
    "00:04.0",
    "eth",
    "fio",
    "dead",
];

fn journal(begun: &str, more: &str) -> Past {
    let identity = "1b36:0010:1af4:1100".parse::<Identity>().unwrap();
    Past::of(&format!(
        "{{\"time_s\":5,\"boot\":\"b00b135724681357\",\"event\":\"begun\",\"bdf\":\"{DEVICE}\",\"identity\":\"{identity}\",\
         \"driver\":\"nvme\",\"domain\":\"DMA\",\"typed\":true,\"proved\":32,\"to\":null,\"step_ms\":1,\"hold_ms\":1,\
         \"command\":[\"/home/alice/fio\",\"secretbox\",\"52:54:00:c0:ff:ee\"],\"scratch\":null,\
         \"kernel\":{{\"version\":\"6.12.95\"}}{begun}}}\n{more}"
    ))
}

fn step(width: u8, outcome: &str) -> String {
    format!(
        "{{\"time_s\":6,\"boot\":\"b\",\"event\":\"ended\",\"number\":1,\"width\":{width},\"purpose\":\"walk\",\
         \"policy\":\"dac:{width}\",\"began_s\":1,\"lasted_s\":2.0,\"addresses\":{{\"count\":9,\"lowest\":\"0xdead0000\",\
         \"highest\":null,\"below\":0,\"narrow\":0,\"failed\":0,\"lost\":0}},\"work\":{{\"runs\":3,\"bytes\":77,\"ms\":1000,\
         \"failure\":\"alice\"}},\"faults\":[],\"pcie_errors\":\"alice\",\"alias\":null,{outcome}}}\n"
    )
}

/// The inventory of such a host.
fn inventory() -> Inventory {
    let device = Device {
        dev: None,
        bdf: DEVICE.into(),
        bus: "pci".into(),
        id: Some((0x1b36, 0x0010)),
        name: "alice's disk".into(),
        driver: Some("alice-driver".into()),
        functions: vec!["enx525400c0ffee".into(), "eth0".into()],
        group: 4,
        domain_type: DomainType::DmaFq,
        iovad: None,
        dma_mask_bits: Some(64),
        coherent_mask_bits: Some(64),
        bus_dma_limit: None,
        configured: None,
        managed: None,
    };
    let host = Host { name: "secretbox".into(), kernel: "6.12.95-alice@secretbox".into(), ..Host::default() };
    Inventory { host, devices: vec![device], missing: vec![] }
}

fn host() -> TestDir {
    let dir = TestDir::new("report-planted");
    dir.file("proc/sys/kernel/osrelease", "6.12.95-alice@secretbox\n");
    dir.file("proc/sys/kernel/hostname", "secretbox\n");
    dir.file("etc/machine-id", "5a7d00c0ffee4242b00b135724681357\n");
    dir.file("sys/class/dmi/id/product_serial", "5EA1-4242\n");
    dir.file("sys/class/dmi/id/product_name", "alice's 5EA1-4242\n");
    dir.file(&format!("sys/bus/pci/devices/{DEVICE}/driver/module/taint"), "OE\n");
    dir
}

/// A trial that alice gave up, with her reason.
fn who(dir: &TestDir) -> Entry {
    let identity = "1b36:0010:1af4:1100".parse().unwrap();
    let entry =
        ToolEntry::new(&dir.root(), Action::Revert, DEVICE.parse().unwrap(), identity, Policy::Dac(36));
    Entry::now(&dir.root(), ToolEntry { reason: Some("alice on secretbox".into()), ..entry })
}

#[test]
fn nothing_of_the_host() {
    let (dir, inventory) = (host(), inventory());
    let mut model = Model::new(inventory.clone(), None, Sample::default());
    model.feed(Sample::default());
    let figures = Figures { duration_s: 10.0, ..model.figures(None) };
    let measured = Report::new(HostFigures::new(&inventory, SacControl::Unknown), "default".into(), figures);
    let answer = "{\"time_s\":9,\"boot\":\"b\",\"event\":\"closed\",\"answer\":{\"verdict\":\"verified\",\"bits\":40,\
                  \"short\":\"alice at 0xdead0000\"}}\n";
    let here =
        journal(",\"path\":[]", &format!("{}{answer}", step(40, "\"result\":\"failed\",\"why\":\"alice\"")));
    let elsewhere = journal(",\"path\":[\"8086:0001\"]", &step(48, "\"result\":\"passed\""));
    let unknown = journal("", &step(48, "\"result\":\"passed\""));
    let empty = journal(",\"path\":[]", "");
    let journals = [here, elsewhere, unknown, empty];
    let root = dir.root();
    let history = [who(&dir)];
    let sources = Sources {
        root: &root,
        inventory: &inventory,
        measured: &measured,
        journals: &journals,
        history: &history,
    };
    let id = ReportId::of_host(&dir.state(), &root).unwrap();
    let report = sources.report(id, false).unwrap();
    let text = report.to_text().unwrap().replace(&id.to_string(), "");
    for word in PLANTED {
        assert!(!text.to_lowercase().contains(word), "{word} in {text}");
    }
    let [device] = report.devices.as_slice() else { panic!("{text}") };
    assert_eq!((device.device, device.driver.clone()), (PciId(0x1b36, 0x0010), None), "a foreign module");
    assert_eq!(device.trials.iter().map(|trial| trial.reverted).sum::<u32>(), 1);
    let [proof] = device.proofs.as_slice() else { panic!("only what was done on this path: {text}") };
    assert_eq!((proof.work, proof.steps[0].result), (WorkKind::Command, StepResult::Failed));
    assert_eq!(proof.answer.map(|answer| (answer.bits, answer.whole)), Some((40, false)));
    let asked = sources.report(id, true).unwrap();
    assert_eq!(asked.product.unwrap().to_string(), "alice's 5EA1-4242", "who asks for it gets it");
}
