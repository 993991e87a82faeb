"""What scripts share: variables, and requests that may be made anywhere."""

import asyncio
import json as _json
import time

from molotov import _core

_VARS = {}
_TIMER = None
_REASONS = []


class OptionError(Exception):
    """An option that cannot be used."""


def set_var(name, value):
    """Sets a variable that every worker of the process sees."""
    _VARS[name] = value


def get_var(name, factory=None):
    """A variable; where nobody has set it, what `factory` makes, which is kept."""
    if name not in _VARS and factory is not None:
        _VARS[name] = factory()
    return _VARS.get(name)


def now():
    """The seconds since the beginning of 1970, whole."""
    return int(time.time())


def set_timer(value=None):
    """Starts the timer: at this moment, or at the one given."""
    global _TIMER
    _TIMER = now() if value is None else value


def get_timer():
    """When the timer was started."""
    return _TIMER


def stop(why=None):
    """Asks the run to stop: no scenario begins after this call, running ones may end."""
    if why is not None:
        _REASONS.append(why)
    _core.stop()


def is_stopped():
    """Whether the run is being stopped."""
    return _core.is_stopped()


def stop_reason():
    """What `stop` was called with, every time."""
    return list(_REASONS)


async def cancellable_sleep(delay, result=None, *, loop=None):
    """Sleeps; the end of the run cuts it short."""
    until = time.monotonic() + delay
    while not is_stopped():
        left = until - time.monotonic()
        if left <= 0:
            break
        await asyncio.sleep(min(left, 0.2))
    return result


def printable_error(error, tb=None):
    """An exception as lines of text."""
    import traceback

    lines = [repr(error)]
    lines += traceback.format_tb(tb if tb is not None else error.__traceback__)
    return [line.rstrip("\n") for line in lines]


def event_loop():
    """The event loop that the workers run on."""
    return asyncio.get_event_loop_policy().get_event_loop()


def request(endpoint, verb="GET", session_options=None, **options):
    """Makes one request at once, wherever it is called, and gives back its content, status and headers."""
    from molotov import _blocking

    return _blocking.blocking_request(endpoint, verb, session_options, options)


def json_request(endpoint, verb="GET", session_options=None, **options):
    """As `request`, with the content parsed as JSON."""
    from molotov import _blocking

    answer = _blocking.blocking_request(endpoint, verb, session_options, options, wants_json=True)
    answer["content"] = _json.loads(answer["content"])
    return answer
