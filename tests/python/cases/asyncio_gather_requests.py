# args: --single-run -c
# Requests side by side on one session.
# unordered: requests
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    async def ask(n):
        async with session.get(os.environ["TARGET"] + "/echo?n=%d" % n) as response:
            return (await response.json())["target"]
    print("SEEN", await asyncio.gather(*(ask(n) for n in range(20))))
