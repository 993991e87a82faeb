# args: --single-run -c
# chunked=True for a body of known size.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.post(os.environ["TARGET"] + "/echo", data=b"known size", chunked=True) as response:
        echo = await response.json()
        print("SEEN", echo["body"], echo["headers"].get("transfer-encoding"), echo["headers"].get("content-length"))
