# args: --single-run -c
# The server answers before the body has ended.
import asyncio
import os
from molotov import scenario

CLOSED = []

async def endless():
    try:
        while True:
            await asyncio.sleep(0.01)
            yield b"x" * 1000
    finally:
        CLOSED.append(True)

@scenario()
async def one(session):
    async with session.post(os.environ["TARGET"] + "/refuse", data=endless(), timeout=5) as response:
        print("SEEN", response.status, await response.text())
    await asyncio.sleep(0.1)
    print("SEEN closed", CLOSED)
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", response.status)
