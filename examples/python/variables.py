"""A value that all workers share, made on first use: `molotov -w 2 -r 3 variables.py`."""

import asyncio
import os

import molotov

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")


@molotov.scenario()
async def take_turns(session):
    queue = molotov.get_var("queue", factory=asyncio.Queue)
    if queue.empty():
        await queue.put(1)
    number = await queue.get()
    async with session.get(URL + "/users/%d" % number) as response:
        assert (await response.json())["id"] == number
    await queue.put(number + 1)
