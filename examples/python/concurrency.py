"""Requests in parallel, as browsers send them: `molotov -w 2 -r 3 concurrency.py`."""

import asyncio
import os

from molotov import scenario

URL = os.environ.get("MOLOTOV_TARGET", "http://127.0.0.1:8080")


@scenario()
async def page(session):
    async def part(path):
        async with session.get(URL + path) as response:
            assert response.status == 200

    await asyncio.gather(part("/"), part("/users/7"), part("/slow"))
