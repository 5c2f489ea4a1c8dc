use super::{device, report, verified};
use crate::compat::report::{
    CompatReport, Faults, MAX_BYTES, MAX_DEVICES, MAX_PATH, MAX_PROOFS, MAX_STEPS, MAX_TRIALS, Passes,
    ReportError, Usage,
};
use serde_json::{Value, json};

fn why(text: &str) -> String {
    CompatReport::parse(text.as_bytes()).unwrap_err().to_string()
}

fn changed(change: impl FnOnce(&mut Value)) -> String {
    let mut value = serde_json::to_value(report(1, vec![device(vec![verified(48)])])).unwrap();
    change(&mut value);
    why(&value.to_string())
}

#[test]
fn other_files() {
    for other in ["", "{}", "[]", "null", "\u{feff}{}", r#"{"schema":"iova.report","schema_version":1}"#] {
        assert_eq!(CompatReport::parse(other.as_bytes()), Err(ReportError::Other), "{other}");
    }
    assert_eq!(CompatReport::parse(&[0xff; 100]), Err(ReportError::Other));
    assert_eq!(CompatReport::parse("[".repeat(1 << 20).as_bytes()), Err(ReportError::Other));
    let later = r#"{"schema":"iova.compat.report","schema_version":2,"more":[1]}"#;
    assert_eq!(CompatReport::parse(later.as_bytes()), Err(ReportError::Version(2)));
}

#[test]
fn what_the_format_does_not_have() {
    assert!(changed(|it| it["hostname"] = json!("box")).contains("unknown field"));
    for place in ["usage", "policy", "device", "class"] {
        assert!(
            changed(|it| it["devices"][0][place] = json!("0000:00:04.0 é")).contains("damaged"),
            "{place}"
        );
    }
    for path in [
        "/devices/0",
        "/devices/0/usage",
        "/devices/0/proofs/0",
        "/devices/0/proofs/0/steps/0",
        "/devices/0/trials/0",
        "/devices/0/trials/0/faults",
        "/kernel",
        "/iommu/0",
    ] {
        let why = changed(|it| it.pointer_mut(path).unwrap()["mac\u{1b}[31m"] = json!("52:54"));
        assert!(why.contains("unknown field") && !why.contains('\u{1b}'), "{path}: {why}");
    }
    let answer = |it: &mut Value| it["devices"][0]["proofs"][0]["answer"]["why"] = json!("x");
    assert!(changed(answer).contains("unknown field"));
}

#[test]
fn numbers_that_can_not_be() {
    let usage = |change: fn(&mut Usage)| {
        let mut one = device(Vec::new());
        change(one.usage.as_mut().unwrap());
        why(&report(1, vec![one]).to_text().unwrap())
    };
    assert!(usage(|it| it.high = 1001).contains("more high addresses"));
    assert!(usage(|it| it.observed_ms = u64::MAX).contains("ten years"));
    assert!(usage(|it| it.width = Some(65)).contains("64 bits"));
    assert!(usage(|it| (it.low_attempts, it.low_failed) = (Some(1), Some(2))).contains("attempts"));
    let sum =
        Faults { count: u64::MAX, truncated: u64::MAX, mangled: 1, low_32_alias: true, ..Faults::default() };
    let mut one = device(Vec::new());
    one.usage.as_mut().unwrap().faults = Some(sum);
    assert!(why(&report(1, vec![one.clone()]).to_text().unwrap()).contains("by class"));
    let passes = Some(Passes { at_least: 40, at_most: 32 });
    let turned = Faults { count: 1, truncated: 1, low_32_alias: true, passes, ..Faults::default() };
    one.usage.as_mut().unwrap().faults = Some(turned);
    assert!(why(&report(1, vec![one]).to_text().unwrap()).contains("range"));
    for number in [json!(-1), json!(1.5), json!(1e300), json!("1")] {
        assert!(changed(|it| it["devices"][0]["mask_bits"] = number.clone()).contains("damaged"), "{number}");
    }
    assert!(changed(|it| it["devices"][0]["proofs"][0]["answer"]["bits"] = json!(65)).contains("range"));
    assert!(changed(|it| it["devices"][0]["proofs"][0]["answer"]["at_most"] = json!(50)).contains("limit"));
}

#[test]
fn everything_ends_somewhere() {
    let text = " ".repeat(usize::try_from(MAX_BYTES).unwrap() + 1);
    assert_eq!(CompatReport::parse(text.as_bytes()), Err(ReportError::Long));
    let many = |path: &str, count: usize| {
        changed(|it| {
            let list = it.pointer_mut(path).unwrap();
            let one = list[0].clone();
            *list = Value::Array(vec![one; count]);
        })
    };
    for (path, most) in [
        ("/devices", MAX_DEVICES),
        ("/devices/0/path", MAX_PATH),
        ("/devices/0/proofs", MAX_PROOFS),
        ("/devices/0/trials", MAX_TRIALS),
        ("/devices/0/proofs/0/steps", MAX_STEPS),
        ("/iommu", 8),
    ] {
        assert!(
            many(path, most + 1).contains(&format!("at most {most}")),
            "{path}: {}",
            many(path, most + 1)
        );
    }
    let full = report(1, vec![device(vec![verified(48); 2]); MAX_DEVICES]);
    assert!(CompatReport::parse(full.to_text().unwrap().as_bytes()).is_ok(), "a full one still fits");
}

/// Whatever is cut off or changed: an error or a report, never a panic.
#[test]
fn damage() {
    let text = report(1, vec![device(vec![verified(48)])]).to_text().unwrap();
    for end in 0..text.len() - 2 {
        CompatReport::parse(text.get(..end).unwrap().as_bytes()).unwrap_err();
    }
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize
    };
    for _ in 0..20_000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..=next() % 3 {
            let at = next() % bytes.len();
            bytes[at] = next() as u8;
        }
        let _ = CompatReport::parse(&bytes);
    }
}
