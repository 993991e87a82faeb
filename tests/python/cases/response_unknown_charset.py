# args: --single-run -c
# A charset that Python does not know is left alone.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/content-type?kind="
    for kind in ("application/json;charset=no-such", "application/json;charset=latin-1", "application/json;charset="):
        async with session.get(url + kind) as response:
            print("SEEN", await response.text(), await response.json(), response.get_encoding())
