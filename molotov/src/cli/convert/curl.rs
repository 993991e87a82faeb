//! Parses curl commands, such as those that browsers copy.

use std::{fs, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use url::Url;

use super::{Body, Part, Recorded, Recording, header, is_automatic};

/// The long names of short options with a value.
const WITH_VALUE: [(char, &str); 11] = [
    ('X', "request"),
    ('H', "header"),
    ('d', "data"),
    ('F', "form"),
    ('u', "user"),
    ('b', "cookie"),
    ('A', "user-agent"),
    ('e', "referer"),
    ('m', "max-time"),
    ('o', "output"),
    ('w', "write-out"),
];
/// The long names of short options without a value.
const FLAGS: [(char, &str); 9] = [
    ('k', "insecure"),
    ('L', "location"),
    ('G', "get"),
    ('I', "head"),
    ('s', "silent"),
    ('S', "show-error"),
    ('v', "verbose"),
    ('i', "include"),
    ('f', "fail"),
];
/// Long options with a value that have no letter.
const LONG_WITH_VALUE: [&str; 8] =
    ["url", "json", "data-raw", "data-binary", "data-ascii", "data-urlencode", "form-string", "connect-timeout"];
/// Long options without a value that have no letter.
const LONG_FLAGS: [&str; 5] = ["compressed", "http1.1", "http2", "no-progress-meter", "globoff"];

/// Parses a command.
///
/// # Errors
///
/// If it is not a curl command, or has an option that cannot be converted.
pub(super) fn parse(command: &str) -> Result<Recording, String> {
    let words = split(command)?;
    let Some(("curl", words)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) else {
        return Err("a curl command begins with `curl`: `--from-curl \"curl http://127.0.0.1:8080/\"`".to_owned());
    };
    let mut parsed = Parsed::default();
    let mut words = words.iter().cloned();
    let mut only_urls = false;
    while let Some(word) = words.next() {
        if only_urls || !word.starts_with('-') || word == "-" {
            parsed.urls.push(word);
        } else if word == "--" {
            only_urls = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (long, attached) = match long.split_once('=') {
                Some((long, value)) => (long, Some(value.to_owned())),
                None => (long, None),
            };
            if takes_value(long) {
                let value = attached.or_else(|| words.next()).ok_or(format!("`--{long}` of curl needs a value"))?;
                parsed.set(long, value)?;
            } else if LONG_FLAGS.contains(&long) || FLAGS.iter().any(|(_, name)| *name == long) {
                parsed.flag(long);
            } else {
                return Err(unknown(&format!("--{long}")));
            }
        } else {
            let mut letters = word[1..].chars();
            while let Some(letter) = letters.next() {
                let named = |table: &[(char, &'static str)]| {
                    table.iter().find(|(known, _)| *known == letter).map(|(_, name)| *name)
                };
                if let Some(long) = named(&WITH_VALUE) {
                    let attached = Some(letters.as_str().to_owned()).filter(|rest| !rest.is_empty());
                    let value =
                        attached.or_else(|| words.next()).ok_or(format!("`-{letter}` of curl needs a value"))?;
                    parsed.set(long, value)?;
                    break;
                }
                parsed.flag(named(&FLAGS).ok_or_else(|| unknown(&format!("-{letter}")))?);
            }
        }
    }
    parsed.recording()
}

fn takes_value(long: &str) -> bool {
    LONG_WITH_VALUE.contains(&long) || WITH_VALUE.iter().any(|(_, name)| *name == long)
}

fn unknown(option: &str) -> String {
    format!("the option `{option}` of curl cannot be converted: leave it out, and change the script")
}

/// Splits a command as a POSIX shell does, with the strings of Bash: `$'a\n'`.
fn split(command: &str) -> Result<Vec<String>, String> {
    if command.contains("^\"") || command.contains("^\n") {
        return Err("this is a command for cmd.exe; in the browser, choose `Copy as cURL (bash)`".to_owned());
    }
    shlex::split(&without_ansi_c(command)).ok_or_else(|| "a quote in the curl command is not closed".to_owned())
}

/// Replaces `$'...'` by `'...'`, and joins continued lines.
fn without_ansi_c(command: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '$') if chars.peek() == Some(&'\'') => {
                chars.next();
                out.push('\'');
                ansi_c(&mut chars, &mut out);
                out.push('\'');
                continue;
            }
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') => {
                // The next line continues this one.
                let next = chars.next();
                let next = if next == Some('\r') { chars.next_if_eq(&'\n') } else { next };
                if next != Some('\n') {
                    out.push(c);
                    out.extend(next);
                }
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

/// Adds the text until the closing quote, for single quotes.
fn ansi_c(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, out: &mut String) {
    let mut push = |c: char| match c {
        '\'' => out.push_str("'\\''"),
        c => out.push(c),
    };
    while let Some(c) = chars.next() {
        match c {
            '\'' => return,
            '\\' => match chars.next() {
                Some('n') => push('\n'),
                Some('r') => push('\r'),
                Some('t') => push('\t'),
                Some('a') => push('\u{7}'),
                Some('b') => push('\u{8}'),
                Some('f') => push('\u{c}'),
                Some('v') => push('\u{b}'),
                Some('e' | 'E') => push('\u{1b}'),
                Some(kind @ ('x' | 'u' | 'U')) => {
                    let most = match kind {
                        'x' => 2,
                        'u' => 4,
                        _ => 8,
                    };
                    let mut code = 0;
                    for _ in 0..most {
                        let Some(digit) = chars.peek().and_then(|c| c.to_digit(16)) else { break };
                        code = code * 16 + digit;
                        chars.next();
                    }
                    push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                Some(digit @ '0'..='7') => {
                    let mut code = u32::from(digit) - u32::from('0');
                    for _ in 0..2 {
                        let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) else { break };
                        code = code * 8 + digit;
                        chars.next();
                    }
                    push(char::from_u32(code).unwrap_or('\u{fffd}'));
                }
                Some(other) => push(other),
                None => push('\\'),
            },
            c => push(c),
        }
    }
}

/// The options of a command.
#[derive(Default)]
struct Parsed {
    urls: Vec<String>,
    method: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<String>,
    json: bool,
    parts: Vec<Part>,
    user: Option<String>,
    timeout: Option<f64>,
    insecure: bool,
    get: bool,
    head: bool,
}

impl Parsed {
    fn flag(&mut self, long: &str) {
        match long {
            "insecure" => self.insecure = true,
            "get" => self.get = true,
            "head" => self.head = true,
            // Redirects are followed and responses decompressed anyway. The others say what curl prints.
            _ => {}
        }
    }

    fn set(&mut self, long: &str, value: String) -> Result<(), String> {
        match long {
            "url" => self.urls.push(value),
            "request" => self.method = Some(value),
            "header" => match value.split_once(':') {
                Some((name, value)) => self.headers.push((name.trim().to_owned(), value.trim().to_owned())),
                None => return Err(format!("the header `{value}` of curl has no colon")),
            },
            "user-agent" => self.headers.push(("User-Agent".to_owned(), value)),
            "referer" => self.headers.push(("Referer".to_owned(), value)),
            "cookie" if value.contains('=') => self.headers.push(("Cookie".to_owned(), value)),
            "cookie" => return Err(format!("`-b {value}` names a file of cookies: write `-b name=value`")),
            "user" => self.user = Some(value),
            "data-raw" => self.data.push(value),
            "data" | "data-ascii" | "data-binary" | "json" => {
                self.json |= long == "json";
                match value.strip_prefix('@') {
                    None => self.data.push(value),
                    Some(file) => {
                        let text =
                            fs::read_to_string(file).map_err(|error| format!("cannot read `{file}`: {error}"))?;
                        let without_lines = matches!(long, "data" | "data-ascii");
                        self.data.push(if without_lines { text.replace(['\r', '\n'], "") } else { text });
                    }
                }
            }
            "data-urlencode" => {
                let (name, value) = value.split_once('=').unwrap_or(("", value.as_str()));
                let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
                self.data.push(if name.is_empty() { encoded } else { format!("{name}={encoded}") });
            }
            "form" | "form-string" => {
                let (name, value) =
                    value.split_once('=').ok_or(format!("`-F {value}` has no name: `-F name=value`"))?;
                let file = value.strip_prefix('@').filter(|_| long == "form");
                let file = file.map(|file| file.split(';').next().unwrap_or_default());
                let is_file = file.is_some();
                self.parts.push(Part { name: name.to_owned(), value: file.unwrap_or(value).to_owned(), is_file });
            }
            "max-time" => self.timeout = value.parse().ok(),
            // `--output`, `--write-out`, `--connect-timeout`
            _ => {}
        }
        Ok(())
    }

    fn recording(self) -> Result<Recording, String> {
        let Parsed { urls, method, mut headers, data, json, parts, user, timeout, insecure, get, head } = self;
        if urls.is_empty() {
            return Err("the curl command has no URL".to_owned());
        }
        if json {
            for name in ["Content-Type", "Accept"] {
                if header(&headers, name).is_none() {
                    headers.push((name.to_owned(), "application/json".to_owned()));
                }
            }
        }
        let mut basic = user.map(|user| match user.split_once(':') {
            Some((user, password)) => (user.to_owned(), password.to_owned()),
            None => (user, String::new()),
        });
        // Browsers copy the header.
        if let Some(at) = headers.iter().position(|(name, _)| name.eq_ignore_ascii_case("authorization"))
            && let Some(encoded) = headers[at].1.strip_prefix("Basic ")
            && let Some(decoded) = BASE64_STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok())
            && let Some((user, password)) = decoded.split_once(':')
        {
            basic = Some((user.to_owned(), password.to_owned()));
            headers.remove(at);
        }
        headers.retain(|(name, _)| !is_automatic(name));
        let data = (!data.is_empty()).then(|| data.join("&"));
        let query = data.clone().filter(|_| get);
        let body = match data {
            Some(data) if !get => {
                if header(&headers, "content-type").is_none() {
                    headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
                }
                Body::of(data, &mut headers)
            }
            _ if !parts.is_empty() => Body::Multipart(parts),
            _ => Body::None,
        };
        let default = match &body {
            _ if head => "HEAD",
            Body::None => "GET",
            _ => "POST",
        };
        let method = method.unwrap_or_else(|| default.to_owned());
        let mut requests = Vec::new();
        for written in urls {
            // As curl does, without a scheme.
            let whole = if written.contains("://") { written.clone() } else { format!("http://{written}") };
            let mut url = Url::parse(&whole).map_err(|error| format!("`{written}` is not a URL: {error}"))?;
            if !matches!(url.scheme(), "http" | "https") {
                return Err(format!("the scheme of `{written}` is not supported: use http or https"));
            }
            if let Some(more) = &query {
                let all = [url.query(), Some(more.as_str())].into_iter().flatten().collect::<Vec<_>>().join("&");
                url.set_query(Some(&all));
            }
            requests.push(Recorded {
                method: method.clone(),
                url,
                headers: headers.clone(),
                basic: basic.clone(),
                body: body.clone(),
                pause: Duration::ZERO,
                timeout,
                status: None,
            });
        }
        Ok(Recording { requests, insecure, ..Recording::default() })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(command: &str) -> Recorded {
        parse(command).unwrap().requests.remove(0)
    }

    #[test]
    fn commands_of_browsers_become_requests() {
        let request = one(
            "curl 'https://shop.example/orders?x=1' \\\n  -H 'accept: */*' -H 'content-type: application/json' \\\n  \
             -H 'sec-fetch-mode: cors' -H 'accept-encoding: gzip' -b 'id=1; b=2' \\\n  \
             --data-raw $'{\"a\": \"it\\'s\\u0021\", \"n\": [1, null]}' --compressed -k",
        );
        assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "https://shop.example/orders?x=1"));
        let headers = [("accept", "*/*"), ("Cookie", "id=1; b=2")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(request.headers, headers);
        assert_eq!(request.body, Body::Json(json!({"a": "it's!", "n": [1, null]})));
        assert!(parse("curl -k http://h").unwrap().insecure);
    }

    #[test]
    fn options_have_their_meaning_in_curl() {
        let form = |pairs: &[(&str, &str)]| {
            Body::Form(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let request = one("curl -sSLXPUT -dA=1 --data=B=2 localhost:80/x -u ada:pw -A me -e http://r -m 2.5");
        assert_eq!((request.method.as_str(), request.url.as_str()), ("PUT", "http://localhost/x"));
        assert_eq!(request.body, form(&[("A", "1"), ("B", "2")]));
        assert_eq!((request.basic, request.timeout), (Some(("ada".to_owned(), "pw".to_owned())), Some(2.5)));
        assert_eq!(header(&request.headers, "user-agent"), Some("me"));
        assert_eq!(
            one("curl -G -d a=1 --data-urlencode 'q=x y' http://h/?z=0").url.as_str(),
            "http://h/?z=0&a=1&q=x+y"
        );
        assert_eq!(one("curl -I http://h").method, "HEAD");
        let request = one("curl --json '{\"a\":1}' http://h");
        assert_eq!(
            (request.body, header(&request.headers, "accept")),
            (Body::Json(json!({"a": 1})), Some("application/json"))
        );
        let part = |name: &str, value: &str, is_file| Part { name: name.to_owned(), value: value.to_owned(), is_file };
        let request = one("curl -F a=1 -F 'f=@/tmp/x;type=text/plain' http://h");
        assert_eq!(request.body, Body::Multipart(vec![part("a", "1", false), part("f", "/tmp/x", true)]));
        assert_eq!(
            one("curl http://h -H 'Authorization: Basic YWRhOnB3'").basic,
            Some(("ada".to_owned(), "pw".to_owned()))
        );
        assert_eq!(one("curl http://h -d '{x' -H 'content-type: text/plain'").body, Body::Text("{x".to_owned()));
        assert_eq!(parse("curl http://h/1 --url http://h/2").unwrap().requests.len(), 2);
    }

    #[test]
    fn refuses_what_it_cannot_convert() {
        for (command, why) in [
            ("wget http://h", "a curl command begins with `curl`"),
            ("curl --cert x http://h", "the option `--cert` of curl cannot be converted"),
            ("curl -sK x http://h", "the option `-K` of curl cannot be converted"),
            ("curl 'http://h", "a quote in the curl command is not closed"),
            ("curl -X", "`-X` of curl needs a value"),
            ("curl", "the curl command has no URL"),
            ("curl ftp://h", "the scheme of `ftp://h` is not supported"),
            ("curl -b jar.txt http://h", "`-b jar.txt` names a file of cookies"),
            ("curl ^\"http://h^\"", "choose `Copy as cURL (bash)`"),
            ("curl -d @/no/file http://h", "cannot read `/no/file`"),
        ] {
            let error = parse(command).unwrap_err();
            assert!(error.contains(why), "{command}: {error}");
        }
    }
}
