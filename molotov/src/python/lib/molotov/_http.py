"""HTTP as aiohttp's users write it: what is rare, turned into the plain requests of the engine.

aiohttp itself is imported only where a script uses what only it can do; its classes are used where a script has imported it.
"""

import asyncio
import json as _json
import sys
from collections import namedtuple
from http.cookies import CookieError, Morsel, SimpleCookie
from urllib.parse import urlencode, urlsplit

from molotov import _core

_AIOHTTP = sys.modules


def _aiohttp():
    """aiohttp, if the script has imported it."""
    return _AIOHTTP.get("aiohttp")


# ---------------------------------------------------------------- errors


class _Errors:
    """aiohttp's exceptions by name: its own classes where it is imported, else ours of the same names and bases."""

    def __init__(self):
        self.made = None

    def __getattr__(self, name):
        aiohttp = _aiohttp()
        if aiohttp is None:
            try:
                import aiohttp
            except ImportError:
                return getattr(self._own(), name)
        found = getattr(aiohttp, name, None)
        return found if found is not None else getattr(self._own(), name)

    def _own(self):
        if self.made is None:
            from molotov import _errors

            self.made = _errors
        return self.made


errors = _Errors()


def exception(kind, message, url, connecting, reading, errno, causes):
    """The exception that aiohttp raises where ours has failed in this way."""
    if kind == "timeout":
        if connecting:
            return errors.ServerTimeoutError("Connection timeout to host %s" % url)
        if reading:
            return errors.ServerTimeoutError("Timeout on reading data from socket")
        error = asyncio.TimeoutError()
        # Its text is empty, as aiohttp's is.
        error.__notes__ = [message]
        return error
    if kind in ("connect", "dns", "tls"):
        return _connector_error(kind, message, url, errno, causes)
    if kind == "closed":
        if errno is not None:
            return errors.ClientOSError(errno, _strerror(errno))
        return errors.ServerDisconnectedError()
    if kind == "body":
        return errors.ClientPayloadError("Response payload is not completed")
    if kind in ("decode", "too large"):
        return errors.ClientPayloadError(message)
    if kind == "redirect":
        return errors.TooManyRedirects(_info(url), (), status=0, message=message)
    if kind == "builder":
        return errors.InvalidURL(url if url is not None else message.split("`")[1] if "`" in message else message)
    if kind == "protocol":
        return errors.ClientResponseError(_info(url), (), status=0, message=message)
    return errors.ClientError(message)


def _strerror(errno):
    import os

    return os.strerror(errno)


def _connector_error(kind, message, url, errno, causes):
    if errno in _OUT_OF_FILES:
        return _out_of_files(url, errno)
    parts = URL(url) if url else None
    https = bool(parts) and parts.scheme == "https"
    host = parts.host if parts else ""
    port = parts.port if parts else 0
    ConnectionKey = namedtuple("ConnectionKey", "host port is_ssl ssl proxy proxy_auth proxy_headers_hash")
    key = ConnectionKey(host, port, https, True, None, None, None)
    if kind == "tls":
        import ssl

        reason = causes[-1] if causes else message
        if "certificate" in reason.lower() or "issuer" in reason.lower():
            return errors.ClientConnectorCertificateError(key, ssl.SSLCertVerificationError(1, reason))
        return errors.ClientConnectorSSLError(key, ssl.SSLError(1, reason))
    if kind == "dns":
        name = getattr(_aiohttp(), "ClientConnectorDNSError", None) or errors.ClientConnectorError
        return name(key, OSError(errno or -2, "Name or service not known"))
    if errno is None:
        errno = 111
    text = "Connect call failed %r" % ((host, port),)
    return errors.ClientConnectorError(key, OSError(errno, text))


# EMFILE and ENFILE.
_OUT_OF_FILES = (24, 23)


def _out_of_files(url, errno):
    """The error of a connection for which there was no file; nothing can be imported from a file either."""
    from molotov import _errors

    found = _aiohttp() or _errors
    parts = urlsplit(url or "")
    key = namedtuple("ConnectionKey", "host port is_ssl ssl")(parts.hostname, parts.port, parts.scheme == "https", True)
    return found.ClientConnectorError(key, OSError(errno, _strerror(errno) + "; raise the limit (ulimit -n)"))


