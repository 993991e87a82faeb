# args: --single-run -c
# A large body of bytes and of text.
import os
from molotov import scenario

@scenario()
async def one(session):
    for data in (b"x" * 3000000, "y" * 900000, {"f": "z" * 100000}):
        async with session.post(os.environ["TARGET"] + "/empty", data=data) as response:
            print("SEEN", response.status, response.request_info.headers.get("Content-Length"))
