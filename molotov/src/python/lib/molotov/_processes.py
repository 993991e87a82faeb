"""Prepares Python for a fork, and ends a child."""

import gc
import io
import sys
import threading


def flush():
    """Flushes open files. Otherwise every process would write the same buffers."""
    # A script may have frozen its objects, so that the collector does not list the standard streams.
    for stream in (sys.__stdout__, sys.__stderr__, *gc.get_objects()):
        # Check the class, not the object: looking at proxies of libraries may do work.
        if issubclass(type(stream), io.IOBase):
            try:
                if not stream.closed and stream.writable():
                    stream.flush()
            except (OSError, ValueError):
                pass


def leave():
    """Waits for the threads that Python waits for at exit, and flushes open files."""
    shutdown = getattr(threading, "_shutdown", None)
    if shutdown is not None:
        shutdown()
    flush()
