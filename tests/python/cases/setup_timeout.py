# args: --single-run -c
# A timeout for every request of the session.
import asyncio
import os
import aiohttp
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"timeout": aiohttp.ClientTimeout(total=0.3)}

@scenario()
async def one(session):
    try:
        async with session.get(os.environ["TARGET"] + "/slow?ms=5000") as response:
            print("SEEN", response.status)
    except asyncio.TimeoutError as error:
        print("SEEN", [c.__name__ for c in type(error).__mro__])
