# args: --single-run -c
# A file opened for bytes.
import os
import tempfile
from molotov import scenario

@scenario()
async def one(session):
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        file.write(b"\x01\x02file\xff")
        file.flush()
        with open(file.name, "rb") as body:
            async with session.post(os.environ["TARGET"] + "/status/200", data=body) as response:
                sent = response.request_info.headers
                print("SEEN", response.status, sent.get("Content-Type"), sent.get("Content-Length"))
            print("SEEN closed", body.closed)
