# args: --single-run -c
# asyncio.timeout around a request (Python 3.11 and later).
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    if not hasattr(asyncio, "timeout"):
        print("SEEN no asyncio.timeout")
        return
    try:
        async with asyncio.timeout(0.3) as limit:
            await session.get(os.environ["TARGET"] + "/slow?ms=5000")
    except TimeoutError:
        print("SEEN TimeoutError", limit.expired())
    async with asyncio.timeout(10) as limit:
        response = await session.get(os.environ["TARGET"] + "/")
        print("SEEN", await response.json(), limit.expired())
