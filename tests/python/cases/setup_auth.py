# args: --single-run -c
# Credentials for every request, and for one.
import os
import aiohttp
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"auth": aiohttp.BasicAuth("user", "secret")}

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/basic-auth") as response:
        print("SEEN", response.status, await response.json())
    other = aiohttp.BasicAuth("somebody", "else")
    async with session.get(os.environ["TARGET"] + "/basic-auth", auth=other) as response:
        print("SEEN", response.status, response.headers["WWW-Authenticate"])
