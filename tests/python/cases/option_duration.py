# args: -d 1 -c
# -d 1 ends by itself; a running scenario is not cut.
import asyncio
from molotov import scenario, global_teardown

STATE = {"begun": 0, "ended": 0}

@scenario()
async def one(session):
    STATE["begun"] += 1
    await asyncio.sleep(5)
    STATE["ended"] += 1

@global_teardown()
def told():
    print("SEEN", STATE)
