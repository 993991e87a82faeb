# args: --single-run -c
# await response.release(), as scripts of long ago have it.
import os
from molotov import scenario

@scenario()
async def one(session):
    response = await session.get(os.environ["TARGET"] + "/")
    print("SEEN", await response.json())
    await response.release()
    print("SEEN released", response.closed)
