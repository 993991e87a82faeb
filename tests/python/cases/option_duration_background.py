# args: -d 1 -c
# The duration is over while tasks of the script run: they go on until the run ends, and count as nothing.
import asyncio
import os
from molotov import scenario, setup_session, teardown_session

async def ask(session, path, ended):
    async with session.get(os.environ["TARGET"] + path) as response:
        await response.read()
    ended.set()

async def forever(session):
    while True:
        session.beats += 1
        await asyncio.sleep(0.05)

@setup_session()
async def begin(worker_id, session):
    session.beats = 0
    session.ended = asyncio.Event()
    session.tasks = [
        asyncio.create_task(ask(session, "/slow?ms=2600", session.ended)),
        asyncio.create_task(forever(session)),
    ]

@scenario()
async def one(session):
    # Longer than the duration as the original counts it.
    await asyncio.sleep(2.2)
    print("SEEN scenario", session.beats > 10, session.ended.is_set())

@teardown_session()
async def end(worker_id, session):
    beats = session.beats
    await asyncio.wait_for(session.ended.wait(), 10)
    print("SEEN teardown_session", session.beats > beats)
    session.tasks[1].cancel()
    print("SEEN", [type(result).__name__ for result in await asyncio.gather(*session.tasks, return_exceptions=True)])
