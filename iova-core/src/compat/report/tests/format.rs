use super::{device, report, verified};
use crate::compat::report::{CompatReport, DriverName, HexByte, PciClass, PciId, Product, ReportId};

#[test]
fn there_and_back() {
    let report = report(7, vec![device(vec![verified(48)]), device(Vec::new())]);
    let text = report.to_text().unwrap();
    assert_eq!(CompatReport::parse(text.as_bytes()).unwrap(), report, "{text}");
    assert!(!text.contains("product"), "only if asked for");
    // A change here needs another schema_version.
    crate::compat::tests::made::same("src/compat/report/tests/sample.json", &text);
}

#[test]
fn texts_have_one_form() {
    assert_eq!("1b21:0612".parse::<PciId>().unwrap().to_string(), "1b21:0612");
    for bad in ["1B21:0612", "1b21", "1b21:612", "1b21:06122", "1b21:*", "", "é:0612", "52:54:00:12:34:56"] {
        bad.parse::<PciId>().unwrap_err();
    }
    assert_eq!("0a".parse::<HexByte>().unwrap().to_string(), "0a");
    for bad in ["a", "0A", "0x", "aaa", "é"] {
        bad.parse::<HexByte>().unwrap_err();
    }
    assert_eq!("010802".parse::<PciClass>().unwrap().to_string(), "010802");
    for bad in ["0108", "01080g", "é0802", ""] {
        bad.parse::<PciClass>().unwrap_err();
    }
    let id = "00112233445566778899aabbccddeeff";
    assert_eq!(id.parse::<ReportId>().unwrap().to_string(), id);
    for bad in ["0011", "00112233445566778899AABBCCDDEEFF", "é0112233445566778899aabbccddeef"] {
        bad.parse::<ReportId>().unwrap_err();
    }
    for good in ["nvme", "xhci_hcd", "snd-hda-intel"] {
        assert_eq!(good.parse::<DriverName>().unwrap().to_string(), good);
    }
    for bad in ["", "a b", "user@host", "../x", "x\u{1b}", &"x".repeat(33)] {
        bad.parse::<DriverName>().unwrap_err();
    }
    assert!("MS-7D25 (rev 1)".parse::<Product>().is_ok());
    for bad in ["", "é", "a\nb", &"x".repeat(65)] {
        bad.parse::<Product>().unwrap_err();
    }
}
