//! The calls themselves.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use iova_common::policy as abi;

/// A structure of the interface: `repr(C)`, without padding, valid for any bytes, `argsz` first.
pub(super) trait Argument: Copy {
    const REQUEST: u32;
    fn set_size(&mut self, bytes: u32);
}

macro_rules! argument {
    ($wrapper:ident, $type:ty, $request:expr) => {
        /// One request and what it takes.
        #[derive(Clone, Copy, Default)]
        #[repr(transparent)]
        pub(super) struct $wrapper(pub(super) $type);

        impl Argument for $wrapper {
            const REQUEST: u32 = $request;
            fn set_size(&mut self, bytes: u32) {
                self.0.argsz = bytes;
            }
        }
    };
}
argument!(Info, abi::Info, abi::IOC_INFO);
argument!(Stage, abi::Stage, abi::IOC_STAGE);
argument!(Renew, abi::Lease, abi::IOC_RENEW);
argument!(Commit, abi::Lease, abi::IOC_COMMIT);
argument!(Status, abi::Lease, abi::IOC_STATUS);
argument!(Abort, abi::Abort, abi::IOC_ABORT);
argument!(Flush, abi::Flush, abi::IOC_FLUSH);

/// Asks; the answer is in `argument`, which the kernel fills also when it refuses.
pub(super) fn call<T: Argument>(file: &File, argument: &mut T) -> io::Result<()> {
    argument.set_size(size_of::<T>() as u32);
    loop {
        // SAFETY: the descriptor is open; `argument` is a valid structure of the size that both the request code and
        // `argsz` name, and any bytes the kernel writes are valid for it.
        let result =
            unsafe { libc::ioctl(file.as_raw_fd(), T::REQUEST as libc::Ioctl, std::ptr::from_mut(argument)) };
        match io::Error::last_os_error() {
            _ if result >= 0 => return Ok(()),
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error => return Err(error),
        }
    }
}

/// One record out of the bytes of `read()`; `None` if they are too few.
pub(super) fn record(bytes: &[u8]) -> Option<abi::Record> {
    let bytes = bytes.get(..size_of::<abi::Record>())?;
    // SAFETY: as many bytes as the structure has; it is made of integers, so any bytes are valid, and the read is
    // unaligned.
    Some(unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) })
}
