# args: --single-run -c
# A jar that keeps nothing.
import os
import aiohttp
from molotov import scenario, setup

@setup()
async def prepare(worker_id, args):
    return {"cookie_jar": aiohttp.DummyCookieJar()}

@scenario()
async def one(session):
    url = os.environ["TARGET"].replace("127.0.0.1", "localhost")
    async with session.get(url + "/set-cookie") as response:
        print("SEEN", sorted(response.cookies))
    async with session.get(url + "/cookies") as response:
        print("SEEN", await response.json())
