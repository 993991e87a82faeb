# args: --single-run -c
# Signals of connections and of what is sent, for every session.
import functools
import os

import aiohttp
from molotov import scenario

ORIGINAL = aiohttp.ClientSession.__init__


def config():
    made = aiohttp.TraceConfig()

    def listen(name):
        async def listener(session, context, params):
            print("SEEN", name, type(params).__name__)

        return listener

    for name in ("request_start", "connection_create_start", "connection_create_end", "connection_reuseconn",
                 "request_headers_sent", "request_chunk_sent", "request_end"):
        getattr(made, "on_" + name).append(listen(name))
    return made


@functools.wraps(ORIGINAL)
def instrumented(self, *arguments, **keywords):
    keywords["trace_configs"] = [*(keywords.get("trace_configs") or ()), config()]
    ORIGINAL(self, *arguments, **keywords)


aiohttp.ClientSession.__init__ = instrumented


@scenario()
async def one(session):
    for _ in range(2):
        async with session.post(os.environ["TARGET"] + "/echo", data=b"12345") as response:
            print("SEEN", response.status, len(await response.read()) > 0)
