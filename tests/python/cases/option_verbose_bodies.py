# args: --single-run -c -vv
# -vv shows requests and responses, and changes nothing for the script.
import os
from molotov import scenario

@scenario()
async def one(session):
    for path in ("/", "/gzip", "/empty", "/big?n=100", "/text?charset=latin-1"):
        async with session.post(os.environ["TARGET"] + path, data=b"\x00\xff") as response:
            print("SEEN", response.status, await response.read())
