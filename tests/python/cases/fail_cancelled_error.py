# args: -r 2 -c
# CancelledError out of a scenario.
import asyncio
from molotov import scenario, events, get_context

@scenario()
async def one(session):
    print("SEEN run", get_context(session).step)
    raise asyncio.CancelledError()

@events()
async def listen(event, **info):
    if event in ("scenario_failure", "scenario_success"):
        print("SEEN", event)
