# args: --single-run -c
# sock_read counts beside total, from the last byte that came.
import asyncio
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    target = os.environ["TARGET"]
    for path, timeout in (
        ("/slow?ms=2000", aiohttp.ClientTimeout(total=20, sock_read=0.2)),
        ("/slow-body?ms=2000", aiohttp.ClientTimeout(total=20, sock_read=0.2)),
        ("/slow?ms=2000", aiohttp.ClientTimeout(total=0.2, sock_read=20)),
        ("/redirect/3", aiohttp.ClientTimeout(total=20, sock_read=5)),
        ("/drip?ms=250&n=6", aiohttp.ClientTimeout(total=20, sock_read=1)),
    ):
        try:
            async with session.get(target + path, timeout=timeout) as response:
                print("SEEN", response.status)
                print("SEEN", await response.text())
        except asyncio.TimeoutError as error:
            print("SEEN", type(error).__name__, str(error))
    try:
        async with session.get(target + "/slow-body?ms=2000", timeout=aiohttp.ClientTimeout(sock_read=0.2)) as response:
            async for part in response.content.iter_any():
                print("SEEN", part)
    except asyncio.TimeoutError as error:
        print("SEEN", type(error).__name__, str(error))
