//! Connections of single requests that differ from those of their session.

use std::{cell::RefCell, rc::Rc};

use super::{SessionOptions, transport::HttpTransport};
use crate::http::{Error, proxy::Proxy, tls::TlsOptions};

/// The maximum number of routes whose connections a session keeps.
const MAX_ROUTES: usize = 64;

/// How a request connects, instead of the session's options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) tls: TlsOptions,
    pub(crate) server_name: Option<String>,
    pub(crate) proxy: Option<Proxy>,
}

/// The transports of the routes of a session. Each has its own connections.
#[derive(Default)]
pub(crate) struct Routes(RefCell<Vec<(Rc<Route>, Rc<HttpTransport>)>>);

impl Routes {
    /// Returns the transport of a route. The least recently used one is evicted.
    pub(crate) fn transport(&self, route: &Rc<Route>, options: &SessionOptions) -> Result<Rc<HttpTransport>, Error> {
        let mut known = self.0.borrow_mut();
        let transport = match known.iter().position(|(other, _)| Rc::ptr_eq(other, route) || other == route) {
            Some(index) => known.remove(index).1,
            None => {
                if known.len() >= MAX_ROUTES {
                    known.remove(0);
                }
                let options = options_of(route, options)?;
                let transport_options = Rc::new(options.transport_options.clone());
                Rc::new(HttpTransport::new(&options, transport_options)?)
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
