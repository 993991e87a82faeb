# args: --single-run -c
# Every verb awaited.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for verb in ("get", "post", "put", "delete", "patch", "options", "head"):
        response = await getattr(session, verb)(url)
        text = await response.text()
        print("SEEN", verb, response.status, '"method"' in text)
