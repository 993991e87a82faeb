"""aiohttp, for what the engine does not support.

It is imported only if a script needs it. If a script has imported it, its classes are used.
"""

import sys

from molotov import _core


def imported():
    """Returns aiohttp if the script has imported it, else `None`."""
    return sys.modules.get("aiohttp")


# Options that aiohttp does not have.
_OURS = frozenset(("expect", "http2", "max_body", "retry"))

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


class Unsupported(Exception):
    """Only aiohttp supports an object or an argument of a script, which the text names."""


def only_aiohttp(options):
    """Returns the options of a session that only aiohttp supports."""
    from molotov import _connectors, _jars

    harmless = {"base_url", "loop", "connector_owner", "trust_env", "requote_redirect_url", "read_bufsize", "auto_decompress"}
    odd = []
    for name, value in sorted(options.items()):
        if value is None or name in _SESSION | harmless or name == "cookie_jar" and _jars.is_readable(value):
            continue
        if name == "connector":
            try:
                _connectors.read(value)
            except Unsupported as error:
                odd.append(str(error))
        else:
            odd.append("a cookie jar of the class %s" % type(value).__name__ if name == "cookie_jar" else "`%s`" % name)
    return odd


def plain_options(options):
    """Returns the options of a session that aiohttp has."""
    return {name: value for name, value in (options or {}).items() if name not in _OURS}


_WARNED = set()


def warn_once(text):
    """Prints a warning, unless the same text was printed before."""
    if text not in _WARNED:
        _WARNED.add(text)
        _core.warn(text)


def needed():
    """Imports aiohttp, or raises an error that says how to install it."""
    try:
        import aiohttp
    except ModuleNotFoundError as error:
        if error.name != "aiohttp":
            raise
        raise ModuleNotFoundError(
            "this needs aiohttp, which is not installed: run `pip install aiohttp` in the active virtual environment",
            name="aiohttp",
        ) from None
    return aiohttp


def real_session(options):
    """Makes an aiohttp session, which replaces ours."""
    from molotov import _fallback

    needed()
    warn_once(
        "only aiohttp supports some of the options that `setup` returned (%s), so aiohttp sends the requests, at its own speed"
        % ", ".join(only_aiohttp(options))
    )
    return _fallback.make(plain_options(options), expect=options.get("expect"))


def fallback_session(session, what):
    """Returns the aiohttp session that sends `what` for a session of ours."""
    from molotov import _fallback

    needed()
    warn_once("only aiohttp supports %s, so aiohttp sends it, at its own speed" % what)
    return _fallback.of(session, plain_options(session._options))
