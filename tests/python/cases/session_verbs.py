# args: --single-run -c
# Every verb with async with.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for verb in ("get", "post", "put", "delete", "patch", "options", "head"):
        async with getattr(session, verb)(url) as response:
            body = await response.read()
            print("SEEN", verb, response.status, response.method, len(body) > 0)
