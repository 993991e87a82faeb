"""Reverts the changes of a run to an interpreter that outlives it, so that they do not affect the next run."""

import asyncio
import signal
import sys
import threading

from molotov import api, util

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _functions():
    """Returns the collections of everything registered."""
    functions = [scenario["func"] for scenario in api._SCENARIOS.values()]
    return functions + [*api._FIXTURES.values(), *api._LISTENERS, *api._FACTORIES.values()]


def _set_loop():
    """Returns the loop that `get_event_loop` returns, without creating one."""
    policy_locals = getattr(asyncio.get_event_loop_policy(), "_local", None)
    return getattr(policy_locals, "_loop", None)


class Run:
    """The state of the interpreter before the run."""

    def __init__(self):
        util._REASONS.clear()
        api._REPLACED.clear()
        self._scenarios = dict(api._SCENARIOS)
        self._fixtures = dict(api._FIXTURES)
        self._listeners = list(api._LISTENERS)
        self._factories = dict(api._FACTORIES)
        self._functions = {id(function) for function in _functions()}
        self._modules = set(sys.modules)
        self._loop = _set_loop()
        self._handlers = {}
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.getsignal(number) for number in _SIGNALS}

    def end(self):
        """Removes what was registered, and the modules that registered it, so that the next run loads them again."""
        for function in _functions():
            name = function.__module__
            if id(function) not in self._functions and name not in self._modules:
                sys.modules.pop(name, None)
        for registry, before in (
            (api._SCENARIOS, self._scenarios),
            (api._FIXTURES, self._fixtures),
            (api._FACTORIES, self._factories),
        ):
            registry.clear()
            registry.update(before)
        api._LISTENERS[:] = self._listeners
        if self._loop is not None and not self._loop.is_closed():
            asyncio.set_event_loop(self._loop)
        for number, handler in self._handlers.items():
            if handler is not None:
                signal.signal(number, handler)