def half_body(response):
    """Raised where a body breaks off."""
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        what = "TransferEncodingError: 400, message='Not enough data for satisfy transfer length header.'"
    else:
        what = "ContentLengthError: 400, message='Not enough data for satisfy content length header.'"
    return errors.ClientPayloadError("Response payload is not completed: <%s>" % what)


def released():
    """Raised where a body is read that was let go."""
    return errors.ClientConnectionError("Connection closed")


def wrong_content_type(response, stated):
    return errors.ContentTypeError(
        response.request_info,
        response.history,
        status=response.status if _is_recent() else 0,
        message="Attempt to decode JSON with unexpected mimetype: %s" % (stated or "").lower(),
        headers=response.headers,
    )


def _is_recent():
    """Whether aiohttp, where it is there, tells the status with a wrong content type, as it does since 3.10."""
    aiohttp = _aiohttp()
    return aiohttp is None or not aiohttp.__version__.startswith(("3.7.", "3.8.", "3.9."))


def too_many_redirects(response):
    """The exception for a redirect too many; `None` where the answer leads nowhere."""
    if response.headers.get("Location") is None or response.status not in (301, 302, 303, 307, 308):
        return None
    here = _Hop(response.status, str(response.url), response.raw_headers, response.method, response.reason)
    history = response.history + (here,)
    return errors.TooManyRedirects(_with_url(response.request_info, history[0].url), history)


def _with_url(info, url):
    return RequestInfo(url, info.method, info.headers, url)


def bad_status(response):
    response.release()
    return errors.ClientResponseError(
        response.request_info,
        response.history,
        status=response.status,
        message=response.reason,
        headers=response.headers,
    )


# ---------------------------------------------------------------- names that aiohttp shares with yarl and multidict


def URL(text):
    """A URL of yarl's, or a small one of ours where yarl is not installed."""
    try:
        import yarl
    except ImportError:
        from molotov import _url

        return _url.URL(text)
    return yarl.URL(text, encoded=True) if isinstance(text, str) else text


def _multidict(pairs):
    try:
        from multidict import CIMultiDict, CIMultiDictProxy
    except ImportError:
        from molotov import _url

        return _url.Headers(pairs)
    return CIMultiDictProxy(CIMultiDict(pairs))


def _changeable(pairs):
    try:
        from multidict import CIMultiDict
    except ImportError:
        from molotov import _url

        return _url.Headers(pairs)
    return CIMultiDict(pairs)


