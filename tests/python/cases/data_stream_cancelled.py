# args: --single-run -c
# A request that is given up while its body is sent: the generator ends.
import asyncio
import os
from molotov import scenario

async def endless(name):
    try:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"
    finally:
        print("SEEN closed", name)

async def send(session, name):
    async with session.post(os.environ["TARGET"] + "/empty", data=endless(name)) as response:
        print("SEEN", response.status)

@scenario()
async def one(session):
    try:
        await asyncio.wait_for(send(session, "wait_for"), 0.2)
    except asyncio.TimeoutError:
        print("SEEN timeout")
    await asyncio.sleep(0.05)
    task = asyncio.ensure_future(send(session, "task"))
    await asyncio.sleep(0.2)
    task.cancel()
    print("SEEN", type((await asyncio.gather(task, return_exceptions=True))[0]).__name__)
