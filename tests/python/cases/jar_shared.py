# args: -w 2 --max-runs 1 -c
# unordered: seen requests
# Two workers share a jar, and a file keeps it.
import os
import tempfile
import aiohttp
from molotov import scenario, setup

TARGET = os.environ["TARGET"]
JARS = []

@setup()
async def prepare(worker_id, args):
    if not JARS:
        JARS.append(aiohttp.CookieJar(unsafe=True))
    return {"cookie_jar": JARS[0]}

@scenario()
async def one(session):
    session.cookie_jar.update_cookies({"by": "hand"})
    async with session.get(TARGET + "/set-cookie"):
        pass
    async with session.get(TARGET + "/cookies") as response:
        print("SEEN", sorted((await response.json())["cookie"].split("; ")))
    with tempfile.NamedTemporaryFile() as file:
        session.cookie_jar.save(file.name)
        read = aiohttp.CookieJar(unsafe=True)
        read.load(file.name)
    print("SEEN", sorted((c.key, c.value) for c in read), session.cookie_jar is JARS[0], len(JARS[0]))
