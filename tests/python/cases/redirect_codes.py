# args: --single-run -c
# Which codes keep the verb and the body.
import os
from molotov import scenario

@scenario()
async def one(session):
    for code in (301, 302, 303, 307, 308):
        for verb in ("POST", "PUT", "HEAD"):
            url = os.environ["TARGET"] + "/redirect-code/%d" % code
            async with session.request(verb, url, data=b"body", allow_redirects=True) as response:
                print("SEEN", code, verb, response.status, response.method, len(response.history))
    async with session.get(os.environ["TARGET"] + "/redirect-code/300") as response:
        print("SEEN", response.status, len(response.history))
    async with session.get(os.environ["TARGET"] + "/redirect-code/304") as response:
        print("SEEN", response.status, len(response.history))
