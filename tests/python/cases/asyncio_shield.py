# args: --single-run -c
# shield: the inner work goes on.
import asyncio
from molotov import scenario

@scenario()
async def one(session):
    async def inner():
        await asyncio.sleep(0.3)
        print("SEEN inner ended")
        return 5
    task = asyncio.create_task(inner())
    try:
        await asyncio.wait_for(asyncio.shield(task), 0.05)
    except asyncio.TimeoutError:
        print("SEEN outer gave up", task.done())
    print("SEEN", await task)
