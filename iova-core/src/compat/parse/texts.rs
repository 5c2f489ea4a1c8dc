//! The rules for texts.

use super::super::report::ReportId;
use super::fields::{At, Fields};

/// Longest sentence, in characters.
const MOST: usize = 200;

pub(super) fn name(fields: &Fields<'_, '_>, name: Option<At<&str>>) {
    let Some(name) = name else { return };
    if plain(fields, "name", name) && (name.value.trim().is_empty() || name.value.chars().count() > 80) {
        fields.complain(name.at, "name: use 1 to 80 characters");
    }
}

pub(super) fn driver(fields: &Fields<'_, '_>, driver: Option<At<&str>>) {
    let Some(driver) = driver else { return };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if driver.value.is_empty() || driver.value.len() > 40 || !driver.value.bytes().all(fits) {
        fields.complain(
            driver.at,
            "driver: use the name of one driver as in /sys/bus/pci/drivers, as in \"ahci\"",
        );
    }
}

/// Sentences for people, each with its full stop.
pub(super) fn sentences(fields: &Fields<'_, '_>, key: &str, text: Option<At<&str>>) {
    let Some(text) = text.filter(|text| plain(fields, key, *text)) else { return };
    let value = text.value;
    if !value.ends_with('.') || value.trim() != value || value.len() < 2 {
        fields.complain(text.at, format!("{key}: use sentences; each ends with a full stop"));
    }
    if let Some(length) =
        value.split_inclusive(". ").map(|one| one.trim().chars().count()).find(|&it| it > MOST)
    {
        let reason = format!("{key}: a sentence has {length} characters; use at most {MOST}");
        fields.complain(text.at, reason);
    }
}

pub(super) fn url(fields: &Fields<'_, '_>, url: Option<At<&str>>) {
    let Some(url) = url else { return };
    let visible = url.value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\`|".contains(&byte));
    let rest = url.value.strip_prefix("https://").or_else(|| url.value.strip_prefix("http://"));
    let web = rest.is_some_and(|rest| {
        let host = rest.split('/').next().unwrap_or_default();
        host.contains('.') && !rest.contains(['<', '>'])
    });
    let message = url.value.strip_prefix("Message-ID:<").and_then(|rest| rest.strip_suffix('>'));
    let message = message.is_some_and(|id| id.contains('@') && !id.contains(['<', '>']));
    let report = url.value.strip_prefix("report:").is_some_and(|id| id.parse::<ReportId>().is_ok());
    if !visible || !(web || message || report) || url.value.len() > MOST {
        let reason = "url: use an address that begins with https:// or http://, Message-ID:<…>, or report:ID of iova report --compat";
        fields.complain(url.at, reason);
    }
}

/// True if nothing in it could take a terminal or a file format by surprise.
fn plain(fields: &Fields<'_, '_>, key: &str, text: At<&str>) -> bool {
    let cleaned = crate::kernel::root::clean(text.value.as_bytes());
    let good = cleaned.chars().eq(text.value.trim().chars());
    if !good {
        fields.complain(
            text.at,
            format!("{key}: has a control character or a line break; use one line of plain text"),
        );
    }
    good
}
