# args: --single-run -c
# A listener reads the body, the scenario reads it again, as a stream too.
import os
from molotov import scenario, events

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", await response.json())
    async with session.get(os.environ["TARGET"] + "/gzip") as response:
        print("SEEN", await response.text())
    async with session.get(os.environ["TARGET"] + "/chunked") as response:
        print("SEEN", await response.content.read())

@events()
async def listen(event, **info):
    if event == "response_received":
        print("SEEN listener", await info["response"].text())
