"""The event loop that scripts run on, and how scripts get into it."""

import ast
import asyncio
import functools
import importlib
import importlib.util
import linecache
import os
import selectors
import signal
import sys
import traceback

from molotov import _core


class Selector(selectors.DefaultSelector):
    """Waits for asyncio's own sockets and for those of requests at once: requests are handled inside `select`.

    Outside of a run there are no requests, and it is the selector that it derives from.
    """

    def select(self, timeout=None, _wait=_core.wait, _select=selectors.DefaultSelector.select):
        ready = _wait(timeout)
        if ready is None:
            return _select(self, timeout)
        return _select(self, 0) if ready else ()


def make(debug):
    """Makes the event loop of this process and sets it."""
    loop = asyncio.SelectorEventLoop(Selector())
    loop.set_debug(debug)
    asyncio.set_event_loop(loop)
    return loop


def is_usable(loop):
    """Whether a run can use the loop: scripts may have closed it, or run it in a thread of their own."""
    return not loop.is_closed() and not loop.is_running()


# What belongs to the parent: releasing it here would take it away from the parent.
_aside = []


def adopt(loop):
    """Makes the parent's loop that of this process, which was forked: scripts may keep it in a global.

    The selector, the pipe that wakes it and the threads of its executor are the parent's, so this process gets its own.
    Returns whether that was possible.
    """
    if not is_usable(loop):
        _aside.append(loop)
        return False
    parents = loop._selector
    loop._selector = Selector()
    for key in parents.get_map().values():
        try:
            loop._selector.register(key.fd, key.events, key.data)
        except OSError:
            # Its file is closed, and so nobody waits for it.
            pass
    parents.close()
    loop._close_self_pipe()
    loop._make_self_pipe()
    if loop._signal_handlers:
        signal.set_wakeup_fd(loop._csock.fileno())
    if loop._default_executor is not None:
        _aside.append(loop._default_executor)
        loop._default_executor = None
    asyncio.set_event_loop(loop)
    return True


