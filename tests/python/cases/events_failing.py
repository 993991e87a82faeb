# args: --single-run -c
# A listener that fails fails nothing; the next one is called.
import os
from molotov import scenario, events

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", response.status)

@events()
async def bad(event, **info):
    if event == "sending_request":
        print("SEEN bad", event)
        raise ValueError("listener")

@events()
async def good(event, **info):
    if event in ("sending_request", "response_received"):
        print("SEEN good", event)
