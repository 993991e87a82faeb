//! Counts the open files of the process.
#![allow(
    unsafe_code,
    reason = "a descriptor known by its number only can be asked in no other way; the block says why it holds"
)]

use std::os::fd::{BorrowedFd, RawFd};

use rustix::net::{AddressFamily, SocketType, getpeername, sockopt::socket_type};

/// Counts the open files of this process, and the TCP connections among them. Both are 0 if the system does not list them.
pub(super) fn opened() -> (u64, u64) {
    let Ok(listed) = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd")) else {
        return (0, 0);
    };
    let (mut files, mut connections) = (0, 0);
    for number in listed.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        files += 1;
        connections += u64::from(is_connection(number));
    }
    // One of them is the listing itself.
    (u64::saturating_sub(files, 1), connections)
}

/// Returns whether a descriptor is a connected TCP socket.
fn is_connection(number: RawFd) -> bool {
    // SAFETY: the descriptor was listed as open. It is queried twice, and never read, written or closed. If it has been closed
    // meanwhile, the queries return errors; if another one has taken its place, that one is counted.
    let file = unsafe { BorrowedFd::borrow_raw(number) };
    let family = getpeername(file).ok().flatten().map(|peer| peer.address_family());
    matches!(family, Some(AddressFamily::INET | AddressFamily::INET6)) && socket_type(file) == Ok(SocketType::STREAM)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn counts_connections_separately_from_other_files() {
        let before = opened();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.connect(listener.local_addr().unwrap()).unwrap();
        let connections: Vec<_> =
            (0..30).map(|_| TcpStream::connect(listener.local_addr().unwrap()).unwrap()).collect();
        let after = opened();
        // With `cargo test`, other tests of this process open and close files meanwhile.
        assert!(after.1 >= before.1 + 25, "{before:?} then {after:?}");
        assert!(after.0 >= before.0 + 27, "{before:?} then {after:?}");
        use std::os::fd::AsRawFd;
        assert!(is_connection(connections[0].as_raw_fd()));
        assert!(!is_connection(listener.as_raw_fd()) && !is_connection(udp.as_raw_fd()));
    }
}
