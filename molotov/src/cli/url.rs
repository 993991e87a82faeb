//! Load tests without a script: `molotov http://127.0.0.1:8080/`. Each URL is a scenario that requests it.

use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::{HeaderValue, Method, header};
use url::{Position, Url};

use crate::{
    Result,
    failure::into_failure,
    options::{Args, Delay},
    registry::{Need, Origin, Registry, Runs, Scenario, Setup, Slots},
    secrets,
    session::{Context, Session, SessionOptions},
};

/// Whether a word of the command line is a URL to request, and no script.
pub(super) fn is_url(word: &str) -> bool {
    let scheme = |scheme: &str| word.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    scheme("http://") || scheme("https://")
}

/// Returns the URL that an address without a scheme stands for; `None` if the word is none.
pub(super) fn without_scheme(word: &str) -> Option<String> {
    let authority = word.split(['/', '?']).next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let has_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = has_port
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok()
        || host.starts_with("www.")
        || word.len() > authority.len() && host.contains('.') && !host.starts_with('.');
    let is_script = Path::new(word).extension().is_some_and(|extension| extension == "py");
    if !is_host || host.is_empty() || is_script || Path::new(word).exists() {
        return None;
    }
    let url = format!("http://{word}");
    Url::parse(&url).is_ok().then_some(url)
}

/// Returns the scenarios of the URLs that the options name instead of a script; `None` if they name no URL.
///
/// # Errors
///
/// If a URL is invalid, or the file of the body cannot be read.
pub(super) fn registry(args: &Args) -> Option<Result<Registry, String>> {
    let words: Vec<_> = args.scenario.as_deref()?.split_whitespace().collect();
    words.iter().any(|word| is_url(word)).then(|| of_urls(&words, args))
}

fn of_urls(words: &[&str], args: &Args) -> Result<Registry, String> {
    let body = args.body.as_deref().map(read_body).transpose()?;
    let method = args.method.clone().unwrap_or(if body.is_some() { Method::POST } else { Method::GET });
    // A URL that is given twice is requested twice as often.
    let mut urls: Vec<(Url, f64)> = Vec::new();
    for word in words {
        let url = Url::parse(word).map_err(|error| format!("`{word}` is not a URL: {error}"))?;
        match urls.iter_mut().find(|(known, _)| *known == url) {
            Some((_, times)) => *times += 1.0,
            None => urls.push((url, 1.0)),
        }
    }
    let names = names(&method, urls.iter().map(|(url, _)| url));
    let paths: Vec<_> = urls.iter().map(|(url, _)| url.path().to_owned()).collect();
    let mut registry = Registry::new();
    for ((url, weight), name) in urls.into_iter().zip(names) {
        let is_shared = paths.iter().filter(|path| *path == url.path()).count() > 1;
        registry.add_scenario(UrlScenario {
            request_name: is_shared.then(|| name.clone()),
            name,
            weight,
            origin: built_in("request"),
            method: method.clone(),
            url: url.into(),
            body: body.clone(),
        });
    }
    if let Some(body) = &body
        && !args.header.iter().any(|header| header.name() == header::CONTENT_TYPE)
    {
        registry.add_setup(ContentType { origin: built_in("setup"), value: content_type(body) });
    }
    Ok(registry)
}

fn built_in(function: &'static str) -> Origin {
    Origin { function: function.into(), module: "".into(), file: Origin::BUILT_IN.into(), line: 0, extension: None }
}

/// Returns a name for each URL: the method and the path, and as much more of the URL as distinguishes it from the others.
fn names<'a>(method: &Method, urls: impl Iterator<Item = &'a Url>) -> Vec<String> {
    let urls: Vec<_> = urls.collect();
    let parts: [fn(&Url) -> &str; 3] = [
        |url| url.path(),
        |url| &url[Position::BeforePath..Position::AfterQuery],
        |url| &url[Position::BeforeHost..Position::AfterQuery],
    ];
    let mut names = vec![String::new(); urls.len()];
    for part in parts {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for name in &names {
            *counts.entry(name.clone()).or_default() += 1;
        }
        for (name, url) in names.iter_mut().zip(&urls) {
            if counts[name] > 1 || name.is_empty() {
                *name = secrets::mask_owned(format!("{method} {}", part(url)));
            }
        }
    }
    // They may differ in a secret only, or in a user or a fragment.
    let mut seen: HashMap<String, usize> = HashMap::new();
    for name in &mut names {
        let times = seen.entry(name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            *name = format!("{name} ({times})");
        }
    }
    names
}

/// Reads the body in `--body`: a text, `@FILE`, or `@-` for standard input.
fn read_body(written: &str) -> Result<Bytes, String> {
    let Some(file) = written.strip_prefix('@') else { return Ok(Bytes::copy_from_slice(written.as_bytes())) };
    let read = match file {
        "-" => {
            let mut body = Vec::new();
            io::stdin().lock().read_to_end(&mut body).map(|_| body)
        }
        file => fs::read(file),
    };
    read.map(Bytes::from).map_err(|error| format!("cannot read the body from `{file}`: {error}"))
}

