//! A guest's kernel log: what it says, whether it is whole, and whether the kernel complained about itself.

use std::fmt;

/// Texts of which one in the kernel log fails a run, even if every test passed.
const SPLATS: [&str; 32] = [
    "------------[ cut here ]------------",
    "BUG: ",
    "kernel BUG at",
    "Call Trace:",
    "Oops: ",
    "general protection fault",
    "double fault",
    "Kernel panic",
    "KASAN: ",
    "UBSAN: ",
    "KFENCE: ",
    "refcount_t: ",
    "list_add corruption",
    "list_del corruption",
    "possible recursive locking",
    "possible circular locking",
    "inconsistent lock state",
    "irq lock inversion dependency",
    "unsafe lock order detected",
    "bad unlock balance detected",
    "held lock freed",
    "lock held when returning",
    "register non-static key",
    "suspicious RCU usage",
    "detected stall",
    "blocked for more than",
    "hard LOCKUP",
    "stack-protector: ",
    "Poison overwritten",
    "Redzone overwritten",
    "Object already free",
    "Objects remaining",
];

/// The first line of what KCSAN has to say.
const RACE: &str = "BUG: KCSAN: ";

/// A kernel log, record by record.
#[derive(Clone, Debug, Default)]
pub(crate) struct KernelLog {
    records: Vec<Record>,
}

#[derive(Clone, Debug)]
struct Record {
    level: u8,
    sequence: u64,
    microseconds: u64,
    text: String,
}

impl KernelLog {
    /// Adds a record in the form of `/dev/kmsg`: `priority,sequence,microseconds,flags;text`, then lines of details.
    pub(crate) fn push(&mut self, raw: &[u8]) {
        let raw = String::from_utf8_lossy(raw);
        let Some((head, text)) = raw.split_once(';') else { return };
        let mut numbers = head.split(',').map(|field| field.parse::<u64>().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let (level, sequence, microseconds) = ((next() & 7) as u8, next(), next());
        let text = text.lines().next().unwrap_or_default().to_owned();
        self.records.push(Record { level, sequence, microseconds, text });
    }

    /// Why nothing can be concluded from this log, if that is so: a scan of half a log proves nothing.
    pub(crate) fn gap(&self) -> Option<String> {
        let Some(first) = self.records.first() else { return Some("the guest sent no kernel log".into()) };
        if first.sequence != 0 {
            return Some(format!("the first {} records of the kernel log were overwritten", first.sequence));
        }
        let missing = self.records.windows(2).find(|pair| pair[1].sequence != pair[0].sequence + 1)?;
        Some(format!("the kernel log has a gap after record {}", missing[0].sequence))
    }

    /// The lines with which the kernel complained about itself.
    pub(crate) fn splats(&self) -> Vec<String> {
        let all = self.records.iter().enumerate();
        let complaints = all.filter(|(index, record)| is_splat(&record.text) && !self.is_others_race(*index));
        complaints.map(|(_, record)| record.to_string()).collect()
    }

    /// True if the report of a data race begins there that names none of our modules: KCSAN finds those of the whole kernel.
    fn is_others_race(&self, index: usize) -> bool {
        let report = self.records[index..].iter().take_while(|record| !record.text.starts_with("====="));
        let is_ours = |text: &str| text.contains("iovp_") || text.contains("[iova_");
        self.records[index].text.contains(RACE) && !report.into_iter().any(|record| is_ours(&record.text))
    }

    /// A line with flags that no CPU can have: bits 22 to 31 of EFLAGS are zero whatever is loaded into them (Intel SDM, volume 1,
    /// 3.4.3). Most likely QEMU's translator has lost them, and the debug exception (the trap flag was among them) is not the
    /// kernel's fault; a saved frame that somebody wrote to would look alike. Seen once, with QEMU 7.2, single-threaded.
    pub(crate) fn impossible_flags(&self) -> Option<String> {
        let is_impossible = |text: &str| {
            let digits = text.split("EFLAGS: ").nth(1).and_then(|rest| rest.get(..8));
            digits
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .is_some_and(|flags| flags >> 22 != 0)
        };
        self.records.iter().find(|record| is_impossible(&record.text)).map(ToString::to_string)
    }

    /// The log from the first complaint on, at most `lines` of it: enough to see the trace.
    pub(crate) fn first_splat(&self, lines: usize) -> Vec<String> {
        let Some(first) = self.splats().into_iter().next() else { return Vec::new() };
        let all = self.records.iter().map(ToString::to_string);
        all.skip_while(|line| *line != first).take(lines).collect()
    }
}

/// The last warnings, for whoever reads why a test failed.
const WARNINGS: usize = 40;

impl KernelLog {
    /// The last lines of warnings and worse.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings: Vec<_> = self.records.iter().filter(|record| record.level <= 4).collect();
        let last = warnings.len().saturating_sub(WARNINGS);
        warnings[last..].iter().map(ToString::to_string).collect()
    }
}

