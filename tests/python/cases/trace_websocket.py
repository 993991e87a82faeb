# args: --single-run -c
# The trace configurations of a session also hear of its WebSockets.
import os

import aiohttp
from molotov import scenario


@scenario()
async def one(session):
    made = aiohttp.TraceConfig()

    async def listen(session, context, params):
        print("SEEN", type(params).__name__, params.method, params.headers.get("X-One"), context.trace_request_ctx)

    made.on_request_start.append(listen)
    made.on_request_end.append(listen)
    made.on_request_exception.append(listen)
    made.freeze()
    session.trace_configs.append(made)
    async with session.get(os.environ["TARGET"] + "/", trace_request_ctx="mine") as response:
        print("SEEN", response.status, made in session.trace_configs, session.trace_configs is session._trace_configs)
    async with session.ws_connect(os.environ["TARGET"] + "/ws", headers={"X-One": "1"}) as socket:
        await socket.send_str("hello")
        print("SEEN", (await socket.receive()).data)
    try:
        await session.ws_connect("http://127.0.0.1:1/ws")
    except aiohttp.ClientError as error:
        print("SEEN", type(error).__name__)
    session._trace_configs = []
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", response.status)
