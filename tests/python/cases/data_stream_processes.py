# args: -p 2 -w 2 --max-runs 2 -c
# unordered: requests
# Bodies of generators and files from several workers and processes. The original loses lines that processes print at
# their end, so nothing is printed.
import asyncio
import os
import tempfile
from molotov import scenario

async def pieces():
    for _ in range(20):
        await asyncio.sleep(0.001)
        yield b"p" * 10000

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/empty"
    with tempfile.TemporaryFile() as file:
        file.write(b"f" * 200000)
        file.seek(0)
        for body in (pieces(), file):
            async with session.post(url, data=body) as response:
                assert response.status == 200
