//! Single calls in columns: what is alike stands together, and zstd finds the rest.

use super::wire::{Bytes, Short, put, unzigzag, zigzag};
use crate::sample::{Call, CallKind, Calls};

/// Calls in a frame at most: what a reader holds at once is no more than that.
pub(super) const MOST: usize = 8192;
/// Devices in a frame at most: as many as there can be calls.
const MOST_DEVICES: usize = MOST;

/// The payload of a frame; of `calls.list` only `list`, which is a part of it and no longer than [`MOST`].
pub(super) fn write(calls: &Calls, list: &[Call]) -> Vec<u8> {
    let mut devices: Vec<u64> = list.iter().map(|call| call.dev).collect();
    devices.sort_unstable();
    devices.dedup();
    let mut out = Vec::with_capacity(32 + 12 * list.len());
    for number in [u64::from(calls.sampling), calls.lost, calls.passed, list.len() as u64] {
        put(&mut out, number);
    }
    put(&mut out, devices.len() as u64);
    devices.iter().for_each(|&device| put(&mut out, device));
    let device = |call: &Call| devices.partition_point(|&device| device < call.dev);
    let mut column = |number: &mut dyn FnMut(&Call) -> u64| {
        list.iter().for_each(|call| put(&mut out, number(call)));
    };
    let mut before = 0;
    column(&mut |call| difference(&mut before, call.ns));
    column(&mut |call| device(call) as u64);
    column(&mut |call| call.kind as u64);
    column(&mut |call| call.cpu.into());
    column(&mut |call| call.pages.into());
    // Devices have stretches of their own.
    let mut lasts = vec![0; devices.len()];
    column(&mut |call| {
        let Some(pfn) = call.pfn else { return 0 };
        lasts.get_mut(device(call)).map_or(0, |last| difference(last, pfn))
    });
    column(&mut |call| call.limit_pfn.unwrap_or(0));
    column(&mut |call| call.latency_ns.map_or(0, |ns| u64::from(ns) + 1));
    out
}

pub(super) fn read(payload: &[u8]) -> Result<Calls, Short> {
    let mut bytes = Bytes(payload);
    let sampling = narrow(bytes.take()?)?;
    let (lost, passed) = (bytes.take()?, bytes.take()?);
    let count = within(bytes.take()?, MOST)?;
    let devices = within(bytes.take()?, MOST_DEVICES)?;
    let devices = (0..devices).map(|_| bytes.take()).collect::<Result<Vec<_>, _>>()?;
    // A byte for each number at least: what is too short is refused before memory is taken for it.
    let mut column = || (0..count).map(|_| bytes.take()).collect::<Result<Vec<u64>, Short>>();
    let columns = [column()?, column()?, column()?, column()?, column()?, column()?, column()?, column()?];
    if !bytes.is_empty() {
        return Err(Short);
    }
    let [times, owners, kinds, cpus, pages, pfns, limits, latencies] = columns.map(Vec::into_iter);
    let rows = times.zip(owners).zip(kinds.zip(cpus)).zip(pages.zip(pfns)).zip(limits.zip(latencies));
    let (mut ns, mut lasts) = (0, vec![0; devices.len()]);
    let mut list = Vec::with_capacity(count);
    for ((((time, owner), (kind, cpu)), (pages, pfn)), (limit, latency)) in rows {
        let owner = usize::try_from(owner).map_err(|_| Short)?;
        let kind = CallKind::ALL.into_iter().find(|known| *known as u64 == kind).ok_or(Short)?;
        let last = lasts.get_mut(owner).ok_or(Short)?;
        let (allocates, succeeds) = (kind != CallKind::Free, kind != CallKind::Failed);
        if !(succeeds || pfn == 0) || !(allocates || limit == 0) {
            return Err(Short);
        }
        list.push(Call {
            ns: follow(&mut ns, time),
            kind,
            cpu: narrow(cpu)?,
            dev: *devices.get(owner).ok_or(Short)?,
            pfn: succeeds.then(|| follow(last, pfn)),
            pages: narrow(pages)?,
            limit_pfn: allocates.then_some(limit),
            latency_ns: latency.checked_sub(1).map(narrow).transpose()?,
        });
    }
    Ok(Calls { sampling, lost, passed, list })
}

/// What makes `last` into `now`.
fn difference(last: &mut u64, now: u64) -> u64 {
    zigzag(now.wrapping_sub(std::mem::replace(last, now)).cast_signed())
}

fn follow(last: &mut u64, difference: u64) -> u64 {
    *last = last.wrapping_add(unzigzag(difference).cast_unsigned());
    *last
}

fn narrow(number: u64) -> Result<u32, Short> {
    u32::try_from(number).map_err(|_| Short)
}

fn within(number: u64, most: usize) -> Result<usize, Short> {
    usize::try_from(number).ok().filter(|&number| number <= most).ok_or(Short)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Maps and unmaps of two devices, one of which fails now and then.
    pub(in super::super) fn some(count: u64, from_ns: u64) -> Calls {
        let call = |n: u64| {
            let kind = CallKind::ALL[usize::try_from(n % 3).unwrap()];
            Call {
                ns: from_ns + n * 1000 + n * n % 777,
                kind,
                cpu: (n % 4) as u32,
                dev: 0xffff_8881_0000_0000 + n % 2 * 4096,
                pfn: (kind != CallKind::Failed).then_some(0xf_ffff - n % 50 * 64),
                pages: 1 << (n % 5),
                limit_pfn: (kind != CallKind::Free).then_some((1 << 52) - 1),
                latency_ns: (kind != CallKind::Free && !n.is_multiple_of(7))
                    .then_some(300 + (n * n % 91) as u32),
            }
        };
        Calls { sampling: 16, lost: count / 3, passed: 15 * count, list: (0..count).map(call).collect() }
    }

    #[test]
    fn calls_come_back() {
        let mut odd = some(5, 7);
        odd.list[0] = Call {
            ns: u64::MAX,
            cpu: u32::MAX,
            dev: u64::MAX,
            pfn: Some(u64::MAX),
            pages: u32::MAX,
            limit_pfn: Some(u64::MAX),
            latency_ns: Some(u32::MAX),
            ..odd.list[0]
        };
        for calls in [Calls::default(), some(1, 1 << 60), some(MOST as u64, 5), odd] {
            assert_eq!(read(&write(&calls, &calls.list)).as_ref(), Ok(&calls));
        }
    }

    #[test]
    fn what_was_cut_or_changed_is_refused_or_is_something_else() {
        let calls = some(200, 1 << 40);
        let whole = write(&calls, &calls.list);
        assert!((0..whole.len()).all(|end| read(&whole[..end]).is_err()));
        assert!(read(&[&whole[..], &[0]].concat()).is_err());
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                if let Ok(other) = read(&bytes) {
                    assert_ne!(other, calls, "byte {at}, bit {bit}");
                    assert!(other.list.len() <= MOST);
                }
            }
        }
    }

    #[test]
    fn more_than_a_frame_may_hold_is_refused() {
        let mut out = Vec::new();
        [1, 0, 0, MOST as u64 + 1, 0].into_iter().for_each(|number| put(&mut out, number));
        assert_eq!(read(&out), Err(Short));
    }
}
