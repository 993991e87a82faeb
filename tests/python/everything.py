"""Uses much of asyncio and of a session in one scenario. Many workers run it, to show that they do not affect each other."""

import asyncio
import contextvars
import os
import sys

import aiohttp
import molotov

URL = os.environ["TARGET"]
WORKER = contextvars.ContextVar("worker")
LOCK = asyncio.Lock()
INSIDE = [0]


@molotov.setup_session()
async def begin(worker, session):
    WORKER.set(worker)
    session.worker = worker


async def echo(reader, writer):
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()


@molotov.scenario()
async def everything(session):
    worker = session.worker
    assert WORKER.get() == worker

    async def status():
        async with session.get(URL + "/") as response:
            assert WORKER.get() == worker
            return response.status

    assert await asyncio.gather(*[status() for _ in range(5)]) == [200] * 5

    if sys.version_info >= (3, 11):
        try:
            async with asyncio.timeout(0.05):
                await session.get(URL + "/slow?ms=3000")
        except TimeoutError:
            pass
        else:
            raise AssertionError("it has to time out")

    async with LOCK:
        INSIDE[0] += 1
        assert INSIDE[0] == 1
        await asyncio.sleep(0)
        INSIDE[0] -= 1

    assert await asyncio.get_running_loop().run_in_executor(None, lambda: worker) == worker

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"%d\n" % worker)
    assert await reader.readline() == b"%d\n" % worker
    writer.close()
    server.close()

    form = aiohttp.FormData()
    form.add_field("worker", str(worker))
    form.add_field("file", b"x" * 10_000, filename="x.bin", content_type="application/octet-stream")
    async with session.post(URL + "/echo", data=form) as response:
        seen = await response.json()
        assert seen["method"] == "POST" and "multipart/form-data" in seen["headers"]["content-type"]
        assert 'filename="x.bin"' in seen["body"] and "x" * 10_000 in seen["body"]
    assert WORKER.get() == worker
