"""The event loop that scripts run on."""

import _signal
import asyncio
import selectors

from molotov import _core, _exception


class Selector(selectors.DefaultSelector):
    """Runs the engine inside `select`, which waits for asyncio's sockets and for requests at the same time.

    Outside a run it behaves like its base class.
    """

    def select(self, timeout=None, _wait=_core.wait, _select=selectors.DefaultSelector.select):
        ready = _wait(timeout)
        if ready is None:
            return _select(self, timeout)
        return _select(self, 0) if ready else ()


def make(debug):
    """Creates the event loop of this process, and makes it the current one."""
    loop = asyncio.SelectorEventLoop(Selector())
    loop.set_debug(debug)
    asyncio.set_event_loop(loop)
    return loop


def is_usable(loop):
    """Returns whether a run can use the loop. It cannot if a script has closed the loop or runs it on another thread."""
    return not loop.is_closed() and not loop.is_running()


# Objects of the parent process. Their finalizers would affect the parent.
_parents_objects = []


def adopt(loop):
    """Makes the parent's loop usable in this forked process, because scripts may keep it in a global.

    Replaces the selector, the pipe that wakes it, and the executor. Returns whether that was possible.
    """
    if not is_usable(loop):
        _parents_objects.append(loop)
        return False
    parents = loop._selector
    loop._selector = Selector()
    for key in parents.get_map().values():
        try:
            loop._selector.register(key.fd, key.events, key.data)
        except OSError:
            # The file is closed.
            pass
    parents.close()
    loop._close_self_pipe()
    loop._make_self_pipe()
    if loop._signal_handlers:
        _signal.set_wakeup_fd(loop._csock.fileno())
    if loop._default_executor is not None:
        _parents_objects.append(loop._default_executor)
        loop._default_executor = None
    asyncio.set_event_loop(loop)
    return True


def settle(loop):
    """Cancels the remaining tasks of scripts, as `asyncio.run` does. The loop stays usable."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=5))


def catch_up(loop):
    """Waits for listeners that another thread has called and that have not finished."""
    loop.run_until_complete(asyncio.sleep(0))
    if _listener_tasks:
        loop.run_until_complete(asyncio.wait(_listener_tasks, timeout=5))


def close(loop):
    """Ends the remaining tasks, generators and threads of scripts, as `asyncio.run` does, and closes the loop."""
    if not is_usable(loop):
        return
    try:
        settle(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(asyncio.wait_for(loop.shutdown_default_executor(), 5))
    except asyncio.TimeoutError:
        pass
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class _StartedCoroutine:
    """The rest of a coroutine that has taken its first step."""

    def __init__(self, coroutine, awaited):
        self._coroutine = coroutine
        self._awaited = [awaited]

    def send(self, value):
        if self._awaited:
            return self._awaited.pop()
        return self._coroutine.send(value)

    def throw(self, *exception):
        self._awaited.clear()
        return self._coroutine.throw(*exception)

    def close(self):
        self._coroutine.close()

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)


def continue_as_task(loop, coroutine, awaited, done):
    """Runs the rest of a coroutine as a task. Its first step waits for `awaited`."""
    task = loop.create_task(_StartedCoroutine(coroutine, awaited))
    task.add_done_callback(done)
    return task


# The tasks of listeners that another thread has called.
_listener_tasks = set()


def call_from_thread(loop, coroutine):
    """Runs a listener's coroutine on the loop from another thread, without waiting for it."""

    def run():
        task = loop.create_task(coroutine)
        _listener_tasks.add(task)
        task.add_done_callback(finished)

    def finished(task):
        _listener_tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _core.warn("`events` failed: %s" % _exception.describe(task.exception())[1])

    loop.call_soon_threadsafe(run)
