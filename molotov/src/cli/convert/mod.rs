//! Scripts from recorded requests: `--from-curl` and `--from-har`.

mod curl;
mod har;
mod python;
mod rust;

use std::{
    ffi::OsString,
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{PossibleValuesParser, ValueParser},
};
use serde_json::Value;
use url::{Position, Url};

use crate::secrets;

/// The heading of the options.
const HEADING: &str = "Scripts from recordings";

/// Adds the options to a command.
pub(super) fn with_options(command: Command) -> Command {
    command
        .arg(
            Arg::new("from-curl")
                .long("from-curl")
                .help_heading(HEADING)
                .value_name("COMMAND")
                .help("Print a script for a curl command: a text, - (stdin), or the rest of the line"),
        )
        .arg(
            Arg::new("from-har")
                .long("from-har")
                .help_heading(HEADING)
                .value_name("FILE")
                .value_parser(ValueParser::path_buf())
                .conflicts_with("from-curl")
                .help("Print a script for a recording of a browser, a HAR file"),
        )
        .arg(
            Arg::new("language")
                .long("language")
                .help_heading(HEADING)
                .value_name("LANGUAGE")
                .value_parser(PossibleValuesParser::new(["python", "rust"]))
                .hide_possible_values(true)
                .help("Language of this script: python or rust [default: python, or that of the file]"),
        )
        .arg(
            Arg::new("output")
                .long("output")
                .help_heading(HEADING)
                .value_name("FILE")
                .value_parser(ValueParser::path_buf())
                .help("Write this script to a new file"),
        )
        .arg(
            Arg::new("with-assets")
                .long("with-assets")
                .help_heading(HEADING)
                .action(ArgAction::SetTrue)
                .help("Keep the images, styles, fonts and scripts of a recording"),
        )
}

/// The names of the options.
pub(super) const OPTIONS: [&str; 5] = ["from-curl", "from-har", "language", "output", "with-assets"];

/// Replaces `--from-curl curl -X POST ...` by one argument: the shell has split the command.
pub(super) fn with_joined_command(mut line: Vec<OsString>) -> Vec<OsString> {
    let Some(at) = line.windows(2).position(|pair| pair[0] == "--from-curl" && pair[1] == "curl") else { return line };
    let words: Vec<_> = line.drain(at + 1..).map(|word| word.to_string_lossy().into_owned()).collect();
    // A word of an operating system has no NUL.
    let joined = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
    line.push(joined.into());
    line
}

/// Creates the script that a command line asks for; `None` if it asks for none. Returns the text to print, and notes.
pub(super) fn converted(matches: &ArgMatches) -> Option<Result<(String, Vec<String>), String>> {
    let file = matches.get_one::<PathBuf>("from-har");
    let recording = match (matches.get_one::<String>("from-curl"), file) {
        (Some(command), _) => from_curl(command),
        (None, Some(file)) => har::read(file, matches.get_flag("with-assets")),
        (None, None) => {
            let alone = ["language", "output"].into_iter().find(|name| matches.contains_id(name));
            let alone = alone.or(matches.get_flag("with-assets").then_some("with-assets"))?;
            return Some(Err(format!("`--{alone}` needs `--from-curl` or `--from-har`")));
        }
    };
    let shows_secrets = matches.get_flag("show_secrets");
    Some(recording.and_then(|recording| write(recording, matches, shows_secrets)))
}

fn from_curl(command: &str) -> Result<Recording, String> {
    let mut text = command.to_owned();
    if command == "-" {
        text.clear();
        io::stdin().lock().read_to_string(&mut text).map_err(|error| format!("cannot read the command: {error}"))?;
    }
    curl::parse(&text)
}

fn write(mut recording: Recording, matches: &ArgMatches, shows_secrets: bool) -> Result<(String, Vec<String>), String> {
    if !shows_secrets && recording.mask() {
        recording.notes.push(format!("secrets are `{MASK}` in the script; `--show-secrets` keeps them"));
    }
    recording.collect_common_headers();
    let output = matches.get_one::<PathBuf>("output");
    let by_file = output.and_then(|file| match file.extension()?.to_str()? {
        "py" => Some("python"),
        "rs" => Some("rust"),
        _ => None,
    });
    let language = matches.get_one::<String>("language").map(String::as_str).or(by_file).unwrap_or("python");
    let script = if language == "rust" { rust::script(&recording) } else { python::script(&recording) };
    let Some(file) = output else { return Ok((script, recording.notes)) };
    create(file, &script)?;
    let file = file.display();
    recording.notes.push(match language {
        "rust" => format!(
            "wrote `{file}`; make it the `src/main.rs` of a crate that depends on `molotov`, and run it once with `cargo run -- \
             --single-run`"
        ),
        _ => format!("wrote `{file}`; run it once with `molotov {file} --single-run`"),
    });
    Ok((String::new(), recording.notes))
}

/// Creates a file, which must not exist.
fn create(path: &Path, text: &str) -> Result<(), String> {
    let created = fs::OpenOptions::new().write(true).create_new(true).open(path);
    created.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => format!("`{}` exists; name a new file", path.display()),
        _ => format!("cannot write `{}`: {error}", path.display()),
    })
}

/// The replacement of a secret.
const MASK: &str = secrets::MASK;

