# args: --single-run -c
# Nobody listens.
import socket
import aiohttp
from molotov import scenario

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    PORT = probe.getsockname()[1]

@scenario()
async def one(session):
    try:
        await session.get("http://127.0.0.1:%d/" % PORT)
    except aiohttp.ClientConnectorError as error:
        print("SEEN", [c.__name__ for c in type(error).__mro__])
        print("SEEN", str(error))
        print("SEEN", error.errno, error.host, error.port == PORT, error.ssl, type(error.os_error).__name__)
    try:
        async with session.get("http://127.0.0.1:%d/" % PORT) as response:
            print("SEEN never")
    except OSError as error:
        print("SEEN an OSError as well", error.strerror)
