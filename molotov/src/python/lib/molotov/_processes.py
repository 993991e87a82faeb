"""What Python has to do around a fork, and before a child ends."""

import gc
import io
import threading


def flush():
    """Writes what open files hold back: it would be written by every process otherwise."""
    for stream in gc.get_objects():
        # Its class is asked, not the object: proxies of libraries may do work when they are looked at.
        if issubclass(type(stream), io.IOBase):
            try:
                if not stream.closed and stream.writable():
                    stream.flush()
            except (OSError, ValueError):
                pass


def leave():
    """Waits for the threads that a script would wait for at its end, and writes what files hold back."""
    shutdown = getattr(threading, "_shutdown", None)
    if shutdown is not None:
        shutdown()
    flush()
