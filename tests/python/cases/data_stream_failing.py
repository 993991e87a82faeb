# args: --single-run -c
# Bodies that fail while they are sent.
import asyncio
import os
from molotov import scenario

async def pieces(last):
    yield b"one"
    await asyncio.sleep(0.01)
    if isinstance(last, Exception):
        raise last
    yield last

@scenario()
async def one(session):
    for last in (ValueError("no more"), OSError(5, "broken disk"), "text", {"a": 1}):
        try:
            async with session.post(os.environ["TARGET"] + "/empty", data=pieces(last)) as response:
                print("SEEN", response.status)
        except Exception as error:
            print("SEEN", type(error).__name__, getattr(error, "errno", None), type(error.__cause__).__name__)
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", response.status)
