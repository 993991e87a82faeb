//! Masks secrets: passwords, tokens and cookies are replaced by `***` in all text that is shown or written.
//!
//! `--show-secrets` turns this off.

use std::{borrow::Cow, fmt, ops::Range};

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::vars::Scope;

/// The replacement of a secret.
pub(crate) const MASK: &str = "***";

/// The names of query parameters and headers with secrets, in lower case and without punctuation.
const NAMES: [&str; 14] = [
    "assertion",
    "auth",
    "code",
    "jsessionid",
    "jwt",
    "key",
    "otp",
    "pass",
    "passphrase",
    "phpsessid",
    "pwd",
    "session",
    "sid",
    "sig",
];

/// The ends of such names: `X-Api-Key`, `access_token`, `clientSecret`.
const ENDS: [&str; 14] = [
    "accesskey",
    "apikey",
    "authorization",
    "credential",
    "credentials",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "sessionid",
    "signature",
    "subscriptionkey",
    "token",
];

/// Masks the secrets in URLs, and in parts of URLs, anywhere in a text.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    masked(text, TextKind::Text)
}

/// Masks the secrets in a URL.
pub(crate) fn mask_url(url: &Url) -> Cow<'_, str> {
    masked(url.as_str(), TextKind::Url)
}

/// Masks the secrets in a form (`application/x-www-form-urlencoded`).
pub(crate) fn mask_form(form: &str) -> Cow<'_, str> {
    masked(form, TextKind::Form)
}

/// Masks strings with secret names in JSON, which may be invalid. Each byte becomes an asterisk, so that positions stay the
/// same.
pub(crate) fn mask_json(json: &str) -> String {
    let bytes = json.as_bytes();
    let mut masked = bytes.to_vec();
    // Returns the range of a string without its quotes.
    let text = |quote: usize| {
        let mut end = quote + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        quote + 1..end.min(bytes.len())
    };
    let blank = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &bytes[at..]) {
        let name = text(at + quote);
        at = (name.end + 1).min(bytes.len());
        let colon = blank(at);
        if bytes.get(colon) != Some(&b':') {
            continue;
        }
        let value = blank(colon + 1);
        if bytes.get(value) == Some(&b'"') {
            let value = text(value);
            at = (value.end + 1).min(bytes.len());
            if json.get(name).is_some_and(is_secret_name) {
                masked[value].fill(b'*');
            }
        }
    }
    // Complete strings became ASCII.
    String::from_utf8(masked).unwrap_or_default()
}

/// Returns the value of a header as text. It is masked if the header is secret, and URLs in it are masked.
pub(crate) fn mask_header<'a>(name: &HeaderName, value: &'a HeaderValue) -> Cow<'a, str> {
    if is_secret_header(name) && !Scope::shows_secrets() {
        return Cow::Borrowed(MASK);
    }
    match String::from_utf8_lossy(value.as_bytes()) {
        Cow::Borrowed(text) => mask(text),
        Cow::Owned(text) => Cow::Owned(mask(&text).into_owned()),
    }
}

/// Masks the secrets in a `String`, which is not copied if there are none.
pub(crate) fn mask_owned(text: String) -> String {
    match mask(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(masked) => masked,
    }
}

/// Headers whose `Debug` output masks secrets.
pub(crate) struct Headers<'a>(pub(crate) &'a HeaderMap);

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, mask_header(name, value)))).finish()
    }
}

fn is_secret_header(name: &HeaderName) -> bool {
    is_secret_header_name(name.as_str())
}

/// Returns whether the value of the header is a secret.
pub(crate) fn is_secret_header_name(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let name = name.as_str();
    matches!(name, "cookie" | "set-cookie") || is_secret_name(name.strip_prefix("x-").unwrap_or(name))
}

/// Returns whether the value of a query parameter, a member of JSON or a field of a form is a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = normalized(&percent_encoding::percent_decode_str(name).decode_utf8_lossy());
    NAMES.contains(&name.as_str()) || ENDS.iter().any(|end| name.ends_with(end))
}

