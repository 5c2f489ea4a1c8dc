//! `iova policy log`: an entry per change, oldest first.

use crate::commands::policy::PolicyLog;
use crate::render::text::page::{Page, Style};
use crate::render::text::short;
use crate::render::when;
use iova_core::policy::history::{Action, Entry, KernelEntry, ToolEntry, What};
use iova_core::policy::{Evidence, Policy};

pub(in crate::render::text) fn write(page: &mut Page, log: &PolicyLog) {
    if log.entries.is_empty() {
        page.line(Style::Plain, "no policy was changed");
    }
    for entry in &log.entries {
        one(page, entry);
    }
    if log.unreadable > 0 {
        let text = format!("{} lines of the history are no entries and were left out", log.unreadable);
        page.wrapped(Style::Warn, "", &text);
    }
}

fn one(page: &mut Page, entry: &Entry) {
    page.put(Style::Dim, &format!("{}Z  ", when::utc(entry.time_ns)));
    match &entry.what {
        What::Kernel(kernel) => by_kernel(page, kernel),
        What::Tool(tool) => by_tool(page, tool),
        What::Gap(gap) => {
            let text =
                format!("records {} to {} were overwritten before they were read", gap.from_seq, gap.to_seq);
            page.wrapped(Style::Warn, "", &text);
        }
    }
}

fn by_kernel(page: &mut Page, entry: &KernelEntry) {
    let name = |policy: Option<Policy>| policy.map_or_else(|| "?".to_owned(), |policy| policy.to_string());
    let change = if entry.old == entry.new {
        name(entry.new)
    } else {
        format!("{} -> {}", name(entry.old), name(entry.new))
    };
    let why = match entry.refusal {
        Some(refusal) => format!("refused ({refusal})"),
        None => entry.cause.what().to_owned(),
    };
    let who = match entry.loginuid {
        Some(login) if login != entry.uid => {
            format!("{}[{}] uid {} (login {login})", entry.comm, entry.pid, entry.uid)
        }
        _ => format!("{}[{}] uid {}", entry.comm, entry.pid, entry.uid),
    };
    let style = if entry.cause.is_hardware() { Style::Bad } else { Style::Plain };
    page.wrapped(style, "", &format!("{} {change}: {why}, by {who}", short(&entry.device.to_string())));
    evidence(page, entry.evidence);
}

fn by_tool(page: &mut Page, entry: &ToolEntry) {
    let (style, what) = action(entry.action);
    page.wrapped(
        style,
        "",
        &format!("{} {}: {what}, by {}", short(&entry.device.to_string()), entry.policy, entry.who),
    );
    if let Some(reason) = &entry.reason {
        page.wrapped(Style::Plain, "    why       ", reason);
    }
    evidence(page, entry.evidence);
}

fn evidence(page: &mut Page, evidence: Option<Evidence>) {
    if let Some(Evidence { address, relation }) = evidence {
        page.wrapped(Style::Bad, "    evidence  ", &format!("fault at {address:#x}: {relation}"));
    }
}

fn action(action: Action) -> (Style, &'static str) {
    match action {
        Action::Try => (Style::Plain, "trial began"),
        Action::Confirm => (Style::Good, "confirmed"),
        Action::Revert => (Style::Plain, "taken back"),
        Action::Quarantine => (Style::Bad, "taken back, and the device put into quarantine"),
        Action::Set => (Style::Plain, "set without a trial"),
        Action::Persist => (Style::Plain, "to be applied at boot"),
        Action::Forget => (Style::Plain, "not to be applied at boot any more"),
        Action::Restore => (Style::Plain, "applied at boot"),
        Action::Skip => (Style::Warn, "not applied at boot"),
        Action::Release => (Style::Plain, "released from quarantine"),
    }
}
