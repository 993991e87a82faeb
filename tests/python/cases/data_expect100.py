# args: --single-run -c
# The client waits for permission to send.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.post(os.environ["TARGET"] + "/echo", data=b"after asking", expect100=True) as response:
        echo = await response.json()
        print("SEEN", echo["headers"].get("expect"), echo["body"])
