# args: --single-run -c
# Hops: how often each event comes, and with which address.
import os
from molotov import scenario, events

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/redirect/2") as response:
        print("SEEN scenario", response.status)

@events()
async def listen(event, **info):
    if event in ("sending_request", "response_received"):
        print("SEEN", event, info["request"].method, str(info["request"].url))
        if event == "response_received":
            print("SEEN", info["response"].status, str(info["response"].url))