def _decoded(pairs):
    return [(name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in pairs]


class RequestInfo:
    """What a response says of its request."""

    def __init__(self, url, method, headers, real_url=None):
        self.url = url
        self.method = method
        self.headers = headers
        self.real_url = real_url if real_url is not None else url

    def __repr__(self):
        return "RequestInfo(url=%r, method=%r, headers=%r, real_url=%r)" % (
            self.url,
            self.method,
            self.headers,
            self.real_url,
        )


def _info(url, method="GET"):
    return RequestInfo(URL(url) if url else None, method, _multidict([]))


# ---------------------------------------------------------------- responses


class _Hop:
    """A redirect on the way to a response."""

    def __init__(self, status, url, headers, method, reason):
        self.status = status
        self.reason = reason
        self.url = URL(url)
        self.real_url = self.url
        self.headers = _multidict(_decoded(headers))
        self.method = method
        self.history = ()
        self.ok = status < 400
        self.request_info = _info(url, method)
        self.cookies = _cookies(headers)

    def __repr__(self):
        return "<ClientResponse(%s) [%d %s]>" % (self.url, self.status, self.reason)


def _cookies(pairs):
    cookies = SimpleCookie()
    for name, value in pairs:
        if name.lower() == b"set-cookie":
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                pass
    return cookies


def head(response, raw, name):
    """A part of a response's head, made when it is first asked for, and kept."""
    made = _head(response, raw, name)
    response.__dict__[name] = made
    return made


def _head(response, raw, name):
    if name == "headers":
        return _multidict(_decoded(raw.get("headers", ())))
    if name == "raw_headers":
        return tuple(raw.get("headers", ()))
    if name in ("url", "real_url"):
        url = URL(raw["url"])
        if not response.history:
            info = response.request_info
            return info.real_url if name == "real_url" else info.url
        return url if name == "real_url" else url.with_fragment(None)
    if name == "_request_info":
        sent = [("Host", _host(raw["url"])), ("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate")]
        return RequestInfo(URL(raw["url"]), raw.get("method", "GET"), _multidict(sent))
    if name == "host":
        return response.url.host
    if name == "reason":
        return raw.get("reason", "")
    if name == "method":
        return raw.get("method") or response._asked_method
    if name == "history":
        method = response._asked_method
        return tuple(_Hop(status, url, headers, method, reason) for status, url, headers, reason in raw.get("history", ()))
    if name == "cookies":
        return _cookies(raw.get("headers", ()))
    if name == "content_length":
        length = response.headers.get("Content-Length")
        return int(length) if length is not None else None
    if name in ("content_type", "charset"):
        from email.message import Message

        message = Message()
        stated = response.headers.get("Content-Type")
        if stated is None:
            return "application/octet-stream" if name == "content_type" else None
        message["content-type"] = stated
        if name == "content_type":
            return message.get_content_type()
        return message.get_param("charset")
    if name == "version":
        text = raw.get("version", "HTTP/1.1").rpartition("/")[2]
        major, _, minor = text.partition(".")
        aiohttp = _aiohttp()
        if aiohttp is not None:
            return aiohttp.HttpVersion(int(major), int(minor or 0))
        return _Version(int(major), int(minor or 0))
    if name == "links":
        return _links(response)
    if name == "content_disposition":
        return None
    if name == "connection":
        return None
    raise AttributeError("'ClientResponse' object has no attribute %r" % name)


_Version = namedtuple("HttpVersion", "major minor")


def _host(url):
    """What the header `Host` says."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def _links(response):
    import re

    links = {}
    for value in response.headers.getall("link", ()) if hasattr(response.headers, "getall") else ():
        for part in re.split(r",(?=\s*<)", value):
            found = re.match(r"\s*<(.*)>(.*)", part)
            if not found:
                continue
            target, rest = found.groups()
            parameters = dict(re.findall(r";\s*(\w+)\s*=\s*\"?([^\";]*)\"?", rest))
            parameters["url"] = response.url.join(URL(target))
            links[parameters.get("rel", target)] = parameters
    return links


def show(response):
    return "<ClientResponse(%s) [%d %s]>\n%s\n" % (response.url, response.status, response.reason, response.headers)


class Content:
    """The body of a response as a stream."""

    def __init__(self, response):
        self._response = response
        self._left = bytearray()
        self._ended = False

    def _give_back(self):
        """What has come and was not taken: `read()` of the response begins with it."""
        self._ended = True
        return self._take(len(self._left))

    async def _more(self):
        part = None if self._ended else await self._response._chunk()
        if part is None:
            self._ended = True
            return False
        most = self._response._max_body
        if most is not None and len(self._left) + len(part) > most:
            self._ended = True
            self._left.clear()
            self._response.close()
            raise errors.ClientPayloadError(
                "the body is larger than `max_body`, which is %d bytes: raise it, or read the body in parts" % most
            )
        self._left += part
        return True

    def _take(self, size):
        if size >= len(self._left):
            left, self._left = self._left, bytearray()
            return bytes(left)
        taken = bytes(self._left[:size])
        del self._left[:size]
        return taken

    async def read(self, n=-1):
        if n < 0:
            while await self._more():
                pass
            return self._take(len(self._left))
        while n and not self._left and await self._more():
            pass
        return self._take(n)

    async def readany(self):
        while not self._left and await self._more():
            pass
        return self._take(len(self._left))

    async def readexactly(self, n):
        while len(self._left) < n and await self._more():
            pass
        if len(self._left) < n:
            raise asyncio.IncompleteReadError(self._take(n), n)
        return self._take(n)

    async def readuntil(self, separator=b"\n"):
        searched = 0
        while True:
            end = self._left.find(separator, searched)
            if end >= 0:
                return self._take(end + len(separator))
            searched = max(0, len(self._left) - len(separator) + 1)
            if not await self._more():
                return self._take(len(self._left))

    async def readline(self):
        return await self.readuntil()

    async def readchunk(self):
        part = await self.readany()
        return part, bool(part) or self._ended

    def at_eof(self):
        return not self._left and self.is_eof()

    @property
    def total_bytes(self):
        body = self._response._body
        return len(body) if body is not None else len(self._left)

    def is_eof(self):
        return self._ended or self._response._body is not None

    def iter_chunked(self, n):
        return _Parts(lambda: self.read(n))

    def iter_any(self):
        return _Parts(self.readany)

    def iter_chunks(self):
        return _Parts(self.readchunk, lambda part: part == (b"", True))

    def __aiter__(self):
        return _Parts(self.readline)


class _Parts:
    def __init__(self, read, is_end=lambda part: part == b""):
        self._read = read
        self._is_end = is_end

    def __aiter__(self):
        return self

    async def __anext__(self):
        part = await self._read()
        if self._is_end(part):
            raise StopAsyncIteration
        return part


# ---------------------------------------------------------------- requests

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
_ODD = ("proxy", "proxy_auth", "proxy_headers", "ssl_context", "fingerprint", "server_hostname", "expect100", "trace_request_ctx")


def _odd(keywords):
    """The first argument that only aiohttp can follow, or `None`."""
    for name in _ODD:
        if keywords.get(name) not in (None, False):
            return name
    return "ssl" if keywords.get("ssl", True) not in (None, True, False) else None


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
    odd = _odd(keywords)
    if odd is not None:
        return await _real(session, "a request with `%s`" % odd).request(method, url, **keywords)
    insecure = keywords.get("ssl") is False or keywords.get("verify_ssl") is False
    if insecure and str(url).startswith("https"):
        return await _real(session, "an HTTPS request with `ssl=False`").request(method, url, **keywords)
    base = session.__dict__.get("_base_url")
    if base is not None:
        url = _url(base, None).join(_relative(url))
    asked, url = url, _url(url, keywords.get("params"))
    if url.scheme not in ("http", "https"):
        raise _unsupported(url)
    trusts = (session._options or {}).get("trust_env")
    if trusts and _environment().has_proxy(url):
        return await _real(session, "a request through a proxy of the environment").request(method, asked, **keywords)
    headers = _pairs(keywords.get("headers"))
    given = {name.lower() for name, _ in headers}
    options = session._options or {}
    # What the script has put among the session's headers since `setup`.
    late = session.__dict__.get("_default_headers")
    if late is not None:
        headers += [pair for pair in _pairs(late) if pair[0].lower() not in given]

    auth = keywords.get("auth")
    if auth is not None and not hasattr(auth, "encode"):
        raise TypeError("BasicAuth() tuple is required instead")
    if auth is not None and url.user is not None:
        raise ValueError("Cannot combine AUTH argument with credentials encoded in URL")
    if auth is not None:
        if "authorization" in given:
            raise ValueError("Cannot combine AUTHORIZATION header with AUTH argument or credentials encoded in URL")
        headers.append(("Authorization", _basic(auth)))
    elif url.user is not None:
        headers.append(("Authorization", _basic((url.user, url.password or ""))))
    elif trusts and (login := _environment().login(url.host)) is not None:
        headers = [pair for pair in headers if pair[0].lower() != "authorization"]
        headers.append(("Authorization", _basic(login)))
    if url.user is not None:
        url = url.with_user(None)
    if url.raw_fragment if hasattr(url, "raw_fragment") else False:
        plain = url.with_fragment(None)
    else:
        plain = url

    cookies = keywords.get("cookies")
    jar = session.__dict__.get("cookie_jar")
    if jar is not None and jar._everywhere:
        cookies = {**jar._everywhere, **_cookie_values(cookies or {})}
    if cookies:
        values = dict(session._cookies_for(str(plain)))
        values.update(_cookie_values(cookies))
        for name, value in headers:
            if name.lower() == "cookie":
                values.update(pair.partition("=")[::2] for pair in value.split("; "))
        headers = [pair for pair in headers if pair[0].lower() != "cookie"]
        headers.append(("Cookie", _cookie_header(values)))

    body, parts, content_type = await _body(keywords, options)
    compress = keywords.get("compress")
    if compress and body:
        body = _compressed(body, "deflate" if compress is True else compress)
        headers.append(("Content-Encoding", "deflate" if compress is True else compress))
        parts, body = [body], None
    if keywords.get("chunked") and body is not None:
        parts, body = [body], None
    if content_type is not None and "content-type" not in given:
        headers.append(("Content-Type", content_type))
    if body is None and parts is None and method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
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
    sent = [("Host", _host(str(plain)))] + headers
    sent += [pair for pair in (("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate")) if pair[0].lower() not in given]
    if body is not None:
        sent.append(("Content-Length", str(len(body))))
    info = RequestInfo(plain, method, _multidict(sent), url)
    # What a request says replaces all of the session's timeout, `None` included.
    said = [keywords[name] for name in ("timeout", "read_timeout") if name in keywords]
    if not said and "_timeout" in session.__dict__:
        said = [session._timeout]
    response = await session._send(
        method,
        str(plain),
        [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers],
        body,
        _limits(said[0]) if said else None,
        redirects,
        bool(raises) if not callable(raises) else False,
        info,
        parts,
    )
    if callable(raises):
        await raises(response)
    return response


def _relative(url):
    """A URL that may be only a path, to be joined to another."""
    try:
        import yarl
    except ImportError:
        from molotov import _url as own

        return own.URL(str(url))
    return yarl.URL(url)


def _url(url, params):
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
        raise _unsupported(parsed)
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


def _unsupported(url):
    error = errors.InvalidURL(url)
    # Its text is aiohttp's. Before Python 3.11 there is no `add_note`.
    error.__notes__ = ["the scheme `%s` is not supported; use http or https" % url.scheme]
    return error


def _pairs(headers):
    if not headers:
        return []
    items = list(headers.items() if hasattr(headers, "items") else headers)
    for name, value in items:
        if not isinstance(value, str):
            raise TypeError("the header %s has to be a str, not %r" % (name, value))
    return [(str(name), str(value)) for name, value in items]


def _basic(auth):
    if hasattr(auth, "encode"):
        return auth.encode()
    from base64 import b64encode

    user, password = auth[0], auth[1]
    return "Basic " + b64encode(("%s:%s" % (user, password)).encode("latin-1")).decode()


def _cookie_values(cookies):
    items = cookies.items() if hasattr(cookies, "items") else cookies
    return {name: value.value if isinstance(value, Morsel) else str(value) for name, value in items}


def _cookie_header(values):
    cookies = SimpleCookie()
    for name, value in sorted(values.items()):
        cookies[name] = value
    return "; ".join("%s=%s" % (name, cookies[name].coded_value) for name in cookies)


def _limits(timeout):
    """Seconds of a timeout in all, to connect, and between two reads; infinite where there is no limit."""

    def limit(*seconds):
        return min((float(value) for value in seconds if value and value > 0), default=float("inf"))

    if timeout is None or isinstance(timeout, (int, float)):
        return limit(timeout), limit(), limit()
    names = ("total", "connect", "sock_connect", "sock_read")
    total, connect, sock_connect, sock_read = (getattr(timeout, name, None) for name in names)
    return limit(total), limit(connect, sock_connect), limit(sock_read)


def _session_limits(options):
    """The limits that a session's options ask for, in any spelling; `None` where nothing is said."""
    if options.get("timeout") is not None:
        return _limits(options["timeout"])
    if options.get("conn_timeout") is None and "read_timeout" not in options:
        return None
    # As aiohttp: five minutes, unless they are replaced.
    total = _limits(options.get("read_timeout", 300))[0]
    return total, _limits(options.get("conn_timeout"))[0], float("inf")


def _seconds(timeout):
    """Seconds of a timeout, however it is written; `None` where nothing is said."""
    if timeout is None or isinstance(timeout, (int, float)):
        return float(timeout) if timeout else None
    total = getattr(timeout, "total", None)
    if total is None:
        total = getattr(timeout, "sock_read", None)
    return float(total) if total else None


def _compressed(body, coding):
    import zlib

    if coding == "gzip":
        compressor = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    else:
        compressor = zlib.compressobj(wbits=zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


class _Collected:
    """Takes what aiohttp's payloads write."""

    def __init__(self):
        self.parts = []

    async def write(self, chunk):
        self.parts.append(bytes(chunk))

    async def write_eof(self, chunk=b""):
        if chunk:
            self.parts.append(bytes(chunk))

    def enable_compression(self, *_):
        pass

    def enable_chunking(self):
        pass


async def _body(keywords, options):
    """The body of a request: whole, or in parts where its length is not told; and its type."""
    if keywords.get("json") is not None:
        dumps = options.get("json_serialize", _json.dumps)
        return dumps(keywords["json"]).encode("utf-8"), None, "application/json"
    data = keywords.get("data")
    if data is None:
        return None, None, None
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data), None, "application/octet-stream"
    if isinstance(data, str):
        return data.encode("utf-8"), None, "text/plain; charset=utf-8"
    if hasattr(data, "__aiter__"):
        return None, [bytes(part) async for part in data], "application/octet-stream"
    plain = _form(data)
    if plain is not None:
        return urlencode(plain, doseq=True, encoding="utf-8").encode(), None, "application/x-www-form-urlencoded"
    # Files and forms with files: aiohttp's own payloads write them.
    aiohttp = _needed()
    from aiohttp import payload

    if isinstance(data, aiohttp.FormData):
        data = data()
    elif isinstance(data, (dict, list, tuple)) or hasattr(data, "items"):
        data = aiohttp.FormData(data)()
    if not isinstance(data, payload.Payload):
        try:
            data = payload.PAYLOAD_REGISTRY.get(data, disposition=None)
        except payload.LookupError:
            data = aiohttp.FormData(data)()
    collected = _Collected()
    size = data.size
    await data.write(collected)
    kind = data.headers.get("Content-Type", data.content_type)
    if size is None:
        return None, collected.parts, kind
    return b"".join(collected.parts), None, kind


def _form(data):
    """Pairs of a form without files, or `None`."""
    if hasattr(data, "items"):
        items = list(data.items())
    elif isinstance(data, (list, tuple)):
        items = list(data)
    else:
        return None
    for item in items:
        if not (isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], (str, int, float))):
            return None
    return [(name, str(value)) for name, value in items]


