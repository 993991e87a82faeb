# args: --single-run -c
# wait and as_completed.
import asyncio
from molotov import scenario

async def after(seconds, value):
    await asyncio.sleep(seconds)
    return value

@scenario()
async def one(session):
    tasks = [asyncio.create_task(after(s, s)) for s in (0.3, 0.05)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    print("SEEN", [t.result() for t in done], len(pending))
    done, pending = await asyncio.wait(tasks)
    print("SEEN", sorted(t.result() for t in done), len(pending))
    print("SEEN", [await f for f in asyncio.as_completed([after(0.2, "b"), after(0.01, "a")])])
