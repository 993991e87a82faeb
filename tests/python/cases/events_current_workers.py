# args: -w 2 -r 4 -c
# The number of workers is told at least once, with one keyword.
import asyncio
from molotov import scenario, events, global_teardown

HEARD = []

@scenario()
async def one(session):
    await asyncio.sleep(0.5)

@events()
async def listen(event, **info):
    if event == "current_workers":
        HEARD.append((sorted(info), type(info["workers"]).__name__, info["workers"]))

@global_teardown()
def told():
    print("SEEN", HEARD[0][:2], max(h[2] for h in HEARD))
