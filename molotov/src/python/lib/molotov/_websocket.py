"""aiohttp's interface over the engine's WebSockets."""

import asyncio
import enum
import json
from collections import namedtuple

from molotov import _requests
from molotov._aiohttp import fallback_session, imported, Unsupported
from molotov._classes import passes_for
from molotov._exceptions import errors
from molotov._responses import too_many_redirects


def _code(number):
    """Converts a close code to aiohttp's type, if the script uses aiohttp."""
    return getattr(imported(), "WSCloseCode", int)(number)


class _WSMsgType(enum.IntEnum):
    """The types of messages, if aiohttp is not imported."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    PING = 0x9
    PONG = 0xA
    CLOSE = 0x8
    CLOSING = 0x100
    CLOSED = 0x101
    ERROR = 0x102


class _WSMessage(namedtuple("WSMessage", "type data extra")):
    """A message, if aiohttp is not imported."""

    def json(self, *, loads=json.loads):
        return loads(self.data)


class _WebSocketError(Exception):
    """A violation of the protocol, if aiohttp is not imported."""

    def __init__(self, code, message):
        self.code = code
        super().__init__(code, message)

    def __str__(self):
        return self.args[1]


class _EofStream(Exception):
    """The end of a connection, if aiohttp is not imported."""


def _types():
    """Returns aiohttp's classes of messages and errors, or ours."""
    aiohttp = imported()
    if aiohttp is None:
        return _WSMsgType, _WSMessage, _WebSocketError, _EofStream
    return aiohttp.WSMsgType, aiohttp.WSMessage, aiohttp.WebSocketError, aiohttp.EofStream


_ARGUMENTS = frozenset(
    (
        # aiohttp does not have it.
        "name",
        "method",
        "protocols",
        "timeout",
        "receive_timeout",
        "autoclose",
        "autoping",
        "heartbeat",
        "auth",
        "origin",
        "params",
        "headers",
        "proxy",
        "proxy_auth",
        "proxy_headers",
        "ssl",
        "verify_ssl",
        "ssl_context",
        "fingerprint",
        "server_hostname",
        "compress",
        "max_msg_size",
    )
)
# aiohttp's limit of 10 counts the redirect that is one too many.
_MAX_REDIRECTS = 9
# The arguments of the handshake's request.
_REQUEST = ("auth", "params", "headers", "proxy", "proxy_auth", "proxy_headers", "ssl", "verify_ssl", "ssl_context", "fingerprint", "server_hostname")


class Connecting:
    """A WebSocket that connects when it is awaited or entered."""

    def __init__(self, session, url, keywords):
        self._coroutine = _connect(session, url, keywords)
        self._socket = None

    def __await__(self):
        return self._coroutine.__await__()

    def send(self, value):
        return self._coroutine.send(value)

    def throw(self, *exception):
        return self._coroutine.throw(*exception)

    def close(self):
        return self._coroutine.close()

    async def __aenter__(self):
        self._socket = await self._coroutine
        return self._socket

    async def __aexit__(self, *exception):
        if self._socket is not None:
            await self._socket.close()


def ws_connect(session, url, **keywords):
    unknown = keywords.keys() - _ARGUMENTS
    if unknown:
        raise TypeError("ws_connect() got an unexpected keyword argument %r" % sorted(unknown)[0])
    return Connecting(session, url, keywords)


async def _connect(session, url, keywords):
    def connect(keywords):
        return _open(session, url, keywords)

    trace_configs = session.__dict__.get("_trace_configs")
    if not trace_configs:
        return await connect(keywords)
    from molotov import _traces

    return await _traces.traced(session, trace_configs, "GET", url, keywords, connect)


def _only_aiohttp(keywords):
    """Describes a WebSocket that only aiohttp supports. Returns `None` for others."""
    if keywords.get("compress"):
        return "a WebSocket with `compress`"
    for name in ("autoclose", "autoping"):
        if not keywords.get(name, True):
            return "a WebSocket without `%s`" % name
    if keywords.get("method", "GET").upper() != "GET":
        return "a WebSocket with another method than GET"
    if keywords.get("proxy") is not None:
        return "a WebSocket through a proxy"
    return None


