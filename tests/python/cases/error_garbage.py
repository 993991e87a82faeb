# args: --single-run -c
# An answer that is not HTTP.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    try:
        await session.get(os.environ["TARGET"] + "/garbage")
    except aiohttp.ClientResponseError as error:
        print("SEEN", [c.__name__ for c in type(error).__mro__], error.status)
        print("SEEN", str(error.request_info.url))
