//! What is advised for recorded and made-up hosts, and the files that `--out` writes.

use super::write::INSTALL;
use super::*;
use crate::render::fixtures;
use std::fs;

const TERM: Term = Term { width: 80, color: false, unicode: true };

fn text(report: &Report) -> String {
    let host = HostAdvice { places: places(&advise(report), &root("debian", "")), ..judged(None, report) };
    let list = AdviceList { schema: "iova.advice", schema_version: 1, hosts: vec![host] };
    renderer(crate::args::Format::Text, TERM).advice(&list).unwrap()
}

/// A host of that distribution, with that TuneD profile.
fn root(id: &str, tuned: &str) -> Root {
    let path = std::env::temp_dir().join(format!("iova-advise-{id}-{}-{}", tuned, std::process::id()));
    for dir in ["etc/default/grub.d", "etc/tuned"] {
        fs::create_dir_all(path.join(dir)).unwrap();
    }
    fs::write(path.join("etc/os-release"), format!("NAME=x\nID={id}\nID_LIKE=\"debian x\"\n")).unwrap();
    fs::write(path.join("etc/tuned/active_profile"), tuned).unwrap();
    Root::at(path)
}

fn ids(report: &Report) -> Vec<&'static str> {
    advise(report).iter().map(|advice| advice.id).collect()
}

#[test]
fn a_disk_at_the_cliff() {
    insta::assert_snapshot!(text(&fixtures::lab_report("filling").0));
}

#[test]
fn a_healthy_host_is_left_alone() {
    let healthy = fixtures::lab_report("healthy").0;
    assert_eq!(ids(&healthy), ["nothing"]);
    insta::assert_snapshot!(text(&healthy));
}

/// A recording of the fixtures.
fn recorded(name: &str) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    inputs::report(&path).unwrap()
}

#[test]
fn caches_of_the_size_before_an_mtu_change() {
    insta::assert_snapshot!(text(&recorded("mtu.iova")));
}

#[test]
fn a_strict_disk_on_7_3() {
    insta::assert_snapshot!(text(&recorded("strict.iova")));
}

#[test]
fn where_nothing_is_allocated_there_is_nothing_to_tune() {
    let report = fixtures::passthrough();
    assert_eq!(ids(&report), ["nothing"]);
    assert!(text(&report).contains("There is nothing to tune."), "{}", text(&report));
}

