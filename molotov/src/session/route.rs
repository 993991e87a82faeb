//! How a single request connects, where it does not as its session does.

use std::{cell::RefCell, rc::Rc};

use super::{SessionOptions, transport::HttpTransport};
#[cfg(feature = "reqwest")]
use crate::http::ErrorKind;
use crate::http::{Error, tls::TlsOptions};

/// The most routes of a session that keep their connections.
const MOST: usize = 64;

/// What a request asks of its connections beyond the session's options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) tls: TlsOptions,
    pub(crate) server_name: Option<String>,
    pub(crate) proxy: Option<Proxy>,
}

/// A proxy, with user and password where it asks for them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    pub(crate) login: Option<(String, String)>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proxy(..)")
    }
}

/// The transports of a session's routes, each with connections of its own.
#[derive(Default)]
pub(crate) struct Routes(RefCell<Vec<(Rc<Route>, Rc<HttpTransport>)>>);

impl Routes {
    /// The transport of a route; the one used least recently makes room.
    pub(crate) fn transport(&self, route: &Rc<Route>, options: &SessionOptions) -> Result<Rc<HttpTransport>, Error> {
        let mut known = self.0.borrow_mut();
        let transport = match known.iter().position(|(other, _)| Rc::ptr_eq(other, route) || other == route) {
            Some(index) => known.remove(index).1,
            None => {
                if known.len() >= MOST {
                    known.remove(0);
                }
                Rc::new(HttpTransport::new(&options_of(route, options)?)?)
            }
        };
        known.push((Rc::clone(route), Rc::clone(&transport)));
        Ok(transport)
    }
}

fn options_of(route: &Route, options: &SessionOptions) -> Result<SessionOptions, Error> {
    let mut options = options.clone();
    options.transport_options.tls = route.tls.clone();
    options.transport_options.server_name = route.server_name.clone();
    #[cfg(feature = "reqwest")]
    if let Some(proxy) = &route.proxy {
        let wrong = |error| Error::new(ErrorKind::Builder, "the proxy cannot be used").with_source(error);
        let mut made = reqwest::Proxy::all(&proxy.url).map_err(wrong)?;
        if let Some((user, password)) = &proxy.login {
            made = made.basic_auth(user, password);
        }
        options.proxies = vec![made];
    }
    Ok(options)
}
