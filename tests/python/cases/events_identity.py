# args: --single-run -c
# The request is one and the same in both events, hashable, and takes attributes.
import os
from molotov import scenario, events

STARTED = {}

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", response.mark)

@events()
async def listen(event, **info):
    if event == "sending_request":
        STARTED[info["request"]] = info["session"]
        info["request"].note = "attached"
    elif event == "response_received":
        print("SEEN", info["request"] in STARTED, info["request"].note, info["response"].request is info["request"])
        print("SEEN", STARTED[info["request"]] is info["session"])
        info["response"].mark = "on the response"