# ---------------------------------------------------------------- sessions

# Options that aiohttp does not have.
_OURS = frozenset(("http2", "max_body", "retry"))
_SESSION = _OURS | frozenset(
    ("headers", "cookies", "auth", "timeout", "raise_for_status", "json_serialize", "conn_timeout", "read_timeout")
)


def only_aiohttp(options):
    """The names among a session's options that only aiohttp itself can follow."""
    harmless = {"loop", "connector_owner", "trust_env", "requote_redirect_url", "read_bufsize", "auto_decompress"}
    return sorted(name for name, value in options.items() if name not in _SESSION | harmless and value is not None)


def _for_aiohttp(options):
    """A session's options, without those that aiohttp does not have."""
    return {name: value for name, value in (options or {}).items() if name not in _OURS}


def session_options(options):
    """The plain options of a session: headers with cookies, timeout in seconds, whether bodies are decompressed, whether HTTP/2
    may be negotiated, the largest body, whether requests are retried."""
    headers = _pairs(options.get("headers"))
    auth = options.get("auth")
    if auth is not None:
        headers.append(("Authorization", _basic(auth)))
    timeout = _session_limits(options)
    cookies = sorted(_cookie_values(options.get("cookies") or {}).items())
    if cookies:
        headers.append(("Cookie", _cookie_header(dict(cookies))))
    encoded = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers]
    most = options.get("max_body")
    if most is not None and (not isinstance(most, int) or most < 0):
        raise ValueError("max_body is %r: give a number of bytes" % (most,))
    decodes, http2, retry = bool(options.get("auto_decompress", True)), bool(options.get("http2")), options.get("retry", True)
    return encoded, timeout, decodes, http2, most, bool(retry)


