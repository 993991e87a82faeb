# args: --single-run -c
# A request lifts the timeout of its session.
import asyncio
import os
import aiohttp
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"timeout": aiohttp.ClientTimeout(total=0.2)}

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/slow?ms=350"
    for timeout in (None, 0, aiohttp.ClientTimeout(total=None), aiohttp.ClientTimeout(total=0)):
        async with session.get(url, timeout=timeout) as response:
            print("SEEN", await response.text())
    try:
        await session.get(url)
    except asyncio.TimeoutError as error:
        print("SEEN", type(error).__name__)
