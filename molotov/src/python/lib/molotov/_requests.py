"""Translates requests with aiohttp's arguments to requests of the engine."""

from molotov import _connectors, _core, _environment
from molotov import _tls
from molotov._aiohttp import fallback_session, imported, Unsupported
from molotov._bodies import body_of, compressed
from molotov._exceptions import errors, proxy_error
from molotov._headers import basic, cookie_header, cookie_values, pairs_of
from molotov._responses import host_of
from molotov._targets import base_of, on_host, relative, unsupported, url_of
from molotov._timeouts import limits
from molotov._types import multidict, RequestInfo

# Arguments that aiohttp does not have.
_OURS = ("name", "tags", "expect")

_PLAIN = frozenset(
    (
        *_OURS,
        "params",
        "data",
        "json",
        "headers",
        "auth",
        "cookies",
        "timeout",
        "allow_redirects",
        "max_redirects",
        "raise_for_status",
        "compress",
        "chunked",
        "skip_auto_headers",
        "expect100",
        "read_until_eof",
        "trace_request_ctx",
        "read_bufsize",
        "auto_decompress",
        "max_line_size",
        "max_field_size",
        "read_timeout",
        "ssl",
        "verify_ssl",
        "ssl_context",
        "fingerprint",
        "proxy",
        "proxy_auth",
        "proxy_headers",
        "server_hostname",
    )
)

# Arguments that only aiohttp supports.
_ONLY_AIOHTTP = ("expect100", "proxy_headers")

# Arguments that affect how a request connects.
_ROUTED = ("proxy", "ssl", "verify_ssl", "ssl_context", "fingerprint", "server_hostname")


def _route_of(session, url, keywords, trusts):
    """Returns how a request connects, or `None` if it connects as its session does.

    Raises `Unsupported` if only aiohttp supports the request.
    """
    for name in _ONLY_AIOHTTP:
        if keywords.get(name):
            raise Unsupported("a request with `%s`" % name)
    for odd in session.__dict__.get("_only_aiohttp", {}).values():
        raise Unsupported(odd)
    proxy = keywords.get("proxy")
    login = keywords.get("proxy_auth")
    if login is not None and not hasattr(login, "encode"):
        raise ValueError("proxy_auth must be None or BasicAuth() tuple")
    if proxy is None and trusts:
        proxy, login = _environment.proxy(url)
    if proxy is None and all(keywords.get(name) is None for name in _ROUTED):
        return None
    connector = session.__dict__.get("_connector", (session._options or {}).get("connector"))
    otherwise = _tls.DEFAULT if connector is None else _connectors.tls(connector)
    try:
        asked = _tls.tls_of(_tls.asked(keywords), otherwise)
    except Unsupported as error:
        raise Unsupported("a request with %s" % error) from error
    server_name = keywords.get("server_hostname")
    if proxy is not None:
        proxy = relative(proxy)
        if proxy.scheme != "http" or url.scheme != "http" or not proxy.host:
            # Errors of tunnels need a status, which the engine does not report.
            raise Unsupported("an HTTPS request through a proxy" if url.scheme == "https" else "a request through such a proxy")
        if proxy.user is not None:
            login = login or (proxy.user, proxy.password or "")
            proxy = proxy.with_user(None)
    elif asked == otherwise and server_name is None:
        return None
    return _tls.route(asked, server_name, None if proxy is None else str(proxy), None if login is None else (login[0], login[1]))


def _stated_length(headers, size):
    """Returns the length of a body: what the request's headers state, as in aiohttp, or else its size."""
    stated = next((value for name, value in headers if name.lower() == "content-length"), None)
    return size if stated is None else int(stated)


def start(session, method, url, keywords):
    """Starts a request with arguments, by the script's replacement of `_request` if there is one. Returns a coroutine."""
    wrapper = session.__dict__.get("_request")
    if wrapper is not None:
        return wrapper(method, url, **keywords)
    return start_plain(session, method, url, keywords)


def start_plain(session, method, url, keywords):
    """Starts a request with arguments. Returns a coroutine."""
    unknown = keywords.keys() - _PLAIN
    if unknown:
        raise TypeError("%s() got an unexpected keyword argument %r" % (method.lower(), sorted(unknown)[0]))
    return _start(session, method, url, keywords)


async def _start(session, method, url, keywords):
    if session.closed:
        raise RuntimeError("Session is closed")
    if keywords.get("data") is not None and keywords.get("json") is not None:
        raise ValueError("data and json parameters can not be used at the same time")
    trace_configs = session.__dict__.get("_trace_configs")
    if not trace_configs:
        return await _send(session, method, url, keywords)
    from molotov import _traces

    return await _traces.traced(
        session, trace_configs, method, url, keywords, lambda keywords: _send(session, method, url, keywords)
    )


def send_with(session, url, keywords, send):
    """Sends the handshake of a WebSocket. `send` gets the parts of the request. Returns a coroutine."""
    return _send(session, "GET", url, keywords, send)


