# args: --single-run -c
# A scenario that raises CancelledError, or is cancelled from inside.
import asyncio
from molotov import scenario, events

@scenario()
async def a_inner(session):
    task = asyncio.create_task(asyncio.sleep(5))
    asyncio.get_running_loop().call_later(0.05, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        print("SEEN inner cancelled")

@scenario()
async def b_after(session):
    print("SEEN after")
