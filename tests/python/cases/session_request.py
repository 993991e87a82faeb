# args: --single-run -c
# request() with verbs in any case, and with one of the script's own.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for verb in ("GET", "post", "Put", "PURGE"):
        async with session.request(verb, url) as response:
            print("SEEN", verb, response.method, (await response.json())["method"])
    response = await session.request("GET", url=url, headers={"A": "b"})
    print("SEEN", (await response.json())["headers"]["a"])
