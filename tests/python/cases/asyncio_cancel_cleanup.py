# args: --single-run -c
# Cancelling a request in flight runs finally, which may await.
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    async def ask():
        try:
            async with session.get(os.environ["TARGET"] + "/slow?ms=5000") as response:
                return response.status
        except asyncio.CancelledError:
            print("SEEN cancelled")
            raise
        finally:
            async with session.get(os.environ["TARGET"] + "/status/200") as response:
                print("SEEN finally", response.status)
    task = asyncio.create_task(ask())
    await asyncio.sleep(0.3)
    task.cancel()
    print("SEEN", await asyncio.gather(task, return_exceptions=True))
