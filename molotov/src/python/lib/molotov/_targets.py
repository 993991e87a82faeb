"""The URLs of requests."""

from molotov import _core
from molotov._exceptions import errors


def relative(url):
    """Parses a URL that may be a path only."""
    try:
        import yarl
    except ImportError:
        from molotov import _url as own

        return own.URL(str(url))
    return yarl.URL(url)


def on_host(url, has_base=False):
    """Returns a URL, or the URL of a path on the host of `--host`, if there is one.

    If the session has a `base_url`, which the host replaces, a path may begin without a slash.
    """
    host = _core.host()
    if host is None:
        return url
    text = str(url)
    if text.startswith("/"):
        return host + text
    if has_base and text and not relative(url).scheme:
        return "%s/%s" % (host, text)
    return url


def base_of(session):
    """Returns the base URL that the script has given a session, or `None`."""
    return session.__dict__.get("_base_url", (session._options or {}).get("base_url"))


def url_of(url, params):
    if type(url).__module__.partition(".")[0] == "yarl":
        parsed = url
    else:
        try:
            import yarl
        except ImportError:
            from molotov import _url as own

            parsed = own.URL(str(url))
        else:
            try:
                parsed = yarl.URL(url)
            except ValueError as error:
                raise errors.InvalidURL(url) from error
    if parsed.scheme and parsed.scheme not in ("http", "https", "ws", "wss"):
        raise unsupported(parsed)
    if not parsed.scheme or not parsed.host:
        raise incomplete(parsed, str(url))
    if params:
        extended = getattr(parsed, "extend_query", None)
        if extended is not None:
            return extended(params)
        query = parsed.query.copy() if hasattr(parsed.query, "copy") else None
        if query is None:
            return parsed.with_query(params)
        query.extend(parsed.with_query(params).query)
        return parsed.with_query(query)
    return parsed


def unsupported(url):
    """Returns the error for a URL with an unsupported scheme. `localhost:8080` has the scheme `localhost`."""
    host = str(url).partition("/")[0]
    if host.rpartition(":")[2].isdecimal():
        return _invalid(url, "the scheme is missing; write http://%s" % url)
    return _invalid(url, "the scheme `%s` is not supported; use http or https" % url.scheme)


def incomplete(url, written):
    """Returns the error for a URL without a scheme or a host."""
    if url.scheme:
        return _invalid(url, "the host is missing; write %s://HOST/PATH" % url.scheme)
    if not written:
        return _invalid(url, "the URL is empty")
    if written.startswith("/"):
        return _invalid(url, "the scheme and host are missing; pass `--host http://HOST`, set `base_url` in `setup`, or write http://HOST%s" % written)
    for scheme in ("http", "https"):
        if written.startswith(scheme + "//"):
            return _invalid(url, "a colon is missing; write %s:%s" % (scheme, written[len(scheme):]))
    if _core.host() is not None:
        return _invalid(url, "a path begins with a slash: /%s" % written)
    return _invalid(url, "the scheme is missing; write http://%s" % written)


def _invalid(url, note):
    error = errors.InvalidURL(url)
    # The text is aiohttp's. Before Python 3.11 there is no `add_note`.
    error.__notes__ = [note]
    return error
