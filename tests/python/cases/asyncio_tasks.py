# args: --single-run -c
# create_task: results, names, cancelling, the current one.
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    async def ask():
        async with session.get(os.environ["TARGET"] + "/") as response:
            return await response.json(), asyncio.current_task().get_name()
    task = asyncio.create_task(ask(), name="mine")
    print("SEEN", task.done(), await task, task.done())
    sleeper = asyncio.ensure_future(asyncio.sleep(10))
    await asyncio.sleep(0)
    print("SEEN", sleeper.cancel())
    try:
        await sleeper
    except asyncio.CancelledError:
        print("SEEN cancelled", sleeper.cancelled())
    print("SEEN", isinstance(asyncio.current_task(), asyncio.Task), asyncio.current_task() in asyncio.all_tasks())
