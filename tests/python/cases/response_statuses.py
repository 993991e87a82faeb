# args: --single-run -c
# Reasons and ok of many codes.
import os
from molotov import scenario

@scenario()
async def one(session):
    for code in (200, 201, 204, 304, 400, 404, 418, 500, 503, 599, 799):
        async with session.get(os.environ["TARGET"] + "/status/%d" % code) as response:
            print("SEEN", response.status, response.reason, response.ok, repr(await response.text()))
    async with session.get(os.environ["TARGET"] + "/status/200?reason=") as response:
        print("SEEN", response.status, repr(response.reason))
