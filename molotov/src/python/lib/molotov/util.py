"""Shared variables, the timer, and requests outside scenarios."""

import asyncio
import time

from molotov import _core

_VARS = {}
# The variables that a `global_setup` sets that runs once for all machines; `None` while none runs.
_SHARED = None
_TIMER = None
_REASONS = []


class OptionError(Exception):
    """An option has an invalid value."""


def set_var(name, value):
    """Sets the variable `name` to `value` for all workers of this process.

    In a `global_setup(once=True)`, it is set on all machines of the run.
    """
    _VARS[name] = value
    if _SHARED is not None:
        _SHARED[name] = value


def get_var(name, factory=None):
    """Returns the variable `name`. If it is not set, sets it to `factory()`, or returns `None` without a `factory`."""
    if name not in _VARS and factory is not None:
        _VARS[name] = factory()
    return _VARS.get(name)


def _call_once(function, args):
    """Calls a `global_setup` that runs once for all machines. Returns the variables that it has set, each as JSON."""
    global _SHARED
    _SHARED = {}
    try:
        function(args)
        return {name: _to_json(name, value) for name, value in _SHARED.items()}
    finally:
        _SHARED = None


def _to_json(name, value):
    if not isinstance(name, str):
        raise TypeError("the name of a variable that `global_setup(once=True)` sets must be a string, not %r" % (name,))
    import json

    try:
        return json.dumps(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "the variable %r that `global_setup(once=True)` has set cannot be sent to other machines: %s" % (name, error)
        ) from error


def _adopt(variables):
    """Sets the variables of a `global_setup` that has run on some machine."""
    import json

    for name, value in variables.items():
        _VARS[name] = json.loads(value)


def now():
    """Returns the whole seconds since the start of 1970."""
    return int(time.time())


def set_timer(value=None):
    """Starts the timer at `value`, in seconds since the start of 1970. The default is now."""
    global _TIMER
    _TIMER = now() if value is None else value


def get_timer():
    """Returns the start of the timer in seconds since the start of 1970, or `None`."""
    return _TIMER


def stop(why=None):
    """Stops the run of this process. No scenario starts after this call, and running ones may finish.

    `why` is a reason for `stop_reason`.
    """
    if why is not None:
        _REASONS.append(why)
    _core.stop()


def is_stopped():
    """Returns whether the run is stopping."""
    return _core.is_stopped()


def stop_reason():
    """Returns the reasons that `stop` was called with, in order."""
    return list(_REASONS)


async def cancellable_sleep(delay, result=None, *, loop=None):
    """Sleeps for `delay` seconds, or until the run stops, and returns `result`. `loop` is ignored."""
    until = time.monotonic() + delay
    while not is_stopped():
        left = until - time.monotonic()
        if left <= 0:
            break
        await asyncio.sleep(min(left, 0.2))
    return result


def printable_error(error, tb=None):
    """Returns the exception `error` as lines of text, with the traceback `tb` or its own."""
    import traceback

    lines = [repr(error)]
    lines += traceback.format_tb(tb if tb is not None else error.__traceback__)
    return [line.rstrip("\n") for line in lines]


def event_loop():
    """Returns the event loop that workers run on."""
    return asyncio.get_event_loop_policy().get_event_loop()


def request(endpoint, verb="GET", session_options=None, **options):
    """Makes a request and blocks until its response: for use outside scenarios, such as in `global_setup`.

    `endpoint` is the URL, and `verb` the method. `session_options` are options of `aiohttp.ClientSession`. `options` are those of a
    request, such as `headers` and `json`.

    Returns a dict with `content` (a string), `status` and `headers`.
    """
    from molotov import _blocking

    return _blocking.blocking_request(endpoint, verb, session_options, options)


def json_request(endpoint, verb="GET", session_options=None, **options):
    """Makes a request as `request` does, and parses its content as JSON.

    `endpoint`, `verb`, `session_options` and `options` are those of `request`. Raises `aiohttp.ContentTypeError` for another content
    type.
    """
    import json

    from molotov import _blocking

    answer = _blocking.blocking_request(endpoint, verb, session_options, options, wants_json=True)
    answer["content"] = json.loads(answer["content"])
    return answer
