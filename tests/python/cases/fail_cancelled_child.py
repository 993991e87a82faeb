# args: -r 3 -c
# A scenario that awaits a task which was cancelled, with others beside it.
import asyncio
from molotov import scenario, events, get_context

@scenario()
async def one(session):
    step = get_context(session).step
    print("SEEN step", step)
    if step == 1:
        task = asyncio.create_task(asyncio.sleep(5))
        asyncio.get_running_loop().call_soon(task.cancel)
        results = await asyncio.gather(task, asyncio.sleep(0, "beside"), return_exceptions=True)
        print("SEEN", [repr(result) for result in results])
    if step == 2:
        task = asyncio.create_task(asyncio.sleep(5))
        asyncio.get_running_loop().call_soon(task.cancel)
        await task

@events()
async def listen(event, **info):
    if event in ("scenario_failure", "scenario_success"):
        print("SEEN", event, type(info.get("exception")).__name__)
