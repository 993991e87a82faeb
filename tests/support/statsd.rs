//! A statsd daemon that records the metrics it receives.

use std::{
    collections::BTreeMap,
    net::UdpSocket,
    sync::mpsc::{Receiver, channel},
    thread,
};

/// A statsd daemon that records the lines it receives.
pub struct StatsdDaemon {
    socket: UdpSocket,
    lines: Receiver<String>,
}

impl StatsdDaemon {
    /// Starts a daemon on a free port.
    ///
    /// # Panics
    ///
    /// Panics if no port is free. The thread of the daemon panics if a packet does not fit into an Ethernet frame.
    pub fn start() -> StatsdDaemon {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let receiver = socket.try_clone().expect("the socket is open");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut packet = [0; 65_536];
            while let Ok(length) = receiver.recv(&mut packet) {
                assert!(length <= 1_432, "a packet of {length} bytes does not fit into an Ethernet frame");
                for line in String::from_utf8(packet[..length].to_vec()).expect("text").lines() {
                    if line == "end" || sender.send(line.to_owned()).is_err() {
                        return;
                    }
                }
            }
        });
        StatsdDaemon { socket, lines }
    }

    /// Returns the options with which a run sends its metrics to this daemon.
    ///
    /// # Panics
    ///
    /// Panics if the socket is closed.
    pub fn option(&self) -> String {
        format!("--statsd --statsd-address udp://{}", self.socket.local_addr().expect("the socket is open"))
    }

    /// Returns all lines that were sent. Call it after the sender has ended.
    ///
    /// # Panics
    ///
    /// Panics if the daemon cannot be reached.
    pub fn lines(self) -> Vec<String> {
        // The socket keeps packets in order, so everything that was sent comes before this.
        let end = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        end.send_to(b"end", self.socket.local_addr().expect("the socket is open")).expect("the daemon listens");
        self.lines.iter().collect()
    }
}

/// Returns the sums of the counters, by name.
///
/// # Panics
///
/// Panics if a line is not a metric.
pub fn counters(lines: &[String]) -> BTreeMap<&str, u64> {
    let mut sums = BTreeMap::new();
    for line in lines {
        let (name, rest) = line.split_once(':').expect("a name and a value");
        if let Some(value) = rest.split_once("|c").and_then(|(value, _)| value.parse::<u64>().ok()) {
            *sums.entry(name).or_default() += value;
        }
    }
    sums
}