/// Recorded requests.
#[derive(Debug, Default)]
struct Recording {
    requests: Vec<Recorded>,
    /// The headers of all requests.
    headers: Vec<(String, String)>,
    /// Whether certificates are not checked.
    insecure: bool,
    /// Notes for the user.
    notes: Vec<String>,
}

/// A recorded request.
#[derive(Debug)]
struct Recorded {
    method: String,
    url: Url,
    headers: Vec<(String, String)>,
    basic: Option<(String, String)>,
    body: Body,
    /// The time since the end of the previous response.
    pause: Duration,
    timeout: Option<f64>,
    /// The status of the response; `None`: any below 400.
    status: Option<u16>,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    None,
    Text(String),
    Json(Value),
    Form(Vec<(String, String)>),
    Multipart(Vec<Part>),
}

#[derive(Debug, Clone, PartialEq)]
struct Part {
    name: String,
    /// The value, or the path of a file.
    value: String,
    is_file: bool,
}

/// A larger body stays text.
const MAX_JSON: usize = 16 << 10;

impl Body {
    /// Returns the body that a text is: JSON, a form, or text. Removes the header that the body implies.
    fn of(text: String, headers: &mut Vec<(String, String)>) -> Body {
        let kind = header(headers, "content-type").unwrap_or_default().to_ascii_lowercase();
        let mime = kind.split(';').next().unwrap_or_default().trim();
        let body = match mime {
            "application/json" if text.len() <= MAX_JSON => {
                serde_json::from_str(&text).map_or(Body::Text(text), Body::Json)
            }
            "application/x-www-form-urlencoded" => {
                let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&text).unwrap_or_default();
                let written = serde_urlencoded::to_string(&pairs).unwrap_or_default();
                if !pairs.is_empty() && written == text { Body::Form(pairs) } else { Body::Text(text) }
            }
            _ => Body::Text(text),
        };
        if !matches!(body, Body::Text(_)) {
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        }
        body
    }
}

/// Returns the value of a header.
fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Headers that the client sets for each request.
fn is_automatic(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    const AUTOMATIC: [&str; 11] = [
        "host",
        "content-length",
        "connection",
        "accept-encoding",
        "transfer-encoding",
        "te",
        "upgrade-insecure-requests",
        "priority",
        "if-none-match",
        "if-modified-since",
        "proxy-connection",
    ];
    name.starts_with(':') || name.starts_with("sec-") || AUTOMATIC.contains(&name.as_str())
}

impl Recording {
    /// The scheme, host and port of the first request.
    fn host(&self) -> &str {
        self.requests.first().map_or("", |request| request.url[..Position::BeforePath].trim_end_matches('/'))
    }

    /// Returns the path of a URL on the host, or `None`.
    fn path<'a>(&self, url: &'a Url) -> Option<&'a str> {
        (&url[..Position::BeforePath] == self.host()).then(|| &url[Position::BeforePath..Position::AfterQuery])
    }

    /// Moves the headers that all requests have to the session.
    fn collect_common_headers(&mut self) {
        let [first, rest @ ..] = self.requests.as_slice() else { return };
        if rest.is_empty() {
            return;
        }
        let everywhere = |pair: &&(String, String)| {
            !pair.0.eq_ignore_ascii_case("content-type") && rest.iter().all(|request| request.headers.contains(pair))
        };
        self.headers = first.headers.iter().filter(everywhere).cloned().collect();
        for request in &mut self.requests {
            request.headers.retain(|pair| !self.headers.contains(pair));
        }
    }

    /// Replaces secrets. Returns whether there are any.
    fn mask(&mut self) -> bool {
        let mut found = false;
        let mut replace = |text: &mut String| {
            found = true;
            *text = MASK.to_owned();
        };
        for request in &mut self.requests {
            for (name, value) in &mut request.headers {
                if secrets::is_secret_header_name(name) {
                    replace(value);
                }
            }
            if let Some((_, password)) = &mut request.basic {
                replace(password);
            }
            if request.url.password().is_some() {
                replace(&mut String::new());
                // The URL has a host.
                let _ = request.url.set_password(Some(MASK));
            }
            let pairs: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
            if pairs.iter().any(|(name, _)| secrets::is_secret_name(name)) {
                let masked = pairs.into_iter().map(|(name, mut value)| {
                    if secrets::is_secret_name(&name) {
                        replace(&mut value);
                    }
                    (name, value)
                });
                let masked: Vec<_> = masked.collect();
                request.url.query_pairs_mut().clear().extend_pairs(masked);
            }
            match &mut request.body {
                Body::Json(value) => mask_json(value, &mut replace),
                Body::Form(pairs) => {
                    pairs
                        .iter_mut()
                        .filter(|(name, _)| secrets::is_secret_name(name))
                        .for_each(|(_, value)| replace(value));
                }
                Body::Multipart(parts) => {
                    let secret = |part: &&mut Part| !part.is_file && secrets::is_secret_name(&part.name);
                    parts.iter_mut().filter(secret).for_each(|part| replace(&mut part.value));
                }
                Body::Text(_) | Body::None => {}
            }
        }
        found
    }
}

fn mask_json(value: &mut Value, replace: &mut impl FnMut(&mut String)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| mask_json(value, replace)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if secrets::is_secret_name(name) => replace(text),
                    value => mask_json(value, replace),
                }
            }
        }
        _ => {}
    }
}
