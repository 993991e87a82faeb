# args: --single-run -c
# TimeoutError of the script's own, and of a request that nobody catches.
import asyncio
import os
from molotov import scenario, events

@scenario()
async def a_own(session):
    raise asyncio.TimeoutError("own")

@scenario()
async def b_request(session):
    async with session.get(os.environ["TARGET"] + "/slow?ms=5000", timeout=0.2) as response:
        print("SEEN never")

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        print("SEEN", info["scenario"]["name"], type(info["exception"]).__name__, repr(str(info["exception"])))
