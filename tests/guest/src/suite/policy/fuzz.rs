//! Malformed requests and writes, very many of them: each gets an error, and nothing else happens.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, ensure};
use iova_common::policy::{self as abi, Abort, Flush, Lease, Stage};
use iova_guest::random::Random;

use super::device::{self, Device, EDU, NVME};
use super::lease::CONTROL;
use crate::Outcome;

const REQUESTS: usize = 80_000;
const WRITES: usize = 20_000;
const DEVICES: [Device; 2] = [EDU, NVME];

/// What must stay as it is.
fn state() -> Result<Vec<String>> {
    let one = |device: &Device| {
        let parts = ["policy", "cap", "effective", "generation", "held"].map(|name| device.get(name));
        Ok(parts.into_iter().collect::<Result<Vec<_>>>()?.join(", "))
    };
    DEVICES.iter().map(one).collect()
}

pub(super) fn requests() -> Result<Outcome> {
    device::module()?;
    let before = state()?;
    let control = File::options().read(true).write(true).open(CONTROL).context(CONTROL)?;
    let mut random = Random::new(0x10c71);
    for number in 0..REQUESTS {
        send_malformed(&control, &mut random).with_context(|| format!("request {number}"))?;
    }
    unchanged(&before)
}

/// Sends one, which has to be refused.
pub(super) fn send_malformed(control: &File, random: &mut Random) -> Result<()> {
    let (request, mut data) = malformed(random);
    let pointer = pointer(random, &mut data);
    // SAFETY: the module may write what the structure's own size says, which is never more than the buffer has;
    // the pointers that are no buffer of ours are not mapped.
    let result = unsafe { libc::ioctl(control.as_raw_fd(), request as libc::Ioctl, pointer) };
    let error = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    ensure!(result == -1, "{request:#x} {:x?}, returned {result}", &data.0[..12]);
    ensure!(expected(error), "{request:#x} {:x?}: errno {error}", &data.0[..12]);
    Ok(())
}

/// A buffer longer than any structure of the ABI, aligned like one.
#[repr(align(8))]
struct Data([u32; 128]);

/// A request with at least one thing wrong.
fn malformed(random: &mut Random) -> (u32, Data) {
    let mut data = Data([0; 128]);
    let known = abi::REQUESTS;
    if random.below(8) == 0 {
        // A number, size, direction or type that is none of ours.
        let request = random.next() as u32;
        return (if known.contains(&request) { 0 } else { request }, data);
    }
    let request = random.pick(&known);
    data.0.iter_mut().for_each(|word| *word = random.next() as u32);
    // With a good size and good flags the rest is looked at. INFO takes nothing else.
    let sound = request != abi::IOC_INFO && random.below(4) != 0;
    data.0[0] = if sound { request >> 16 & 0x3fff } else { random.below(8) as u32 };
    if sound {
        data.0[1] = 0;
        body(request, &mut data, random);
    }
    (request, data)
}

/// Everything that a structure has after its flags. Words are numbered as in the header.
fn body(request: u32, data: &mut Data, random: &mut Random) {
    let device = random.pick(&DEVICES).number();
    match request {
        abi::IOC_STAGE => stage(device, data, random),
        abi::IOC_FLUSH => {
            assert!(data.0[0] as usize == size_of::<Flush>());
            // No such device, or flags that there are not, or the reserved word is not 0.
            match random.below(3) {
                0 => data.0[2] = 0x00ff_0000 | random.next() as u32,
                1 => (data.0[1], data.0[2]) = (1 << (2 + random.below(30)), device),
                _ => (data.0[1], data.0[2], data.0[3]) = (1, device, 1 + random.below(1000) as u32),
            }
        }
        // A lease that nobody has; the cookie is random, or small.
        _ => {
            assert!([size_of::<Lease>(), size_of::<Abort>()].contains(&(data.0[0] as usize)));
            if random.below(2) == 0 {
                (data.0[2], data.0[3]) = (random.below(64) as u32, 0);
            }
            if random.below(4) == 0 {
                data.0[1] = 1 << (1 + random.below(31));
            }
        }
    }
}

