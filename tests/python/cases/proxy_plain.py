# args: --single-run -c
# A proxy gets the whole address.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get("http://example.invalid/echo?a=1", proxy=os.environ["TARGET"]) as response:
        print("SEEN", response.status, response.url)
