"""Request bodies that are written while they are sent."""

import asyncio
import contextvars
import io
import os

from molotov._exceptions import errors

# zlib's.
_DEFAULT_STRATEGY = 0


class Source:
    """A body that is written while it is sent.

    `data` is what the script gave, `make` turns it into something with aiohttp's interface of payloads: a `size`, and
    `write(writer)`.
    """

    def __init__(self, data, make):
        self._data = data
        self._make = make
        self._body = make(data)
        self.content_type = self._body.headers.get("Content-Type")
        self.size = self._body.size

    async def collect(self):
        """Returns the complete body."""
        writer = _Collected()
        await self._body.write(writer)
        return b"".join(writer.parts)

    def start_with(self, url, length, coding):
        """Returns the arguments of `session._send`: the length, what starts the writing task, and what makes both again."""
        # As in aiohttp, the task starts with the context of the request.
        loop, context = asyncio.get_running_loop(), contextvars.copy_context()
        framed = length is not None

        def of(body, length):
            return length, lambda upload: context.run(loop.create_task, _write(body, upload, url, coding))

        def again():
            body = self._make(self._data)
            return of(body, body.size if framed else None)

        return (*of(self._body, length), again)


async def _write(body, upload, url, coding):
    writer = _Writer(upload, coding)
    try:
        await body.write(writer)
        await writer.write_eof()
    except OSError as error:
        if error.errno is None and isinstance(error, asyncio.TimeoutError):
            upload.fail(error)
            return
        failure = errors.ClientOSError(error.errno, "Can not write request body for %s" % url)
        failure.__cause__ = error
        upload.fail(failure)
    except Exception as error:
        failure = errors.ClientConnectionError("Failed to send bytes into the underlying connection to %s" % url)
        failure.__cause__ = error
        upload.fail(failure)
    except BaseException as error:
        upload.fail(error)
        if isinstance(error, asyncio.CancelledError):
            raise
    else:
        upload.end()


class _Writer:
    """Receives what a body writes, as a writer of aiohttp."""

    def __init__(self, upload, coding=None):
        self._upload = upload
        self._compressor = None
        if coding is not None:
            self.enable_compression(coding)

    async def write(self, chunk, **_):
        if self._compressor is not None:
            chunk = self._compressor.compress(chunk)
        if not self._upload.push(chunk):
            await self._upload.room()

    async def write_eof(self, chunk=b""):
        if chunk:
            await self.write(chunk)
        compressor, self._compressor = self._compressor, None
        if compressor is not None:
            await self.write(compressor.flush())

    async def drain(self):
        await self._upload.room()

    def enable_compression(self, coding="deflate", strategy=_DEFAULT_STRATEGY):
        import zlib

        self._compressor = zlib.compressobj(wbits=(16 if coding == "gzip" else 0) + zlib.MAX_WBITS, strategy=strategy)

    def enable_chunking(self):
        pass


class _Collected:
    """Collects what a body writes."""

    def __init__(self):
        self.parts = []

    async def write(self, chunk, **_):
        self.parts.append(bytes(chunk))

    async def write_eof(self, chunk=b""):
        if chunk:
            self.parts.append(bytes(chunk))

    async def drain(self):
        pass

    def enable_compression(self, *_):
        pass

    def enable_chunking(self):
        pass


class Iterated:
    """An asynchronous iterable as a body, without aiohttp."""

    headers = {"Content-Type": "application/octet-stream"}
    size = None

    def __init__(self, iterable):
        self._iterator = iterable.__aiter__()

    async def write(self, writer):
        try:
            async for part in self._iterator:
                await writer.write(part)
        finally:
            close = getattr(self._iterator, "aclose", None)
            if close is not None:
                await close()


class Opened:
    """An open file as a body, without aiohttp. As in aiohttp, it is closed at the end."""

    def __init__(self, file):
        if isinstance(file, io.StringIO):
            file = io.BytesIO(file.read().encode("utf-8"))
            kind = _TEXT
        elif isinstance(file, io.TextIOBase):
            kind = _TEXT
        else:
            import mimetypes

            name = getattr(file, "name", None)
            kind = (mimetypes.guess_type(name)[0] if isinstance(name, str) else None) or "application/octet-stream"
        self._file = file
        self.headers = {"Content-Type": kind}

    @property
    def size(self):
        file = self._file
        if isinstance(file, io.BytesIO):
            return len(file.getbuffer()) - file.tell()
        if not isinstance(file, (io.BufferedReader, io.BufferedRandom, io.TextIOBase)):
            return None
        try:
            return os.fstat(file.fileno()).st_size - file.tell()
        except OSError:
            return None

    async def write(self, writer):
        run = asyncio.get_running_loop().run_in_executor
        try:
            while part := await run(None, self._file.read, 65536):
                await writer.write(part.encode("utf-8") if isinstance(part, str) else part)
        finally:
            await run(None, self._file.close)


_TEXT = "text/plain; charset=utf-8"
