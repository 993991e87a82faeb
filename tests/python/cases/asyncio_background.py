# args: --single-run -c
# A task begun in setup_session works beside the scenarios.
import asyncio
import os
from molotov import scenario, setup_session, teardown_session

@setup_session()
async def opened(worker_id, session):
    async def beat():
        while True:
            session.beats += 1
            await asyncio.sleep(0.02)
    session.beats = 0
    session.task = asyncio.create_task(beat())

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/slow?ms=300") as response:
        print("SEEN", response.status, session.beats > 3)

@teardown_session()
async def closing(worker_id, session):
    session.task.cancel()
    print("SEEN", await asyncio.gather(session.task, return_exceptions=True))
