"""Describes exceptions of scripts for the console and the reports."""

import functools
import linecache
import os
import traceback


def _ours(frame):
    name = frame.tb_frame.f_globals.get("__name__", "")
    return name == "molotov" or name.startswith(("molotov.", "importlib.", "_frozen_importlib"))


def _here():
    try:
        return os.getcwd() + os.sep
    except OSError:
        # The directory has been removed. Paths are shown in full.
        return os.sep * 2


def _suggestion(error, shown):
    """Returns the suggestion for a misspelt name: Python's, or ours if Python has none."""
    # Python adds it here since 3.12.
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
            # The object's `__dir__` fails.
            return ""
    hidden = name.startswith("_")
    near = difflib.get_close_matches(name, [other for other in known if other.startswith("_") == hidden], 1)
    return ". Did you mean: %r?" % near[0] if near else ""


@functools.lru_cache(maxsize=256)
def _source(path, number):
    """Returns the `assert` at a line, on one line. Without an `assert`, returns the line."""
    source = "".join(linecache.getlines(path))
    try:
        import ast

        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, OSError):
        # There may be no file descriptor to import with.
        nodes = []
    for node in nodes:
        if isinstance(node, ast.Assert) and node.lineno <= number <= node.end_lineno:
            return " ".join(ast.get_source_segment(source, node).split())
    return linecache.getline(path, number).strip()


def describe(error):
    """Returns the type of an exception, its message, the line of the script that raised it, and the script's traceback."""
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
        message += _suggestion(error, shown)
    elif kind is AssertionError and not message and shown.stack:
        message = _source(shown.stack[-1].filename, shown.stack[-1].lineno)
    notes = getattr(error, "__notes__", None)
    if notes and isinstance(notes, list):
        notes = "; ".join(map(str, notes))
        message = "%s (%s)" % (message, notes) if message else notes
    return kind.__name__, "%s: %s" % (kind.__name__, message) if message else kind.__name__, place, text