/// Returns `application/json` for JSON, and the type that curl states for all others.
fn content_type(body: &[u8]) -> HeaderValue {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    HeaderValue::from_static(if is_json { "application/json" } else { "application/x-www-form-urlencoded" })
}

/// Requests a URL.
struct UrlScenario {
    name: String,
    weight: f64,
    origin: Origin,
    method: Method,
    url: String,
    body: Option<Bytes>,
    /// The name of the request in the results, if another URL has the same path.
    request_name: Option<String>,
}

impl UrlScenario {
    async fn request(&self, session: &Session) -> Result<(), crate::Error> {
        let mut request = session.request(self.method.clone(), self.url.as_str());
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        if let Some(name) = &self.request_name {
            request = request.name(name.as_str());
        }
        let mut response = request.send().await?;
        // The body may be larger than the memory.
        while response.chunk().await?.is_some() {}
        response.error_for_status_ref()?;
        Ok(())
    }
}

impl Scenario for UrlScenario {
    fn name(&self) -> &str {
        &self.name
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn delay(&self) -> Delay {
        Delay::ZERO
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::of::<Session>(false)]
    }

    fn runs<'a>(&'a self, slots: &'a Slots) -> Runs<'a> {
        Runs::of(slots, move || async move {
            let session = slots.borrow::<Session>()?.clone();
            self.request(&session).await.map_err(into_failure)
        })
    }
}

/// Sets the type of the body.
struct ContentType {
    origin: Origin,
    value: HeaderValue,
}

impl Setup for ContentType {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn run<'a>(&'a self, _: &'a Context) -> LocalBoxFuture<'a, Result<Option<SessionOptions>>> {
        Box::pin(async { Ok(Some(SessionOptions::new().header(header::CONTENT_TYPE, self.value.clone()))) })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_short_as_they_can_be() {
        let named = |urls: &[&str]| {
            let urls: Vec<_> = urls.iter().map(|url| Url::parse(url).unwrap()).collect();
            names(&Method::GET, urls.iter())
        };
        assert_eq!(named(&["http://h"]), ["GET /"]);
        assert_eq!(named(&["http://h/a?b=1", "http://h/c"]), ["GET /a", "GET /c"]);
        assert_eq!(named(&["http://h/a?b=1", "http://h/a", "http://h/c"]), ["GET /a?b=1", "GET /a", "GET /c"]);
        assert_eq!(named(&["http://one/a", "http://two:81/a"]), ["GET one/a", "GET two:81/a"]);
        assert_eq!(named(&["http://h/?token=1", "http://h/?token=2"]), ["GET h/?token=***", "GET h/?token=*** (2)"]);
        assert_eq!(named(&["http://u:p@h/", "http://v:q@h/"]), ["GET h/", "GET h/ (2)"]);
    }

    #[test]
    fn urls_given_twice_have_twice_the_weight() {
        let scenario = Some("http://h/a http://h/b http://h/a".to_owned());
        let registry = registry(&Args { scenario, ..Args::default() }).unwrap().unwrap();
        let weights: Vec<_> = registry.scenarios().iter().map(|one| (one.name().to_owned(), one.weight())).collect();
        assert_eq!(weights, [("GET /a".to_owned(), 2.0), ("GET /b".to_owned(), 1.0)]);
    }

    #[test]
    fn scripts_are_no_urls() {
        for scenario in ["loadtest.py", "package.module", "tests/load.py", "httpbin", "http:/x"] {
            assert!(!is_url(scenario) && without_scheme(scenario).is_none(), "{scenario}");
            assert!(registry(&Args { scenario: Some(scenario.to_owned()), ..Args::default() }).is_none());
        }
        for address in ["localhost:8080/path", "localhost", "127.0.0.1", "example.org/a?b", "www.example.org", "h:80"] {
            assert_eq!(without_scheme(address), Some(format!("http://{address}")));
        }
        let refused = |scenario: &str| {
            registry(&Args { scenario: Some(scenario.to_owned()), ..Args::default() }).unwrap().unwrap_err()
        };
        assert_eq!(refused("http://"), "`http://` is not a URL: empty host");
    }

    #[test]
    fn content_types_follow_the_body() {
        for (body, expected) in [
            ("{\"a\": 1}", "application/json"),
            ("[]", "application/json"),
            ("a=1&b=2", "application/x-www-form-urlencoded"),
            ("{a", "application/x-www-form-urlencoded"),
        ] {
            assert_eq!(content_type(body.as_bytes()), expected, "{body}");
        }
        assert!(read_body("@/no/file").unwrap_err().starts_with("cannot read the body from `/no/file`: "));
    }
}
