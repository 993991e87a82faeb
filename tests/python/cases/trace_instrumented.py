# args: --single-run -c
# Instrumentation wraps aiohttp's constructor to trace every session, and adds a header to what is sent.
import functools
import os
import types

import aiohttp
from molotov import scenario

ORIGINAL = aiohttp.ClientSession.__init__


def config():
    made = aiohttp.TraceConfig(trace_config_ctx_factory=lambda **keywords: types.SimpleNamespace(count=0, **keywords))

    async def seen(name, session, context, params):
        context.count += 1
        url = str(params.url).replace(os.environ["TARGET"], "")
        print("SEEN", context.count, name, type(params).__name__, params.method, url, isinstance(session, aiohttp.ClientSession))

    async def start(session, context, params):
        await seen("start", session, context, params)
        print("SEEN", context.trace_request_ctx, sorted(params.headers.items()))
        params.headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def redirect(session, context, params):
        await seen("redirect", session, context, params)
        print("SEEN", params.response.status, params.response.headers["Location"])

    async def end(session, context, params):
        await seen("end", session, context, params)
        print("SEEN", params.response.status, params.headers["traceparent"][:2])

    async def failed(session, context, params):
        await seen("exception", session, context, params)
        print("SEEN", type(params.exception).__name__)

    async def received(session, context, params):
        await seen("received", session, context, params)
        print("SEEN", len(params.chunk) > 0)

    made.on_request_start.append(start)
    made.on_request_redirect.append(redirect)
    made.on_request_end.append(end)
    made.on_request_exception.append(failed)
    made.on_response_chunk_received.append(received)
    return made


@functools.wraps(ORIGINAL)
def instrumented(self, *arguments, **keywords):
    keywords["trace_configs"] = [*(keywords.get("trace_configs") or ()), config()]
    ORIGINAL(self, *arguments, **keywords)


aiohttp.ClientSession.__init__ = instrumented


@scenario()
async def one(session):
    target = os.environ["TARGET"]
    async with session.get(target + "/echo", params={"a": 1}, headers={"X-One": "1"}) as response:
        headers = (await response.json())["headers"]
        print("SEEN", headers["traceparent"], headers["x-one"])
        await response.text()
    async with session.post(target + "/echo", json={"a": 1}, trace_request_ctx={"order": 7}) as response:
        print("SEEN", (await response.json())["headers"]["traceparent"])
    async with session.get(target + "/redirect/2") as response:
        print("SEEN", response.status, len(await response.read()))
    for request in (
        session.get("http://127.0.0.1:1/"),
        session.get(target + "/status/500", raise_for_status=True),
        session.get(target + "/slow?ms=3000", timeout=aiohttp.ClientTimeout(total=0.1)),
        session.get(target + "/redirect/3", max_redirects=2),
    ):
        try:
            await request
        except Exception as error:
            print("SEEN raised", type(error).__name__)
    async with session.get(target + "/lines") as response:
        print("SEEN", [len(line) async for line in response.content])
