# args: --single-run -c
# allow_redirects=False.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/redirect/2", allow_redirects=False) as response:
        print("SEEN", response.status, response.headers["location"], await response.text(), response.history, response.ok)
