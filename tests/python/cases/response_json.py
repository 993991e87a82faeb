# args: --single-run -c
# json() with right, wrong and no content types.
import os
from molotov import scenario

@scenario()
async def one(session):
    url = os.environ["TARGET"]
    async with session.get(url + "/") as response:
        print("SEEN", await response.json(), await response.json())
    for path in ("/vendor-json", "/json-as-text", "/no-type", "/empty-json", "/bad-json", "/status/200"):
        for options in ({}, {"content_type": None}, {"content_type": "text/plain"}):
            async with session.get(url + path) as response:
                try:
                    print("SEEN", path, options, await response.json(**options))
                except Exception as error:
                    print("SEEN", path, options, type(error).__name__, str(error))
