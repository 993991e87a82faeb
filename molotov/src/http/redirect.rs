//! Redirects: which are followed, and how they change the request.

use std::{fmt, rc::Rc};

use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use super::{BoxError, Error, ErrorKind};
use crate::secrets;

/// A policy that decides which redirects are followed.
///
/// ```
/// use molotov::session::Redirect;
/// let same_host = Redirect::custom(|attempt| {
///     if attempt.url().host() == attempt.previous()[0].host() { attempt.follow() } else { attempt.stop() }
/// });
/// # let _ = (same_host, Redirect::none(), Redirect::limited(3));
/// ```
#[derive(Clone)]
pub struct Redirect(Policy);

#[derive(Clone)]
enum Policy {
    None,
    Limited {
        most: usize,
        /// Whether the redirect after `most` is returned, instead of an error.
        returns_last: bool,
    },
    Custom(Rc<dyn Fn(Attempt<'_>) -> Action>),
}

impl Redirect {
    /// Follows up to `most` redirects, and fails on the next one. The default is 10.
    pub fn limited(most: usize) -> Redirect {
        Redirect(Policy::Limited { most, returns_last: false })
    }

    /// Follows no redirects. They are returned like any response.
    pub fn none() -> Redirect {
        Redirect(Policy::None)
    }

    /// Follows up to `most` redirects, and returns the response after them. If it redirects again, the request counts as failed.
    pub(crate) fn up_to(most: usize) -> Redirect {
        Redirect(Policy::Limited { most, returns_last: true })
    }

    /// Returns whether another policy decides in the same way.
    pub(crate) fn is_same(&self, other: &Redirect) -> bool {
        match (&self.0, &other.0) {
            (Policy::None, Policy::None) => true,
            (
                Policy::Limited { most, returns_last },
                Policy::Limited { most: other_most, returns_last: other_returns_last },
            ) => (most, returns_last) == (other_most, other_returns_last),
            (Policy::Custom(decide), Policy::Custom(other)) => Rc::ptr_eq(decide, other),
            _ => false,
        }
    }

    /// Calls a function to decide on each redirect.
    pub fn custom(decide: impl Fn(Attempt<'_>) -> Action + 'static) -> Redirect {
        Redirect(Policy::Custom(Rc::new(decide)))
    }

    /// Decides on a redirect to `url`.
    pub(crate) fn decide(&self, status: StatusCode, url: &Url, previous: &[Url]) -> Result<Disposition, Error> {
        match &self.0 {
            Policy::None => Ok(Disposition::Final),
            Policy::Limited { most, .. } if previous.len() <= *most => Ok(Disposition::Followed),
            Policy::Limited { returns_last: true, .. } => Ok(Disposition::TooMany),
            Policy::Limited { most, .. } => {
                Err(Error::new(ErrorKind::Redirect, format!("more than {most} redirects in a row")))
            }
            Policy::Custom(decide) => match decide(Attempt { status, url, previous }).0 {
                Decision::Follow => Ok(Disposition::Followed),
                Decision::Stop => Ok(Disposition::Final),
                Decision::Fail(error) => {
                    Err(Error::new(ErrorKind::Redirect, "the redirect was refused").with_source(error))
                }
            },
        }
    }
}

/// What to do with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// It is a redirect, which is followed.
    Followed,
    /// It is returned.
    Final,
    /// It is one redirect too many. It is returned, and the request counts as failed.
    TooMany,
}

impl Default for Redirect {
    fn default() -> Self {
        Redirect::limited(10)
    }
}

impl fmt::Debug for Redirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Policy::None => f.write_str("Redirect::none()"),
            Policy::Limited { most, returns_last: false } => write!(f, "Redirect::limited({most})"),
            Policy::Limited { most, returns_last: true } => write!(f, "Redirect::up_to({most})"),
            Policy::Custom(_) => f.write_str("Redirect::custom(..)"),
        }
    }
}

/// A redirect that a custom policy decides on.
///
/// ```
/// use molotov::session::Redirect;
/// let policy = Redirect::custom(|attempt| match attempt.url().path() {
///     "/login" => attempt.error("the user was logged out"),
///     _ if attempt.previous().len() > 5 => attempt.stop(),
///     _ => attempt.follow(),
/// });
/// # let _ = policy;
/// ```
pub struct Attempt<'a> {
    status: StatusCode,
    url: &'a Url,
    previous: &'a [Url],
}

