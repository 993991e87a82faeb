"""Requests that aiohttp makes: with the cookies and headers of the session beside it, and in the events and measures of the run."""

import asyncio
import inspect
from contextvars import ContextVar
from time import perf_counter

from molotov import _core, _jars, api
from molotov._aiohttp import needed, say_once

# The request of aiohttp's that the running task makes.
_CURRENT = ContextVar("molotov_exchange", default=None)


def make(options, owner=None):
    """A real session. Its requests belong to the session `owner`; without one, it is the scenario's session itself."""
    aiohttp = needed()
    options = dict(options)
    options["request_class"] = _observed(options.get("request_class") or aiohttp.ClientRequest)
    if isinstance(options.get("timeout"), (int, float)):
        options["timeout"] = aiohttp.ClientTimeout(total=options["timeout"])
    if options.get("connector") is None:
        options["connector"] = aiohttp.TCPConnector(limit=0, ttl_dns_cache=None)
        options["connector_owner"] = True
    real = aiohttp.ClientSession(**options)
    # Not by assignment: aiohttp warns of attributes that are not its own.
    object.__setattr__(real, "_request", _measured(real, real._request, owner or real))
    return real


def of(session, options):
    """The real session beside one of ours, brought up to date."""
    real = session.__dict__.get("_aiohttp")
    if real is None:
        aside = ("cookies", "cookie_jar", "headers", "connector", "trace_configs")
        options = {name: value for name, value in options.items() if name not in aside}
        connector = session.__dict__.get("_connector", (session._options or {}).get("connector"))
        if connector is not None:
            options.update(connector=connector, connector_owner=False)
        real = session._aiohttp = make({**options, "cookie_jar": _jars.over(session._jar())}, session)
        # Ours reports to them.
        real._trace_configs = []
    kept = session.__dict__
    jar = kept.get("cookie_jar")
    real._cookie_jar = _jars.over(session._jar()) if jar is None or isinstance(jar, _jars.Jar) else jar
    real._default_headers = session.headers
    for name in ("_base_url", "_connector", "_timeout"):
        if name in kept and kept[name] is not None:
            setattr(real, name, kept[name])
    return real


def _measured(real, request, owner):
    """aiohttp's `_request`, with a measure around it."""

    async def measured(method, url, **keywords):
        exchange = _Exchange(real, owner, method, url, keywords)
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


_OBSERVED = {}


def _observed(base):
    """A class of requests that tells the listeners before it sends."""
    made = _OBSERVED.get(base)
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
    _OBSERVED[base] = Request
    return Request


class _Exchange:
    """One request with its redirects, as the run sees it. Of a WebSocket it is the handshake."""

    def __init__(self, real, owner, method, url, keywords):
        self.owner = owner
        self.writers = []
        self.response = None
        self.is_handshake = "Sec-WebSocket-Key" in (keywords.get("headers") or ())
        context = getattr(owner, "_molotov_context", None) or _core.current_context()
        self.measure = None
        if context is not None:
            self.measure = _core.Measure(context, method.upper(), _plain(real._build_url(url)))

    async def tell(self, event, **details):
        """Tells the script's listeners; the time they take is not the request's."""
        if not api._LISTENERS:
            return
        started = perf_counter()
        for listener in api._LISTENERS:
            try:
                told = listener(event, session=self.owner, **details)
                if inspect.isawaitable(told):
                    await told
            except Exception as error:
                say_once("`%s` failed: %s: %s" % (getattr(listener, "__name__", "events"), type(error).__name__, error))
        if self.measure is not None:
            self.measure.leave_out(perf_counter() - started)

    async def sending(self, request):
        await self.tell("sending_request", request=request)

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
        await self.tell("response_received", response=response, request=getattr(response, "request", None))

    def ended(self):
        """The body has come, or was let go."""
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
    """The size of a head as it came, in bytes."""
    line = len("HTTP/1.1 200 \r\n\r\n") + len(response.reason or "")
    return line + sum(len(name) + len(value) + 4 for name, value in response.raw_headers)


def _plain(url):
    """A URL under which a request is measured: a WebSocket's is that of its handshake."""
    text = str(url.with_user(None) if url.host else url)
    return "http" + text[2:] if text.startswith("ws") else text
