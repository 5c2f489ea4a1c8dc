//! The Rust side of `/dev/iova_policy` against the header the kernel module is built from: sizes, offsets, numbers and
//! request codes, as a C compiler has them; and nothing in the header that Rust does not know.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use iova_common::policy as abi;

/// A C expression and the value that Rust has for it.
type Pair = (String, i128);

macro_rules! fields {
    ($list:ident, $c:literal, $rust:ty, [$($field:ident),+]) => {
        $list.push((format!("sizeof(struct {})", $c), size_of::<$rust>() as i128));
        $(
            $list.push((
                format!("offsetof(struct {}, {})", $c, stringify!($field)),
                std::mem::offset_of!($rust, $field) as i128,
            ));
            $list.push((
                format!("sizeof(((struct {} *)0)->{})", $c, stringify!($field)),
                field_size(|it: &$rust| size_of_val(&it.$field)),
            ));
        )+
    };
}

fn field_size<T: Default>(size: impl Fn(&T) -> usize) -> i128 {
    size(&T::default()) as i128
}

fn structures() -> Vec<Pair> {
    let mut list = Vec::new();
    fields!(list, "iova_policy_evidence", abi::Evidence, [address, live, xor, relation, width]);
    fields!(
        list,
        "iova_policy_info",
        abi::Info,
        [argsz, flags, abi_major, abi_minor, features, lease_min_ms, lease_max_ms, iovad_offset, record_size]
    );
    fields!(
        list,
        "iova_policy_stage",
        abi::Stage,
        [
            argsz, flags, bdf, generation, kind, width, window, lease_ms, cookie, limit, held, mechanisms,
            refusal
        ]
    );
    fields!(
        list,
        "iova_policy_lease",
        abi::Lease,
        [argsz, flags, cookie, lease_ms, state, cause, generation]
    );
    fields!(list, "iova_policy_abort", abi::Abort, [argsz, flags, cookie, cause, reserved, evidence]);
    fields!(list, "iova_policy_flush", abi::Flush, [argsz, flags, bdf, reserved]);
    fields!(
        list,
        "iova_policy_record",
        abi::Record,
        [
            seq, time_ns, bdf, vendor, device, generation, cause, old_kind, old_width, new_kind, new_width,
            refusal, mechanisms, loginuid, uid, pid, reserved, comm, evidence
        ]
    );
    list
}

fn numbers() -> Vec<Pair> {
    let mut list: Vec<Pair> = Vec::new();
    let mut add = |prefix: &str, numbers: &[(&str, u32)]| {
        list.extend(numbers.iter().map(|(name, n)| (format!("IOVA_POLICY_{prefix}{name}"), i128::from(*n))));
    };
    add(
        "",
        &[("ABI_MAJOR", abi::ABI_MAJOR.into()), ("ABI_MINOR", abi::ABI_MINOR.into()), ("MAGIC", abi::MAGIC)],
    );
    add("", &[("STOCK", abi::kind::STOCK), ("CAP", abi::kind::CAP), ("DAC", abi::kind::DAC)]);
    use abi::mechanism as m;
    add(
        "M_",
        &[("FLAG", m::FLAG), ("LIMIT", m::LIMIT), ("FILL", m::FILL), ("MASK", m::MASK), ("FLUSH", m::FLUSH)],
    );
    use abi::refusal as r;
    add("", &[("OK", r::OK)]);
    add(
        "R_",
        &[
            ("NO_IOMMU", r::NO_IOMMU),
            ("IDENTITY", r::IDENTITY),
            ("UNMANAGED", r::UNMANAGED),
            ("ALIASED", r::ALIASED),
            ("SHARED_GROUP", r::SHARED_GROUP),
            ("DIRECT_REGION", r::DIRECT_REGION),
            ("MASK", r::MASK),
            ("NARROWER", r::NARROWER),
            ("KDUMP", r::KDUMP),
            ("NO_MECHANISM", r::NO_MECHANISM),
            ("LAYOUT", r::LAYOUT),
            ("QUARANTINED", r::QUARANTINED),
            ("CAPPED", r::CAPPED),
            ("LOCKDOWN", r::LOCKDOWN),
            ("UNBOUND", r::UNBOUND),
            ("NO_LOW_SPACE", r::NO_LOW_SPACE),
            ("HELD", r::HELD),
            ("WIDTH", r::WIDTH),
            ("OFF", r::OFF),
            ("ENCRYPTED", r::ENCRYPTED),
        ],
    );
    use abi::cause as c;
    add(
        "C_",
        &[
            ("SYSFS", c::SYSFS),
            ("CAP", c::CAP),
            ("STAGE", c::STAGE),
            ("COMMIT", c::COMMIT),
            ("ABORT", c::ABORT),
            ("CLOSED", c::CLOSED),
            ("EXPIRED", c::EXPIRED),
            ("FAULT", c::FAULT),
            ("AER", c::AER),
            ("BIND", c::BIND),
            ("UNBIND", c::UNBIND),
            ("REMOVED", c::REMOVED),
            ("SUSPEND", c::SUSPEND),
            ("UNLOAD", c::UNLOAD),
            ("RELEASED", c::RELEASED),
            ("REFUSED", c::REFUSED),
            ("LIST", c::LIST),
            ("OFF", c::OFF),
            ("RETURNED", c::RETURNED),
        ],
    );
    use abi::relation as rel;
    add(
        "REL_",
        &[
            ("UNKNOWN", rel::UNKNOWN),
            ("UNRELATED", rel::UNRELATED),
            ("TRUNCATED", rel::TRUNCATED),
            ("MANGLED", rel::MANGLED),
        ],
    );
    list.extend(states_and_flags());
    list
}

