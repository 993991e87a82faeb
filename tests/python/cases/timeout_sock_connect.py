# args: --single-run -c
# sock_connect and connect count alone, and leave a slow answer its time.
import asyncio
import os
import socket
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    # A server that accepts nobody: its queue is full.
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(server.getsockname())
    url = "http://127.0.0.1:%d/" % server.getsockname()[1]
    for timeout in (aiohttp.ClientTimeout(sock_connect=0.2), aiohttp.ClientTimeout(connect=0.2),
                    aiohttp.ClientTimeout(total=20, sock_connect=0.2)):
        try:
            await session.get(url, timeout=timeout)
        except asyncio.TimeoutError as error:
            print("SEEN", type(error).__name__, str(error))
        url_slow = os.environ["TARGET"] + "/slow?ms=350"
        async with session.get(url_slow, timeout=timeout) as response:
            print("SEEN", await response.text())
    for one in [server, *waiting]:
        one.close()
