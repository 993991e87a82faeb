# args: --single-run -c
# The server closes without an answer.
import os
import aiohttp
from molotov import scenario

@scenario()
async def one(session):
    for verb in ("get", "post"):
        try:
            await getattr(session, verb)(os.environ["TARGET"] + "/close")
        except aiohttp.ServerDisconnectedError as error:
            print("SEEN", [c.__name__ for c in type(error).__mro__])
            print("SEEN", str(error), repr(error.message))
