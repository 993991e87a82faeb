# args: --single-run -c
# A jar that keeps cookies of bare addresses.
import os
import aiohttp
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"cookie_jar": aiohttp.CookieJar(unsafe=True)}

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/set-cookie") as response:
        print("SEEN", sorted(response.cookies))
    async with session.get(os.environ["TARGET"] + "/cookies") as response:
        print("SEEN", await response.json())
    print("SEEN jar", sorted((c.key, c.value) for c in session.cookie_jar))
