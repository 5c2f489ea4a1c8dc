//! What `iova compat check` prints, against checked-in outputs.

use super::{Json, Render, Text};
use crate::commands::compat::{CheckedDevice, ListCheck};
use crate::term::Term;
use iova_core::compat::{Checked, Entry, EvidenceKind, Failure, Knowledge, Origin, Reference, Verdict, Word};

const PLAIN: Term = Term { width: 80, color: false, unicode: true };

/// A cap of 43 bits that the running kernel does not keep.
pub(super) fn cap() -> Entry {
    Entry {
        origin: Origin::Shipped,
        id: "asmedia-asm1061".into(),
        name: "ASMedia ASM1060/1061/1062 SATA".into(),
        verdict: Verdict::Cap,
        width: 43,
        failure: Some(Failure::Truncated),
        evidence: EvidenceKind::Quirk,
        note: "Drops address bits 43 and up; disks vanish or data is lost.".into(),
        reference: Some(Reference {
            url: "https://git.kernel.org/torvalds/c/20730e9b2778".into(),
            says: "The controllers ignore the upper 21 bits.".into(),
            opened: true,
        }),
        holds_here: true,
        applied: true,
        kernel: Some(Knowledge::No { mask_bits: Some(64) }),
    }
}

fn device(bdf: &str, name: &str, id: &str, list: Word) -> CheckedDevice {
    let checked = Checked {
        bdf: bdf.into(),
        id: id.into(),
        bridge: Some("8086:a110".into()),
        domain: Some("DMA-FQ".into()),
        capped: None,
        list,
    };
    CheckedDevice { name: name.into(), open: checked.is_open(), checked }
}

fn check() -> ListCheck {
    let other_path = Entry {
        id: "asmedia-behind-x".into(),
        width: 36,
        holds_here: false,
        evidence: EvidenceKind::Report,
        reference: Some(Reference {
            url: "Message-ID:<1@example.org>".into(),
            says: "Known from a summary.".into(),
            opened: false,
        }),
        ..cap()
    };
    let good = Entry {
        origin: Origin::Local,
        id: "nvidia-gpu".into(),
        verdict: Verdict::Ok,
        width: 47,
        failure: None,
        evidence: EvidenceKind::Verified,
        note: "Walked bit by bit.".into(),
        applied: false,
        kernel: None,
        ..cap()
    };
    let known = Entry { kernel: Some(Knowledge::Mask { bits: 43 }), ..cap() };
    let capped = Word { cap: Some(43), entries: vec![cap(), other_path], ..Word::default() };
    let mut kept = device(
        "0000:03:00.0",
        "ASMedia ASM1062",
        "1b21:0612",
        Word { entries: vec![known], ..capped.clone() },
    );
    kept.checked.capped = Some(36);
    let mut passed = device("0000:05:00.0", "ASMedia ASM1061", "1b21:0612", capped.clone());
    passed.checked.domain = Some("identity".into());
    passed.open = passed.checked.is_open();
    ListCheck {
        schema: "iova.compat.check",
        schema_version: 1,
        kernel: "6.1.0-13-amd64".into(),
        records: 25,
        local_records: 1,
        devices: vec![
            device("0000:00:1f.0", "Intel bridge", "8086:a145", Word::default()),
            device("0000:02:00.0", "ASMedia\x1b ASM1061", "1b21:0612", capped),
            kept,
            passed,
            device(
                "0000:04:00.0",
                "NVIDIA GPU",
                "10de:1b80",
                Word { ok: Some(47), entries: vec![good], ..Word::default() },
            ),
        ],
    }
}

#[test]
fn checks() {
    insta::assert_snapshot!("compat_check", Text::new(PLAIN).list_check(&check()).unwrap());
    insta::assert_snapshot!("compat_check_json", Json.list_check(&check()).unwrap());
}
