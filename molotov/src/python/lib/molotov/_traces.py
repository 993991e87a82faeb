"""aiohttp's tracing: `trace_configs`, and instrumentation of aiohttp's sessions, such as OpenTelemetry's."""

import types

from molotov import _core
from molotov._aiohttp import imported, plain_options, warn_once
from molotov._headers import pairs_of
from molotov._targets import base_of, on_host, relative, url_of

# The signals that our session sends. All others need a session of aiohttp.
_OURS = (
    "on_request_start",
    "on_request_redirect",
    "on_request_end",
    "on_request_exception",
    "on_response_chunk_received",
)
_AIOHTTP = (
    "on_request_headers_sent",
    "on_request_chunk_sent",
    "on_connection_queued_start",
    "on_connection_queued_end",
    "on_connection_create_start",
    "on_connection_create_end",
    "on_connection_reuseconn",
    "on_dns_resolvehost_start",
    "on_dns_resolvehost_end",
    "on_dns_cache_hit",
    "on_dns_cache_miss",
)


def is_instrumented():
    """Returns whether instrumentation has patched aiohttp's sessions."""
    aiohttp = imported()
    session = getattr(aiohttp, "ClientSession", None)
    return session is not None and not (_is_original(session.__init__) and _is_original(session._request))


def _is_original(function):
    return type(function) is types.FunctionType and function.__globals__.get("__name__") == "aiohttp.client"


def configs(options):
    """Returns the trace configurations of a session with these options.

    They are those of `setup`, and those that instrumentation adds to every session of aiohttp.
    """
    given = list((options or {}).get("trace_configs") or ())
    session = getattr(imported(), "ClientSession", None)
    if session is not None and not _is_original(session.__init__):
        learnt = session(trace_configs=given)
        given = list(learnt.trace_configs)
        # Closes the session, which has no connections.
        learnt.detach()
    for config in given:
        config.freeze()
    return given


def needs_aiohttp(trace_configs):
    """Returns the signals with listeners that only aiohttp sends."""
    return sorted({name for config in trace_configs for name in _AIOHTTP if getattr(config, name, None)})


def open_session(options):
    """Returns the trace configurations of a session, and an aiohttp session if they listen to signals that only aiohttp sends."""
    found = configs(options)
    needed = needs_aiohttp(found)
    if not needed:
        return found, None
    warn_once(
        "only aiohttp sends the signal `%s`, which a trace configuration listens to, so aiohttp sends the requests, at its own speed"
        % "`, `".join(needed)
    )
    from molotov import _fallback

    return found, _fallback.make(plain_options(options), expect=(options or {}).get("expect"))


def attach(session, trace_configs):
    """Adds trace configurations to a session."""
    if trace_configs:
        session._trace_configs = session.__dict__["trace_configs"] = trace_configs
    wrapped = getattr(imported(), "ClientSession", None)
    wrapped = wrapped.__dict__.get("_request") if wrapped is not None else None
    if wrapped is None or _is_original(wrapped):
        return
    if not hasattr(wrapped, "_self_wrapper"):
        warn_once(
            "something has replaced `aiohttp.ClientSession._request`, which Molotov's own sessions do not call: it sees the "
            "requests of aiohttp sessions only"
        )
        return
    plain = session._request
    session._request = _through(wrapped, session, plain)


def _through(wrapped, session, plain):
    """Wraps our method in the wrappers that `wrapt` has put around aiohttp's."""
    inner = wrapped.__wrapped__
    call = _through(inner, session, plain) if hasattr(inner, "_self_wrapper") else plain
    return lambda *arguments, **keywords: wrapped._self_wrapper(call, session, arguments, keywords)


async def traced(session, trace_configs, method, url, keywords, send):
    """Sends a request by `send(keywords)`, and reports it to trace configurations."""
    from aiohttp.tracing import Trace

    unsent = needs_aiohttp(trace_configs)
    if unsent:
        warn_once(
            "Molotov's own sessions do not send the signal `%s`: give the trace configuration among the options that `setup` "
            "returns, and an aiohttp session makes the requests" % "`, `".join(unsent)
        )
    target = _target(session, url, keywords)
    headers = _headers(session, keywords)
    context = keywords.get("trace_request_ctx")
    traces = [Trace(session, config, config.trace_config_ctx(trace_request_ctx=context)) for config in trace_configs]
    for trace in traces:
        await trace.send_request_start(method, target, headers)
    sent = False
    try:
        made = await send({**keywords, "headers": headers})
        # A WebSocket has the response of its handshake.
        response, sent = getattr(made, "_response", made), True
        await _redirected(traces, headers, response.history)
    except BaseException as error:
        if not sent and getattr(error, "history", None):
            await _redirected(traces, headers, error.history)
            target = error.history[-1].url
        for trace in traces:
            await trace.send_request_exception(method, target, headers, error)
        raise
    for trace in traces:
        await trace.send_request_end(response.method, response.real_url, headers, response)
    if any(config.on_response_chunk_received for config in trace_configs):
        _trace_reading(traces, response)
    return made


async def _redirected(traces, headers, history):
    for hop in history:
        for trace in traces:
            await trace.send_request_redirect(hop.method, hop.url, headers, hop)


def _target(session, url, keywords):
    base = base_of(session)
    url = on_host(url, base is not None)
    if base is not None and _core.host() is None:
        url = url_of(base, None).join(relative(url))
    return url_of(url, keywords.get("params"))


def _headers(session, keywords):
    """Returns the headers of a request with its session's. Changes by listeners are sent."""
    from multidict import CIMultiDict

    kept = session.__dict__.get("_default_headers")
    if kept is None:
        kept = (session._options or {}).get("headers")
    headers = CIMultiDict(pairs_of(kept))
    given = CIMultiDict(pairs_of(keywords.get("headers")))
    for name in given.keys():
        headers.pop(name, None)
    headers.extend(given)
    return headers


def _trace_reading(traces, response):
    """Reports the body of a response when it is read for the first time."""
    plain, kind = [], type(response)

    async def read():
        body = await kind.read(response)
        if not plain:
            plain.append(body)
            for trace in traces:
                await trace.send_response_chunk_received(response.method, response.url, body)
        return body

    async def text(*arguments, **keywords):
        if not plain:
            await read()
        return await kind.text(response, *arguments, **keywords)

    async def json(**keywords):
        if not plain:
            await read()
        return await kind.json(response, **keywords)

    response.__dict__.update(read=read, text=text, json=json)