def of_session(session, name):
    """What is rarely asked of a session."""
    options = session._options or {}
    if name in ("headers", "_default_headers"):
        kept = _changeable(_pairs(options.get("headers")))
        session.__dict__["headers"] = session.__dict__["_default_headers"] = kept
        return kept
    if name in ("cookie_jar", "_cookie_jar"):
        jar = session.__dict__["cookie_jar"] = session.__dict__["_cookie_jar"] = _Jar(session)
        return jar
    if name in ("_base_url", "_connector", "_timeout"):
        return options.get(name[1:])
    if name == "raise_for_status":
        return options.get("raise_for_status", False)
    if name == "json_serialize":
        return options.get("json_serialize", _json.dumps)
    if name == "trace_configs":
        return []
    return options.get(name)


class _Jar:
    """The cookies of a session."""

    def __init__(self, session):
        self._session = session
        # Set by the script for no server in particular: they go everywhere.
        self._everywhere = {}

    def __iter__(self):
        pairs = dict(self._session._all_cookies())
        pairs.update(self._everywhere)
        cookies = SimpleCookie(pairs)
        return iter(cookies.values())

    def __len__(self):
        return len(list(iter(self)))

    def clear(self, predicate=None):
        self._everywhere.clear()
        self._session._clear_cookies()

    def filter_cookies(self, url):
        cookies = SimpleCookie()
        for name, value in [*self._everywhere.items(), *self._session._cookies_for(str(url))]:
            cookies[name] = value
        return cookies

    def update_cookies(self, cookies, response_url=None):
        if response_url is None or not str(response_url):
            self._everywhere.update(_cookie_values(cookies))
            return
        for name, value in _cookie_values(cookies).items():
            self._session._set_cookie(str(response_url), "%s=%s" % (name, value))


