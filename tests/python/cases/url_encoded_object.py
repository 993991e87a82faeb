# args: --single-run -c
# An address that says it is encoded already.
import os
from yarl import URL
from molotov import scenario

@scenario()
async def one(session):
    url = URL(os.environ["TARGET"] + "/echo?a=%2B%c3%a9&b=c%20d", encoded=True)
    async with session.get(url) as response:
        print("SEEN", (await response.json())["target"])
