# args: --single-run -c
# Bodies and lengths of the verbs that carry one or not.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"] + "/echo"
    for verb in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        for data in (None, b"", b"abc"):
            async with session.request(verb, url, data=data) as response:
                seen = (await response.json())["headers"]
                print("SEEN", verb, data, seen.get("content-length"), seen.get("content-type"))
