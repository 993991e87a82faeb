# args: --single-run -c
# A cookie set on the way is sent at the next hop, for a host with a name.
import os
from molotov import scenario

@scenario()
async def one(session):
    for host in ("localhost", "127.0.0.1"):
        url = os.environ["TARGET"].replace("127.0.0.1", host)
        async with session.get(url + "/redirect-cookie") as response:
            print("SEEN", host, await response.json(), sorted(response.cookies), sorted(response.history[0].cookies))
