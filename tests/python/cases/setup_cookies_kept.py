# args: --single-run -c
# Cookies that `setup` gives go beside those that a server sets.
import os
from molotov import scenario, setup

TARGET = os.environ["TARGET"].replace("127.0.0.1", "localhost")

@setup()
async def prepare(worker_id, args):
    return {"cookies": {"given": "1"}}

@scenario()
async def one(session):
    async with session.get(TARGET + "/set-cookie"):
        pass
    async with session.get(TARGET + "/cookies") as response:
        print("SEEN", sorted((await response.json())["cookie"].split("; ")), len(session.cookie_jar))
    async with session.get(TARGET + "/cookies", cookies={"given": "2"}) as response:
        print("SEEN", sorted((await response.json())["cookie"].split("; ")))
    session.cookie_jar.clear()
    async with session.get(TARGET + "/cookies") as response:
        print("SEEN", await response.json())
