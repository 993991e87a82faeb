# args: --single-run -c
# async with await, and a response left without reading.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with await session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", await response.json())
    print("SEEN", response.closed)
    request = session.get(os.environ["TARGET"] + "/empty")
    print("SEEN", hasattr(request, "__await__"), hasattr(request, "__aenter__"))
    response = await request
    print("SEEN", response.status)
