"""The statsd client of a worker's context, with the methods of aiodogstatsd's client and the original's older names."""

import asyncio
import random
import time
from contextlib import contextmanager

_RESERVED = str.maketrans({char: "_" for char in ":|@#\n\r"})
_RESERVED_IN_TAG = str.maketrans({char: "_" for char in "|,#\n\r"})


class Client:
    """Sends metrics to the daemon at `--statsd-address`, without waiting for it."""

    connected = True
    closing = False
    disconnected = False

    def __init__(self, send):
        self._send = send

    def _report(self, name, kind, value, tags, sample_rate):
        if sample_rate is not None and sample_rate < 1 and random.random() > sample_rate:
            return
        text = "%s:%s|%s" % (str(name).translate(_RESERVED), str(value).translate(_RESERVED), kind)
        if sample_rate is not None and sample_rate != 1:
            text += "|@%s" % sample_rate
        if tags:
            text += "|#" + ",".join(("%s:%s" % pair).translate(_RESERVED_IN_TAG) for pair in tags.items())
        self._send(text)

    def gauge(self, name, value, tags=None, sample_rate=None):
        self._report(name, "g", value, tags, sample_rate)

    def increment(self, name, value=1, tags=None, sample_rate=None):
        self._report(name, "c", value, tags, sample_rate)

    def decrement(self, name, value=1, tags=None, sample_rate=None):
        self._report(name, "c", -value, tags, sample_rate)

    def histogram(self, name, value, tags=None, sample_rate=None):
        self._report(name, "h", value, tags, sample_rate)

    def distribution(self, name, value, tags=None, sample_rate=None):
        self._report(name, "d", value, tags, sample_rate)

    def timing(self, name, value, tags=None, sample_rate=None):
        self._report(name, "ms", value, tags, sample_rate)

    def set(self, name, value, tags=None, sample_rate=None):
        self._report(name, "s", value, tags, sample_rate)

    incr = increment
    decr = decrement
    timer = timing

    def event(self, title, text="", tags=None):
        title, text = (part.replace("\n", "\\n") for part in (str(title), str(text)))
        event = "_e{%d,%d}:%s|%s" % (len(title.encode()), len(text.encode()), title, text)
        if tags:
            event += "|#" + ",".join(("%s:%s" % pair).translate(_RESERVED_IN_TAG) for pair in tags.items())
        self._send(event)

    @contextmanager
    def timeit(self, name, tags=None, sample_rate=None, threshold_ms=None):
        """Measures a block, and sends its duration in milliseconds."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._took(started, name, tags, sample_rate, threshold_ms)

    def timeit_task(self, coro, name, tags=None, sample_rate=None, threshold_ms=None):
        """Starts a task, and sends its duration in milliseconds at the end."""
        started = time.perf_counter()
        task = asyncio.ensure_future(coro)
        task.add_done_callback(lambda _: self._took(started, name, tags, sample_rate, threshold_ms))
        return task

    def _took(self, started, name, tags, sample_rate, threshold):
        took = int((time.perf_counter() - started) * 1000)
        if threshold is None or took > threshold:
            self.timing(name, took, tags, sample_rate)

    async def connect(self):
        pass

    async def close(self):
        pass

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        pass
