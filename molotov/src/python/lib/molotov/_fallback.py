"""Requests that aiohttp sends for the engine, with the session's cookies and headers, and with events and measures."""

import asyncio
import inspect
from contextvars import ContextVar
from time import perf_counter

from molotov import _core, _jars, api
from molotov._aiohttp import needed, warn_once
from molotov._headers import pairs_of
from molotov._targets import on_host

# The request of aiohttp that the current task sends.
_CURRENT = ContextVar("molotov_exchange", default=None)


def make(options, owner=None, expect=None):
    """Makes an aiohttp session. Its requests belong to the session `owner`. Without one, it is the session of the scenario.

    `expect` is the statuses that are successes, if they differ from the default.
    """
    aiohttp = needed()
    options = dict(options)
    has_base = options.get("base_url") is not None
    if _core.host() is not None:
        # Before 3.12, aiohttp accepts only paths if there is one.
        options.pop("base_url", None)
    options["request_class"] = _request_class(options.get("request_class") or aiohttp.ClientRequest)
    if isinstance(options.get("timeout"), (int, float)):
        options["timeout"] = aiohttp.ClientTimeout(total=options["timeout"])
    if options.get("connector") is None:
        options["connector"] = aiohttp.TCPConnector(limit=0, ttl_dns_cache=None)
        options["connector_owner"] = True
    real = aiohttp.ClientSession(**options)
    # aiohttp warns about the assignment of other attributes than its own.
    object.__setattr__(real, "_request", _measured(real, real._request, owner or real, has_base, expect))
    return real


def of(session, options):
    """Returns the aiohttp session that belongs to one of ours, with the current state of ours."""
    real = session.__dict__.get("_aiohttp")
    if real is None:
        expect = (session._options or {}).get("expect")
        aside = ("cookies", "cookie_jar", "headers", "connector", "trace_configs")
        options = {name: value for name, value in options.items() if name not in aside}
        connector = session.__dict__.get("_connector", (session._options or {}).get("connector"))
        if connector is not None:
            options.update(connector=connector, connector_owner=False)
        real = session._aiohttp = make({**options, "cookie_jar": _jars.over(session._jar())}, session, expect)
        # Our session sends their signals.
        real._trace_configs = []
    kept = session.__dict__
    jar = kept.get("cookie_jar")
    real._cookie_jar = _jars.over(session._jar()) if jar is None or isinstance(jar, _jars.Jar) else jar
    real._default_headers = session.headers
    for name in ("_base_url", "_connector", "_timeout"):
        if name == "_base_url" and _core.host() is not None:
            continue
        if name in kept and kept[name] is not None:
            setattr(real, name, kept[name])
    return real


def _measured(real, request, owner, has_base, expect):
    """Wraps aiohttp's `_request` to measure the request."""

    async def measured(method, url, **keywords):
        # aiohttp does not have these.
        ours = [keywords.pop(name, None) for name in ("name", "tags", "expect")]
        if ours[2] is None and not _is_handshake(keywords):
            ours[2] = expect
        url = on_host(url, has_base)
        keywords = _with_default_headers(real, keywords)
        exchange = _Exchange(real, owner, method, url, keywords, ours)
        token = _CURRENT.set(exchange)
        try:
            response = await request(method, url, **keywords)
        except asyncio.CancelledError:
            raise
        except BaseException:
            exchange.failed()
            raise
        finally:
            _CURRENT.reset(token)
        await exchange.answered(response)
        return response

    return measured


def _with_default_headers(real, keywords):
    """Adds the headers of `--header` and `--cookie` that neither the request nor its session has."""
    defaults = _core.default_headers()
    if not defaults:
        return keywords
    from multidict import CIMultiDict

    headers = CIMultiDict(pairs_of(keywords.get("headers")))
    own = {name.lower() for name in (*headers, *real._default_headers)}
    for name, value in defaults:
        if name not in own:
            headers.add(name, value)
    return {**keywords, "headers": headers}


def _is_handshake(keywords):
    return "Sec-WebSocket-Key" in (keywords.get("headers") or ())


_REQUEST_CLASSES = {}


def _request_class(base):
    """Returns a subclass of a request class. It calls the listeners before it sends."""
    made = _REQUEST_CLASSES.get(base)
    if made is not None:
        return made

    class Request(base):
        async def send(self, *arguments, **keywords):
            exchange = _CURRENT.get()
            if exchange is not None:
                await exchange.sending(self)
            response = await super().send(*arguments, **keywords)
            response.request = self
            return response

        async def write_bytes(self, writer, *arguments, **keywords):
            exchange = _CURRENT.get()
            if exchange is not None:
                exchange.writers.append(writer)
            await super().write_bytes(writer, *arguments, **keywords)

    Request.__name__ = Request.__qualname__ = base.__name__
    Request.__module__ = base.__module__
    _REQUEST_CLASSES[base] = Request
    return Request


class _Exchange:
    """The events and the measure of one request with its redirects, or of the handshake of a WebSocket."""

    def __init__(self, real, owner, method, url, keywords, ours):
        self.owner = owner
        self.writers = []
        self.response = None
        self.is_handshake = _is_handshake(keywords)
        context = getattr(owner, "_molotov_context", None) or _core.current_context()
        self.measure = None
        if context is not None:
            self.measure = _core.Measure(context, method.upper(), _plain(real._build_url(url)), *ours)

    async def notify(self, event, **details):
        """Calls the script's listeners. Their time does not count for the request."""
        if not api._LISTENERS:
            return
        started = perf_counter()
        for listener in api._LISTENERS:
            try:
                result = listener(event, session=self.owner, **details)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                warn_once("`%s` failed: %s: %s" % (getattr(listener, "__name__", "events"), type(error).__name__, error))
        if self.measure is not None:
            self.measure.leave_out(perf_counter() - started)

    async def sending(self, request):
        await self.notify("sending_request", request=request)

    def failed(self):
        if self.measure is not None:
            self.measure.failed()

    async def answered(self, response):
        self.response = response
        if self.measure is not None:
            self.measure.answered(response.method, _plain(response.url), response.status)
            if self.is_handshake and response.status != 101:
                self.measure.failed()
        connection = response.connection
        if connection is None or response.status == 101:
            self.ended()
        else:
            connection.add_callback(self.ended)
        await self.notify("response_received", response=response, request=getattr(response, "request", None))

    def ended(self):
        """Ends the measure: the body has been read or released."""
        response, measure = self.response, self.measure
        self.measure = None
        if measure is None:
            return
        content = response.content
        if content is not None and content.exception() is not None:
            measure.failed()
            return
        sent = sum(writer.output_size for writer in self.writers)
        heads = sum(_size_of_head(answer) for answer in (*response.history, response))
        measure.completed(sent, heads, getattr(content, "total_bytes", 0))


def _size_of_head(response):
    """Returns the size of a head as received, in bytes."""
    line = len("HTTP/1.1 200 \r\n\r\n") + len(response.reason or "")
    return line + sum(len(name) + len(value) + 4 for name, value in response.raw_headers)


def _plain(url):
    """Returns the URL under which a request is measured. For a WebSocket, it is the URL of its handshake."""
    text = str(url.with_user(None) if url.host else url)
    return "http" + text[2:] if text.startswith("ws") else text
