# args: --single-run -c
# What the session of an event can do: it is not the one of the scenario.
import os
from molotov import scenario, events, setup_session

@setup_session()
async def opened(worker_id, session):
    session.mark = "mine"

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", response.status)

@events()
async def listen(event, **info):
    if event == "sending_request":
        print("SEEN", hasattr(info["session"], "mark"), hasattr(info["session"], "get"))
