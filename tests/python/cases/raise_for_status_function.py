# args: --single-run -c
# A function that decides.
import os
from molotov import scenario

async def decide(response):
    print("SEEN decide", response.status)
    if response.status == 404:
        raise LookupError("not there")

@scenario()
async def one(session):
    for code in (200, 404, 500):
        try:
            async with session.get(os.environ["TARGET"] + "/status/%d" % code, raise_for_status=decide) as response:
                print("SEEN", response.status)
        except LookupError as error:
            print("SEEN", error)
