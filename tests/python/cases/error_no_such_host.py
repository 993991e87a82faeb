# args: --single-run -c
# A name that does not exist.
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    try:
        await session.get("http://no-such-host.invalid/")
    except aiohttp.ClientConnectorError as error:
        print("SEEN", type(error).__mro__[1].__name__, error.host, error.port, error.ssl)
