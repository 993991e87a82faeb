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


def only_aiohttp(options):
    """The names among a session's options that only aiohttp itself can follow."""
    harmless = {"loop", "connector_owner", "trust_env", "requote_redirect_url", "read_bufsize", "auto_decompress"}
    return sorted(name for name, value in options.items() if name not in _SESSION | harmless and value is not None)


def _for_aiohttp(options):
    """A session's options, without those that aiohttp does not have."""
    return {name: value for name, value in (options or {}).items() if name not in _OURS}


_SAID = set()


def _say_once(text):
    if text not in _SAID:
        _SAID.add(text)
        _core.warn(text)


def real_beside(session, what):
    """The real aiohttp session beside ours, for what only it can do."""
    aiohttp = needed()
    _say_once("only aiohttp itself can make %s: it does, and the measures leave that out" % what)
    real = session.__dict__.get("_aiohttp")
    if real is None:
        real = session._aiohttp = aiohttp.ClientSession(**_for_aiohttp(session._options))
        # Ours reports to them.
        real._trace_configs = []
    return real


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
    aiohttp = needed()
    _say_once(
        "`setup` asks for what only aiohttp itself can do (%s): its sessions make the requests, at its own speed"
        % ", ".join(only_aiohttp(options))
    )
    return aiohttp.ClientSession(**_for_aiohttp(options))


class _WebSocket:
    """Connects when awaited or entered; aiohttp speaks the protocol."""

    def __init__(self, session, url, keywords):
        self._coroutine = self._connect(session, url, keywords)
        self._socket = None

    async def _connect(self, session, url, keywords):
        def connect(keywords):
            return real_beside(session, "a WebSocket").ws_connect(url, **keywords)

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
