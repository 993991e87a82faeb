# args: --single-run -c
# Three requests at a time take three connections.
# unordered: requests
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    async def ask(number):
        async with session.get(os.environ["TARGET"] + "/slow?ms=400&n=%d" % number) as response:
            return number, await response.text()
    print("SEEN", await asyncio.gather(*(ask(n) for n in range(3))))
    async with session.get(os.environ["TARGET"] + "/connection") as response:
        print("SEEN", (await response.json())["connection"] <= 3)
