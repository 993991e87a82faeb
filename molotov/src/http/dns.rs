//! Names to addresses: literals at once, overrides next, then the system's resolver, remembered for a while.

use std::{
    cell::RefCell,
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use super::{Error, ErrorKind, target::Origin, wire::WireOptions};

/// How long an answer of the resolver is used.
const REMEMBERED: Duration = Duration::from_secs(30);
const KEPT: usize = 1024;

/// When a name was resolved, and to what.
type Answer = (Instant, Rc<[IpAddr]>);

thread_local! {
    static ANSWERS: RefCell<HashMap<String, Answer>> = RefCell::default();
}

/// The addresses of an origin, in the order in which they shall be tried; never empty.
pub(crate) async fn resolve(origin: &Origin, options: &WireOptions) -> Result<Vec<SocketAddr>, Error> {
    if let Some(addresses) = options.resolve.get(&origin.host).filter(|addresses| !addresses.is_empty()) {
        let with_port = |address: &SocketAddr| match address.port() {
            0 => SocketAddr::new(address.ip(), origin.port),
            _ => *address,
        };
        return Ok(addresses.iter().map(with_port).collect());
    }
    if let Ok(address) = origin.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, origin.port)]);
    }
    let known = ANSWERS.with_borrow(|kept| {
        kept.get(&origin.host).filter(|(at, _)| at.elapsed() < REMEMBERED).map(|(_, found)| Rc::clone(found))
    });
    let found = match known {
        Some(found) => found,
        None => ask(&origin.host).await?,
    };
    Ok(found.iter().map(|address| SocketAddr::new(*address, origin.port)).collect())
}

async fn ask(host: &str) -> Result<Rc<[IpAddr]>, Error> {
    let unknown = |message: String| {
        Error::new(ErrorKind::Dns, message).with_hint("check the name, or give its address in the session's options")
    };
    let found = tokio::net::lookup_host((host, 0))
        .await
        .map_err(|error| unknown(format!("the host `{host}` could not be resolved")).with_source(error))?;
    let found = interleave(found.map(|address| address.ip()));
    if found.is_empty() {
        return Err(unknown(format!("the host `{host}` has no address")));
    }
    let found: Rc<[IpAddr]> = found.into();
    ANSWERS.with_borrow_mut(|kept| {
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(host.to_owned(), (Instant::now(), Rc::clone(&found)));
    });
    Ok(found)
}

/// The resolver's order, the two families taking turns (RFC 8305).
fn interleave(found: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut unique = Vec::new();
    for address in found {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let Some(first) = unique.first().map(IpAddr::is_ipv6) else { return unique };
    let (same, other): (Vec<_>, Vec<_>) = unique.into_iter().partition(|address| address.is_ipv6() == first);
    let mut out = Vec::with_capacity(same.len() + other.len());
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    loop {
        let before = out.len();
        out.extend(same.next());
        out.extend(other.next());
        if out.len() == before {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn families_take_turns() {
        let given = ["::1", "::2", "::1", "10.0.0.1"].map(|text| text.parse::<IpAddr>().unwrap());
        let wanted = ["::1", "10.0.0.1", "::2"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(interleave(given.into_iter()), wanted);
    }

    #[tokio::test]
    async fn overrides_come_first() {
        let origin = Origin { https: false, host: "nowhere.invalid".into(), port: 81 };
        let mut options = WireOptions::default();
        options.resolve.insert("nowhere.invalid".into(), vec!["127.0.0.1:0".parse().unwrap()]);
        assert_eq!(resolve(&origin, &options).await.unwrap(), ["127.0.0.1:81".parse().unwrap()]);
        assert_eq!(resolve(&origin, &WireOptions::default()).await.unwrap_err().kind(), ErrorKind::Dns);
    }
}
