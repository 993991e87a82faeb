# args: --single-run -c
# Content types in odd forms.
import os
from molotov import scenario

@scenario()
async def one(session):
    for path in ("/", "/no-type", "/vendor-json", "/text?charset=utf-8", "/text-plain", "/status/204"):
        async with session.get(os.environ["TARGET"] + path) as response:
            print("SEEN", path, response.content_type, response.charset, response.headers.get("Content-Type"))
