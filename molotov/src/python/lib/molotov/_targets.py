"""The URL that a request goes to."""

from molotov._exceptions import errors


def relative(url):
    """A URL that may be only a path, to be joined to another."""
    try:
        import yarl
    except ImportError:
        from molotov import _url as own

        return own.URL(str(url))
    return yarl.URL(url)


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
        raise errors.InvalidURL(parsed)
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
    error = errors.InvalidURL(url)
    # Its text is aiohttp's. Before Python 3.11 there is no `add_note`.
    error.__notes__ = ["the scheme `%s` is not supported; use http or https" % url.scheme]
    return error
