# args: --single-run -c
# A response is there for listener and scenario before its body has ended.
import os
from molotov import scenario, events

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/endless") as response:
        print("SEEN", response.status, await response.content.readexactly(4))

@events()
async def listen(event, **info):
    if event == "response_received":
        print("SEEN listener", info["response"].status)