/// Returns the letters and digits in lower case, so that `api-key`, `API_KEY` and `apiKey` are equal.
fn normalized(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

/// The kind of text to mask, which determines where a value ends.
#[derive(Clone, Copy, PartialEq)]
enum TextKind {
    /// Any text. Quotes, spaces and punctuation may follow a URL.
    Text,
    /// A single URL.
    Url,
    /// A form. No `?` precedes its first name.
    Form,
}

fn masked(text: &str, kind: TextKind) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    // Most texts contain neither, and need no further checks.
    if memchr::memchr2(b'@', b'=', bytes).is_none() || Scope::shows_secrets() {
        return Cow::Borrowed(text);
    }
    let mut secrets = Vec::new();
    let mut at = 0;
    if kind == TextKind::Form {
        at = pair(text, 0, kind, &mut secrets);
    }
    while at < bytes.len() {
        at = match bytes[at] {
            b'?' | b'&' | b'#' | b';' => pair(text, at + 1, kind, &mut secrets),
            b':' if bytes[at..].starts_with(b"://") => authority(text, at, &mut secrets),
            _ => at + 1,
        };
    }
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut shown = 0;
    for secret in secrets {
        out.push_str(&text[shown..secret.start]);
        out.push_str(MASK);
        shown = secret.end;
    }
    out.push_str(&text[shown..]);
    Cow::Owned(out)
}

/// Checks `name=value` for a secret. Returns where to continue.
fn pair(text: &str, start: usize, kind: TextKind, secrets: &mut Vec<Range<usize>>) -> usize {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.%[]$".contains(byte);
    let bytes = text.as_bytes();
    let end = start + bytes[start..].iter().take_while(|byte| in_name(byte)).count();
    if bytes.get(end) != Some(&b'=') || !is_secret_name(&text[start..end]) {
        return end;
    }
    let value = value(text, end + 1, kind);
    let next = value.end;
    if !value.is_empty() && text[value.clone()] != *MASK {
        secrets.push(value);
    }
    next
}

fn value(text: &str, start: usize, kind: TextKind) -> Range<usize> {
    let rest = &text[start..];
    let ends = |c: char| match kind {
        TextKind::Text => ends_url(c) || matches!(c, '&' | '#'),
        TextKind::Url | TextKind::Form => matches!(c, '&' | '#'),
    };
    let mut value = &rest[..rest.find(ends).unwrap_or(rest.len())];
    if kind == TextKind::Text {
        value = value.trim_end_matches([')', ']', '}', ',', '.', ';', ':', '!', '?']);
    }
    start..start + value.len()
}

/// Checks `scheme://user:password@host` for a secret. Returns where to continue.
fn authority(text: &str, colon: usize, secrets: &mut Vec<Range<usize>>) -> usize {
    let start = colon + "://".len();
    let rest = &text[start..];
    let token = &rest[..rest.find(ends_url).unwrap_or(rest.len())];
    let mut authority = &token[..token.find(['/', '?', '#', '\\']).unwrap_or(token.len())];
    if !authority.contains('@')
        && let Some((host, port)) = authority.split_once(':')
        && !host.starts_with('[')
        && !port.bytes().all(|byte| byte.is_ascii_digit())
    {
        // This is not a port, but a password with a slash.
        authority = token;
    }
    let Some(at) = authority.rfind('@') else { return start };
    let password = match authority[..at].find(':') {
        Some(colon) => colon + 1..at,
        // Some services and brokers accept a token as the user. With SSH, the user is only a name.
        None if accepts_tokens(&text[..colon]) => 0..at,
        None => return start,
    };
    let password = start + password.start..start + password.end;
    if !password.is_empty() && text[password.clone()] != *MASK {
        secrets.push(password);
    }
    start + at
}

