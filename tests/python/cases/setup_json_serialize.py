# args: --single-run -c
# A serialiser of the script's own.
import json
import os
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"json_serialize": lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True)}

@scenario()
async def one(session):
    async with session.post(os.environ["TARGET"] + "/echo", json={"b": [1, 2], "a": None}) as response:
        print("SEEN", (await response.json())["body"])
