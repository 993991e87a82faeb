# args: --single-run -c
# A session that the script makes itself.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    async with aiohttp.ClientSession() as mine:
        async with mine.get(os.environ["TARGET"] + "/") as response:
            print("SEEN", response.status, await response.json())
    print("SEEN", mine.closed, session.closed)