def settle(loop):
    """Cancels the tasks that scripts have left behind, as `asyncio.run` does. The loop can be used afterwards."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=5))


def catch_up(loop):
    """Waits for listeners that were called from outside, and not reached before the last worker ended."""
    loop.run_until_complete(asyncio.sleep(0))
    if _called:
        loop.run_until_complete(asyncio.wait(_called, timeout=5))


def close(loop):
    """Ends what scripts have left behind, as `asyncio.run` does, and closes the loop."""
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


class NoScript(Exception):
    """There is nothing to load by that name."""


def check_uvloop():
    """Refuses `--uvloop` where the original would have failed to import it."""
    if importlib.util.find_spec("uvloop") is None:
        raise NoScript("`--uvloop`: uvloop is not installed; install it, or leave the option out: it is not needed here")


def load(script):
    """Loads a script by its path, or a module by its name."""
    from molotov.util import set_timer

    set_timer()
    if os.path.exists(script):
        path = os.path.realpath(script)
        directory = os.path.dirname(path)
        if directory not in sys.path:
            sys.path.insert(0, directory)
        spec = importlib.util.spec_from_file_location("loadtest", path)
        if spec is None or spec.loader is None:
            raise NoScript("`%s` is not a Python script" % script)
        module = importlib.util.module_from_spec(spec)
        sys.modules["loadtest"] = module
        spec.loader.exec_module(module)
        return module
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, "")
    name = script
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        found = None
    if found is None:
        raise NoScript("Cannot import %r: there is no file and no module of that name" % script)
    return importlib.import_module(name)


def load_extension(extension):
    """Loads an extension by its path, or a module by its name."""
    if os.path.exists(extension):
        name = os.path.basename(extension).partition(".")[0]
        spec = importlib.util.spec_from_file_location(name, os.path.realpath(extension))
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            sys.modules.setdefault(name, module)
            spec.loader.exec_module(module)
            return
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, "")
    try:
        importlib.import_module(extension)
    except ModuleNotFoundError as error:
        if error.name is None or not (extension + ".").startswith(error.name + "."):
            raise
        raise NoScript("Cannot import the extension %r: there is no file and no module of that name" % extension) from None


def _ours(frame):
    name = frame.tb_frame.f_globals.get("__name__", "")
    return name == "molotov" or name.startswith(("molotov.", "importlib.", "_frozen_importlib"))


def _here():
    try:
        return os.getcwd() + os.sep
    except OSError:
        # The directory was removed meanwhile; whole paths are shown.
        return os.sep * 2


def suggestion(error, shown):
    """What Python adds to the message of a misspelt name, or what we find where it adds nothing."""
    # Since Python 3.12; earlier versions add it to what ends the program only.
    _, _, added = next(shown.format_exception_only(), "").rstrip("\n").partition(": " + str(error))
    name = getattr(error, "name", None)
    if added or not isinstance(name, str):
        return added
    import difflib

    if isinstance(error, NameError):
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        frame = trace and trace.tb_frame
        known = {*frame.f_locals, *frame.f_globals, *frame.f_builtins} if frame else ()
    else:
        try:
            known = dir(error.obj)
        except Exception:
            # An object with a `__dir__` that fails.
            return ""
    hidden = name.startswith("_")
    near = difflib.get_close_matches(name, [other for other in known if other.startswith("_") == hidden], 1)
    return ". Did you mean: %r?" % near[0] if near else ""


@functools.lru_cache(maxsize=256)
def _source(path, number):
    """The `assert` at that line, on one line; where there is none, the line."""
    source = "".join(linecache.getlines(path))
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError):
        nodes = []
    for node in nodes:
        if isinstance(node, ast.Assert) and node.lineno <= number <= node.end_lineno:
            return " ".join(ast.get_source_segment(source, node).split())
    return linecache.getline(path, number).strip()


def describe(error):
    """An exception for the console: type, message, where it left the script, and the traceback of the script's part."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and _ours(trace):
        trace = trace.tb_next
    if trace is not None and _ours(trace):
        trace = None
    place = None
    step = trace
    here = _here()
    site = ("site-packages", os.path.dirname(os.__file__), "<frozen")
    while step is not None:
        path = step.tb_frame.f_code.co_filename
        if not _ours(step) and not any(part in path for part in site):
            place = "%s:%d" % (path[len(here):] if path.startswith(here) else path, step.tb_lineno)
        step = step.tb_next
    kind = type(error)
    shown = traceback.TracebackException(kind, error, trace)
    text = "".join(shown.format())
    message = str(error)
    if isinstance(error, (AttributeError, NameError)):
        message += suggestion(error, shown)
    elif kind is AssertionError and not message and shown.stack:
        message = _source(shown.stack[-1].filename, shown.stack[-1].lineno)
    notes = getattr(error, "__notes__", None)
    if notes and isinstance(notes, list):
        notes = "; ".join(map(str, notes))
        message = "%s (%s)" % (message, notes) if message else notes
    return kind.__name__, "%s: %s" % (kind.__name__, message) if message else kind.__name__, place, text


def parameters(func):
    """The kind of session a scenario asks for, and the keywords for whoever makes it."""
    import inspect

    kind, keywords = None, {}
    for name, parameter in inspect.signature(func).parameters.items():
        if parameter.default is inspect.Parameter.empty:
            continue
        if name == "session_factory":
            kind = parameter.default
        else:
            keywords[name] = parameter.default
    return kind, keywords


def place(func):
    """Where a function was written."""
    import inspect

    code = getattr(inspect.unwrap(func), "__code__", None)
    if code is None:
        return func.__module__ or "?", getattr(func, "__name__", "?"), "?", 0
    return func.__module__ or "?", func.__name__, code.co_filename, code.co_firstlineno


class _Continued:
    """A coroutine that has taken its first step already, as a coroutine."""

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


def go_on(loop, coroutine, awaited, done):
    """Runs the rest of a coroutine as a task; `awaited` is what its first step waits for."""
    task = loop.create_task(_Continued(coroutine, awaited))
    task.add_done_callback(done)
    return task


# Tasks that run what was called from outside.
_called = set()


def call_from_outside(loop, coroutine):
    """Runs a coroutine on the loop from another thread, without waiting for it."""

    def run():
        task = loop.create_task(coroutine)
        _called.add(task)
        task.add_done_callback(_told)

    def _told(task):
        _called.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _core.warn("`events` failed: %s" % describe(task.exception())[1])

    loop.call_soon_threadsafe(run)
