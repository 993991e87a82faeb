# args: --single-run -c
# A body made while it is sent.
import asyncio
import os
from molotov import scenario

async def pieces():
    for number in range(3):
        await asyncio.sleep(0.01)
        yield b"piece %d;" % number

@scenario()
async def one(session):
    async with session.post(os.environ["TARGET"] + "/echo", data=pieces()) as response:
        echo = await response.json()
        print("SEEN", echo["body"], echo["headers"].get("transfer-encoding"),
              echo["headers"].get("content-length"), echo["headers"].get("content-type"))
