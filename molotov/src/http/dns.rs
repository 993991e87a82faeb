//! Resolves host names: overrides first, then IP addresses, then the system's resolver, with a cache.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    num::NonZeroUsize,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use lru::LruCache;
use tokio::sync::oneshot;

#[cfg(feature = "reqwest")]
use super::BoxError;
use super::{Error, ErrorKind, options::TransportOptions, target::Origin};

/// How long a result of the resolver stays in the cache.
const TTL: Duration = Duration::from_secs(30);
/// The maximum number of names in the cache of a thread.
const CACHE_SIZE: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// The result of a lookup: addresses in the order to try them.
type Resolved = Result<Arc<[IpAddr]>, Arc<io::Error>>;
/// When a name was resolved, and its addresses.
type Cached = (Instant, Arc<[IpAddr]>);
/// A lookup that all requests for the same name wait for.
type Lookup = Shared<BoxFuture<'static, Resolved>>;

thread_local! {
    static CACHE: RefCell<LruCache<String, Cached>> = RefCell::new(LruCache::sparse(CACHE_SIZE));
    /// Lookups in progress that requests wait for.
    static LOOKUPS: RefCell<HashMap<String, WeakShared<BoxFuture<'static, Resolved>>>> = RefCell::default();
}

/// Returns the addresses of an origin, in the order to try them. There is at least one.
pub(crate) async fn resolve(origin: &Origin, options: &TransportOptions) -> Result<Vec<SocketAddr>, Error> {
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
    let unknown = |message: String| {
        Error::new(ErrorKind::Dns, message).with_hint("check the name, or give its address in the session's options")
    };
    let host = &origin.host;
    let found = addresses(host)
        .await
        .map_err(|error| unknown(format!("the host `{host}` could not be resolved")).with_source(error))?;
    if found.is_empty() {
        return Err(unknown(format!("the host `{host}` has no address")));
    }
    let wanted = |address: &&IpAddr| options.only_ipv6.is_none_or(|ipv6| address.is_ipv6() == ipv6);
    let found: Vec<_> = found.iter().filter(wanted).map(|address| SocketAddr::new(*address, origin.port)).collect();
    if found.is_empty() {
        return Err(unknown(format!("the host `{host}` has no address of the required family")));
    }
    Ok(found)
}

/// The resolver for `reqwest`.
#[cfg(feature = "reqwest")]
pub(crate) struct Resolver;

#[cfg(feature = "reqwest")]
impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found = addresses(name.as_str()).await.map_err(BoxError::from)?;
            let found: Vec<_> = found.iter().map(|address| SocketAddr::new(*address, 0)).collect();
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Returns the addresses of a name, from the cache or a lookup. Concurrent requests share a lookup.
async fn addresses(host: &str) -> Resolved {
    let known = CACHE.with_borrow_mut(|kept| {
        kept.get(host).filter(|(at, _)| at.elapsed() < TTL).map(|(_, found)| Arc::clone(found))
    });
    match known {
        Some(found) => Ok(found),
        None => lookup(host).await,
    }
}

fn lookup(host: &str) -> Lookup {
    LOOKUPS.with_borrow_mut(|lookups| {
        if let Some(lookup) = lookups.get(host).and_then(WeakShared::upgrade) {
            return lookup;
        }
        // Lookups that no request waits for any more are still in the map.
        lookups.retain(|_, lookup| lookup.upgrade().is_some());
        let lookup = resolve_uncached(host.to_owned()).boxed().shared();
        if let Some(weak) = lookup.downgrade() {
            lookups.insert(host.to_owned(), weak);
        }
        lookup
    })
}

async fn resolve_uncached(host: String) -> Resolved {
    let found = system_resolver(host.clone()).await;
    LOOKUPS.with_borrow_mut(|lookups| lookups.remove(&host));
    let found: Arc<[IpAddr]> = interleave(found.map_err(Arc::new)?.into_iter()).into();
    if !found.is_empty() {
        CACHE.with_borrow_mut(|kept| kept.put(host, (Instant::now(), Arc::clone(&found))));
    }
    Ok(found)
}

/// Calls the system's resolver, which blocks, on a new thread. tokio's `lookup_host` panics if no thread can be started.
async fn system_resolver(host: String) -> io::Result<Vec<IpAddr>> {
    let (done, found) = oneshot::channel();
    let thread = thread::Builder::new().name("molotov-dns".to_owned());
    let started = thread.spawn(move || {
        let addresses = (host.as_str(), 0).to_socket_addrs();
        // The receiver may be gone.
        let _ = done.send(addresses.map(|all| all.map(|address| address.ip()).collect()));
    });
    started.map_err(|error| io::Error::new(error.kind(), format!("cannot start a thread for the lookup: {error}")))?;
    found.await.map_err(io::Error::other)?
}

/// Interleaves the two address families and keeps the order within each (RFC 8305).
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
    fn families_are_interleaved() {
        let given = ["::1", "::2", "::1", "10.0.0.1"].map(|text| text.parse::<IpAddr>().unwrap());
        let wanted = ["::1", "10.0.0.1", "::2"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(interleave(given.into_iter()), wanted);
    }

    #[tokio::test]
    async fn overrides_come_first() {
        let origin = Origin { https: false, host: "nowhere.invalid".into(), port: 81 };
        let mut options = TransportOptions::default();
        options.resolve.insert("nowhere.invalid".into(), vec!["127.0.0.1:0".parse().unwrap()]);
        assert_eq!(resolve(&origin, &options).await.unwrap(), ["127.0.0.1:81".parse().unwrap()]);
        assert_eq!(resolve(&origin, &TransportOptions::default()).await.unwrap_err().kind(), ErrorKind::Dns);
    }

    #[tokio::test]
    async fn addresses_can_be_restricted_to_a_family() {
        let origin = Origin { https: false, host: "localhost".into(), port: 81 };
        let options = TransportOptions { only_ipv6: Some(false), ..TransportOptions::default() };
        assert_eq!(resolve(&origin, &options).await.unwrap(), ["127.0.0.1:81".parse().unwrap()]);
    }

    #[test]
    fn concurrent_requests_share_a_lookup() {
        use std::sync::{Arc, Mutex};
        // The runtime starts a thread for each lookup in progress.
        let threads = Arc::new(Mutex::new(0));
        let started = Arc::clone(&threads);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_start(move || *started.lock().unwrap() += 1)
            .build()
            .unwrap();
        runtime.block_on(async {
            for host in ["localhost", "empty..label"] {
                let origin = Origin { https: false, host: host.into(), port: 81 };
                let options = TransportOptions::default();
                let asked = (0..50).map(|_| resolve(&origin, &options));
                let found = futures_util::future::join_all(asked);
                let by_reqwest = reqwest::dns::Resolve::resolve(&Resolver, host.parse().unwrap());
                let (found, by_reqwest) = tokio::join!(found, by_reqwest);
                let known = host == "localhost";
                assert!(found.iter().all(|found| found.is_ok() == known), "{found:?}");
                assert_eq!(by_reqwest.is_ok(), known);
            }
        });
        assert!(*threads.lock().unwrap() <= 2, "{} threads for two names", threads.lock().unwrap());
    }
}
