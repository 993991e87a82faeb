# args: --single-run -c
# Attributes of the script's own on a response, and a failing one.
import os
from molotov import scenario

@scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/") as response:
        response.mine = {"a": 1}
        print("SEEN", response.mine)
        try:
            response.nope
        except AttributeError:
            print("SEEN AttributeError")
        try:
            response.status_code
        except AttributeError:
            print("SEEN no status_code")