_SAID = set()


def _say_once(text):
    if text not in _SAID:
        _SAID.add(text)
        _core.warn(text)


def _environment():
    from molotov import _environment

    return _environment


def _real(session, what):
    """The real aiohttp session beside ours, for what only it can do."""
    aiohttp = _needed()
    _say_once("only aiohttp itself can make %s: it does, and the measures leave that out" % what)
    real = session.__dict__.get("_aiohttp")
    if real is None:
        real = session._aiohttp = aiohttp.ClientSession(**_for_aiohttp(session._options))
    return real


def _needed():
    """aiohttp, for what only it can do."""
    try:
        import aiohttp
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise ModuleNotFoundError(
            "only aiohttp itself can do that, and it is not installed where this script runs: `pip install aiohttp` in the "
            "virtual environment that is active",
            name="aiohttp",
        ) from None
    return aiohttp


def real_session(options):
    """A real aiohttp session in the place of ours."""
    aiohttp = _needed()
    _say_once(
        "`setup` asks for what only aiohttp itself can do (%s): its sessions make the requests, at its own speed"
        % ", ".join(only_aiohttp(options))
    )
    return aiohttp.ClientSession(**_for_aiohttp(options))


async def close(session):
    """Closes a session of any kind."""
    beside = getattr(session, "__dict__", {}).get("_aiohttp")
    if beside is not None:
        await beside.close()
    leave = getattr(type(session), "__aexit__", None)
    if leave is not None:
        await leave(session, None, None, None)
        return
    closing = getattr(session, "close", None)
    if closing is not None:
        closed = closing()
        if hasattr(closed, "__await__"):
            await closed


