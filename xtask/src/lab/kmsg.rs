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
        self.records.iter().filter(|record| is_splat(&record.text)).map(ToString::to_string).collect()
    }

    /// The log from the first complaint on, at most `lines` of it: enough to see the trace.
    pub(crate) fn first_splat(&self, lines: usize) -> Vec<String> {
        let Some(first) = self.splats().into_iter().next() else { return Vec::new() };
        let all = self.records.iter().map(ToString::to_string);
        all.skip_while(|line| *line != first).take(lines).collect()
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
        ];
        assert_eq!(log(&complaints).splats().len(), complaints.len());
        assert_eq!(log(&complaints).first_splat(2).len(), 2);
    }

    #[test]
    fn half_a_log_proves_nothing() {
        assert!(log(&[]).gap().is_some());
        assert!(log(&["6,7,0,-;late"]).gap().unwrap().contains("first 7"));
        assert!(log(&["6,0,0,-;a", "6,2,0,-;c"]).gap().unwrap().contains("gap after record 0"));
    }
}
