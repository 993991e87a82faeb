# args: --single-run -c
# Lock, Event, Queue, Semaphore, Condition.
import asyncio
from molotov import scenario

LOCK = asyncio.Lock()

@scenario()
async def one(session):
    event, queue, gate = asyncio.Event(), asyncio.Queue(2), asyncio.Semaphore(2)
    async def produce():
        for n in range(4):
            async with LOCK:
                await queue.put(n)
        event.set()
    task = asyncio.create_task(produce())
    print("SEEN", [await queue.get() for _ in range(4)], await event.wait())
    await task
    running = []
    async def limited():
        async with gate:
            running.append(gate.locked())
            await asyncio.sleep(0.01)
    await asyncio.gather(*(limited() for _ in range(4)))
    print("SEEN", running, LOCK.locked())
