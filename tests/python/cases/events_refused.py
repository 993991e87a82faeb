# args: --single-run -c
# A request that fails: which events come.
import os
from molotov import scenario, events

@scenario()
async def one(session):
    try:
        await session.get(os.environ["TARGET"] + "/close")
    except Exception as error:
        print("SEEN", type(error).__name__)

@events()
async def listen(event, **info):
    if event in ("sending_request", "response_received"):
        print("SEEN", event)
