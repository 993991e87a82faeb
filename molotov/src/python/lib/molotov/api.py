"""The decorators, and what they have collected."""

import inspect
import random

# By name; a later scenario of the same name takes the place of an earlier one.
_SCENARIOS = {}
# The functions that scenarios of the same name have replaced, by that name.
_REPLACED = {}
_FIXTURES = {}
_LISTENERS = []
_FACTORIES = {}


def _wants_coroutine(func):
    if not inspect.iscoroutinefunction(inspect.unwrap(func)):
        raise TypeError("%r has to be written with `async def`" % (func,))


def scenario(weight=1, delay=0.0, name=None):
    """Registers a coroutine that workers run; `weight` is its share among all, `delay` the sleep after it in seconds.

    `@scenario` without parentheses takes the defaults.
    """

    def register(func):
        _wants_coroutine(func)
        known_as = name or func.__name__
        if known_as in _SCENARIOS:
            _REPLACED[known_as] = _SCENARIOS[known_as]["func"]
        _SCENARIOS[known_as] = {
            "name": known_as,
            "weight": weight,
            "delay": delay,
            "func": func,
            "args": (),
            "kw": {},
        }
        return func

    if callable(weight):
        func, weight = weight, 1
        return register(func)
    return register


def _fixture(kind, is_coroutine):
    def fixture(func=None):
        def register(func):
            if is_coroutine:
                _wants_coroutine(func)
            if kind in _FIXTURES:
                raise ValueError("There are two %r functions: %r and %r" % (kind, _FIXTURES[kind], func))
            _FIXTURES[kind] = func
            return func

        return register if func is None else register(func)

    fixture.__name__ = fixture.__qualname__ = kind
    return fixture


global_setup = _fixture("global_setup", False)
setup = _fixture("setup", True)
setup_session = _fixture("setup_session", True)
teardown_session = _fixture("teardown_session", True)
teardown = _fixture("teardown", False)
global_teardown = _fixture("global_teardown", False)
scenario_picker = _fixture("scenario_picker", False)

global_setup.__doc__ = "Registers a function that is called once, with the options, before everything else."
setup.__doc__ = "Registers a coroutine that is called for each worker and gives back the options of its session."
setup_session.__doc__ = "Registers a coroutine that is called for each worker once its session is open."
teardown_session.__doc__ = "Registers a coroutine that is called for each worker before its session is closed."
teardown.__doc__ = "Registers a function that is called for each worker once its session is closed."
global_teardown.__doc__ = "Registers a function that is called once, after everything else."
scenario_picker.__doc__ = "Registers a function that names the scenario a worker runs next."


def events(func=None):
    """Registers a coroutine that is told what happens: it is called with the name of the event and its details."""

    def register(func):
        _wants_coroutine(func)
        _LISTENERS.append(func)
        return func

    return register if func is None else register(func)


def session_factory(kind="http"):
    """Registers what makes the sessions of a kind.

    A scenario asks for a kind by the default of its parameter `session_factory`.
    """

    def register(func):
        if kind in _FACTORIES:
            raise ValueError("There are two session factories of the kind %r" % (kind,))
        _FACTORIES[kind] = func
        return func

    if callable(kind):
        func, kind = kind, "http"
        return register(func)
    return register


def get_scenarios():
    """All scenarios with a weight above 0."""
    return [one for one in _SCENARIOS.values() if one["weight"] > 0]


def get_scenario(name):
    """The scenario of that name."""
    return _SCENARIOS.get(name)


def get_fixture(name):
    """The fixture of that kind, or `None`."""
    return _FIXTURES.get(name)


def next_scenario():
    """The scenarios, over and over, in the order of their names."""
    while True:
        yield from sorted(get_scenarios(), key=lambda one: one["name"])


def pick_scenario(worker_id=0, step_id=0):
    """The scenario that this worker would run next."""
    picker = get_fixture("scenario_picker")
    if picker is not None:
        return get_scenario(picker(worker_id, step_id))
    scenarios = get_scenarios()
    return random.choices(scenarios, [one["weight"] for one in scenarios])[0]
