"""The decorators, and what they have registered."""

from types import FunctionType

# By name. A later scenario replaces an earlier one with the same name.
_SCENARIOS = {}
# Other packages clear them by this name.
_SCENARIO = _SCENARIOS
# The functions that later scenarios with the same name have replaced.
_REPLACED = {}
_FIXTURES = {}
_LISTENERS = []
_FACTORIES = {}


# The flag of code that `async def` has made.
_ASYNC = 0x80


def _wants_coroutine(func):
    if type(func) is FunctionType and func.__code__.co_flags & _ASYNC and not hasattr(func, "__wrapped__"):
        return
    import inspect

    if not inspect.iscoroutinefunction(inspect.unwrap(func)):
        raise TypeError("%r has to be written with `async def`" % (func,))


def scenario(weight=1, delay=0.0, name=None, *, pacing=None):
    """Registers a coroutine function as a scenario: `async def f(session)`. Workers run one scenario after the other.

    `weight` is the scenario's share of the runs: a scenario with weight 2 runs twice as often as one with weight 1. Fractions are
    allowed. A scenario with weight 0 runs only if `-s` or a scenario picker names it.
    `delay` is the time in seconds that a worker sleeps after the scenario. `(1, 3)` is a random time between both, and `"exp(2s)"`
    one that is usually short and sometimes long.
    `pacing` is the time in seconds from one start of the scenario to the next, if it takes less. `"10s"` works, too.
    `name` is the scenario's name in reports, for `-s` and for scenario pickers. The default is the name of the function. A later
    scenario with the same name replaces an earlier one.

    `@scenario` without parentheses uses the defaults. The decorated function can still be called.
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
        if pacing is not None:
            _SCENARIOS[known_as]["pacing"] = pacing
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


_global_setup = _fixture("global_setup", False)
_global_setup_once = _fixture("global_setup_once", False)


def global_setup(func=None, *, once=False):
    """Registers `def f(args)`, which is called once, before workers start.

    `args` has the options of the command line as attributes, such as `args.workers`. Changes to them take effect. If the function
    raises an exception, the run does not start.

    With `once=True`, only one machine of a run on several machines calls the function, before the others. What it sets with
    `set_var` exists on all machines; the values are sent as JSON. It cannot change `args`.

    `func` is the function: `@global_setup` and `@global_setup()` are equivalent.
    """
    return (_global_setup_once if once else _global_setup)(func)


setup = _fixture("setup", True)
setup_session = _fixture("setup_session", True)
teardown_session = _fixture("teardown_session", True)
teardown = _fixture("teardown", False)
global_teardown = _fixture("global_teardown", False)
scenario_picker = _fixture("scenario_picker", False)

_BOTH = """

    `func` is the function: `@%s` and `@%s()` are equivalent.
    """

setup.__doc__ = """Registers `async def f(worker_id, args)`, which is called for each worker before its session opens.

    `worker_id` counts from 0. `args` has the options of the run. The function returns a dict with options of
    `aiohttp.ClientSession`, such as `{"headers": {...}}`, or `None`.""" + _BOTH % (("setup",) * 2)
setup_session.__doc__ = """Registers `async def f(worker_id, session)`, which is called for each worker once its session is open.

    `worker_id` counts from 0.""" + _BOTH % (("setup_session",) * 2)
teardown_session.__doc__ = """Registers `async def f(worker_id, session)`, which is called for each worker before its session is closed.

    `worker_id` counts from 0.""" + _BOTH % (("teardown_session",) * 2)
teardown.__doc__ = """Registers `def f(worker_id)`, which is called for each worker once its session is closed.

    `worker_id` counts from 0.""" + _BOTH % (("teardown",) * 2)
global_teardown.__doc__ = """Registers `def f()`, which is called once, after all workers have ended.""" + _BOTH % (
    ("global_teardown",) * 2
)
scenario_picker.__doc__ = """Registers `def f(worker_id, step_id)`, which returns the name of the scenario that a worker runs next.

    `worker_id` counts from 0, `step_id` from 1 for each worker.""" + _BOTH % (("scenario_picker",) * 2)


def events(func=None):
    """Registers `async def f(event, **info)`, which is called for each event of the run. A script may have several.

    `event` is `sending_request`, `response_received`, `scenario_start`, `scenario_success`, `scenario_failure` or `current_workers`; `info` has
    its details, such as `session`, `request`, `response`, `scenario`, `exception`.

    `func` is the function: `@events` and `@events()` are equivalent.
    """

    def register(func):
        _wants_coroutine(func)
        _LISTENERS.append(func)
        return func

    return register if func is None else register(func)


def session_factory(kind="http"):
    """Registers `def f(loop, console, verbose, statsd, trace_config, **keywords)`, which makes the sessions of a kind.

    The function returns an asynchronous context manager, or a coroutine that returns one.
    `kind` is the name of the kind, `http` by default. A scenario selects it by the default of a parameter:
    `async def f(session, session_factory="grpc")`.
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
    """Returns all scenarios with a weight above 0, each as `get_scenario` returns it."""
    return [one for one in _SCENARIOS.values() if one["weight"] > 0]


def get_scenario(name):
    """Returns the scenario called `name` as a dict with `name`, `weight`, `delay` and `func`, or `None`."""
    return _SCENARIOS.get(name)


def get_fixture(name):
    """Returns the function registered as the fixture `name`, such as `global_setup`, or `None`."""
    return _FIXTURES.get(name)


def next_scenario():
    """Yields the scenarios in the order of their names, endlessly."""
    while True:
        yield from sorted(get_scenarios(), key=lambda one: one["name"])


def pick_scenario(worker_id=0, step_id=0):
    """Returns the scenario that the worker `worker_id` runs as its step `step_id`, by the scenario picker or by weight."""
    picker = get_fixture("scenario_picker")
    if picker is not None:
        return get_scenario(picker(worker_id, step_id))
    import random

    scenarios = get_scenarios()
    return random.choices(scenarios, [one["weight"] for one in scenarios])[0]
