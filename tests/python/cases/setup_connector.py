# args: --single-run -c
# A connector of the script's own.
import os
import aiohttp
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"connector": aiohttp.TCPConnector(limit=1)}

@scenario()
async def one(session):
    for _ in range(3):
        async with session.get(os.environ["TARGET"] + "/") as response:
            print("SEEN", await response.json())
