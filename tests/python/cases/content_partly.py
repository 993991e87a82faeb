# args: --single-run -c
# A part of the stream, then the rest by read() and text().
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/lines") as response:
        print("SEEN", await response.content.read(4))
        print("SEEN", await response.text())
    async with session.get(os.environ["TARGET"] + "/lines") as response:
        await response.read()
        print("SEEN", await response.content.read(), response.content.at_eof(), response.content.total_bytes)
