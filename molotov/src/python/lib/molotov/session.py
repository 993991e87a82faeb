"""The session of a worker, and its context."""

import contextvars

from molotov import _core
from molotov._measures import _WORKER

# Imported before the run, so that requests do not wait for it, and errors can be reported without free file descriptors.
from molotov import _content, _events, _exceptions, _requests, _responses, _sessions  # noqa: F401

# For annotations: what `get_context` and `operation` return.
Context = _core.Context
Operation = _core.Operation


def _create_task_of_worker(create_task, coroutine, context):
    variables = contextvars.copy_context()
    variables.run(_WORKER.set, context)
    return variables.run(create_task, coroutine)


def operation(protocol, name):
    """Measures the block of an `async with` as an operation of a protocol other than HTTP.

    The operation appears in tables, thresholds, events and statsd as requests do. It fails if the block raises an exception.
    Outside of a worker, nothing is measured.

    `protocol` is the name of the protocol in upper case, such as `"SQL"`.
    `name` is the name that operations of one kind share, such as `"select user"`.
    """
    return _core.operation(_WORKER.get(), protocol, name)


def get_context(session):
    """Returns the context of the session's worker: `worker_id`, `step`, `args`, `statsd`, and what scripts attach."""
    try:
        return session._molotov_context
    except AttributeError:
        return _core.current_context()


def get_eventer(session):
    """Returns the `SessionTracer` of `session` if it is an aiohttp session with one, else `None`."""
    # Do not look up attributes of our session, which would count as a change.
    if isinstance(session, _core.ClientSession):
        found = session.__dict__.get("_trace_configs")
    else:
        found = getattr(session, "trace_configs", None)
    for config in found or ():
        if hasattr(config, "send_event"):
            return config
    return None


def __getattr__(name):
    """Imports aiohttp when a script uses one of the names that need it."""
    if name.startswith("_") or name not in _NEED_AIOHTTP:
        raise AttributeError("module 'molotov.session' has no attribute %r" % name)
    from molotov import _aiohttp

    _aiohttp.needed()
    from molotov import _tracing

    return getattr(_tracing, name)


_NEED_AIOHTTP = frozenset(
    (
        "ClientRequest",
        "ClientResponse",
        "ClientSession",
        "LoggedClientRequest",
        "LoggedClientResponse",
        "SessionTracer",
        "TCPConnector",
        "TraceConfig",
    )
)
