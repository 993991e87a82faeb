# args: --single-run -c
# Headers of every request of a session.
import os
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"headers": {"X-Token": "abc", "Accept": "text/plain"}}

@scenario()
async def one(session):
    print("SEEN", dict(session.headers))
    async with session.get(os.environ["TARGET"] + "/echo") as response:
        seen = (await response.json())["headers"]
        print("SEEN", seen.get("x-token"), seen.get("accept"))
    async with session.get(os.environ["TARGET"] + "/echo", headers={"x-token": "other"}) as response:
        print("SEEN", (await response.json())["headers"].get("x-token"))
