# args: --single-run -c
# Asynchronous context managers and iterators of the script's own.
import contextlib
import os
from molotov import scenario

@contextlib.asynccontextmanager
async def fetched(session, path):
    async with session.get(os.environ["TARGET"] + path) as response:
        yield await response.text()
        print("SEEN leaving")

@scenario()
async def one(session):
    async with fetched(session, "/status/200") as text:
        print("SEEN", text)
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(session.get(os.environ["TARGET"] + "/"))
        second = await stack.enter_async_context(session.get(os.environ["TARGET"] + "/empty"))
        print("SEEN", first.status, await first.json(), second.status, second.closed)
    print("SEEN", first.closed, second.closed)
