# args: --single-run -c
# A number as timeout.
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    for timeout in (0.3, 10):
        try:
            async with session.get(os.environ["TARGET"] + "/slow?ms=1500", timeout=timeout) as response:
                print("SEEN", await response.text())
        except asyncio.TimeoutError as error:
            print("SEEN", type(error).__name__, repr(str(error)), isinstance(error, TimeoutError))
