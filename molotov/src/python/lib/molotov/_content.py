"""The body of a response as a stream."""

import asyncio

from molotov._classes import passes_for
from molotov._exceptions import errors


class Content:
    """The body of a response as a stream."""

    __class__ = passes_for("StreamReader")

    def __init__(self, response):
        self._response = response
        self._left = bytearray()
        self._ended = False

    def _give_back(self):
        """Returns what was received and not read. `read()` of the response starts with it."""
        self._ended = True
        return self._take(len(self._left))

    async def _more(self):
        part = None if self._ended else await self._response._chunk()
        if part is None:
            self._ended = True
            return False
        most = self._response._max_body
        if most is not None and len(self._left) + len(part) > most:
            self._ended = True
            self._left.clear()
            self._response.close()
            raise errors.ClientPayloadError(
                "the body is larger than `max_body`, which is %d bytes: raise it, or read the body in parts" % most
            )
        self._left += part
        return True

    def _take(self, size):
        if size >= len(self._left):
            left, self._left = self._left, bytearray()
            return bytes(left)
        taken = bytes(self._left[:size])
        del self._left[:size]
        return taken

    async def read(self, n=-1):
        if n < 0:
            while await self._more():
                pass
            return self._take(len(self._left))
        while n and not self._left and await self._more():
            pass
        return self._take(n)

    async def readany(self):
        while not self._left and await self._more():
            pass
        return self._take(len(self._left))

    async def readexactly(self, n):
        while len(self._left) < n and await self._more():
            pass
        if len(self._left) < n:
            raise asyncio.IncompleteReadError(self._take(n), n)
        return self._take(n)

    async def readuntil(self, separator=b"\n"):
        searched = 0
        while True:
            end = self._left.find(separator, searched)
            if end >= 0:
                return self._take(end + len(separator))
            searched = max(0, len(self._left) - len(separator) + 1)
            if not await self._more():
                return self._take(len(self._left))

    async def readline(self):
        return await self.readuntil()

    async def readchunk(self):
        part = await self.readany()
        return part, bool(part) or self._ended

    def read_nowait(self, n=-1):
        return self._take(len(self._left) if n < 0 else n)

    async def wait_eof(self):
        """Receives the rest of the body, and keeps it."""
        while await self._more():
            pass

    def unread_data(self, data):
        self._left[:0] = data

    def exception(self):
        """Returns `None`: the methods that read raise the error of an incomplete body, and do not keep it."""
        return None

    def at_eof(self):
        return not self._left and self.is_eof()

    @property
    def total_bytes(self):
        body = self._response._body
        return len(body) if body is not None else len(self._left)

    def is_eof(self):
        return self._ended or self._response._body is not None

    def iter_chunked(self, n):
        return _Parts(lambda: self.read(n))

    def iter_any(self):
        return _Parts(self.readany)

    def iter_chunks(self):
        return _Parts(self.readchunk, lambda part: part == (b"", True))

    def __aiter__(self):
        return _Parts(self.readline)


class _Parts:
    def __init__(self, read, is_end=lambda part: part == b""):
        self._read = read
        self._is_end = is_end

    def __aiter__(self):
        return self

    async def __anext__(self):
        part = await self._read()
        if self._is_end(part):
            raise StopAsyncIteration
        return part