#[test]
fn files_go_into_a_new_directory_only() {
    let list = advise(&fixtures::lab_report("filling").0);
    let directory = std::env::temp_dir().join(format!("iova-advise-out-{}", std::process::id()));
    let places = places(&list, &root("debian", ""));
    write::directory(&directory).unwrap();
    write::places(&directory, &places).unwrap();
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert!(read("etc/udev/rules.d/62-iova-advice.rules").contains("ATTR{queue/max_sectors_kb}=\"128\""));
    assert!(
        read(INSTALL)
            .contains("cp etc/udev/rules.d/62-iova-advice.rules /etc/udev/rules.d/62-iova-advice.rules")
    );
    let again = write::directory(&directory).unwrap_err();
    assert!(again.message.contains("is there already"), "{}", again.message);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_boot_option_goes_where_the_distribution_has_it() {
    use iova_core::advise::Setting;
    let mut report = fixtures::cliff();
    report.host.sac_control = iova_core::model::SacControl::IntelGlobal;
    let list = advise(&report);
    assert!(
        list.iter().any(|advice| advice.setting == Setting::BootOption { option: "intel_iommu=forcedac" }),
        "{list:#?}"
    );
    let files = |root: &Root| places(&list, root).files.into_iter().map(|file| file.path).collect::<Vec<_>>();
    assert!(files(&root("debian", "")).contains(&"etc/default/grub.d/50-iova.cfg".to_owned()));
    assert!(
        files(&root("fedora", "throughput-performance"))
            .contains(&"etc/tuned/profiles/iova/tuned.conf".to_owned())
    );
    let by_hand = places(&list, &Root::at("/nowhere"));
    assert!(by_hand.install.iter().any(|line| line.contains("append intel_iommu=forcedac")), "{by_hand:?}");
}

fn many(audience: Audience, files: &[&str]) -> AdviseArgs {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    AdviseArgs {
        files: files.iter().map(|name| fixtures.join(name)).collect(),
        audience,
        known: Vec::new(),
        duration: None,
        out: None,
        format: crate::args::Format::Text,
    }
}

const ALL: [&str; 4] = ["mtu.iova", "strict.iova", "v1.iova", "calls.iova"];

/// Without the path to the fixtures, which differs from machine to machine.
fn evidence(audience: Audience) -> Vec<iova_core::advise::evidence::Evidence> {
    let mut list = inputs::evidence(&many(audience, &ALL)).unwrap();
    for one in &mut list {
        one.source = Path::new(&one.source).file_name().unwrap().to_str().unwrap().to_owned();
    }
    list
}

#[test]
fn what_a_fleet_should_set() {
    let fleet = fleet(&evidence(Audience::Fleet));
    assert_eq!(fleet.groups.len(), 3);
    let advice = FleetAdvice { schema: "iova.advice.fleet", schema_version: 1, fleet };
    insta::assert_snapshot!(renderer(crate::args::Format::Text, TERM).fleet(&advice).unwrap());
}

#[test]
fn files_of_a_fleet_are_by_group_and_kind() {
    let directory = std::env::temp_dir().join(format!("iova-fleet-out-{}", std::process::id()));
    super::many(&many(Audience::Fleet, &ALL), Some(&directory)).unwrap();
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let hwdb = read("7.3-intel-vt-d/etc/udev/hwdb.d/62-iova-advice.hwdb");
    assert!(hwdb.ends_with("\npci:v00001B36d00000010*\n ID_IOVA_DOMAIN=DMA-FQ\n"), "{hwdb}");
    assert!(read("6.1-intel-vt-d/INSTALL").contains("iova policy persist DEVICE"));
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_a_distribution_asks() {
    let dossier = dossier(&evidence(Audience::Distro), &List::shipped());
    let advice = DistroAdvice { schema: "iova.advice.distro", schema_version: 1, dossier };
    insta::assert_snapshot!(renderer(crate::args::Format::Text, TERM).distro(&advice).unwrap());
}

#[test]
fn json_of_a_report_leads_to_the_same_advice() {
    for report in
        [fixtures::lab_report("filling").0, fixtures::lab_report("healthy").0, recorded("strict.iova")]
    {
        let json = renderer(crate::args::Format::Json, TERM).report(&report).unwrap();
        let read = Report::from_json(&serde_json::from_str(&json).unwrap()).unwrap();
        // The mean in JSON is rounded down, so bounds of gains move by a nanosecond.
        let without = |report: &Report| {
            let mut list = advise(report);
            list.iter_mut().for_each(|advice| advice.gain = None);
            list
        };
        assert_eq!(without(&read), without(&report));
        let again = renderer(crate::args::Format::Json, TERM).report(&read).unwrap();
        let plain = |text: &str| {
            let mut json: serde_json::Value = serde_json::from_str(text).unwrap();
            json["findings"] = serde_json::Value::Null;
            json
        };
        assert_eq!(plain(&again), plain(&json));
    }
}

#[test]
fn a_host_strict_all_over_gets_one_boot_option() {
    let mut report = recorded("strict.iova");
    let disk = report.devices.iter().find(|device| device.driver.as_deref() == Some("nvme")).unwrap().clone();
    for number in 0..4 {
        let bdf = format!("0000:1{number}:00.0");
        report.devices.push(iova_core::model::Device { bdf, group: Some(20 + number), ..disk.clone() });
    }
    let list = advise(&report);
    assert_eq!(list.iter().map(|advice| advice.id).collect::<Vec<_>>(), ["lazy-boot"]);
    let places = places(&list, &root("ubuntu", ""));
    assert!(places.files[0].text.contains("iommu.strict=0"), "{places:?}");
    assert_eq!(places.files.len(), 1);
}

#[test]
fn what_does_not_fit_together_is_said() {
    let message = |args: &AdviseArgs| run(args, TERM).unwrap_err().message;
    let nothing = AdviseArgs { files: Vec::new(), ..many(Audience::Fleet, &[]) };
    assert!(message(&nothing).contains("give recordings"), "{}", message(&nothing));
    let out = AdviseArgs { out: Some("/nowhere".into()), ..many(Audience::Distro, &ALL) };
    assert!(message(&out).contains("leave out --out"), "{}", message(&out));
    let known = crate::args::advise::Known { file: "x.json".into(), bits: 36 };
    let stray = AdviseArgs { known: vec![known], ..many(Audience::Distro, &ALL) };
    assert!(message(&stray).contains("not among the files"), "{}", message(&stray));
}
