# args: --single-run -c
# An error inside async with: the response is closed, the session lives on.
import os
from molotov import scenario

@scenario()
async def one(session):
    try:
        async with session.get(os.environ["TARGET"] + "/big?n=500000") as response:
            raise KeyError("inside")
    except KeyError as error:
        print("SEEN", repr(error), response.closed)
    async with session.get(os.environ["TARGET"] + "/") as response:
        print("SEEN", await response.json())
