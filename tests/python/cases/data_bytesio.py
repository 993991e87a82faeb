# args: --single-run -c
# Bodies from memory: bytes and text.
import io
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for body in (io.BytesIO(b"in memory"), io.StringIO("text \u00e9"), io.BytesIO(b"")):
        async with session.post(url, data=body) as response:
            echo = await response.json()
            print("SEEN", repr(echo["body"]), echo["headers"].get("content-type"),
                  echo["headers"].get("content-length"), echo["headers"].get("transfer-encoding"))