async def _open(session, url, keywords):
    name = keywords.pop("name", None)
    unsupported = _only_aiohttp(keywords)
    if unsupported is not None:
        return await fallback_session(session, unsupported).ws_connect(url, **keywords)
    if session.closed:
        raise RuntimeError("Session is closed")
    protocols = tuple(keywords.get("protocols") or ())
    headers = _pairs(keywords.get("headers"))
    if keywords.get("origin") is not None:
        headers = [pair for pair in headers if pair[0].lower() != "origin"] + [("Origin", keywords["origin"])]
    asked = {name: keywords[name] for name in _REQUEST if name in keywords}
    asked["headers"] = headers
    most = keywords.get("max_msg_size", 4 * 1024 * 1024)

    async def send(method, url, headers, body, timeout, redirects, raises, info, chunked, written, route, defaults, *own):
        # aiohttp refuses messages of the maximum size, too.
        limit = most - 1 if most else (1 << 63) - 1
        opened = await session._connect(url, headers, timeout, info, route, defaults, list(protocols), limit, name)
        response = opened[0]
        endless = too_many_redirects(response) if len(response.history) == _MAX_REDIRECTS else None
        if endless is not None:
            raise endless
        if raises:
            response.raise_for_status()
        return opened

    try:
        response, socket, fault = await _requests.send_with(session, url, asked, send)
    except Unsupported as error:
        return await fallback_session(session, "a WebSocket: %s" % error).ws_connect(url, **keywords)
    if socket is None:
        response.close()
        raise errors.WSServerHandshakeError(
            response.request_info,
            response.history,
            message=fault or "Invalid response status",
            status=response.status,
            headers=response.headers,
        )
    return WebSocket(socket, response, keywords)


def _pairs(headers):
    from molotov._headers import pairs_of

    return list(pairs_of(headers))


