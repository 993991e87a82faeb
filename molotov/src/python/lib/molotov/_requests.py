"""Requests with arguments, as aiohttp's users write them, turned into plain requests of the engine."""

from molotov import _environment
from molotov._aiohttp import real_beside
from molotov._bodies import body_of, compressed
from molotov._headers import basic, cookie_header, cookie_values, pairs_of
from molotov._responses import host_of
from molotov._targets import relative, unsupported, url_of
from molotov._timeouts import limits
from molotov._types import multidict, RequestInfo

_PLAIN = frozenset(
    (
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

# What a request asks for that only aiohttp can do.
_ODD = ("proxy", "proxy_auth", "proxy_headers", "ssl_context", "fingerprint", "server_hostname", "expect100")


def _odd(keywords):
    """The first argument that only aiohttp can follow, or `None`."""
    for name in _ODD:
        if keywords.get(name) not in (None, False):
            return name
    return "ssl" if keywords.get("ssl", True) not in (None, True, False) else None


def _stated_length(headers, size):
    """The length of a body: what the request's headers say, as with aiohttp, else its size."""
    stated = next((value for name, value in headers if name.lower() == "content-length"), None)
    return size if stated is None else int(stated)


def start(session, method, url, keywords):
    """A request with arguments, as a coroutine: by what the script has put in the place of `_request`, if it has."""
    wrapper = session.__dict__.get("_request")
    if wrapper is not None:
        return wrapper(method, url, **keywords)
    return start_plain(session, method, url, keywords)


def start_plain(session, method, url, keywords):
    """A request with arguments, as a coroutine."""
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


async def _send(session, method, url, keywords):
    odd = _odd(keywords)
    if odd is not None:
        return await real_beside(session, "a request with `%s`" % odd).request(method, url, **keywords)
    insecure = keywords.get("ssl") is False or keywords.get("verify_ssl") is False
    if insecure and str(url).startswith("https"):
        return await real_beside(session, "an HTTPS request with `ssl=False`").request(method, url, **keywords)
    base = session.__dict__.get("_base_url")
    if base is not None:
        url = url_of(base, None).join(relative(url))
    asked, url = url, url_of(url, keywords.get("params"))
    if url.scheme not in ("http", "https"):
        raise unsupported(url)
    trusts = (session._options or {}).get("trust_env")
    if trusts and _environment.has_proxy(url):
        return await real_beside(session, "a request through a proxy of the environment").request(method, asked, **keywords)
    headers = pairs_of(keywords.get("headers"))
    given = {name.lower() for name, _ in headers}
    options = session._options or {}
    # What the script has put among the session's headers since `setup`.
    late = session.__dict__.get("_default_headers")
    if late is not None:
        headers += [pair for pair in pairs_of(late) if pair[0].lower() not in given]

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
    jar = session.__dict__.get("cookie_jar")
    if jar is not None and jar._everywhere:
        cookies = {**jar._everywhere, **cookie_values(cookies or {})}
    if cookies:
        values = dict(session._cookies_for(str(plain)))
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
        # aiohttp counts the redirect that is one too many; 0 is no limit.
        redirects = most - 1 if most else 1000
    raises = keywords.get("raise_for_status")
    if raises is None:
        raises = options.get("raise_for_status")
    sent = [("Host", host_of(str(plain)))] + headers
    sent += [pair for pair in (("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate")) if pair[0].lower() not in given]
    length = written[0] if written is not None else len(body) if body is not None and not chunked else None
    if length is not None and "content-length" not in given:
        sent.append(("Content-Length", str(length)))
    elif length is None and (body is not None or written is not None):
        sent.append(("Transfer-Encoding", "chunked"))
    info = RequestInfo(plain, method, multidict(sent), url)
    # What a request says replaces all of the session's timeout, `None` included.
    said = [keywords[name] for name in ("timeout", "read_timeout") if name in keywords]
    if not said and "_timeout" in session.__dict__:
        said = [session._timeout]
    response = await session._send(
        method,
        str(plain),
        [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers],
        body,
        limits(said[0]) if said else None,
        redirects,
        bool(raises) if not callable(raises) else False,
        info,
        chunked,
        written,
    )
    if callable(raises):
        await raises(response)
    return response
