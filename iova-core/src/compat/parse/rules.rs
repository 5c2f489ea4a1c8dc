//! The rules that one record has to keep, beyond the form of its values.

use std::path::Path;

use super::super::complaint::shown;
use super::super::pattern::Match;
use super::super::record::Reference;
use super::super::version::Version;
use super::super::words::{EvidenceKind, Failure, Verdict};
use super::fields::{At, Fields, Reader};

/// `MAKER-PART.toml`; gives the name without its end.
pub(super) fn file_name(reader: &Reader<'_>, name: Option<At<&str>>) -> Option<String> {
    let path = Path::new(reader.file);
    let stem = path.file_stem()?.to_str().unwrap_or_default();
    let letters = stem.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let parts = !stem.is_empty() && stem.split('-').all(|part| !part.is_empty());
    if !letters || !parts || path.extension().is_none_or(|extension| extension != "toml") {
        let reason = format!(
            "the file's name '{}' does not fit: use lower-case letters, digits and single dashes, and .toml",
            shown(&path.file_name().unwrap_or_default().to_string_lossy())
        );
        reader.complain(0, reason);
        return None;
    }
    let maker = stem.split('-').next().unwrap_or_default();
    let plain = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    if let Some(name) = name.filter(|name| !plain(name.value).contains(maker)) {
        let reason = format!(
            "name: the file's name begins with the maker '{maker}', which the name '{}' does not mention",
            shown(name.value)
        );
        reader.complain(name.at, reason);
    }
    Some(stem.to_owned())
}

pub(super) fn width(fields: &Fields<'_, '_>, width: At<i64>, verdict: Option<At<Verdict>>) -> Option<u8> {
    let verdict = verdict?.value;
    let range = match verdict {
        Verdict::Cap => 24..=63,
        Verdict::Ok => 33..=57,
    };
    if !range.contains(&width.value) {
        let reason = format!(
            "width: {} has {} to {} bits, not {}",
            verdict.word(),
            range.start(),
            range.end(),
            width.value
        );
        fields.complain(width.at, reason);
        return None;
    }
    u8::try_from(width.value).ok()
}

pub(super) fn verdict(
    fields: &Fields<'_, '_>,
    verdict: Option<At<Verdict>>,
    failure: Option<At<Failure>>,
    evidence: Option<At<EvidenceKind>>,
) {
    let Some(verdict) = verdict else { return };
    match (verdict.value, failure) {
        (Verdict::Cap, None) => {
            fields.complain(
                verdict.at,
                "a cap needs 'failure': what goes wrong above it, \"unknown\" if nobody knows",
            );
        }
        (Verdict::Ok, Some(failure)) => {
            fields.complain(failure.at, "failure: an ok has none; what fails above a width is a cap");
        }
        _ => {}
    }
    let proves = [EvidenceKind::Verified, EvidenceKind::Vendor, EvidenceKind::Quirk];
    if let Some(evidence) = evidence.filter(|it| verdict.value == Verdict::Ok && !proves.contains(&it.value))
    {
        let reason = format!(
            "evidence: \"{}\" is not enough for an ok: use \"verified\", \"vendor\" or \"quirk\"",
            evidence.value.word()
        );
        fields.complain(evidence.at, reason);
    }
}

pub(super) fn opened(
    fields: &Fields<'_, '_>,
    references: &[At<Reference>],
    evidence: Option<At<EvidenceKind>>,
) {
    let any = references.iter().any(|reference| reference.value.opened);
    let Some(evidence) = evidence.filter(|_| !any && !references.is_empty()) else { return };
    if evidence.value != EvidenceKind::Report {
        let reason = format!(
            "evidence: \"{}\" needs a reference that was opened (opened = true); what nobody could open is a \"report\"",
            evidence.value.word()
        );
        fields.complain(evidence.at, reason);
    }
}

/// A match that is there twice.
pub(super) fn twins(fields: &Fields<'_, '_>, matches: &[At<Match>]) {
    for (index, one) in matches.iter().enumerate() {
        if matches.iter().take(index).any(|earlier| earlier.value.is_like(&one.value)) {
            fields.complain(
                one.at,
                format!("[[match]] of {} is there twice: once is enough", one.value.device),
            );
        }
    }
}

/// A cap has to hold wherever there is doubt, and tables for kernels know nothing but the port above.
pub(super) fn paths(fields: &Fields<'_, '_>, verdict: Option<At<Verdict>>, matches: &[At<Match>]) {
    for one in matches.iter().filter(|one| one.value.path.is_some()) {
        if verdict.is_some_and(|verdict| verdict.value == Verdict::Cap) {
            fields.complain(
                one.at,
                "path: is for an ok; a cap names the port above at most, as bridge = [\"8086:*\"]",
            );
        }
    }
}

pub(super) fn stable_lines(fields: &Fields<'_, '_>, mainline: Option<At<Version>>, stable: &[At<Version>]) {
    for pair in stable.windows(2) {
        if let [earlier, later] = pair
            && later.value.series <= earlier.value.series
        {
            let reason = format!(
                "stable: {} comes after {}: one version per line of the kernel, ascending",
                later.value, earlier.value
            );
            fields.complain(later.at, reason);
        }
    }
    let Some(mainline) = mainline else { return };
    for version in stable.iter().filter(|version| version.value.series >= mainline.value.series) {
        let reason = format!("stable: {} is not below mainline's {}", version.value, mainline.value);
        fields.complain(version.at, reason);
    }
}
