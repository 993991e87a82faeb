# args: --single-run -c
# release() and close(), then reading.
import os
from molotov import scenario

@scenario()
async def one(session):
    for end in ("release", "close"):
        for read in (False, True):
            response = await session.get(os.environ["TARGET"] + "/lines")
            if read:
                await response.read()
            result = getattr(response, end)()
            if hasattr(result, "__await__"):
                result = await result
            print("SEEN", end, read, result, response.closed)
            try:
                print("SEEN", await response.text())
            except Exception as error:
                print("SEEN", type(error).__name__, error)
