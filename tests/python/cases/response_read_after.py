# args: --single-run -c
# read() of a body that was read before, after async with ended: not the same as text().
import os
from molotov import scenario

@scenario()
async def one(session):
    for method in ("read", "text"):
        async with session.get(os.environ["TARGET"] + "/empty") as response:
            await getattr(response, method)()
        for again in ("text", "read"):
            try:
                print("SEEN", method, again, repr(await getattr(response, again)()))
            except Exception as error:
                print("SEEN", method, again, type(error).__name__, error)
