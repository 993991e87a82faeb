# args: --single-run -c
# A chain of redirects and what is left of it.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/redirect/3") as response:
        print("SEEN", response.status, str(response.url), str(response.request_info.url), await response.json())
        for hop in response.history:
            print("SEEN hop", hop.status, hop.method, str(hop.url), hop.headers["Location"], hop.reason)
        print("SEEN", type(response.history).__name__, len(response.history))
