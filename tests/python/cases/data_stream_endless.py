# args: --single-run -c
# A body without end: it is sent from the first part on, and the timeout counts meanwhile.
import asyncio
import os
import aiohttp
from molotov import scenario

async def endless(pause):
    try:
        while True:
            if pause:
                await asyncio.sleep(0.01)
            yield b"x" * 1000
    finally:
        # Where the connection takes no more, aiohttp leaves the generator to the garbage collector.
        if pause:
            print("SEEN closed")

async def received(session, path):
    async with session.get(os.environ["TARGET"] + "/received", params={"path": path}) as response:
        return (await response.json())["bytes"]

@scenario()
async def one(session):
    for number, (pause, limit) in enumerate(((True, 0.5), (False, 0.5), (True, aiohttp.ClientTimeout(total=0.5)))):
        path = "/endless-%d" % number
        try:
            async with session.post(os.environ["TARGET"] + path, data=endless(pause), timeout=limit) as response:
                print("SEEN", response.status)
        except Exception as error:
            print("SEEN", type(error).__name__, isinstance(error, asyncio.TimeoutError))
        await asyncio.sleep(0.1)
        print("SEEN received", await received(session, path) >= 1000)
