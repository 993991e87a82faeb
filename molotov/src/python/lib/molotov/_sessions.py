"""Sessions: their options, their rare attributes, and how they are made and closed."""

import asyncio
import json as _json
from http.cookies import SimpleCookie

from molotov._headers import basic, cookie_header, cookie_values, pairs_of
from molotov._timeouts import session_limits
from molotov._types import changeable


def session_options(options):
    """The plain options of a session: headers with cookies, timeout in seconds, whether bodies are decompressed, whether HTTP/2
    may be negotiated, the largest body, whether requests are retried."""
    headers = pairs_of(options.get("headers"))
    auth = options.get("auth")
    if auth is not None:
        headers.append(("Authorization", basic(auth)))
    timeout = session_limits(options)
    cookies = sorted(cookie_values(options.get("cookies") or {}).items())
    if cookies:
        headers.append(("Cookie", cookie_header(dict(cookies))))
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
        kept = changeable(pairs_of(options.get("headers")))
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
            self._everywhere.update(cookie_values(cookies))
            return
        for name, value in cookie_values(cookies).items():
            self._session._set_cookie(str(response_url), "%s=%s" % (name, value))


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


def printed(*values, sep=" ", end="\n", file=None, flush=False):
    return sep.join(str(value) for value in values)
