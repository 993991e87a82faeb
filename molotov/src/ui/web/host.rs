//! Checks the host that a request names, and the site that it comes from. A page on another site cannot read the live page through
//! a name that it points at this machine (DNS rebinding).

use std::net::{IpAddr, SocketAddr};

use http::uri::Authority;
use hyper::Request;

/// The hosts that requests may name.
pub(super) struct Hosts {
    /// Whether only this machine can reach the page.
    is_loopback: bool,
    /// The host name of this machine.
    machine: String,
}

impl Hosts {
    /// Returns the hosts of a page that is served at `address`.
    pub(super) fn of(address: SocketAddr) -> Hosts {
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Hosts { is_loopback: address.ip().is_loopback(), machine }
    }

    /// Returns whether a request may read the page: it must name the host `localhost`, an IP address, or this machine. At a loopback
    /// address, it must name `localhost` or a loopback address.
    pub(super) fn allow<B>(&self, request: &Request<B>) -> bool {
        let mut hosts = request.headers().get_all(http::header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let in_header = host.to_str().ok().and_then(|host| host.parse().ok()).is_some_and(|host| self.contain(&host));
        in_header && request.uri().authority().is_none_or(|authority| self.contain(authority))
    }

    /// Says which hosts are allowed.
    pub(super) fn names(&self) -> &'static str {
        match self.is_loopback {
            true => "This page answers only to the names localhost, 127.0.0.1 and [::1].\n",
            false => "This page answers only to IP addresses, localhost and the host name of its machine.\n",
        }
    }

    fn contain(&self, authority: &Authority) -> bool {
        let host = authority.host();
        let is_name = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => !self.is_loopback || ip.is_loopback(),
            Err(_) => {
                let is_machine = !self.is_loopback && host.eq_ignore_ascii_case(&self.machine);
                is_machine || host.eq_ignore_ascii_case("localhost")
            }
        };
        is_name && !authority.as_str().contains('@')
    }
}

/// Returns whether a page of another site has sent the request. A link that a person follows is allowed.
pub(super) fn is_embedded_elsewhere<B>(request: &Request<B>) -> bool {
    let is = |name, value| request.headers().get(name).is_some_and(|header| header == value);
    is("sec-fetch-site", "cross-site") && !is("sec-fetch-dest", "document")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn allowed(address: &str, uri: &str, hosts: &[&str]) -> bool {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        let hosts = Hosts { machine: "load".to_owned(), ..Hosts::of(address.parse().unwrap()) };
        hosts.allow(&request.body(()).unwrap())
    }

    #[test]
    fn loopback_page_answers_only_to_local_names() {
        for host in
            ["localhost", "LOCALHOST:8089", "127.0.0.1:8089", "127.0.0.2", "[::1]:8089", "[::1]", "localhost:9000"]
        {
            assert!(allowed("127.0.0.1:8089", "/", &[host]), "{host}");
            assert!(allowed("[::1]:8089", "/", &[host]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8089",
            "localhost.evil.example",
            "localhost@evil.example",
            "10.0.0.1",
            "load",
            "",
            "a b",
        ] {
            assert!(!allowed("127.0.0.1:8089", "/", &[host]), "{host}");
        }
        assert!(!allowed("127.0.0.1:8089", "/", &[]));
        assert!(!allowed("127.0.0.1:8089", "/", &["localhost", "evil.example"]));
        assert!(!allowed("127.0.0.1:8089", "http://evil.example/", &["localhost"]));
        assert!(allowed("127.0.0.1:8089", "http://localhost:8089/", &["localhost:8089"]));
    }

    #[test]
    fn page_at_another_address_answers_to_addresses_and_the_name_of_the_machine() {
        for host in ["LOAD:8089", "localhost:8089", "192.0.2.7:8089", "[2001:db8::7]:8089", "127.0.0.1"] {
            assert!(allowed("0.0.0.0:8089", "/", &[host]), "{host}");
            assert!(allowed("192.0.2.7:8089", "/", &[host]), "{host}");
        }
        for host in ["evil.example:8089", "load.evil.example", "evil@load", ""] {
            assert!(!allowed("0.0.0.0:8089", "/", &[host]), "{host}");
        }
        assert!(!allowed("0.0.0.0:8089", "/", &[]));
    }

    #[test]
    fn other_sites_can_only_link_to_the_page() {
        let embedded = |site: &str, dest: &str| {
            let request = Request::builder().header("sec-fetch-site", site).header("sec-fetch-dest", dest);
            is_embedded_elsewhere(&request.body(()).unwrap())
        };
        assert!(embedded("cross-site", "image") && embedded("cross-site", "empty") && embedded("cross-site", "iframe"));
        assert!(
            !embedded("cross-site", "document") && !embedded("same-origin", "empty") && !embedded("none", "document")
        );
    }
}
