//! Checks the host that a request names. A page on another site cannot read the live page through a name that it points at the
//! loopback address (DNS rebinding).

use std::net::{IpAddr, SocketAddr};

use hyper::Request;

/// Returns whether a request may read a page served at `address`: at a loopback address, it must name the host `localhost` or a
/// loopback address.
pub(super) fn is_allowed<B>(request: &Request<B>, address: SocketAddr) -> bool {
    if !address.ip().is_loopback() {
        return true;
    }
    let mut hosts = request.headers().get_all(http::header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let in_header = host.to_str().ok().and_then(|host| host.parse().ok()).is_some_and(|host| is_local(&host));
    in_header && request.uri().authority().is_none_or(is_local)
}

fn is_local(authority: &http::uri::Authority) -> bool {
    let host = authority.host();
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    !authority.as_str().contains('@') && (host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback()))
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
        is_allowed(&request.body(()).unwrap(), address.parse().unwrap())
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
    fn page_at_another_address_answers_to_all_names() {
        assert!(allowed("0.0.0.0:8089", "/", &["load.example:8089"]));
    }
}
