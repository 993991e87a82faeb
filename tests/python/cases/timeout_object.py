# args: --single-run -c
# ClientTimeout: total, sock_read and connect.
import asyncio
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    for timeout in (aiohttp.ClientTimeout(total=0.3), aiohttp.ClientTimeout(sock_read=0.3), aiohttp.ClientTimeout(connect=5),
                    aiohttp.ClientTimeout(total=0), aiohttp.ClientTimeout(total=None), None):
        try:
            async with session.get(os.environ["TARGET"] + "/slow?ms=1200", timeout=timeout) as response:
                print("SEEN", await response.text())
        except asyncio.TimeoutError as error:
            print("SEEN", [c.__name__ for c in type(error).__mro__], str(error).split("http")[0])
