//! The connection settings of scripts: TLS, proxies, and the limits of a connector.

use std::{net::IpAddr, rc::Rc, time::Duration};

use pyo3::{exceptions::PyValueError, prelude::*};
use rustls::ProtocolVersion;

use crate::{
    http::{Certificate, Identity, permits, tls::TlsOptions},
    python::gil_cell::GilCell,
    session::{Proxy, SessionOptions, route},
};

/// How a request connects, as `_tls` and `_connectors` have read it from a script's objects.
#[pyclass(frozen, module = "molotov._core")]
pub(in crate::python) struct Route(GilCell<Rc<route::Route>>);

impl Route {
    pub(super) fn get(&self, py: Python<'_>) -> Rc<route::Route> {
        Rc::clone(&self.0.borrow(py))
    }
}

/// The fields of `_tls.Tls`.
type Tls = (bool, bool, bool, Vec<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<String>);

fn tls_options(tls: Tls) -> Result<TlsOptions, String> {
    let (verify, check_hostname, builtin_roots, roots, identity, fingerprint, only_version) = tls;
    let certificate = |der: &Vec<u8>| Certificate::from_der(der).map_err(|error| error.to_string());
    let fingerprint = fingerprint.map(|digest| digest.try_into().map_err(|_| "a fingerprint has 32 bytes".to_owned()));
    let only_version = only_version.map(|version| match version.as_str() {
        "1.2" => Ok(ProtocolVersion::TLSv1_2),
        "1.3" => Ok(ProtocolVersion::TLSv1_3),
        other => Err(format!("TLS {other} is not supported")),
    });
    Ok(TlsOptions {
        roots: roots.iter().map(certificate).collect::<Result<_, _>>()?,
        identity: identity.map(|pem| Identity::from_pem(&pem)).transpose().map_err(|error| error.to_string())?,
        accept_invalid_certs: !verify,
        accept_invalid_hostnames: !check_hostname,
        builtin_roots,
        fingerprint: fingerprint.transpose()?,
        only_version: only_version.transpose()?,
    })
}

#[pymethods]
impl Route {
    #[new]
    fn new(
        tls: Tls,
        server_name: Option<String>,
        proxy: Option<String>,
        login: Option<(String, String)>,
    ) -> PyResult<Route> {
        let tls = tls_options(tls).map_err(PyValueError::new_err)?;
        let proxy = proxy.map(|url| match login {
            Some((user, password)) => Proxy::all(url).basic_auth(user, password),
            None => Proxy::all(url),
        });
        Ok(Route(GilCell::new(Rc::new(route::Route { tls, server_name, proxy }))))
    }
}

/// The limits of a connector, shared by the sessions that use it.
#[pyclass(frozen, module = "molotov._core")]
pub(in crate::python) struct Permits(GilCell<permits::Permits>);

#[pymethods]
impl Permits {
    #[new]
    fn new(per_origin: Option<usize>, in_all: Option<usize>) -> Permits {
        Permits(GilCell::new(permits::Permits::new(per_origin, in_all)))
    }
}

/// The settings of a script's connector: the fields of `_connectors.Settings`.
#[derive(FromPyObject)]
pub(super) struct Settings<'py> {
    route: Bound<'py, Route>,
    permits: Bound<'py, Permits>,
    keep_alive: bool,
    /// In seconds. Infinite without a limit.
    keepalive_timeout: f64,
    only_ipv6: Option<bool>,
    local_address: Option<IpAddr>,
}

/// A timeout from a number of seconds. A number that is not finite means no limit.
pub(super) fn timeout_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

impl Settings<'_> {
    /// Applies the settings to the options of a session.
    pub(super) fn apply(self, py: Python<'_>, mut options: SessionOptions) -> SessionOptions {
        options.transport_options.tls = self.route.get().get(py).tls.clone();
        options.transport_options.shared_permits = Some(self.permits.get().0.borrow(py).clone());
        options.transport_options.only_ipv6 = self.only_ipv6;
        let idle = timeout_of(self.keepalive_timeout);
        let idle = (idle < Duration::MAX).then_some(idle);
        options = options.pool_idle_timeout(idle).local_address(self.local_address);
        // Like aiohttp, do not send `connection: close`.
        if self.keep_alive { options } else { options.pool_max_idle_per_host(0) }
    }
}
