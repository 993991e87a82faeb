# args: --single-run -c
# The limit for reading counts once the body is sent.
import asyncio
import os
import aiohttp
from molotov import scenario

async def slow():
    for _ in range(8):
        await asyncio.sleep(0.1)
        yield b"x"

@scenario()
async def one(session):
    limit = aiohttp.ClientTimeout(sock_read=0.4)
    for path in ("/empty", "/slow?ms=2000"):
        try:
            async with session.post(os.environ["TARGET"] + path, data=slow(), timeout=limit) as response:
                print("SEEN", response.status)
        except Exception as error:
            print("SEEN", type(error).__name__, error)
