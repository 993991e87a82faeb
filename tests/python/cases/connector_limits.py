# args: -w 2 --max-runs 1 -c
# unordered: seen requests
# The limits of a connector that two workers share, and connections that are not kept.
import asyncio
import os
import aiohttp
from molotov import scenario, setup

SHARED = []

@setup()
async def prepare(worker_id, args):
    if not SHARED:
        SHARED.append(aiohttp.TCPConnector(limit=3, limit_per_host=2, force_close=True))
    return {"connector": SHARED[0], "connector_owner": False}

@scenario()
async def one(session):
    async def ask():
        async with session.get(os.environ["TARGET"] + "/slow?ms=100") as response:
            return response.status
    started = asyncio.get_running_loop().time()
    print("SEEN", await asyncio.gather(*[ask() for _ in range(4)]))
    # Eight requests, two at a time.
    print("SEEN", asyncio.get_running_loop().time() - started > 0.35, session.connector.limit, session.connector.limit_per_host)
    async with session.get(os.environ["TARGET"] + "/connection") as response:
        first = (await response.json())["connection"]
    async with session.get(os.environ["TARGET"] + "/connection") as response:
        print("SEEN", (await response.json())["connection"] == first)
