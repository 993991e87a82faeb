# args: --single-run -c
# A yarl URL as the address.
import os
from yarl import URL
from molotov import scenario

@scenario()
async def one(session):
    url = URL(os.environ["TARGET"]) / "echo" % {"a": "b c"}
    async with session.get(url) as response:
        print("SEEN", (await response.json())["target"])
        print("SEEN", response.url == url, response.url.path, response.url.query_string)
