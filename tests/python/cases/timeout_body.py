# args: --single-run -c
# The time runs out while the body is read.
import asyncio
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    for timeout in (aiohttp.ClientTimeout(total=0.5), aiohttp.ClientTimeout(sock_read=0.5)):
        async with session.get(os.environ["TARGET"] + "/slow-body?ms=3000", timeout=timeout) as response:
            print("SEEN", response.status)
            try:
                print("SEEN", await response.text())
            except asyncio.TimeoutError as error:
                print("SEEN", type(error).__name__, isinstance(error, aiohttp.ClientError))
