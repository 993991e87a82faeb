# args: --single-run -c
# A session with an address of its own: paths alone are enough.
import os
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"base_url": os.environ["TARGET"]}

@scenario()
async def one(session):
    async with session.get("/echo", params={"a": "b"}) as response:
        print("SEEN", (await response.json())["target"], str(response.url))
    try:
        await session.get(os.environ["TARGET"] + "/")
    except Exception as error:
        print("SEEN", type(error).__name__)
