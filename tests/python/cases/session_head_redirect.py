# args: --single-run -c
# HEAD does not follow redirects unless asked.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/redirect/1"
    async with session.head(url) as response:
        print("SEEN", response.status, response.headers.get("Location"))
    async with session.head(url, allow_redirects=True) as response:
        print("SEEN", response.status, len(response.history))
