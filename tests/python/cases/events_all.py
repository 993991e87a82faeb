# args: --single-run -c
# All events with their keywords, in order.
import os
from molotov import scenario, events

@scenario()
async def good(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN in the scenario", response.status)

@scenario()
async def wrong(session):
    raise ValueError("as meant")

@events()
async def listen(event, **info):
    if event != "current_workers":
        print("SEEN", event, sorted(info))
