# args: --single-run -c
# A body that ends too early.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    for path in ("/half", "/half-chunked"):
        async with session.get(os.environ["TARGET"] + path) as response:
            print("SEEN", response.status)
            try:
                print("SEEN", await response.text())
            except aiohttp.ClientPayloadError as error:
                print("SEEN", [c.__name__ for c in type(error).__mro__])
                print("SEEN", str(error))
