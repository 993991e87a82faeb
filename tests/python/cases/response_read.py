# args: --single-run -c
# read() as often as one likes, and text() and json() after async with ended.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        first = await response.read()
        print("SEEN", first, await response.read() == first, await response.text() == first.decode())
    print("SEEN after", response.status, response.closed, await response.text(), await response.json())
    response = await session.get(os.environ["TARGET"] + "/empty")
    print("SEEN", await response.read(), await response.text() == "", response.content_length)
