# args: --single-run -c
# Headers that aiohttp would add are left out.
import os
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"skip_auto_headers": ["Accept", "Content-Type"]}

@scenario()
async def one(session):
    async with session.post(os.environ["TARGET"] + "/echo", data=b"bytes") as response:
        seen = (await response.json())["headers"]
        print("SEEN", sorted(set(seen) - {"user-agent"}))
