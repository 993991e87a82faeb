//! The number of bytes that must arrive on a socket before its task is woken.
//!
//! A server sends a large body in many parts. Waking a task to read each of them takes longer than reading all of them at once, and the
//! parts that have been read wait in memory that is no longer in the caches when the last one arrives.
#![allow(unsafe_code, reason = "a system call; the block says why it is sound")]

use std::io;

use tokio::net::TcpStream;

/// The low-water mark of a socket, which the system keeps until it is set again. Zero is the default of one byte.
#[derive(Debug, Default)]
pub(super) struct LowWater(usize);

impl LowWater {
    /// Has the task woken when `bytes` can be read, or the connection ends. If the system refuses that, each part wakes it.
    ///
    /// Call this again after reading some of the bytes: with the old mark, the rest would never be enough.
    pub(super) fn raise(&mut self, stream: &TcpStream, bytes: usize) {
        if self.0 != bytes && set(stream, bytes).is_ok() {
            self.0 = bytes;
        }
    }

    /// Has the task woken for each byte again.
    pub(super) fn reset(&mut self, stream: &TcpStream) -> io::Result<()> {
        if self.is_raised() {
            set(stream, 1)?;
            self.0 = 0;
        }
        Ok(())
    }

    /// Returns whether the task waits for more than one byte.
    pub(super) fn is_raised(&self) -> bool {
        self.0 != 0
    }
}

#[cfg(target_os = "linux")]
fn set(stream: &TcpStream, bytes: usize) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: the descriptor is open, and the system copies an integer of the given size.
    let result = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const bytes).cast(),
            size_of_val(&bytes) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn set(_: &TcpStream, _: usize) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
