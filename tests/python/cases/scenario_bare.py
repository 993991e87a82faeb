# args: --single-run -c
# The plainest scenario: no arguments at all.
import os
from molotov import scenario

@scenario()
async def plain(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", response.status, await response.json())