async def _send(session, method, url, keywords, handshake=None):
    options = session._options or {}
    host = _core.host()
    base = base_of(session)
    asked, url = url, on_host(url, base is not None)
    is_path = url is not asked
    if base is not None and host is None:
        url = relative(url)
        if not _accepts_absolute_urls():
            assert not url.host and url.path.startswith("/")
        url = url_of(base, None).join(url)
    url = url_of(url, keywords.get("params"))
    shown = url
    if handshake is not None and url.scheme in ("ws", "wss"):
        url = url.with_scheme("http" + url.scheme[2:])
    if url.scheme not in ("http", "https"):
        raise unsupported(url)
    trusts = options.get("trust_env")
    try:
        route = _route_of(session, url, keywords, trusts)
    except Unsupported as odd:
        if handshake is not None:
            raise
        return await fallback_session(session, str(odd)).request(method, asked, **keywords)
    headers = pairs_of(keywords.get("headers"))
    given = {name.lower() for name, _ in headers}
    # The headers of the session, if the script may have changed them since `setup`.
    late = session.__dict__.get("_default_headers")
    defaults = pairs_of(late) if late is not None else None
    if defaults is not None and options.get("auth") is not None:
        defaults.append(("Authorization", basic(options["auth"])))

    auth = keywords.get("auth")
    if auth is not None and not hasattr(auth, "encode"):
        raise TypeError("BasicAuth() tuple is required instead")
    if auth is not None and url.user is not None:
        raise ValueError("Cannot combine AUTH argument with credentials encoded in URL")
    if auth is not None:
        if "authorization" in given:
            raise ValueError("Cannot combine AUTHORIZATION header with AUTH argument or credentials encoded in URL")
        headers.append(("Authorization", basic(auth)))
    elif url.user is not None:
        headers.append(("Authorization", basic((url.user, url.password or ""))))
    elif trusts and (login := _environment.login(url.host)) is not None:
        headers = [pair for pair in headers if pair[0].lower() != "authorization"]
        headers.append(("Authorization", basic(login)))
    if url.user is not None:
        url = url.with_user(None)
    if url.raw_fragment if hasattr(url, "raw_fragment") else False:
        plain = url.with_fragment(None)
    else:
        plain = url

    cookies = keywords.get("cookies")
    if cookies:
        values = dict(session._jar().matching(str(plain)))
        values.update(cookie_values(cookies))
        for name, value in headers:
            if name.lower() == "cookie":
                values.update(pair.partition("=")[::2] for pair in value.split("; "))
        headers = [pair for pair in headers if pair[0].lower() != "cookie"]
        headers.append(("Cookie", cookie_header(values)))

    body, source, content_type = await body_of(keywords, options)
    coding = "deflate" if keywords.get("compress") is True else keywords.get("compress") or None
    coding = coding if body or source is not None else None
    chunked = bool(keywords.get("chunked") or coding) and (body is not None or source is not None)
    if coding:
        headers.append(("Content-Encoding", coding))
        body = compressed(body, coding) if body else body
    written = None
    if source is not None:
        length = None if chunked else _stated_length(headers, source.size)
        written = source.start_with(str(plain), length, coding)
    if content_type is not None and "content-type" not in given:
        headers.append(("Content-Type", content_type))
    if body is None and written is None and method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
        body = b""
        if method in ("POST", "PUT", "PATCH") and "content-type" not in given:
            headers.append(("Content-Type", "application/octet-stream"))

    redirects = None
    if not keywords.get("allow_redirects", True):
        redirects = -1
    elif "max_redirects" in keywords:
        most = keywords["max_redirects"]
        # aiohttp counts the redirect that is one too many. 0 means no limit.
        redirects = most - 1 if most else 1000
    raises = keywords.get("raise_for_status")
    if raises is None:
        raises = options.get("raise_for_status")
    sent = [("Host", host_of(str(plain)))] + headers
    sent += [pair for pair in defaults or () if pair[0].lower() not in given]
    sent += [pair for pair in (("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate")) if pair[0].lower() not in given]
    length = written[0] if written is not None else len(body) if body is not None and not chunked else None
    if length is not None and "content-length" not in given:
        sent.append(("Content-Length", str(length)))
    elif length is None and (body is not None or written is not None):
        sent.append(("Transfer-Encoding", "chunked"))
    info = RequestInfo(plain, method, multidict(sent), url if handshake is None else shown)
    # The timeout of a request replaces the session's, even if it is `None`.
    timeouts = [keywords[name] for name in ("timeout", "read_timeout") if name in keywords]
    if not timeouts and "_timeout" in session.__dict__:
        timeouts = [session._timeout]
    target = str(plain)
    if is_path and target.startswith(host + "/"):
        # The name of the request does not contain the path of the host.
        target = target[len(host) :]
    sending = (handshake or session._send)(
        method,
        target,
        _encoded(headers),
        body,
        limits(timeouts[0]) if timeouts else None,
        redirects,
        bool(raises) if not callable(raises) else False,
        info,
        chunked,
        written,
        route,
        None if defaults is None else _encoded(defaults),
        *(keywords.get(name) for name in _OURS),
    )
    if route is None or keywords.get("proxy") is None and not trusts:
        response = await sending
    else:
        response = await _through_proxy(sending, keywords.get("proxy") or _environment.proxy(url)[0])
    if callable(raises):
        await raises(response if handshake is None else response[0])
    return response


def _encoded(pairs):
    return [(name.encode("latin-1"), value.encode("utf-8")) for name, value in pairs]


async def _through_proxy(sending, proxy):
    """Sends a request through a proxy. A failure to connect is reported as the proxy's."""
    try:
        return await sending
    except errors.ClientConnectorError as error:
        raise proxy_error(error, relative(proxy)) from error.__cause__


def _accepts_absolute_urls():
    """Returns whether the script's aiohttp accepts absolute URLs with a `base_url`, as it does since 3.12."""
    aiohttp = imported()
    return aiohttp is not None and tuple(int(part) for part in aiohttp.__version__.split(".")[:2]) >= (3, 12)
