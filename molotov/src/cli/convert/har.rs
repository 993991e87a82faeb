//! Reads recordings of browsers: HAR files.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use serde::Deserialize;
use url::Url;

use super::{Body, Part, Recorded, Recording, is_automatic};
use crate::format::plural;

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    started_date_time: Option<String>,
    /// In milliseconds.
    #[serde(default)]
    time: f64,
    request: Request,
    #[serde(default)]
    response: Response,
    #[serde(rename = "_resourceType")]
    resource_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Pair>,
    post_data: Option<PostData>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Response {
    status: i64,
    content: Content,
    #[serde(rename = "redirectURL")]
    redirect_url: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Content {
    mime_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    #[serde(default)]
    mime_type: String,
    text: Option<String>,
    #[serde(default)]
    params: Vec<Param>,
}

#[derive(Deserialize)]
struct Pair {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Param {
    name: String,
    #[serde(default)]
    value: String,
    file_name: Option<String>,
}

/// Pauses that are shorter belong to the page, not to the user.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Reads a recording. Without `assets`, its images, styles, fonts and scripts are left out.
///
/// # Errors
///
/// If the file cannot be read, or is not a HAR file with requests.
pub(super) fn read(path: &Path, assets: bool) -> Result<Recording, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read `{name}`: {error}"))?;
    let text = text.trim_start_matches('\u{feff}');
    let har: Har = serde_json::from_str(text).map_err(|error| format!("`{name}` is not a HAR file: {error}"))?;
    recording(har, assets).map_err(|error| format!("`{name}`: {error}"))
}

fn recording(har: Har, assets: bool) -> Result<Recording, String> {
    let mut recording = Recording::default();
    let (mut left_out, mut others) = (0, 0);
    let mut ended: Option<SystemTime> = None;
    let mut redirected: Option<Url> = None;
    for entry in har.log.entries {
        let Some(url) = Url::parse(&entry.request.url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
        else {
            others += 1;
            continue;
        };
        let started = entry.started_date_time.as_deref().and_then(time);
        let next = entry.response.redirect_url.as_deref().filter(|_| (300..400).contains(&entry.response.status));
        let next = next.filter(|next| !next.is_empty()).and_then(|next| url.join(next).ok());
        let status = u16::try_from(entry.response.status).ok().filter(|status| (100..600).contains(status));
        // The session follows redirects.
        if redirected.as_ref() == Some(&url) {
            if let Some(last) = recording.requests.last_mut() {
                last.status = status;
            }
            redirected = next;
            ended = started.and_then(|started| end(started, entry.time));
            continue;
        }
        if is_preflight(&entry) {
            others += 1;
            continue;
        }
        if !assets && is_asset(&entry, &url) {
            left_out += 1;
            continue;
        }
        let pause = ended.zip(started).and_then(|(ended, started)| started.duration_since(ended).ok());
        redirected = next;
        ended = started.and_then(|started| end(started, entry.time)).or(ended);
        recording.requests.push(request(entry.request, url, pause.unwrap_or_default(), status));
    }
    if recording.requests.is_empty() {
        return Err(
            "there is no request to convert; `--with-assets` keeps images, styles, fonts and scripts".to_owned()
        );
    }
    if left_out > 0 {
        let what = "images, styles, fonts and scripts";
        recording
            .notes
            .push(format!("left out {} for {what}; `--with-assets` keeps them", plural(left_out, "request")));
    }
    if others > 0 {
        let is = if others == 1 { "is" } else { "are" };
        let what = plural(others, "request");
        recording.notes.push(format!("left out {what} that {is} not HTTP, or that the browser sends by itself"));
    }
    Ok(recording)
}

fn request(request: Request, url: Url, pause: Duration, status: Option<u16>) -> Recorded {
    let pairs = request.headers.into_iter().map(|pair| (pair.name, pair.value));
    // The session keeps the cookies that the service sets.
    let mut headers: Vec<_> =
        pairs.filter(|(name, _)| !is_automatic(name) && !name.eq_ignore_ascii_case("cookie")).collect();
    let body = match request.post_data {
        None => Body::None,
        Some(data) if data.mime_type.starts_with("multipart/form-data") && !data.params.is_empty() => {
            headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
            let parts = data.params.into_iter().map(|param| Part {
                name: param.name,
                is_file: param.file_name.is_some(),
                value: param.file_name.unwrap_or(param.value),
            });
            Body::Multipart(parts.collect())
        }
        Some(data) => {
            if super::header(&headers, "content-type").is_none() && !data.mime_type.is_empty() {
                headers.push(("Content-Type".to_owned(), data.mime_type));
            }
            let text = data.text.filter(|text| !text.is_empty()).unwrap_or_else(|| {
                let pairs: Vec<_> = data.params.into_iter().map(|param| (param.name, param.value)).collect();
                serde_urlencoded::to_string(pairs).unwrap_or_default()
            });
            if text.is_empty() { Body::None } else { Body::of(text, &mut headers) }
        }
    };
    let pause = if pause < SHORTEST_PAUSE { Duration::ZERO } else { pause };
    Recorded { method: request.method, url, headers, basic: None, body, pause, timeout: None, status }
}

/// Parses `2026-01-31T10:00:00.123+02:00`. The offset is ignored, since only differences matter.
fn time(text: &str) -> Option<SystemTime> {
    let after_date = text.find('T')?;
    let end = text[after_date..].find(['Z', '+', '-']).map_or(text.len(), |at| after_date + at);
    humantime::parse_rfc3339(&format!("{}Z", &text[..end])).ok()
}

fn end(started: SystemTime, milliseconds: f64) -> Option<SystemTime> {
    started.checked_add(Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default())
}

fn is_preflight(entry: &Entry) -> bool {
    let asks = |pair: &Pair| pair.name.eq_ignore_ascii_case("access-control-request-method");
    entry.resource_type.as_deref() == Some("preflight")
        || entry.request.method == "OPTIONS" && entry.request.headers.iter().any(asks)
}

fn is_asset(entry: &Entry, url: &Url) -> bool {
    if entry.request.method != "GET" {
        return false;
    }
    if let Some(kind) = entry.resource_type.as_deref() {
        return ["image", "stylesheet", "font", "script", "media", "manifest", "texttrack"].contains(&kind);
    }
    let mime = entry.response.content.mime_type.as_deref().unwrap_or_default();
    let extension = Path::new(url.path()).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["image/", "font/", "text/css", "video/", "audio/"].iter().any(|start| mime.starts_with(start))
        || mime.contains("javascript")
        || ["css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "woff", "woff2", "ttf"]
            .contains(&extension.to_ascii_lowercase().as_str())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn times_have_any_offset() {
        let seconds = |text: &str| time(text).unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
        for text in ["1970-01-01T00:00:01.500Z", "1970-01-01T00:00:01.5+02:00", "1970-01-01T00:00:01.500-05:00"] {
            assert_eq!(seconds(text), 1500, "{text}");
        }
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn refuses_what_is_no_recording() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("x.har");
        for (text, why) in [
            ("{", "is not a HAR file: EOF"),
            ("{\"log\": {\"entries\": []}}", "there is no request to convert"),
            (
                "{\"log\": {\"entries\": [{\"request\": {\"method\": \"GET\", \"url\": \"data:x\"}}]}}",
                "there is no request",
            ),
        ] {
            fs::write(&file, text).unwrap();
            let error = read(&file, false).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(read(&directory.path().join("none"), false).unwrap_err().starts_with("cannot read `"));
    }
}
