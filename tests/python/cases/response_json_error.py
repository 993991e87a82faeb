# args: --single-run -c
# The error of a wrong content type.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/lines") as response:
        try:
            await response.json()
        except aiohttp.ContentTypeError as error:
            print("SEEN", [c.__name__ for c in type(error).__mro__])
            print("SEEN", error.status, error.message, error.headers is response.headers, error.history)
            print("SEEN", str(error.request_info.url))
        print("SEEN", (await response.text()).split())
