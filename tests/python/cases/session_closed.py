# args: --single-run -c
# Requests on a session that the script closed.
import os
from molotov import scenario

@scenario()
async def one(session):
    await session.close()
    print("SEEN", session.closed)
    try:
        await session.get(os.environ["TARGET"] + "/")
    except Exception as error:
        print("SEEN", type(error).__name__, error)
