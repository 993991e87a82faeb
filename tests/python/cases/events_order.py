# args: --single-run -c
# Listeners are called in the order of their making, and waited for.
import asyncio
from molotov import scenario, events

@scenario()
async def one(session):
    print("SEEN scenario")

@events()
async def first(event, **info):
    if event.startswith("scenario"):
        await asyncio.sleep(0.05)
        print("SEEN first", event)

@events()
async def second(event, **info):
    if event.startswith("scenario"):
        print("SEEN second", event)