class _WebSocket:
    """Connects when awaited or entered; aiohttp speaks the protocol."""

    def __init__(self, session, url, keywords):
        self._coroutine = self._connect(session, url, keywords)
        self._socket = None

    async def _connect(self, session, url, keywords):
        self._socket = await _real(session, "a WebSocket").ws_connect(url, **keywords)
        return self._socket

    def __await__(self):
        return self._coroutine.__await__()

    async def __aenter__(self):
        return await self._coroutine

    async def __aexit__(self, *exception):
        if self._socket is not None:
            await self._socket.close()


def ws_connect(session, url, **keywords):
    return _WebSocket(session, url, keywords)


async def make(factory, kind, loop, keywords, context):
    """A session of a kind that the script knows how to make."""
    if factory is None and kind == "grpc":
        import grpc

        address = next((keywords[name] for name in ("grpc_url", "url", "target", "address") if name in keywords), None)
        if address is None:
            raise TypeError("a scenario with `session_factory='grpc'` names the server, as in `grpc_url='localhost:50051'`")
        made = grpc.aio.insecure_channel(address)
    elif factory is None:
        raise LookupError("no session factory makes sessions of the kind %r" % (kind,))
    else:
        made = factory(loop, None, context.args.verbose, context.statsd, None, **keywords)
        if asyncio.iscoroutine(made):
            made = await made
    enter = getattr(type(made), "__aenter__", None)
    if enter is not None:
        made = await enter(made)
    try:
        made._molotov_context = context
    except AttributeError:
        pass
    return made


