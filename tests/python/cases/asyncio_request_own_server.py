# args: --single-run -c
# The session asks a server that runs in the same loop.
import asyncio
from molotov import scenario

async def answer(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlocal")
    await writer.drain()
    writer.close()

@scenario()
async def one(session):
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with session.get("http://127.0.0.1:%d/" % port) as response:
        print("SEEN", response.status, response.reason, await response.text())
    server.close()
