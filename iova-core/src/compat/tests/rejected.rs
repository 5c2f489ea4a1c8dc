//! Malformed records: each is rejected in its line, for its reason.

use super::matching::ASM;
use crate::compat::parse;

/// What is replaced by what, and the one complaint that has to come of it: its line and a part of it.
type Case = (&'static str, &'static str, usize, &'static str);

const CASES: &[Case] = &[
    // Syntax.
    ("width = 43", "width = ", 4, "string values must be quoted"),
    ("verdict = \"cap\"", "verdict = cap", 3, "string values must be quoted"),
    ("width = 43", "width = 43\nwidth = 42", 5, "duplicate key"),
    ("[[match]]", "[[match]", 9, "unclosed"),
    // Keys.
    ("driver = \"ahci\"", "drivers = \"ahci\"", 2, "'drivers' is no key of a record"),
    ("device = \"1b21:0612\"", "device = \"1b21:0612\"\nrev = \"01\"", 11, "'rev' is no key of [[match]]"),
    ("mainline = \"6.8\"", "mainline = \"6.8\"\nuntil = \"6.9\"", 14, "'until' is no key of [kernels]"),
    ("opened = true", "opened = true\ndate = 2026", 20, "'date' is no key of [[reference]]"),
    ("name = \"ASMedia ASM1061 SATA\"\n", "", 1, "a record lacks 'name'"),
    ("verdict = \"cap\"\n", "", 1, "a record lacks 'verdict'"),
    ("width = 43\n", "", 1, "a record lacks 'width'"),
    ("evidence = \"quirk\"\n", "", 1, "a record lacks 'evidence'"),
    ("note = \"Drops address bits 43 and up.\"\n", "", 1, "a record lacks 'note'"),
    ("device = \"1b21:0612\"\n", "class = \"0106\"\n", 9, "[[match]] lacks 'device'"),
    ("mainline = \"6.8\"\n", "", 12, "[kernels] lacks 'mainline'"),
    ("opened = true\n", "", 16, "[[reference]] lacks 'opened'"),
    // Values.
    ("verdict = \"cap\"", "verdict = \"deny\"", 3, "verdict: use one of \"cap\", \"ok\""),
    ("width = 43", "width = \"43\"", 4, "width: use a whole number"),
    ("width = 43", "width = 43.0", 4, "width: use a whole number"),
    ("width = 43", "width = 23", 4, "cap has 24 to 63 bits, not 23"),
    ("width = 43", "width = 64", 4, "cap has 24 to 63 bits, not 64"),
    ("failure = \"truncated\"", "failure = \"broken\"", 5, "failure: use one of \"truncated\""),
    ("failure = \"truncated\"\n", "", 3, "a cap needs 'failure'"),
    ("evidence = \"quirk\"", "evidence = \"rumour\"", 6, "evidence: use one of \"quirk\""),
    ("driver = \"ahci\"", "driver = \"ahci, xhci\"", 2, "driver: use the name of one driver"),
    ("name = \"ASMedia ASM1061 SATA\"", "name = \"ASM1061\"", 1, "begins with the maker 'asmedia'"),
    ("43 and up.", "43 and up", 7, "each ends with a full stop"),
    ("43 and up.", "43\\tand up.", 7, "control character"),
    ("43 and up.", "43 \\u001b[31m.", 7, "control character"),
    // Devices.
    ("1b21:0612", "1B21:0612", 10, "lower-case hexadecimal digits"),
    ("1b21:0612", "1b21:612", 10, "four lower-case"),
    ("1b21:0612", "*:0612", 10, "four lower-case"),
    ("1b21:0612", "0x1b21:0x0612", 10, "four lower-case"),
    ("\"1b21:0612\"", "\"1b21:0612\"\nsubsystem = \"1b21:*\"", 11, "subsystem: use vendor:device"),
    ("\"1b21:0612\"", "\"1b21:0612\"\nrevision = \"10-01\"", 11, "revision: use one revision or a range"),
    ("\"1b21:0612\"", "\"1b21:0612\"\nclass = \"01060\"", 11, "class: use the 2, 4 or 6"),
    ("\"1b21:0612\"", "\"1b21:0612\"\nbridge = \"8086:*\"", 11, "bridge: use a list of texts"),
    ("\"1b21:0612\"", "\"1b21:0612\"\nbridge = []", 11, "bridge: name at least one"),
    ("\"1b21:0612\"", "\"1b21:0612\"\nbridge = [\n\"8086:*\",\n\"*\"]", 13, "bridge: use vendor:device"),
    ("\"1b21:0612\"", "\"1b21:0612\"\n[[match]]\ndevice = \"1b21:0612\"", 11, "is there twice"),
    ("[[match]]", "[match]", 9, "match: use one table or more"),
    // Paths.
    ("device = \"1b21:0612\"", "device = \"1b21:0612\"\npath = []", 9, "path: is for an ok"),
    // Kernels.
    ("mainline = \"6.8\"", "mainline = \"v6.8\"", 13, "mainline: use a version"),
    ("\"6.1.75\"", "\"6.1\"", 14, "versions with three numbers"),
    ("\"6.1.75\"", "\"6.1.75\", \"5.15.148\"", 14, "5.15.148 comes after 6.1.75"),
    ("\"6.1.75\"", "\"6.1.75\", \"6.1.80\"", 14, "one version per line of the kernel"),
    ("\"6.1.75\"", "\"6.9.1\"", 14, "6.9.1 is not below mainline's 6.8"),
    // References.
    ("https://git", "git://git", 17, "url: use an address that begins with https://"),
    ("https://git.kernel.org/torvalds", "https://git.kernel.org/ torvalds", 17, "url: use an address"),
    ("upper 21 bits.", "upper 21 bits", 18, "says: use sentences"),
    ("opened = true", "opened = \"yes\"", 19, "opened: use true or false"),
    ("opened = true", "opened = false", 6, "needs a reference that was opened"),
];

/// The same for an ok.
const OK: &[Case] = &[
    ("width = 48", "width = 58", 3, "ok has 33 to 57 bits, not 58"),
    ("width = 48", "width = 32", 3, "ok has 33 to 57 bits, not 32"),
    ("width = 48", "width = 48\nfailure = \"unknown\"", 4, "failure: an ok has none"),
    ("\"verified\"", "\"report\"", 4, "\"report\" is not enough for an ok"),
    ("\"verified\"", "\"declared\"", 4, "\"declared\" is not enough for an ok"),
];

const GOOD: &str = r#"name = "ASMedia ASM9999"
verdict = "ok"
width = 48
evidence = "verified"
note = "Walked bit by bit."
[[match]]
device = "1b21:9999"
[[reference]]
url = "https://example.org/1"
says = "Nothing was seen."
opened = true
"#;

#[test]
fn every_mistake_is_told_with_its_line_and_its_reason() {
    let all = CASES.iter().map(|case| (ASM, case)).chain(OK.iter().map(|case| (GOOD, case)));
    let mut wrong = Vec::new();
    for (text, &(from, to, line, reason)) in all {
        assert!(text.contains(from), "{from}");
        let broken = text.replacen(from, to, 1);
        let complaints = parse::parse("asmedia-asm1061.toml", &broken).expect_err(to);
        if !complaints.iter().any(|it| it.line == line && it.reason.contains(reason)) {
            wrong.push(format!("{from} -> {to}: wanted line {line} '{reason}', got {complaints:#?}"));
        }
        assert!(complaints.iter().all(|it| !it.reason.contains(char::is_control)), "{complaints:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn long_sentences_are_counted_one_by_one() {
    let long = format!("{}.", "x".repeat(200));
    let note = |text: &str| ASM.replace("Drops address bits 43 and up.", text);
    let complaints = parse::parse("asmedia-a.toml", &note(&long)).unwrap_err();
    assert!(complaints[0].to_string().contains("asmedia-a.toml:7: note: a sentence has 201 characters"));
    let two = format!("{}. {}.", "x".repeat(150), "y".repeat(150));
    assert!(parse::parse("asmedia-a.toml", &note(&two)).is_ok());
}

#[test]
fn file_names() {
    for bad in
        ["ASMedia-1.toml", "asmedia_1.toml", "asmedia--1.toml", "-asmedia.toml", "asmedia.txt", "asmedia"]
    {
        let complaints = parse::parse(bad, ASM).unwrap_err();
        assert!(complaints[0].reason.contains("does not fit"), "{bad}: {complaints:?}");
        assert_eq!(complaints[0].line, 1);
    }
    assert_eq!(parse::parse("/a/b/asmedia-2.toml", ASM).unwrap().record.id, "asmedia-2");
}

#[test]
fn one_run_names_every_mistake_in_order() {
    let broken = ASM.replace("\"cap\"", "\"cup\"").replace("1b21:0612", "1b21").replace("https:", "ftp:");
    let lines: Vec<_> =
        parse::parse("asmedia-a.toml", &broken).unwrap_err().iter().map(|it| it.line).collect();
    assert_eq!(lines, [3, 10, 17]);
}
