# args: --single-run -c
# Session headers from pairs; Accept and User-Agent of the script's own.
import os
from multidict import CIMultiDict
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"headers": CIMultiDict([("X-Many", "1"), ("X-Many", "2"), ("User-Agent", "own/1")])}

@scenario()
async def one(session):
    for headers in (None, {"X-Many": "3"}, {"User-Agent": "other"}):
        async with session.get(os.environ["TARGET"] + "/echo", headers=headers) as response:
            echo = await response.json()
            print("SEEN", echo["headers"]["x-many"], echo["headers"]["user-agent"])
    session.headers["X-Late"] = "set in the scenario"
    async with session.get(os.environ["TARGET"] + "/echo") as response:
        print("SEEN", (await response.json())["headers"].get("x-late"))
