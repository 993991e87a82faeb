"""aiohttp itself, for what only it can do.

It is imported only where a script needs it; where a script has imported it, its classes are used.
"""

import sys

from molotov import _core


def imported():
    """aiohttp, if the script has imported it."""
    return sys.modules.get("aiohttp")


# Options that aiohttp does not have.
_OURS = frozenset(("http2", "max_body", "retry"))

_SESSION = _OURS | frozenset(
    (
        "auth",
        "conn_timeout",
        "cookies",
        "headers",
        "json_serialize",
        "raise_for_status",
        "read_timeout",
        "timeout",
        "trace_configs",
    )
)


class Unreadable(Exception):
    """What a script has made can be followed by aiohttp only; the text says what it is."""


def only_aiohttp(options):
    """What only aiohttp itself can follow of a session's options."""
    from molotov import _connectors, _jars

    harmless = {"base_url", "loop", "connector_owner", "trust_env", "requote_redirect_url", "read_bufsize", "auto_decompress"}
    odd = []
    for name, value in sorted(options.items()):
        if value is None or name in _SESSION | harmless or name == "cookie_jar" and _jars.is_readable(value):
            continue
        if name == "connector":
            try:
                _connectors.read(value)
            except Unreadable as error:
                odd.append(str(error))
        else:
            odd.append("a cookie jar of the class %s" % type(value).__name__ if name == "cookie_jar" else "`%s`" % name)
    return odd


def plain_options(options):
    """A session's options, without those that aiohttp does not have."""
    return {name: value for name, value in (options or {}).items() if name not in _OURS}


_SAID = set()


def say_once(text):
    if text not in _SAID:
        _SAID.add(text)
        _core.warn(text)


def needed():
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
    from molotov import _beside

    needed()
    say_once(
        "`setup` asks for what only aiohttp itself can do (%s): its sessions make the requests, at its own speed"
        % ", ".join(only_aiohttp(options))
    )
    return _beside.make(plain_options(options))


def beside(session, what):
    """The real aiohttp session beside ours, for what only it can do."""
    from molotov import _beside

    needed()
    say_once("only aiohttp itself can make %s: it does, at its own speed" % what)
    return _beside.of(session, plain_options(session._options))


class _WebSocket:
    """Connects when awaited or entered; aiohttp speaks the protocol."""

    def __init__(self, session, url, keywords):
        self._coroutine = self._connect(session, url, keywords)
        self._socket = None

    async def _connect(self, session, url, keywords):
        def connect(keywords):
            return beside(session, "a WebSocket").ws_connect(url, **keywords)

        trace_configs = session.__dict__.get("_trace_configs")
        if trace_configs:
            from molotov import _traces

            self._socket = await _traces.traced(session, trace_configs, "GET", url, keywords, connect)
        else:
            self._socket = await connect(keywords)
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
