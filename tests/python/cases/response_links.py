# args: --single-run -c
# The Link header.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/headers") as response:
        for relation, link in response.links.items():
            print("SEEN", relation, str(link["url"]), sorted(link.keys()), link.get("title"))
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", dict(response.links))
