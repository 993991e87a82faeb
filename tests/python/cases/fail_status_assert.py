# args: --single-run -c
# The commonest failure: a status that is not the expected one.
import os
from molotov import scenario, events

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/status/500") as response:
        assert response.status == 200, response.status

@events()
async def listen(event, **info):
    if event == "scenario_failure":
        print("SEEN", repr(info["exception"]))
