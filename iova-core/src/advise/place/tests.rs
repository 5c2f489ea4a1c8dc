use super::*;
use crate::advise::Sureness;

fn advice(device: &str, kind: Option<&str>, setting: Setting) -> Advice {
    Advice {
        id: "x",
        device: Some(device.to_owned()),
        kind: kind.map(str::to_owned),
        name: None,
        setting,
        text: String::new(),
        findings: Vec::new(),
        gain: None,
        now: Vec::new(),
        risk: None,
        revert: String::new(),
        sure: Sureness::Low,
        why: String::new(),
    }
}

fn rules(list: &[Advice]) -> String {
    let places = places(list, &Root::at("/nowhere"));
    places.files.iter().find(|file| file.path == udev::FILE).map(|file| file.text.clone()).unwrap_or_default()
}

#[test]
fn a_disk_is_found_by_its_controllers_place_and_kind() {
    let sectors = Setting::MaxSectors { disk: "nvme0n1".into(), kib: 128 };
    assert_eq!(
        rules(&[advice("0000:00:04.0", Some("1b36:0010"), sectors.clone())]),
        "ACTION!=\"remove\", SUBSYSTEM==\"block\", ENV{DEVTYPE}==\"disk\", SUBSYSTEMS==\"pci\", KERNELS==\"0000:00:04.0\", \
         ATTRS{vendor}==\"0x1b36\", ATTRS{device}==\"0x0010\", ATTR{queue/max_sectors_kb}=\"128\"\n"
    );
    let platform = rules(&[advice("1c30000.mmc", None, sectors)]);
    assert!(platform.contains("\"disk\", KERNELS==\"1c30000.mmc\", ATTR{queue"), "{platform}");
}

#[test]
fn a_domain_is_made_lazy_only_if_it_is_strict_and_said_once() {
    let lazy = Setting::DomainType { device: "0000:00:04.0".into(), group: 4, to: "DMA-FQ" };
    let one = advice("0000:00:04.0", Some("1b36:0010"), lazy);
    let text = rules(&[one.clone(), one]);
    assert_eq!(
        text,
        "ACTION!=\"remove\", SUBSYSTEM==\"pci\", KERNEL==\"0000:00:04.0\", ATTR{vendor}==\"0x1b36\", ATTR{device}==\"0x0010\", \
         ATTR{iommu_group/type}==\"DMA\", ATTR{iommu_group/type}=\"DMA-FQ\"\n"
    );
}

#[test]
fn several_options_go_into_one_place() {
    let list = ["iommu.forcedac=1", "iommu.strict=0", "iommu.strict=0"]
        .map(|option| advice("0000:00:04.0", None, Setting::BootOption { option }));
    let mut places = Places::default();
    CommandLine::GrubDropIn.put(&["a=1", "b=0"], &Root::at("/nowhere"), &mut places);
    assert_eq!(places.files.len(), 1);
    assert!(places.files[0].text.ends_with("DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT a=1 b=0\"\n"));
    let by_hand = super::places(&list, &Root::at("/nowhere"));
    assert_eq!(
        by_hand.install,
        ["append iommu.forcedac=1 iommu.strict=0 to the kernel's command line, and reboot"]
    );
}

#[test]
fn an_image_gets_its_options_from_rpm_ostree() {
    let mut places = Places::default();
    CommandLine::Ostree.put(&["a=1", "b=0"], &Root::at("/nowhere"), &mut places);
    assert_eq!(
        places.install,
        ["rpm-ostree kargs --append-if-missing=a=1 --append-if-missing=b=0, and reboot"]
    );
    assert!(places.files.is_empty());
}

#[test]
fn what_is_no_address_gets_into_no_rule() {
    let lazy = |device: &str| Setting::DomainType { device: device.into(), group: 4, to: "DMA-FQ" };
    for hostile in ["0000:00:04.0\", RUN+=\"/bin/x", "a\nb", "a b", "$env{X}", "*"] {
        assert_eq!(rules(&[advice(hostile, None, lazy(hostile))]), "", "{hostile}");
        assert_eq!(rules(&[advice("0000:00:04.0", Some(hostile), lazy("0000:00:04.0"))]), "", "{hostile}");
    }
}
