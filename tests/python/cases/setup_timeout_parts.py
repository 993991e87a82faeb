# args: --single-run -c
# The parts of a session's timeout.
import asyncio
import os
import aiohttp
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"timeout": aiohttp.ClientTimeout(total=None, sock_read=0.2, sock_connect=5)}

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/slow?ms=350"
    for keywords in ({}, {"timeout": None}, {"timeout": aiohttp.ClientTimeout(sock_connect=1)}, {"timeout": 5}):
        try:
            async with session.get(url, **keywords) as response:
                print("SEEN", await response.text())
        except asyncio.TimeoutError as error:
            print("SEEN", type(error).__name__, str(error))
    try:
        async with session.get(os.environ["TARGET"] + "/slow-body?ms=350") as response:
            print("SEEN", await response.text())
    except asyncio.TimeoutError as error:
        print("SEEN", type(error).__name__, str(error))
