# args: --single-run -c
# A session that leaves bodies as they came.
import os
import zlib
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"auto_decompress": False}

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/deflate") as response:
        print("SEEN", zlib.decompress(await response.read()))
