//! How a single request connects, where it does not as its session does.

use std::{cell::RefCell, rc::Rc};

use super::{SessionOptions, transport::HttpTransport};
use crate::http::{Error, proxy::Proxy, tls::TlsOptions};

/// The most routes of a session that keep their connections.
const MOST: usize = 64;

/// What a request asks of its connections beyond the session's options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) tls: TlsOptions,
    pub(crate) server_name: Option<String>,
    pub(crate) proxy: Option<Proxy>,
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
        options.proxies = vec![proxy.clone()];
    }
    Ok(options)
}
