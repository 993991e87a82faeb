# args: --single-run -c
# unordered: requests
# What runs inside a generator that makes a body: requests, context variables, its task.
import asyncio
import contextvars
import os
from molotov import scenario

NAME = contextvars.ContextVar("name", default="unset")

async def pieces(session, outer):
    NAME.set(NAME.get() + "-inside")
    async with session.get(os.environ["TARGET"] + "/text-plain") as response:
        yield await response.read()
    await asyncio.sleep(0.01)
    for body in await asyncio.gather(*[read(session, number) for number in range(3)]):
        yield body
    yield b"%s %r" % (NAME.get().encode(), asyncio.current_task() is outer)

async def read(session, number):
    async with session.get(os.environ["TARGET"] + "/big?n=%d" % number) as response:
        return await response.read()

async def send(session, name):
    NAME.set(name)
    body = pieces(session, asyncio.current_task())
    async with session.post(os.environ["TARGET"] + "/echo", data=body, timeout=10) as response:
        echo = await response.json()
    return echo["body"], NAME.get()

@scenario()
async def one(session):
    print("SEEN", await send(session, "alone"))
    for result in await asyncio.gather(*[send(session, "gather%d" % number) for number in range(3)]):
        print("SEEN", result)
    print("SEEN", await asyncio.wait_for(send(session, "wait_for"), 10))
