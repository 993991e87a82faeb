//! The address in `--web`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
};

use super::InvalidValue;

/// The address at which the live page of a run is served: `8089`, `127.0.0.1:8089`, `[::1]:8089`.
///
/// A port alone is one of the loopback address `127.0.0.1`, which only programs on the same machine can reach. The port 0 is a free
/// one.
///
/// ```
/// # use molotov::options::WebAddress;
/// let address: WebAddress = "8089".parse()?;
/// assert_eq!(address.to_string(), "127.0.0.1:8089");
/// assert_eq!(address, WebAddress::from(8089));
/// assert!("0.0.0.0".parse::<WebAddress>().is_err());
/// # Ok::<(), molotov::options::InvalidValue>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WebAddress(SocketAddr);

impl WebAddress {
    /// Returns the IP address and the port.
    pub fn socket_address(self) -> SocketAddr {
        self.0
    }

    /// Checks that the live page is available.
    ///
    /// # Errors
    ///
    /// If the crate was built without the feature `web`.
    pub(crate) fn check(&self) -> Result<(), InvalidValue> {
        match cfg!(feature = "web") {
            true => Ok(()),
            false => Err(crate::missing::missing("there is no live page", "web").into()),
        }
    }
}

/// A port of `127.0.0.1`.
impl From<u16> for WebAddress {
    fn from(port: u16) -> WebAddress {
        WebAddress((Ipv4Addr::LOCALHOST, port).into())
    }
}

impl From<SocketAddr> for WebAddress {
    fn from(address: SocketAddr) -> WebAddress {
        WebAddress(address)
    }
}

impl FromStr for WebAddress {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<WebAddress, InvalidValue> {
        let text = text.trim();
        if let Ok(port) = text.parse::<u16>() {
            return Ok(port.into());
        }
        if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok()) {
            return Ok(port.into());
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(WebAddress(address));
        }
        let bare = text.trim_matches(['[', ']']).parse::<IpAddr>();
        Err(match bare.map(|ip| SocketAddr::new(ip, 8089)) {
            Ok(example) => format!("the port is missing: `{example}`").into(),
            Err(_) => "write a port, or an IP address and a port: `8089`, `127.0.0.1:8089`".into(),
        })
    }
}

impl TryFrom<&str> for WebAddress {
    type Error = InvalidValue;

    fn try_from(text: &str) -> Result<WebAddress, InvalidValue> {
        text.parse()
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_the_loopback_address() {
        for (text, address) in [
            ("8089", "127.0.0.1:8089"),
            ("0", "127.0.0.1:0"),
            ("localhost:8089", "127.0.0.1:8089"),
            ("127.0.0.1:8089", "127.0.0.1:8089"),
            ("[::1]:8089", "[::1]:8089"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(text.parse::<WebAddress>().unwrap().to_string(), address);
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in ["", ":8089", "host:8089", "70000", "-1", "127.0.0.1:99999", "http://127.0.0.1:8089"] {
            let error = text.parse::<WebAddress>().unwrap_err().to_string();
            assert_eq!(error, "write a port, or an IP address and a port: `8089`, `127.0.0.1:8089`", "{text}");
        }
        let error = |text: &str| text.parse::<WebAddress>().unwrap_err().to_string();
        assert_eq!(error("0.0.0.0"), "the port is missing: `0.0.0.0:8089`");
        assert_eq!(error("[::1]"), "the port is missing: `[::1]:8089`");
    }
}