/// States of leases, flags and numbers of requests.
fn states_and_flags() -> Vec<Pair> {
    let mut list: Vec<Pair> = Vec::new();
    let mut add = |prefix: &str, numbers: &[(&str, u32)]| {
        list.extend(numbers.iter().map(|(name, n)| (format!("IOVA_POLICY_{prefix}{name}"), i128::from(*n))));
    };
    use abi::lease_state as l;
    add("L_", &[("OPEN", l::OPEN), ("KEPT", l::KEPT), ("ENDED", l::ENDED)]);
    use abi::{flush_flag, stage_flag};
    add(
        "F_",
        &[
            ("DRY_RUN", stage_flag::DRY_RUN),
            ("FLUSH", stage_flag::FLUSH),
            ("WHOLE", stage_flag::WHOLE),
            ("RESTART", stage_flag::RESTART),
            ("QUARANTINE", abi::ABORT_QUARANTINE),
            ("RCACHE", flush_flag::RCACHE),
            ("QUEUE", flush_flag::QUEUE),
        ],
    );
    add(
        "",
        &[
            ("INFO", abi::IOC_INFO),
            ("STAGE", abi::IOC_STAGE),
            ("RENEW", abi::IOC_RENEW),
            ("COMMIT", abi::IOC_COMMIT),
            ("STATUS", abi::IOC_STATUS),
            ("ABORT", abi::IOC_ABORT),
            ("FLUSH", abi::IOC_FLUSH),
        ],
    );
    list
}

fn header() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../iova-kmod/iova_policy.h")
}

/// The values a C compiler has for the expressions.
fn compiled(pairs: &[Pair]) -> Vec<i128> {
    let dir = std::env::temp_dir().join(format!("iova-policy-abi-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let mut source = String::from(
        "#include <stddef.h>\n#include <stdio.h>\n#include \"iova_policy.h\"\nint main(void) {\n",
    );
    for (expression, _) in pairs {
        writeln!(source, "printf(\"%lld\\n\", (long long)({expression}));").unwrap();
    }
    source.push_str("return 0; }\n");
    let (program, file) = (dir.join("abi"), dir.join("abi.c"));
    std::fs::write(&file, source).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-Wall", "-Werror", "-I"]).arg(header().parent().unwrap()).arg("-o").arg(&program).arg(&file);
    assert!(cc.status().expect("a C compiler, as Rust itself needs one to link").success());
    let output = Command::new(&program).output().unwrap();
    std::fs::remove_dir_all(dir).unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn both_sides_agree_on_every_size_offset_and_number() {
    let mut pairs = structures();
    pairs.extend(numbers());
    let values = compiled(&pairs);
    assert_eq!(values.len(), pairs.len());
    for ((expression, rust), c) in pairs.iter().zip(values) {
        assert_eq!(c, *rust, "{expression}");
    }
}

/// Names that a line of the header defines: a macro, an enumerator or a field.
fn defined(line: &str, structure: &mut Option<String>) -> Option<String> {
    let line = line.trim();
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["#define", name, _, ..] => Some((*name).to_owned()),
        [name, "=", ..] if name.starts_with("IOVA_POLICY_") => Some((*name).to_owned()),
        ["struct", name, "{"] => {
            *structure = Some((*name).to_owned());
            None
        }
        ["};", ..] => {
            *structure = None;
            None
        }
        [kind, name, ..] if structure.is_some() && (kind.starts_with("__") || *kind == "char") => {
            field(structure, name)
        }
        ["struct", _, name, ..] if structure.is_some() && name.ends_with(';') => field(structure, name),
        _ => None,
    }
}

fn field(structure: &Option<String>, name: &str) -> Option<String> {
    let name = name.split([';', '[']).next()?;
    Some(format!("offsetof(struct {}, {name})", structure.as_ref()?))
}

#[test]
fn nothing_in_the_header_is_unknown_to_rust() {
    let text = std::fs::read_to_string(header()).unwrap();
    let mut structure = None;
    let in_header: BTreeSet<String> = text.lines().filter_map(|line| defined(line, &mut structure)).collect();
    let known: BTreeSet<String> = structures().into_iter().chain(numbers()).map(|(name, _)| name).collect();
    let unknown: Vec<_> = in_header.difference(&known).collect();
    assert!(in_header.len() > 100 && unknown.is_empty(), "{} names, unknown: {unknown:?}", in_header.len());
}
