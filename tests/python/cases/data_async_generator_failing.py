# args: --single-run -c
# A body whose making fails.
import os
from molotov import scenario

async def pieces():
    yield b"one"
    raise ValueError("no more")

@scenario()
async def one(session):
    try:
        async with session.post(os.environ["TARGET"] + "/empty", data=pieces()) as response:
            print("SEEN", response.status)
    except Exception as error:
        print("SEEN", type(error).__name__)
