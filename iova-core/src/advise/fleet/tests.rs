use super::*;
use crate::advise::Gain;

fn change(kind: Option<&str>, setting: Setting, hosts: &[&str]) -> Change {
    Change {
        id: "x",
        kind: kind.map(str::to_owned),
        name: None,
        sets: sets(&setting).unwrap(),
        setting,
        hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        among: hosts.len(),
        gain: None,
        sure: Sureness::Low,
        risk: None,
        revert: String::new(),
        from: Vec::new(),
    }
}

fn told<'a>(host: &'a str, (now, best, worst): (f64, f64, f64)) -> Told<'a> {
    let report = crate::model::testdata::full_report();
    let mut advice = advise(&report).remove(0);
    advice.gain = Some(Gain { metric: "free.latency_ns.mean", now, best, worst, how: String::new() });
    Told { host, file: "x", advice }
}

#[test]
fn the_spread_goes_from_the_worst_of_the_least_to_the_best_of_the_most() {
    let all = [told("a", (100.0, 10.0, 50.0)), told("b", (1000.0, 20.0, 900.0)), told("c", (10.0, 2.0, 4.0))];
    let spread = spread(&all).unwrap();
    assert_eq!((spread.low, spread.high, spread.hosts), (1.0 - 0.9, 0.98, 3));
    assert!((spread.median - 0.7).abs() < 1e-9, "{spread:?}");
}

#[test]
fn files_are_by_kind_of_device() {
    let lazy = Setting::DomainType { device: "0000:00:04.0".into(), group: 4, to: "DMA-FQ" };
    let small = Setting::MaxSectors { disk: "nvme0n1".into(), kib: 128 };
    let group = Group {
        name: name("6.12", Some("Intel VT-d")),
        kernel: "6.12".into(),
        iommu: Some("Intel VT-d".into()),
        hosts: vec!["a".into(), "b".into()],
        changes: vec![
            change(Some("1b36:0010"), lazy, &["a", "b"]),
            change(Some("1b36:0010"), small, &["a"]),
            change(None, Setting::BootOption { option: "iommu.strict=0" }, &["b"]),
        ],
    };
    assert_eq!(group.name, "6.12-intel-vt-d");
    let places = files(&group);
    let text = |path: &str| places.files.iter().find(|file| file.path == path).unwrap().text.as_str();
    assert!(
        text(files::HWDB)
            .ends_with("\npci:v00001B36d00000010*\n ID_IOVA_DOMAIN=DMA-FQ\n ID_IOVA_MAX_SECTORS_KB=128\n"),
        "{}",
        text(files::HWDB)
    );
    assert!(
        text(files::RULES)
            .contains("ATTR{iommu_group/type}==\"DMA\", ATTR{iommu_group/type}=\"$env{ID_IOVA_DOMAIN}\"\n")
    );
    assert!(text("etc/default/grub.d/50-iova.cfg").contains("iommu.strict=0"));
    assert!(text("etc/tuned/profiles/iova/tuned.conf").contains("cmdline_iova=+iommu.strict=0"));
    assert_eq!((places.install.len(), places.remove.len()), (2, 2));
}

#[test]
fn names_of_groups_are_fit_for_directories() {
    assert_eq!(name("6.1", Some("AMD-Vi, Intel VT-d")), "6.1-amd-vi-intel-vt-d");
    assert_eq!(name("unknown", None), "unknown-no-iommu");
    assert_eq!(name("..", Some("/../x")), "..-.-x".trim_matches(['-', '.']).to_owned());
    assert_eq!(line("6.12.95+deb13-amd64"), "6.12");
    assert_eq!(line("mine"), "unknown");
}
