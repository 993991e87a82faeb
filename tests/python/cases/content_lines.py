# args: --single-run -c
# The stream of a body: line by line.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/lines") as response:
        print("SEEN", await response.content.readline())
        async for line in response.content:
            print("SEEN", line)
        print("SEEN", await response.content.readline())
    async with session.get(os.environ["TARGET"] + "/lines") as response:
        print("SEEN", await response.content.readuntil(b"w"))
