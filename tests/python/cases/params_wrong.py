# args: --single-run -c
# Values that a query cannot hold.
import os
from molotov import scenario

@scenario()
async def one(session):
    for params in ({"a": None}, {"a": True}, {"a": b"bytes"}, {"a": object}):
        try:
            async with session.get(os.environ["TARGET"] + "/echo", params=params) as response:
                print("SEEN", (await response.json())["target"])
        except Exception as error:
            print("SEEN", list(params.values())[0], type(error).__name__)
