# args: --single-run -c
# One connection serves request after request.
import os
from molotov import scenario

@scenario()
async def one(session):
    for number in range(3):
        async with session.get(os.environ["TARGET"] + "/?n=%d" % number) as response:
            await response.read()
            print("SEEN", response.headers.get("Connection"), number)
