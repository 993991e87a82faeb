"""What scripts measure themselves: checks, counters, values, gauges and groups; and numbers that are unique in a run."""

import contextvars
import re
import sys

from molotov import _core

# For annotations: what `group` returns.
Group = _core.Group

# The context of the worker in whose task, or in a task of whose task, the code runs.
_WORKER = contextvars.ContextVar("molotov_worker", default=None)


def _worker(function):
    context = _WORKER.get() or _core.current_context()
    if context is None:
        raise RuntimeError(
            "`molotov.%s` works in scenarios and in the fixtures of workers, and no worker runs this code; move the call there"
            % function
        )
    return context


def check(name, condition, message=None):
    """Checks a condition without ending the scenario, and returns whether it holds.

    The results of all checks called `name` are in tables and reports, with the place of the first failure, and thresholds can
    require that a share of them passes: `checks(has items) > 99%`.

        items = await response.json()
        if molotov.check("has items", len(items) > 0, "the list for %s is empty" % user):
            ...

    `condition` is true or false, as in `if`. `message` says what was wrong.
    """
    if condition is not True and condition is not False:
        _reject_unfinished(name, condition)
    return _core.check(_worker("check"), name, bool(condition), message)


# Types of conditions that are neither functions nor coroutines.
_SIMPLE = frozenset((type(None), int, float, str, bytes, list, tuple, dict, set, frozenset, re.Match))


def _reject_unfinished(name, condition):
    """Rejects what is always true: a coroutine that is not awaited, and a function that is not called."""
    if type(condition) in _SIMPLE:
        return
    import inspect

    if inspect.isroutine(condition):
        raise TypeError("the condition of the check `%s` is a function, which is always true: call it" % name)
    if inspect.isawaitable(condition):
        if inspect.iscoroutine(condition):
            condition.close()
        raise TypeError("the condition of the check `%s` is a coroutine, which is always true: write `await` before it" % name)


def _place():
    """Returns `file:line` of the script's call of `check`."""
    from molotov._exception import _here

    frame, here = sys._getframe(2), _here()
    path = frame.f_code.co_filename
    return "%s:%d" % (path[len(here):] if path.startswith(here) else path, frame.f_lineno)


def count(name, n=1):
    """Adds `n` to the counter `name`. It has a row in tables and reports, and thresholds can name it: `counters(retries) < 100`.

        molotov.count("retries")
    """
    _core.count(_worker("count"), name, n)


def record(name, value):
    """Records a number of your own. Tables and reports show the distribution of all numbers with this name.

    Thresholds can name it: `values.p95(basket) < 500`.

        molotov.record("basket", 3.2)

    `name` is the name of its row. `value` is a finite number.
    """
    _core.record(_worker("record"), name, value)


def gauge(name, value):
    """Sets the gauge `name` to `value`, a finite number. Tables and reports show its last, lowest and highest value.

        molotov.gauge("queue", 17)
    """
    _core.gauge(_worker("gauge"), name, value)


def group(name):
    """Measures the block of a `with` or `async with` as a group, which has its own row with its time.

    The names of all requests and operations in the block begin with the name of the group: `checkout / POST /orders`. Groups
    can contain groups. A task that starts in the block belongs to the group; other tasks of the scenario do not.

        async with molotov.group("checkout"):
            await session.post("http://localhost:8080/orders")
            await session.post("http://localhost:8080/payments")

    The group fails if the block raises an exception. A block that is cancelled is interrupted. `name` is the name of the group.
    """
    return _core.group(_worker("group"), name)


def think(time, longest=None):
    """Waits as a user thinks, reads or types: `await molotov.think(1, 3)`.

    The latencies of the scenario, and of the groups around, do not include the time. `--seed` makes random times repeatable.

        await molotov.think(2)
        await molotov.think(1, 3)
        await molotov.think("exp(2s)")

    `time` is a number of seconds, or a text such as `"exp(2s)"`, which is usually shorter than 2 s and sometimes much longer. With
    `longest`, it is a random time between both.
    """
    return _core.think(_worker("think"), time if longest is None else (time, longest))


def unique():
    """Returns a number that no other call in this run returns, in any worker or process.

    It is for data that must not occur twice, such as the name of a new user.

        await session.post("http://localhost:8080/users", json={"name": "user-%d" % molotov.unique()})

    In workers, numbers are small. Elsewhere, as in `global_setup`, they start at 2**52.
    """
    return _core.unique(_WORKER.get() or _core.current_context())


def worker_number():
    """Returns the number of the worker among those of all processes, from 0.

    With `-p`, each process counts the `worker_id` of fixtures and contexts from 0; this number occurs once.
    """
    return _worker("worker_number").worker_number