impl Attempt<'_> {
    /// Returns the status of the redirect.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the next URL.
    pub fn url(&self) -> &Url {
        self.url
    }

    /// Returns the URLs so far, from the first one to the one that sent the redirect.
    pub fn previous(&self) -> &[Url] {
        self.previous
    }

    /// Follows the redirect.
    pub fn follow(self) -> Action {
        Action(Decision::Follow)
    }

    /// Does not follow the redirect, which is returned like any response.
    pub fn stop(self) -> Action {
        Action(Decision::Stop)
    }

    /// Fails the request.
    pub fn error(self, error: impl Into<BoxError>) -> Action {
        Action(Decision::Fail(error.into()))
    }
}

// Not derived, so that it masks secrets.
impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("status", &self.status)
            .field("url", &secrets::mask_url(self.url))
            .field("previous", &self.previous.iter().map(secrets::mask_url).collect::<Vec<_>>())
            .finish()
    }
}

/// The decision on a redirect.
#[derive(Debug)]
pub struct Action(Decision);

#[derive(Debug)]
enum Decision {
    Follow,
    Stop,
    Fail(BoxError),
}

/// Returns the URL that a response redirects to, if it does.
pub(crate) fn destination(status: StatusCode, headers: &HeaderMap, from: &Url) -> Result<Option<Url>, Error> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    // A redirect without a location is a response like any other.
    let Some(location) = headers.get(header::LOCATION) else { return Ok(None) };
    let invalid =
        || Error::new(ErrorKind::Redirect, format!("the server redirects to `{location:?}`, which is no URL"));
    let text = std::str::from_utf8(location.as_bytes()).map_err(|_| invalid())?;
    let mut url = from.join(text).map_err(|error| invalid().with_source(error))?;
    if !matches!(url.scheme(), "http" | "https") {
        let what = format!("the server redirects to `{url}`, whose scheme `{}` is not supported", url.scheme());
        return Err(Error::new(ErrorKind::Redirect, what));
    }
    // The fragment stays, unless the location has another.
    if url.fragment().is_none() {
        url.set_fragment(from.fragment());
    }
    Ok(Some(url))
}

/// Returns whether the redirected request is a GET without a body.
pub(crate) fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::GET && *method != Method::HEAD,
        _ => false,
    }
}

/// Removes headers that another server must not see.
pub(crate) fn strip_secrets(headers: &mut HeaderMap) {
    for name in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION, header::WWW_AUTHENTICATE] {
        headers.remove(name);
    }
}

/// Removes headers about a body that is no longer sent.
pub(crate) fn strip_body_headers(headers: &mut HeaderMap) {
    for name in [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::CONTENT_LANGUAGE,
        header::CONTENT_LOCATION,
        header::TRANSFER_ENCODING,
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(location: &'static str) -> Result<Option<Url>, Error> {
        let headers = HeaderMap::from_iter([(header::LOCATION, http::HeaderValue::from_static(location))]);
        destination(StatusCode::FOUND, &headers, &Url::parse("http://a.test/x/y?q#part").unwrap())
    }

    #[test]
    fn destinations_are_relative_to_the_url_and_keep_its_fragment() {
        assert_eq!(to("/z").unwrap().unwrap().as_str(), "http://a.test/z#part");
        assert_eq!(to("z#other").unwrap().unwrap().as_str(), "http://a.test/x/z#other");
        assert_eq!(to("//b.test/").unwrap().unwrap().as_str(), "http://b.test/#part");
        assert!(to("http://[").unwrap_err().is_redirect());
        assert!(to("ftp://a.test/").unwrap_err().is_redirect());
        let from = Url::parse("http://a.test/").unwrap();
        assert_eq!(destination(StatusCode::FOUND, &HeaderMap::new(), &from).unwrap(), None);
    }

    #[test]
    fn the_debug_output_of_attempts_masks_secrets() {
        let [url, previous] = ["http://ada:pa55@b.test/", "http://a.test/?token=t0ken"].map(|url| url.parse().unwrap());
        let shown = format!("{:?}", Attempt { status: StatusCode::FOUND, url: &url, previous: &[previous] });
        assert!(shown.contains("http://ada:***@b.test/") && shown.contains("token=***"), "{shown}");
        assert!(!shown.contains("pa55") && !shown.contains("t0ken"), "{shown}");
    }

    #[test]
    fn methods_change_as_in_browsers() {
        assert!(becomes_get(StatusCode::MOVED_PERMANENTLY, &Method::POST));
        assert!(!becomes_get(StatusCode::FOUND, &Method::PUT));
        assert!(becomes_get(StatusCode::SEE_OTHER, &Method::DELETE));
        assert!(!becomes_get(StatusCode::SEE_OTHER, &Method::HEAD));
        assert!(!becomes_get(StatusCode::TEMPORARY_REDIRECT, &Method::POST));
    }
}