/// Returns whether a text ends with a scheme whose user may be a token.
fn accepts_tokens(text: &str) -> bool {
    let scheme = &text[text.rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |before| before + 1)..];
    ["http", "https", "nats", "tls", "ws", "wss"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// Returns whether a character can precede or follow a URL in a text, but is never a part of it.
fn ends_url(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '<' | '>' | '\\')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn passwords_and_tokens_in_text_are_masked() {
        for (text, expected) in [
            ("no secret here", "no secret here"),
            ("GET http://ada:pw@host:80/x?a=1", "GET http://ada:***@host:80/x?a=1"),
            ("http://ada:p@w@host/", "http://ada:***@host/"),
            ("(https://ghp_123@github.com/a/b.git)", "(https://***@github.com/a/b.git)"),
            ("git+https://x:tok@github.com/a", "git+https://x:***@github.com/a"),
            ("--join nats://s3cr3t@broker:4222", "--join nats://***@broker:4222"),
            ("ssh://git@host/x and git@host:x", "ssh://git@host/x and git@host:x"),
            ("`http://ada:pa/ss@host` is not a URL", "`http://ada:***@host` is not a URL"),
            ("http://[::1]:80/a@b", "http://[::1]:80/a@b"),
            ("http://host:8080/a@b?x=@", "http://host:8080/a@b?x=@"),
            ("/login?token=abc&user=ada", "/login?token=***&user=ada"),
            ("(GET http://h/?user=ada&access_token=abc): try", "(GET http://h/?user=ada&access_token=***): try"),
            ("url='http://h/?apiKey=a.b-c~d', x", "url='http://h/?apiKey=***', x"),
            ("?X-Amz-Signature=12&X-Amz-Date=3", "?X-Amz-Signature=***&X-Amz-Date=3"),
            ("http://h/cb#id_token=e.y.j&state=1", "http://h/cb#id_token=***&state=1"),
            ("?api%5Fkey=1&keyword=2&key=", "?api%5Fkey=***&keyword=2&key="),
            ("?code=1#x", "?code=***#x"),
            ("http://u:p@one/ http://v:q@two/?sig=z", "http://u:***@one/ http://v:***@two/?sig=***"),
            ("?pwd=ü€ end", "?pwd=*** end"),
        ] {
            assert_eq!(mask(text), expected);
            assert!(matches!(mask(expected), Cow::Borrowed(_)), "masked twice: {expected}");
        }
        for name in [
            "token",
            "access_token",
            "api_key",
            "apikey",
            "key",
            "secret",
            "password",
            "passwd",
            "pwd",
            "auth",
            "signature",
            "sig",
            "session",
            "code",
        ] {
            assert_eq!(mask(&format!("?a=b&{name}=v")), format!("?a=b&{name}=***"));
        }
        let url = Url::parse("http://u:p@h/?token=a).").expect("a URL");
        assert_eq!(mask_url(&url), "http://u:***@h/?token=***");
        assert_eq!(mask_form("password=a b)&user=ada"), "password=***&user=ada");
    }

    #[test]
    fn secret_strings_in_json_are_masked_in_place() {
        for (json, expected) in [
            (r#"{"db_password" : "s\"ü", "user": "ada"}"#, r#"{"db_password" : "*****", "user": "ada"}"#),
            (r#"{"a": ["token"], "token": 5, "key":"x"}"#, r#"{"a": ["token"], "token": 5, "key":"*"}"#),
            (r#"{"secret": "cut off"#, r#"{"secret": "*******"#),
            (r#"{"secret": "\"#, r#"{"secret": "*"#),
            (r#"{"secret":"#, r#"{"secret":"#),
            (r#"""#, r#"""#),
            ("", ""),
        ] {
            assert_eq!(mask_json(json), expected);
        }
    }

    #[test]
    fn header_values_are_masked_by_name() {
        let shown = |name: &'static str, value: &'static str| {
            mask_header(&HeaderName::from_static(name), &HeaderValue::from_static(value)).into_owned()
        };
        for name in [
            "authorization",
            "proxy-authorization",
            "cookie",
            "set-cookie",
            "x-api-key",
            "x-auth-token",
            "session",
            "x-session",
            "x-auth",
            "jwt",
        ] {
            assert_eq!(shown(name, "abc"), "***", "{name}");
        }
        assert_eq!(shown("location", "/cb?code=1&x=2"), "/cb?code=***&x=2");
        for (name, value) in [("accept", "*/*"), ("x-request-id", "7"), ("sec-websocket-key", "dGhl")] {
            assert_eq!(shown(name, value), value, "{name}");
        }
    }

    #[test]
    fn runs_can_show_secrets() {
        let scope = Arc::new(Scope::default());
        scope.show_secrets(true);
        let entered = scope.enter();
        assert_eq!(mask("?token=abc"), "?token=abc");
        drop(entered);
        assert_eq!(mask("?token=abc"), "?token=***");
    }
}
