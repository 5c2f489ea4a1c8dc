//! The command line of `iova verify`.

use super::Format;
use crate::duration;
use clap::Args as ClapArgs;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  iova verify nvme0n1 --dry-run            only the conditions; changes nothing
  iova verify nvme0n1                      reads the disk by two paths, at each width
  iova verify nvme0n1 --scratch /dev/nvme0n1p4 --for 1m --hold 1h
  iova verify eth1 -- ./traffic.sh         a NIC needs a peer: the command is the work
  iova verify nvme0n1 --resume             after a crash or a power cut
  iova verify nvme0n1 --close              or put everything back, and end it
  iova verify --boot --bisect --reboot -- ./check.sh    which device of this machine?

Some devices, or bridges before them, drop high address bits and tell nobody.
For each width from 33 bits on, as far as the driver's DMA mask and the IOMMU go,
iova takes the driver away, gives the device a new and empty domain, binds the
driver with the policy dac:N, and lets the device work. Every address it gets then
has bit N-1, which is read back, and nothing is mapped where an address points
that has lost bits: the IOMMU refuses it, and its address names the width.

The work: of a disk, its first 64 MiB are read past the cache and through it, in
eight streams, and both are compared with each other and with what was read at 32
bits. With --scratch, a partition that nobody uses is overwritten with stamped
blocks, and they are read back; nothing else is ever written to. After -- a
command, whose exit code counts. A network card needs one.

The device goes away and comes back at each step. Network settings do not come
back by themselves, unless something on this host sees to that. In the end, also
after Ctrl-C, driver, domain and policy are as they were. What is under way stands
in the state directory (IOVA_STATE_DIR, else /var/lib/iova/verify).

With --boot the question is which device of a machine it is. For one boot all of
them, or those that are named, get the full range before their drivers map
anything; then the machine works (the command after --, or --for), and a fault
whose address is a live one without its high bits names its device. Where nothing
tells, --bisect tries halves. The policies stand on the command line of a kernel
that is loaded with kexec, so whatever ends that boot, the next one is stock. It
needs the module in the initramfs, and the unit iova-boot-trial.service
(docs/boot-trial.md). --resume looks at the boot that is running, and goes on.

The answer says how far, on this path, for how long; it does not say \"good\": what
fails once in a week is not found in an hour.

Needs the kernel module iova_policy, CAP_SYS_ADMIN and CAP_SYS_RAWIO.

Exit codes:
  0  verified up to all the width there is, or that --to asks for; a boot is
     prepared, or nothing was amiss in it
  1  a limit was found, or not all could be proved; a device is named
  2  wrong usage, or a host or device that can't be verified
  3  an internal error";

#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// BDF, driver, network interface, block device, or vendor:device; with --boot any number, or none for all.
    #[arg(value_name = "DEVICE", required_unless_present = "boot")]
    pub(crate) device: Vec<String>,
    /// Only look whether it can be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Go no further than so many bits.
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(33..=57))]
    pub(crate) to: Option<u8>,
    /// How long to work at each width; a command is repeated until then [default: once].
    #[arg(long = "for", value_name = "TIME", value_parser = duration::parse)]
    pub(crate) step: Option<Duration>,
    /// How long at the last width [default: as --for].
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(crate) hold: Option<Duration>,
    /// Overwrite this partition of the disk, which nobody uses.
    #[arg(long, value_name = "PARTITION", conflicts_with = "command")]
    pub(crate) scratch: Option<String>,
    /// Go on with what was cut short.
    #[arg(long, conflicts_with_all = ["dry_run", "to", "step", "hold", "scratch", "command", "close"])]
    pub(crate) resume: bool,
    /// Put everything back after what was cut short, and end it.
    #[arg(long, conflicts_with_all = ["dry_run", "to", "step", "hold", "scratch", "command"])]
    pub(crate) close: bool,
    /// Give devices the full range for one boot, from their drivers' first mapping on, and find out who does not stand it.
    #[arg(long, conflicts_with_all = ["to", "hold", "scratch"])]
    pub(crate) boot: bool,
    /// And try halves, a boot each, until one device is left.
    #[arg(long, requires = "boot")]
    pub(crate) bisect: bool,
    /// Restart into that boot now, into those that follow, and back to stock in the end.
    #[arg(long, requires = "boot", conflicts_with_all = ["resume", "close", "dry_run"])]
    pub(crate) reboot: bool,
    /// Try the device with the root file system as well.
    #[arg(long, requires = "boot", conflicts_with_all = ["resume", "close"])]
    pub(crate) root_disk: bool,
    /// Load nothing: show the command line for a boot by hand.
    #[arg(long, requires = "boot", conflicts_with_all = ["reboot", "close"])]
    pub(crate) print: bool,
    /// With --resume, run the command in a unit of its own (systemd-run), with all of root's rights: for
    /// iova-boot-trial.service, which has few.
    #[arg(long, requires_all = ["boot", "resume"])]
    pub(crate) systemd_run: bool,
    /// The kernel to boot [default: the one that runs, from /boot].
    #[arg(long, value_name = "FILE", requires = "boot")]
    pub(crate) kernel_image: Option<PathBuf>,
    /// Its initramfs.
    #[arg(long, value_name = "FILE", requires = "boot")]
    pub(crate) initrd: Option<PathBuf>,
    /// Output format.
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
    /// What the device is to do at each width.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}
