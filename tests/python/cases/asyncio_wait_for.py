# args: --single-run -c
# wait_for around a request that is too slow, then the next request.
import asyncio
import os
from molotov import scenario

@scenario()
async def one(session):
    async def ask(path):
        async with session.get(os.environ["TARGET"] + path) as response:
            return await response.text()
    try:
        await asyncio.wait_for(ask("/slow?ms=5000"), timeout=0.3)
    except asyncio.TimeoutError as error:
        print("SEEN", type(error).__name__)
    print("SEEN", await asyncio.wait_for(ask("/status/200"), timeout=10))
    print("SEEN", await asyncio.wait_for(session.loop.run_in_executor(None, lambda: 5), 5))
