# args: --single-run -c
# Reading a body after async with ended, when it was never read before.
import os
from molotov import scenario

@scenario()
async def one(session):
    for path in ("/", "/empty", "/big?n=4000000", "/status/204"):
        async with session.get(os.environ["TARGET"] + path) as response:
            pass
        print("SEEN", path, response.status, response.headers.get("content-length"), response.closed)
        for method in ("read", "text", "json"):
            try:
                print("SEEN", method, repr(await getattr(response, method)()))
            except Exception as error:
                print("SEEN", method, type(error).__name__, error)
