//! The address of statsd in `--statsd-address`.

use url::Url;

use super::InvalidValue;

/// The default port of statsd.
const PORT: u16 = 8125;

/// Parses an address such as `udp://host:port`. The scheme and the port are optional.
///
/// # Errors
///
/// If the address has another form.
pub(crate) fn parse(text: &str) -> Result<(String, u16), InvalidValue> {
    let wrong =
        || InvalidValue::from(format!("`{text}` is not an address of statsd; write it as `udp://localhost:{PORT}`"));
    let url = if text.contains("://") { text.to_owned() } else { format!("udp://{text}") };
    let url = Url::parse(&url).map_err(|_| wrong())?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    let plain = matches!(url.path(), "" | "/") && url.query().is_none() && url.username().is_empty();
    match url.scheme() {
        "udp" if plain => Ok((host.trim_matches(['[', ']']).to_owned(), url.port().unwrap_or(PORT))),
        "udp" => Err(wrong()),
        other => Err(format!("statsd is reached over `udp://`, not over `{other}://`").into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn parses_addresses() {
        let good = |text| parse(text).unwrap();
        assert_eq!(good("udp://localhost:8125"), ("localhost".to_owned(), 8125));
        assert_eq!(good("udp://stats.example"), ("stats.example".to_owned(), PORT));
        assert_eq!(good("udp://[::1]:99"), ("::1".to_owned(), 99));
        assert_eq!(good("127.0.0.1:77"), ("127.0.0.1".to_owned(), 77));
        for (text, part) in [
            ("tcp://localhost:1", "not over `tcp://`"),
            ("udp://", "write it as `udp://localhost:8125`"),
            ("udp://host:port", "write it as"),
            ("udp://host:99999", "write it as"),
            ("udp://host/path", "write it as"),
            ("", "write it as"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
