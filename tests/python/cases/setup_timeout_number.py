# args: --single-run -c
# Timeouts of a session in older spellings.
import asyncio
import os
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"read_timeout": 0.3, "conn_timeout": 5}

@scenario()
async def one(session):
    try:
        await session.get(os.environ["TARGET"] + "/slow?ms=3000")
        print("SEEN no timeout")
    except asyncio.TimeoutError as error:
        print("SEEN", type(error).__name__)
