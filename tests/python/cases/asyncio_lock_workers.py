# args: -w 3 -r 2 -c
# A lock of the module, shared by workers.
import asyncio
from molotov import scenario, global_teardown

STATE = {"inside": 0, "most": 0, "runs": 0}
LOCK = asyncio.Lock()

@scenario()
async def one(session):
    async with LOCK:
        STATE["inside"] += 1
        STATE["most"] = max(STATE["most"], STATE["inside"])
        await asyncio.sleep(0.02)
        STATE["inside"] -= 1
        STATE["runs"] += 1

@global_teardown()
def told():
    print("SEEN", STATE)
