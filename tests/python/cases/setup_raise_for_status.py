# args: --single-run -c
# A session that raises by itself.
import os
import aiohttp
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"raise_for_status": True}

@scenario()
async def one(session):
    try:
        async with session.get(os.environ["TARGET"] + "/status/404") as response:
            print("SEEN never", response.status)
    except aiohttp.ClientResponseError as error:
        print("SEEN", error.status, error.message)
    async with session.get(os.environ["TARGET"] + "/status/404", raise_for_status=False) as response:
        print("SEEN", response.status)