fn stage(device: u32, data: &mut Data, random: &mut Random) {
    assert!(data.0[0] as usize == size_of::<Stage>());
    let [_, flags, bdf, generation, kind, width, window, lease] = &mut data.0[..8] else { return };
    (*bdf, *generation, *kind, *width, *window, *lease) = (device, 0, abi::kind::DAC, 40, 0, 10_000);
    match random.below(7) {
        0 => *flags = 1 << (4 + random.below(28)),
        1 => *bdf = 0x00ff_0000 | random.next() as u32,
        2 => *generation = 0x8000_0000 | random.next() as u32,
        3 => *kind = 3 + random.below(1 << 20) as u32,
        4 => *width = random.pick(&[0, 1, 31, 32, 58, 63, 64, 65, 1 << 16 | 40, u32::MAX]),
        5 => (*kind, *width) = (abi::kind::CAP, random.pick(&[0, 1, 31, 64, 1 << 16 | 36, u32::MAX])),
        _ => *lease = random.pick(&[0, u32::MAX]),
    }
}

/// The structure, or now and then an address at which there is none, or only its beginning.
fn pointer(random: &mut Random, data: &mut Data) -> *mut u32 {
    match random.below(16) {
        0 => std::ptr::null_mut(),
        1 => std::ptr::without_provenance_mut(0xffff_8880_0000_0000),
        2 => std::ptr::without_provenance_mut(random.below(4096)),
        _ => data.0.as_mut_ptr(),
    }
}

/// Errors that have a meaning in this ABI.
fn expected(errno: i32) -> bool {
    [
        libc::EINVAL,
        libc::EFAULT,
        libc::ENOTTY,
        libc::ENODEV,
        libc::ENOENT,
        libc::ESTALE,
        libc::ERANGE,
        libc::EOPNOTSUPP,
        libc::EPERM,
        libc::EBUSY,
    ]
    .contains(&errno)
}

pub(super) fn files() -> Result<Outcome> {
    device::module()?;
    let before = state()?;
    let mut random = Random::new(0xf11e5);
    for number in 0..WRITES {
        let device = random.pick(&DEVICES);
        let name = match random.below(10) {
            0..3 => "policy",
            3..5 => "cap",
            _ => random.pick(&device::FILES),
        };
        let text = nonsense(name, &mut random);
        let path = device.path("iova_policy").join(name);
        // As root one may open a file for writing whatever its mode is.
        let result = File::options().write(true).open(&path).and_then(|mut file| file.write(&text));
        ensure!(result.is_err(), "write {number}: {name} took {:?}", String::from_utf8_lossy(&text));
    }
    DEVICES.iter().try_for_each(|device| device.must("state", "idle"))?;
    unchanged(&before)
}

/// Something that the file must not take.
fn nonsense(name: &str, random: &mut Random) -> Vec<u8> {
    const POLICIES: [&str; 26] = [
        "dac",
        "dac:",
        "dac:32",
        "dac:58",
        "dac:-1",
        "dac:040x",
        "dac: 40",
        "dac:40 cap:36",
        "dac:4294967336",
        "dac:99999999999999999999",
        "cap",
        "cap:",
        "cap:0",
        "cap:31",
        "cap:64",
        "cap:+36",
        "cap:36,",
        "DAC:40",
        "Stock",
        "stock stock",
        "stocks",
        "strict",
        "strict33",
        "0",
        "idle",
        "dac:40\nstock",
    ];
    let mut text = match random.below(3) {
        0 => (0..1 + random.below(5000)).map(|_| random.next() as u8 | 0x80).collect(),
        1 => (0..1 + random.below(20)).map(|_| b'A' + random.below(26) as u8).collect(),
        _ => random.pick(&POLICIES).as_bytes().to_vec(),
    };
    match name {
        "cap" if random.below(2) == 0 => {
            text = random.pick(&["1", "31", "64", "-36", "36x", "0x", "1e2"]).into()
        }
        // The one word that it takes.
        "state" if text == b"idle" => text = b"idle!".to_vec(),
        // Lifts nothing, but is a number that it takes.
        "cap" if text == b"0" => text = b"00x".to_vec(),
        _ => {}
    }
    text
}

fn unchanged(before: &[String]) -> Result<Outcome> {
    let after = state()?;
    ensure!(after == before, "{before:?} has become {after:?}");
    Ok(Outcome::Passed)
}
