# args: --single-run -c
# A number in a form, and bodies that are none.
import os
from molotov import scenario

@scenario()
async def one(session):
    for data in ({"n": 1}, {"n": None}, {"n": b"bytes"}, 42, object()):  # only bytes make it multipart
        try:
            async with session.post(os.environ["TARGET"] + "/echo", data=data) as response:
                echo = await response.json()
                print("SEEN", "n" in echo["body"], echo["headers"].get("content-type", "")[:19])
        except Exception as error:
            print("SEEN", type(error).__name__)
