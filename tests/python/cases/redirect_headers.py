# args: --single-run -c
# Headers, credentials and queries over a redirect, to this host and to another.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"]
    other = url.replace("127.0.0.1", "localhost")
    for target in ("/echo?x=1", url + "/echo", other + "/echo"):
        async with session.get(url + "/redirect-code/302", params={"to": target}, headers={"X-Keep": "yes"},
                               auth=aiohttp.BasicAuth("a", "b"), cookies={"c": "1"}) as response:
            seen = (await response.json())["headers"]
            print("SEEN", target.split("/")[-1], seen.get("x-keep"), seen.get("authorization"), seen.get("cookie"), seen.get("referer"))
