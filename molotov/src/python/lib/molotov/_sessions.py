"""The options of sessions, their rarely used attributes, and how sessions are made and closed."""

import asyncio

from molotov import _connectors, _environment, api
from molotov._aiohttp import Unsupported
from molotov._bodies import json_serialize
from molotov._headers import basic, cookie_values, pairs_of
from molotov._targets import relative
from molotov._timeouts import session_limits
from molotov._types import changeable, http_version


def split_options(options):
    """Separates the options of the HTTP session from those of the kinds that factories make."""
    kinds = {kind: dict(options[kind]) for kind in api._FACTORIES if kind != "http" and kind in options}
    return {name: value for name, value in options.items() if name not in kinds} if kinds else options, kinds


def session_options(options):
    """Returns the options of a session that the engine applies.

    They are its headers, its timeouts in seconds, whether bodies are decompressed, whether HTTP/2 is negotiated, the largest body
    in bytes, and whether requests are retried.
    """
    headers = pairs_of(options.get("headers"))
    auth = options.get("auth")
    if auth is not None:
        headers.append(("Authorization", basic(auth)))
    timeout = session_limits(options)
    encoded = [(name.encode("latin-1"), value.encode("utf-8")) for name, value in headers]
    most = options.get("max_body")
    if most is not None and (not isinstance(most, int) or most < 0):
        raise ValueError("max_body is %r: give a number of bytes" % (most,))
    decodes, http2, retry = bool(options.get("auto_decompress", True)), bool(options.get("http2")), options.get("retry", True)
    return encoded, timeout, decodes, http2, most, bool(retry)


def of_session(session, name):
    """Returns an attribute of a session that scripts rarely use."""
    options = session._options or {}
    if name in ("trace_configs", "_trace_configs"):
        kept = session.__dict__.get("_trace_configs", [])
        session.__dict__["_trace_configs"] = session.__dict__["trace_configs"] = kept
        return kept
    if name in ("headers", "_default_headers"):
        kept = changeable(pairs_of(options.get("headers")))
        session.__dict__["headers"] = session.__dict__["_default_headers"] = kept
        return kept
    if name in ("cookie_jar", "_cookie_jar"):
        from molotov import _jars

        jar = session.__dict__["cookie_jar"] = session.__dict__["_cookie_jar"] = _jars.over(session._jar())
        return jar
    # aiohttp keeps the values of its properties under names with an underscore.
    known = _ATTRIBUTES.get(name[1:] if name.startswith("_") else name)
    if known is None or name in ("_loop", "base_url"):
        raise AttributeError("'ClientSession' object has no attribute %r" % name, name=name, obj=session)
    return known(session, options)


def _timeout(session, options):
    from molotov._aiohttp import needed

    timeout = options.get("timeout")
    if timeout is None:
        total, connect, read = session_limits(options) or (session.context.args.timeout, float("inf"), float("inf"))
        limits = [None if limit == float("inf") else limit for limit in (total, connect, read)]
        timeout = needed().ClientTimeout(total=limits[0], connect=limits[1], sock_read=limits[2])
    return timeout


def _connector(session, options):
    if "_connector" in session.__dict__:
        return session.__dict__["_connector"]
    if options.get("connector") is not None:
        return options["connector"]
    made = session.__dict__["_connector"] = _connectors.standing_in(session)
    return made


# By the names of aiohttp's properties.
_ATTRIBUTES = {
    "auth": lambda _, options: options.get("auth"),
    "auto_decompress": lambda _, options: options.get("auto_decompress", True),
    "base_url": lambda _, options: None if options.get("base_url") is None else relative(options["base_url"]),
    "connector": _connector,
    "connector_owner": lambda _, options: options.get("connector_owner", True),
    "json_serialize": lambda _, options: json_serialize(options),
    "raise_for_status": lambda _, options: options.get("raise_for_status", False),
    "requote_redirect_url": lambda _, options: options.get("requote_redirect_url", True),
    "skip_auto_headers": lambda _, options: frozenset(options.get("skip_auto_headers") or ()),
    "timeout": _timeout,
    "trust_env": lambda _, options: bool(options.get("trust_env")),
    "version": lambda _, options: options.get("version") or http_version(1, 1),
}


def opened(session):
    """Gives a new session the cookies that `setup` returned."""
    options = session._options
    if options.get("trust_env"):
        _environment.prepare()
    if options.get("cookie_jar") is not None:
        replaced(session, "_cookie_jar", options["cookie_jar"])
    if options.get("cookies"):
        for name, value in cookie_values(options["cookies"]).items():
            session.cookie_jar.update_cookies({name: value})


def replaced(session, name, value):
    """Applies a jar or a connector that a script has assigned."""
    kept = session.__dict__
    odd = kept.setdefault("_only_aiohttp", {})
    odd.pop(name, None)
    if name == "_cookie_jar":
        from molotov import _jars

        if _jars.is_readable(value):
            session._use_jar(_jars.engine_of(value))
        else:
            odd[name] = "requests with a cookie jar of the class %s" % type(value).__name__
        kept["cookie_jar"] = value
    else:
        try:
            session._reopen({**(session._options or {}), "connector": value})
        except Unsupported as error:
            odd[name] = "requests with %s" % error
    kept[name] = value


async def close(session):
    """Closes a session of any kind."""
    kept = getattr(session, "__dict__", {})
    if "_aiohttp" in kept:
        await kept["_aiohttp"].close()
    options = getattr(session, "_options", None) or {}
    connector = kept.get("_connector", options.get("connector"))
    if connector is not None and options.get("connector_owner", True) and hasattr(session, "_reopen"):
        await connector.close()
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
    """Makes a session of a kind that the script has registered."""
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
