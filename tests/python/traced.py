"""A load test whose `setup` returns trace configurations; the original takes none there.

    molotov -p 2 -w 4 -r 2 -c -f 1 tests/python/traced.py
"""
import asyncio

import aiohttp
import molotov

# The events, by session.
SEEN = {}


def config(*signals):
    made = aiohttp.TraceConfig()

    async def listen(session, context, params):
        SEEN.setdefault(id(session), []).append(type(params).__name__)
        if isinstance(params, aiohttp.TraceRequestStartParams):
            params.headers["X-Trace"] = "1"

    for name in signals:
        getattr(made, name).append(listen)
    return made


async def answer(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 %d OK\r\nContent-Length: 0\r\n\r\n" % (200 if b"x-trace: 1" in head.lower() else 400))
    await writer.drain()
    writer.close()


@molotov.setup()
async def options(worker_id, args):
    if worker_id % 2:
        # Only aiohttp sends this signal.
        return {"trace_configs": [config("on_request_start", "on_connection_create_end")]}
    return {"trace_configs": [config("on_request_start", "on_request_end")]}


@molotov.scenario()
async def one(session):
    is_real = bool(molotov.get_context(session).worker_id % 2)
    assert (type(session) is aiohttp.ClientSession) == is_real
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = "http://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
        assert (await session.get(url)).status == 200
        last = "TraceConnectionCreateEndParams" if is_real else "TraceRequestEndParams"
        assert SEEN.pop(id(session)) == ["TraceRequestStartParams", last]