/// Whether with this line the kernel complains about itself.
pub(crate) fn is_splat(line: &str) -> bool {
    SPLATS.iter().any(|splat| line.contains(splat))
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.microseconds / 1_000_000, self.microseconds % 1_000_000);
        write!(f, "<{}>[{seconds:5}.{rest:06}] {}", self.level, self.text)
    }
}

impl fmt::Display for KernelLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.records.iter().try_for_each(|record| writeln!(f, "{record}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_no_cpu_has_are_the_emulators() {
        let mut log = KernelLog::default();
        log.push(b"4,0,1,-;RSP: 0018:ff5e323ec04ebbc0 EFLAGS: 00010246");
        log.push(b"4,1,2,-;no EFLAGS: here");
        assert_eq!(log.impossible_flags(), None);
        log.push(b"4,2,3,-;RSP: 0000:fffffe1aab8a3f28 EFLAGS: 05f83002");
        assert!(log.impossible_flags().is_some_and(|line| line.contains("05f83002")));
    }

    fn log(lines: &[&str]) -> KernelLog {
        let mut log = KernelLog::default();
        lines.iter().for_each(|line| log.push(line.as_bytes()));
        log
    }

    #[test]
    fn a_quiet_kernel_has_no_splats() {
        let log = log(&[
            "5,0,0,-;Linux version 6.12.117",
            "4,1,250000,-;pci 0000:00:05.0: reg 0x10\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:05.0",
            "6,2,1250000,c;DMAR: IOMMU enabled",
        ]);
        assert_eq!((log.gap(), log.splats()), (None, vec![]));
        assert!(log.to_string().ends_with("<6>[    1.250000] DMAR: IOMMU enabled\n"));
        assert!(!log.to_string().contains("SUBSYSTEM"));
        let warnings = log.warnings();
        assert!(warnings.len() == 1 && warnings[0].contains("reg 0x10"), "{warnings:?}");
    }

    #[test]
    fn complaints_are_found() {
        let complaints = [
            "4,0,0,-;------------[ cut here ]------------",
            "4,1,0,-;watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [dd:91]",
            "3,2,0,-;rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "1,3,0,-;BUG: kernel NULL pointer dereference, address: 0000000000000010",
            "4,4,0,-;WARNING: possible circular locking dependency detected",
            "4,5,0,-;BUG: KASAN: slab-use-after-free in iovp_release+0x10/0x80 [iova_policy]",
            "4,6,0,-;WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected",
            "4,7,0,-;UBSAN: shift-out-of-bounds in policy.c:10:20",
            "4,8,0,-;[ BUG: Invalid wait context ]",
            "3,9,0,-;BUG: scheduling while atomic: iova_load/f0/312/0x00000002",
            "3,10,0,-;BUG: sleeping function called from invalid context at kernel/locking/spinlock_rt.c:48",
        ];
        assert_eq!(log(&complaints).splats().len(), complaints.len());
        assert_eq!(log(&complaints).first_splat(2).len(), 2);
    }

    #[test]
    fn only_races_of_our_modules_count() {
        let race = |function: &str| {
            log(&[
                "4,0,0,-;==================================================================",
                "4,1,0,-;BUG: KCSAN: data-race in a / b",
                &format!("4,2,0,-; {function}"),
                "4,3,0,-;==================================================================",
                "4,4,0,-; iovp_stage+0x10/0x80 [iova_policy]",
            ])
        };
        assert_eq!(race("__wake_up_common+0x1/0x2").splats(), Vec::<String>::new());
        assert_eq!(race("iovp_announce+0x10/0x80 [iova_policy]").splats().len(), 1);
    }

    #[test]
    fn half_a_log_proves_nothing() {
        assert!(log(&[]).gap().is_some());
        assert!(log(&["6,7,0,-;late"]).gap().unwrap().contains("first 7"));
        assert!(log(&["6,0,0,-;a", "6,2,0,-;c"]).gap().unwrap().contains("gap after record 0"));
    }
}