class WebSocket:
    """An open WebSocket."""

    __class__ = passes_for("ClientWebSocketResponse")

    def __init__(self, socket, response, keywords):
        timeout = keywords.get("timeout", 10.0)
        self._socket = socket
        self._response = response
        self._loop = asyncio.get_running_loop()
        self._receive_timeout = keywords.get("receive_timeout")
        # aiohttp 3.11 has a class for the timeouts.
        if hasattr(timeout, "ws_close"):
            self._receive_timeout = timeout.ws_receive
            timeout = timeout.ws_close
        self._timeout = timeout
        self._heartbeat = keywords.get("heartbeat")
        self._heartbeat_timer = None
        self._pong_timer = None
        self._closed = False
        self._closing = False
        self._close_code = None
        self._exception = None
        self._waiting = None
        # Whether the server's close frame has arrived, which the engine confirms.
        self._confirmed = False
        self._types = _types()
        self._reset_heartbeat()

    @property
    def closed(self):
        return self._closed

    @property
    def close_code(self):
        return self._close_code

    @property
    def protocol(self):
        return self._socket.protocol

    @property
    def compress(self):
        return 0

    @property
    def client_notakeover(self):
        return False

    def exception(self):
        return self._exception

    def get_extra_info(self, name, default=None):
        peer, own = self._socket.addresses
        return {"peername": peer, "sockname": own}.get(name, default)

    async def ping(self, message=b""):
        await self._send(0x9, message)

    async def pong(self, message=b""):
        await self._send(0xA, message)

    async def send_str(self, data, compress=None):
        if not isinstance(data, str):
            raise TypeError("data argument must be str (%r)" % type(data))
        self._writable()
        await self._socket.send_text(data)

    async def send_bytes(self, data, compress=None):
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError("data argument must be byte-ish (%r)" % type(data))
        await self._send(0x2, data)

    async def send_json(self, data, compress=None, *, dumps=json.dumps):
        await self.send_str(dumps(data), compress=compress)

    async def _send(self, opcode, data):
        self._writable()
        await self._socket.send(opcode, data.encode("utf-8") if isinstance(data, str) else bytes(data))

    def _writable(self):
        if self._closed:
            raise _reset()

    async def close(self, *, code=1000, message=b""):
        # Another task may be waiting for a message.
        if self._waiting is not None and not self._closing:
            self._closing = True
            self._socket.interrupt()
            await self._waiting
        if self._closed:
            return False
        self._cancel_heartbeat()
        self._closed = True
        try:
            if not self._confirmed:
                await self._socket.send_close(code, message.encode("utf-8") if isinstance(message, str) else message)
            while not self._close_code:
                kind, data, _ = await _within(self._read(), self._timeout)
                if kind == 0x8:
                    self._close_code = data
                    break
        except asyncio.CancelledError:
            self._abort()
            raise
        except Exception as error:
            self._abort()
            self._exception = error
        return True

    def _abort(self):
        self._close_code = _code(1006)
        self._socket.abort()

    async def receive(self, timeout=None):
        while True:
            if self._waiting is not None:
                raise RuntimeError("Concurrent call to receive() is not allowed")
            if self._closed:
                return self._message(0x101)
            if self._closing:
                await self.close()
                return self._message(0x101)
            try:
                self._waiting = self._loop.create_future()
                try:
                    kind, data, extra = await _within(self._read(), timeout or self._receive_timeout)
                    self._reset_heartbeat()
                finally:
                    waiting = self._waiting
                    self._waiting = None
                    if not waiting.done():
                        waiting.set_result(True)
            except (asyncio.CancelledError, asyncio.TimeoutError):
                self._close_code = _code(1006)
                raise
            except self._types[3]:
                self._close_code = _code(1000)
                await self.close()
                return self._message(0x101)
            except self._types[2] as error:
                self._close_code = error.code
                # The engine has sent the close frame.
                self._confirmed = True
                await self.close(code=error.code)
                return self._message(0x102, error)
            if kind == 0x8:
                self._closing = True
                self._close_code = data
                self._confirmed = True
                if not self._closed:
                    await self.close()
            elif kind == 0x100:
                self._closing = True
            elif kind in (0x9, 0xA):
                # The engine answers pings.
                continue
            return self._message(kind, data, extra)

    def _message(self, kind, data=None, extra=None):
        kinds, message = self._types[:2]
        return message(kinds(kind), data, extra)

    async def _read(self):
        """Returns the next frame. Raises the errors of aiohttp's queue."""
        if self._confirmed:
            raise self._types[3]()
        kind, data, extra = received = await self._socket.receive()
        if kind == 0x101:
            raise self._types[3]()
        if kind == 0x102:
            raise self._types[2](_code(data), extra)
        return received

    async def receive_str(self, *, timeout=None):
        message = await self.receive(timeout)
        if message.type != 0x1:
            raise TypeError("Received message %s:%r is not str" % (_shown(message.type), message.data))
        return message.data

    async def receive_bytes(self, *, timeout=None):
        message = await self.receive(timeout)
        if message.type != 0x2:
            raise TypeError("Received message %s:%r is not bytes" % (_shown(message.type), message.data))
        return message.data

    async def receive_json(self, *, loads=json.loads, timeout=None):
        return loads(await self.receive_str(timeout=timeout))

    def __aiter__(self):
        return self

    async def __anext__(self):
        message = await self.receive()
        if message.type in (0x8, 0x100, 0x101):
            raise StopAsyncIteration
        return message

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        await self.close()

    def _cancel_heartbeat(self):
        for timer in (self._heartbeat_timer, self._pong_timer):
            if timer is not None:
                timer.cancel()
        self._heartbeat_timer = self._pong_timer = None

    def _reset_heartbeat(self):
        self._cancel_heartbeat()
        if self._heartbeat is not None:
            self._heartbeat_timer = self._loop.call_later(self._heartbeat, self._send_heartbeat)

    def _send_heartbeat(self):
        if self._heartbeat is not None and not self._closed:
            ping = self._loop.create_task(self.ping())
            # A connection that is lost is noticed when the next message is received.
            ping.add_done_callback(lambda ping: ping.cancelled() or ping.exception())
            if self._pong_timer is not None:
                self._pong_timer.cancel()
            self._pong_timer = self._loop.call_later(self._heartbeat / 2, self._pong_not_received)

    def _pong_not_received(self):
        if not self._closed:
            self._closed = True
            self._exception = asyncio.TimeoutError()
            self._abort()


def _reset():
    """Returns the exception for a closed connection."""
    kind = getattr(imported(), "ClientConnectionResetError", ConnectionResetError)
    return kind("Cannot write to closing transport")


def _shown(kind):
    # `format` shows the number of an `IntEnum` since Python 3.12, and its name before.
    return format(kind)


def _within(coroutine, seconds):
    if seconds is None:
        return coroutine
    return asyncio.wait_for(coroutine, seconds)
