//! docs/compat.md.

use super::super::pattern::{Match, revision_text};
use super::super::record::Record;
use super::super::words::Verdict;

const HEAD: &str = "\
# Which device may use how wide addresses

<!-- Made from compat/*.toml: `UPDATE_DOCS=1 cargo test -p iova-core compat` writes this page anew. -->

A device that drops high address bits works for years, because the kernel hands out addresses below 4 GiB first; with a
wider policy it writes where it should not. This list says which devices must not get addresses of more than so many bits (a
cap), and which are verified good up to so many (ok). It is built into `iova`; `iova compat check` says what it means for a
host. **A device that is not here is not known to be good.**

- A cap may be put in force by anybody who enables the list, because it only narrows. Where this page says *told only*, it
  is not: nobody could open a reference, or the module has no such width, or the device needs high addresses.
- An ok widens nothing by itself: that takes a word of the administrator for the very device.
- \"Kernels that know\" keep to the width by themselves, because the driver's mask has it there. Where a driver is bound,
  `iova` looks at its mask instead of believing versions.
- Records of your own stand in `/etc/iova/compat.d/*.toml`, in the same format. A cap there is a quarantine: no ok of this
  list counts for the device any more. Of several caps the narrowest counts. A file named like one of this list takes its
  place.

";

const FOOT: &str = "\
## Files for a distribution

`iova compat build --format hwdb` and `--format rules` make `60-iova-policy.hwdb` and `61-iova-policy.rules` for udev. The
rules write caps to the module `iova_policy`, if `/etc/iova/apply-caps` exists, when a device appears: before its driver is
loaded, if that is a module. A driver that is built in or loaded already binds before any rule; for it, bind anew, or boot
with a narrower range. A local hwdb file may quarantine a device (`ID_IOVA_QUARANTINE=36`) or let it use what is verified
(`ID_IOVA_APPLY=1`).

Where there is no udev, or not yet (an initramfs), the module keeps to the caps by itself: `--format c` makes
`iova-kmod/iova_policy_list.h`, which is built into it and does nothing until the administrator enables it with
`options iova_policy list=1` in `/etc/modprobe.d/`. Of this cap and one that a rule writes, the narrower counts. Local records
are not in it, unless the module is built with a table of one's own (`--list DIR`).

`--format json` is everything, for programs.

## Records from reports

`iova report --compat` makes a file of what a host has seen of its devices' widths, and of nothing else; `iova compat merge`
makes proposals for this list of many such files, by rules. [compat-reports.md](compat-reports.md) has the rules, and says
what is in such a file and what never is.

## A record

One file `compat/MAKER-PART.toml`; `iova compat lint compat/` names every mistake with its line.

```toml
name = \"Example EX1 SATA\"        # what people call it
driver = \"ahci\"                  # optional
verdict = \"cap\"                  # cap: never more bits; ok: verified good up to so many
width = 43                       # bits: cap 24 to 63, ok 33 to 57
failure = \"truncated\"            # cap only: what goes wrong above
evidence = \"quirk\"               # quirk, declared, report, verified, vendor; an ok needs verified, vendor or quirk
note = \"Drops bits 43 and up.\"   # one or two sentences

[[match]]                        # one or more: a device that fits any
device = \"1b21:0612\"             # vendor:device; the device may be *
subsystem = \"1b21:1060\"          # optional
revision = \"00-10\"               # optional: one or a range
class = \"0106\"                   # optional: what the PCI class begins with
bridge = [\"8086:*\"]              # optional: only where the port above is one of these
path = [\"1022:43c7\", \"1022:1483\"]  # an ok only, instead of bridge: all bridges above, up to the root bus; [] is on it

[kernels]                        # optional: which kernels know by themselves
mainline = \"6.8\"
stable = [\"6.1.75\", \"6.6.14\"]

[[reference]]                    # one or more
url = \"https://git.kernel.org/torvalds/c/20730e9b2778\"  # or Message-ID:<...>, or report:ID of a host's report
says = \"What was read there.\"
opened = true                    # false: known from elsewhere; says tells from where
```
";

/// The page.
pub fn markdown(records: &[&Record]) -> String {
    let mut records = records.to_vec();
    records.sort_by(|a, b| a.id.cmp(&b.id));
    let of = |verdict: Verdict| records.iter().copied().filter(move |record| record.verdict == verdict);
    let mut text = HEAD.to_owned();
    text += &section("Caps", of(Verdict::Cap).collect());
    text += &section("Verified good", of(Verdict::Ok).collect());
    text += "## Each record\n\n";
    records.iter().for_each(|record| text += &one(record));
    text + FOOT
}

fn section(title: &str, records: Vec<&Record>) -> String {
    if records.is_empty() {
        return format!("## {title}\n\nNone yet.\n\n");
    }
    let mut text = format!(
        "## {title}\n\n| bits | device | because | rests on | kernels that know |\n|---|---|---|---|---|\n"
    );
    for record in records {
        let told = record.verdict == Verdict::Cap && !record.is_applied();
        let because = record.failure.map_or("", |failure| failure.what());
        text += &format!(
            "| {}{} | [{}](#{}) | {because} | {} | {} |\n",
            record.width,
            if told { ", told only" } else { "" },
            cell(&record.name),
            record.id,
            record.evidence.what(),
            kernels(record)
        );
    }
    text + "\n"
}

fn kernels(record: &Record) -> String {
    let Some(kernels) = &record.kernels else { return "none".to_owned() };
    let stable: Vec<String> = kernels.stable.iter().map(ToString::to_string).collect();
    let stable = if stable.is_empty() { String::new() } else { format!("; {}", stable.join(", ")) };
    format!("{}{stable}", kernels.mainline)
}

fn one(record: &Record) -> String {
    let mut text = format!("### {}\n\n{}. {}\n\n", record.id, cell(&record.name), record.note);
    if let Some(driver) = &record.driver {
        text += &format!("- driver `{driver}`\n");
    }
    record.matches.iter().for_each(|it| text += &format!("- {}\n", device(it)));
    for reference in &record.references {
        let unread = if reference.opened { "" } else { " (not opened)" };
        text += &format!("- <{}>{unread}: {}\n", reference.link(), reference.says);
    }
    text + "\n"
}

fn device(it: &Match) -> String {
    let mut parts = vec![format!("`{}`", it.device)];
    parts.extend(it.subsystem.map(|id| format!("subsystem `{id}`")));
    parts.extend(it.revision.as_ref().map(|range| format!("revision `{}`", revision_text(range))));
    parts.extend(it.class.as_ref().map(|class| format!("class `{}`", class.digits())));
    if !it.bridge.is_empty() {
        let ports: Vec<String> = it.bridge.iter().map(|id| format!("`{id}`")).collect();
        parts.push(format!("behind {}", ports.join(" or ")));
    }
    if let Some(path) = &it.path {
        let ids: Vec<String> = path.iter().map(|id| format!("`{id}`")).collect();
        parts.push(if ids.is_empty() {
            "on a root bus".to_owned()
        } else {
            format!("behind exactly {}", ids.join(", then "))
        });
    }
    parts.join(", ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
