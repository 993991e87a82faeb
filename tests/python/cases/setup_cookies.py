# args: --single-run -c
# Cookies given when the session is made: an address of numbers gets them too.
import os
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"cookies": {"first": "1", "second": "two words"}}

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/cookies") as response:
        print("SEEN", await response.json())
