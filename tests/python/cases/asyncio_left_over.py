# args: --single-run -c
# A task that nobody waits for when the run ends.
import asyncio
from molotov import scenario

@scenario()
async def one(session):
    async def endless():
        try:
            await asyncio.sleep(1000)
        finally:
            pass
    asyncio.ensure_future(endless())
    print("SEEN started")