# ---------------------------------------------------------------- outside the run


def blocking_request(endpoint, verb, session_options, options, wants_json=False):
    """One request, made at once on a connection of its own."""
    session_options = dict(session_options or {})
    session_options.update(options)
    url = _url(endpoint, session_options.get("params"))
    headers = _pairs(session_options.get("headers"))
    if session_options.get("auth") is not None:
        headers.append(("Authorization", _basic(session_options["auth"])))
    if session_options.get("cookies"):
        pairs = sorted(_cookie_values(session_options["cookies"]).items())
        headers.append(("Cookie", _cookie_header(dict(pairs))))
    coroutine = _body(session_options, session_options)
    try:
        coroutine.send(None)
    except StopIteration as stopped:
        body, parts, content_type = stopped.value
    else:
        coroutine.close()
        raise TypeError("the body of a blocking request has to be there at once")
    if parts is not None:
        body = b"".join(parts)
    if content_type is not None and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", content_type))
    status, pairs, content = _core.request(
        verb.upper(),
        str(url),
        [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers],
        body,
        _seconds(session_options.get("timeout")),
        None if session_options.get("allow_redirects", True) else 0,
    )
    if wants_json:
        stated = _multidict(_decoded(pairs)).get("Content-Type", "")
        kind = stated.partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            message = "Attempt to decode JSON with unexpected mimetype: %s" % stated
            raise errors.ContentTypeError(_info(str(url), verb.upper()), (), status=status, message=message)
    return {"content": content, "status": status, "headers": _multidict(_decoded(pairs))}


def printed(*values, sep=" ", end="\n", file=None, flush=False):
    return sep.join(str(value) for value in values)


def namespace(options):
    """The options of the run."""
    import argparse

    return argparse.Namespace(**options)


class EventRequest:
    """A request as listeners see it."""

    def __init__(self, method, url, original_url, headers, body):
        self.method = method
        self.url = URL(url)
        self.original_url = URL(original_url)
        self.headers = _changeable(_decoded(headers))
        self._told = list(self.headers.items())
        self.body = body
        self.host = self.url.host
        self.port = self.url.port

    def _changed(self):
        """The headers, if a listener has changed them."""
        now = list(self.headers.items())
        if now == self._told:
            return None
        self._told = now
        return [(name.encode("latin-1"), str(value).encode("utf-8")) for name, value in now]

    def is_ssl(self):
        return self.url.scheme == "https"

    def __repr__(self):
        return "<ClientRequest %s %s>" % (self.method, self.url)
